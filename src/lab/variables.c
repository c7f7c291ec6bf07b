/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lab/decode.h"
#include "lab/secrets.h"

static const np_pos nowhere;

static const char *type_words(const char *type)
{
	if (g_strcmp0(type, "integer") == 0)
		return "an integer";
	return g_strcmp0(type, "boolean") == 0 ? "true or false" : "text";
}

static gboolean value_fits(const char *type, const char *text)
{
	if (g_strcmp0(type, "integer") == 0) {
		const char *digits = text + (text[0] == '-');
		size_t length = strlen(digits);
		return length > 0 && strspn(digits, "0123456789") == length && (digits[0] != '0' || length == 1);
	}
	if (g_strcmp0(type, "boolean") == 0)
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	return TRUE;
}

static gboolean has_sensitive(const np_lab *lab)
{
	for (guint i = 0; i < lab->variables->len; i++)
		if (((const np_variable *)lab->variables->pdata[i])->sensitive)
			return TRUE;
	return FALSE;
}

/* A secret must not be shown in the message that says what is wrong with it. Everything behind this relies on UTF-8. */
static void value_set(np_variable *variable, const char *value, np_given given, np_pos at, np_diags *diags)
{
	if (!g_utf8_validate(value, -1, NULL))
		np_diags_error(diags, NP_CODE_VARIABLE_SYNTAX, at, "convert it, as in iconv -f LATIN1 -t UTF-8",
		               "the value of variable '%s' in %s is not UTF-8", variable->base.name,
		               given == NP_GIVEN_ENVIRONMENT ? "the environment" : "--var");
	g_free(variable->value);
	variable->value = g_utf8_make_valid(value, -1);
	variable->given = (int)given;
	variable->given_at = at;
	if (variable->sensitive)
		np_diags_secret(diags, variable->value);
}

static void unknown_report(const np_lab *lab, const char *name, const char *by, np_pos pos, np_diags *diags)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < lab->variables->len; i++)
		g_ptr_array_add(names, ((np_object *)lab->variables->pdata[i])->name);
	g_ptr_array_add(names, NULL);
	const char *nearest = np_nearest(name, (const char *const *)names->pdata);
	g_autofree char *hint = nearest ? g_strdup_printf("did you mean '%s'?", nearest) : NULL;
	np_diags_error(diags, NP_CODE_VARIABLE_OPTION, pos, hint ? hint : "declare it in the section 'variables'",
	               "the lab has no variable '%s' for %s", name, by);
}

static void assignment_apply(np_lab *lab, const char *assignment, np_diags *diags)
{
	const char *equals = strchr(assignment, '=');
	if (equals == NULL || equals == assignment) { /* the rest may be a secret */
		gboolean secret = has_sensitive(lab);
		np_diags_error(diags, NP_CODE_VARIABLE_SYNTAX, nowhere, "write --var NAME=VALUE",
		               "%s --var%s%s has no %s", secret ? "an option" : "the option", secret ? "" : " ",
		               secret ? "" : assignment, equals ? "name" : "'='");
		return;
	}
	g_autofree char *name = g_strndup(assignment, (gsize)(equals - assignment));
	np_variable *variable = np_map_find(lab->variables, name);
	g_autofree char *by = g_strdup_printf("--var %s", name);
	if (variable != NULL)
		value_set(variable, equals + 1, NP_GIVEN_OPTION, nowhere, diags);
	else
		unknown_report(lab, name, by, nowhere, diags);
}

/* A name in the environment has no dashes. */
static np_variable *environment_find(const np_lab *lab, const char *name)
{
	np_variable *variable = np_map_find(lab->variables, name);
	for (guint i = 0; variable == NULL && i < lab->variables->len; i++) {
		np_variable *other = lab->variables->pdata[i];
		g_autofree char *spelled = g_strdelimit(g_strdup(other->base.name), "-", '_');
		if (strcmp(spelled, name) == 0)
			variable = other;
	}
	return variable;
}

static void environment_apply(np_lab *lab, const char *assignment, np_diags *diags)
{
	const char *equals = strchr(assignment, '=');
	g_return_if_fail(equals != NULL);
	g_autofree char *name = g_strndup(assignment, (gsize)(equals - assignment));
	np_variable *variable = environment_find(lab, name);
	if (variable != NULL)
		value_set(variable, equals + 1, NP_GIVEN_ENVIRONMENT, nowhere, diags);
}

