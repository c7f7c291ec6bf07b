/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lab/decode.h"

static gboolean value_fits(const char *type, const char *text)
{
	if (g_strcmp0(type, "integer") == 0) {
		const char *digits = text + (text[0] == '-');
		return digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits);
	}
	if (g_strcmp0(type, "boolean") == 0)
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	return TRUE;
}

static void assignment_apply(np_lab *lab, const char *assignment, np_diags *diags)
{
	static const np_pos nowhere;
	const char *equals = strchr(assignment, '=');
	if (equals == NULL) {
		np_diags_error(diags, nowhere, "write --var NAME=VALUE", "the option --var %s has no '='", assignment);
		return;
	}
	g_autofree char *name = g_strndup(assignment, (gsize)(equals - assignment));
	np_variable *variable = np_map_find(lab->variables, name);
	if (variable != NULL) {
		g_free(variable->value);
		variable->value = g_strdup(equals + 1);
		return;
	}
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < lab->variables->len; i++)
		g_ptr_array_add(names, ((np_object *)lab->variables->pdata[i])->name);
	g_ptr_array_add(names, NULL);
	const char *nearest = np_nearest(name, (const char *const *)names->pdata);
	g_autofree char *hint = nearest ? g_strdup_printf("did you mean '%s'?", nearest) : NULL;
	np_diags_error(diags, nowhere, hint ? hint : "declare it in the section 'variables'",
	               "the lab has no variable '%s' for --var %s", name, name);
}

static void variable_finish(np_variable *variable, np_diags *diags)
{
	gboolean given = variable->value != NULL;
	if (!given)
		variable->value = g_strdup(variable->def);
	if (variable->value == NULL || value_fits(variable->type, variable->value))
		return;
	const char *shown = variable->sensitive ? "…" : variable->value;
	np_pos pos = given ? variable->base.pos : np_object_at(&np_variable_kind, &variable->base, "default");
	np_diags_error(diags, pos, NULL, "%s '%s' of variable '%s' is not valid: it must be %s",
	               given ? "value" : "default", shown, variable->base.name,
	               strcmp(variable->type, "integer") == 0 ? "an integer" : "true or false");
}

void np_variables_resolve(np_lab *lab, const char *const *assignments, np_diags *diags)
{
	for (; assignments != NULL && *assignments != NULL; assignments++)
		assignment_apply(lab, *assignments, diags);
	for (guint i = 0; i < lab->variables->len; i++)
		variable_finish(lab->variables->pdata[i], diags);
}