/* The value's kind must be the variable's, as everywhere in the language. */
static void entry_apply(np_lab *lab, const np_doc_node *key, const np_doc_node *value, np_diags *diags)
{
	np_variable *variable = np_map_find(lab->variables, key->text);
	if (variable == NULL) {
		unknown_report(lab, key->text, "--var-file", key->pos, diags);
	} else if (value->type != NP_DOC_SCALAR || np_doc_is_null(value)) {
		np_diags_error(diags, NP_CODE_VARIABLE_FILE, value->pos, NULL, "variable '%s' must be a single value",
		               key->text);
	} else {
		if (variable->sensitive)
			np_diags_secret(diags, value->text);
		value_set(variable, value->text, NP_GIVEN_FILE, value->pos, diags);
	}
}

/* Which of its values is which can be unknown until the file is right, so that all of it is hidden. */
static void var_file_apply(np_lab *lab, const np_var_file *file, np_diags *diags)
{
	g_autofree char *text = g_utf8_make_valid(file->text, (gssize)file->length);
	guint16 source = np_diags_source(diags, file->file, text);
	if (has_sensitive(lab) || diags->hidden->len > 0)
		np_diags_hide(diags, (np_pos){.line = 1, .source = source}, G_MAXUINT32);
	g_autoptr(np_doc) doc = np_doc_parse_source(file->text, file->length, source, diags);
	np_secrets_blank(diags);
	const np_doc_node *root = doc ? np_doc_root(doc) : NULL;
	if (root != NULL && root->type != NP_DOC_MAP)
		np_diags_error(diags, NP_CODE_VARIABLE_FILE, root->pos, "as in 'computes: 3'",
		               "a file of variables must be a mapping from names to values");
	for (guint32 i = 0; root != NULL && root->type == NP_DOC_MAP && i < root->list->n; i++)
		entry_apply(lab, root->list->items[2 * i], root->list->items[2 * i + 1], diags);
}

static void variable_finish(np_variable *variable, np_diags *diags)
{
	gboolean given = variable->value != NULL;
	if (variable->sensitive && variable->def != NULL)
		np_diags_secret(diags, variable->def);
	if (!given && variable->def != NULL)
		value_set(variable, variable->def, NP_GIVEN_DEFAULT,
		          np_object_at(&np_variable_kind, &variable->base, "default"), diags);
	if (variable->value == NULL || value_fits(variable->type, variable->value))
		return;
	np_pos pos = variable->given_at.line > 0 ? variable->given_at : variable->base.pos;
	np_diags_error(diags, NP_CODE_VARIABLE_TYPE, pos, NULL, "%s '%s' of variable '%s' is not valid: it must be %s",
	               given ? "value" : "default", variable->sensitive ? "(sensitive)" : variable->value,
	               variable->base.name, type_words(variable->type));
}

/* A flag that could not be read hides its variable as well. */
static void meant_apply(np_lab *lab, const np_doc_node *section)
{
	for (guint i = 0; section != NULL && i < lab->variables->len; i++) {
		np_variable *variable = lab->variables->pdata[i];
		const np_doc_node *entry = np_doc_get(section, variable->base.name);
		if (entry != NULL && np_secrets_meant(entry))
			variable->sensitive = TRUE;
	}
}

void np_variables_resolve(np_lab *lab, const np_doc_node *section, const np_load_options *options, np_diags *diags)
{
	static const np_load_options none;
	const np_load_options *o = options ? options : &none;
	meant_apply(lab, section);
	for (const char *const *a = o->environment; a != NULL && *a != NULL; a++)
		environment_apply(lab, *a, diags);
	for (gsize i = 0; i < o->n_var_files; i++)
		var_file_apply(lab, &o->var_files[i], diags);
	for (const char *const *a = o->variables; a != NULL && *a != NULL; a++)
		assignment_apply(lab, *a, diags);
	for (guint i = 0; i < lab->variables->len; i++)
		variable_finish(lab->variables->pdata[i], diags);
}

np_diags *np_lab_secrets(const np_lab *lab)
{
	np_diags *secrets = np_diags_new("");
	for (guint i = 0; i < lab->variables->len; i++) {
		const np_variable *variable = g_ptr_array_index(lab->variables, i);
		if (variable->sensitive && variable->value)
			np_diags_secret(secrets, variable->value);
	}
	return secrets;
}
