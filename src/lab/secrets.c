/* SPDX-License-Identifier: Apache-2.0 */
/* Sensitive values are hidden by place: what stands in a file (escapes, folded lines) is not what it reads as, and much
 * that is wrong with a file is found before anything is known of its variables. */
#include "lab/secrets.h"

#include <string.h>

#include "lab/codes.h"
#include "lab/model.h"

/* A flag of another name or another spelling of `true` may have been meant. */
static gboolean is_yes(const np_doc_node *value)
{
	return value->type == NP_DOC_SCALAR &&
	       (g_ascii_strcasecmp(value->text, "true") == 0 || g_ascii_strcasecmp(value->text, "yes") == 0 ||
	        g_ascii_strcasecmp(value->text, "on") == 0);
}

static gboolean is_no(const np_doc_node *value)
{
	return value->type == NP_DOC_SCALAR && value->style == NP_DOC_PLAIN && strcmp(value->text, "false") == 0;
}

gboolean np_secrets_meant(const np_doc_node *entry)
{
	static const char *const flag[] = {"sensitive", NULL};
	for (guint32 i = 0; entry->type == NP_DOC_MAP && i < entry->list->n; i++) {
		const char *key = entry->list->items[2 * i]->text;
		const np_doc_node *value = entry->list->items[2 * i + 1];
		if (strcmp(key, flag[0]) == 0 ? !is_no(value)
		                              : np_kind_field(&np_variable_kind, key) == NULL &&
		                                        (is_yes(value) || np_nearest(key, flag) != NULL))
			return TRUE;
	}
	return FALSE;
}

/* The entry, and a default that comes into it by an alias or a merge. */
static void entry_hide(np_diags *diags, const np_doc_node *key, const np_doc_node *entry)
{
	guint32 last = entry->pos.line;
	for (guint32 i = 0; i < 2 * entry->list->n; i++)
		last = MAX(last, np_doc_last_line(entry->list->items[i]));
	np_diags_hide(diags, key->pos, key->pos.line);
	np_diags_hide(diags, entry->pos, last);
	const np_doc_node *value = np_doc_get(entry, "default");
	if (value != NULL)
		np_diags_hide(diags, value->pos, np_doc_last_line(value));
}

static gboolean has_code(const np_diags *diags, unsigned code)
{
	for (guint i = 0; i < diags->list->len; i++)
		if (((const np_diag *)diags->list->pdata[i])->code == code)
			return TRUE;
	return FALSE;
}

/* True when there may be variables that the document does not show as such: it could not be read, something in it is
 * there twice, or it is indented wrongly. */
static gboolean is_odd(const np_doc *doc, const np_diags *diags)
{
	const np_doc_node *root = doc ? np_doc_root(doc) : NULL;
	if (root == NULL || root->type != NP_DOC_MAP || has_code(diags, NP_CODE_KEY_TWICE))
		return TRUE;
	for (guint32 i = 0; i < root->list->n; i++)
		if (np_kind_field(&np_lab_kind, root->list->items[2 * i]->text) == NULL)
			return TRUE;
	const np_doc_node *section = np_doc_get(root, "variables");
	if (section == NULL || np_doc_is_null(section))
		return FALSE;
	for (guint32 i = 0; section->type == NP_DOC_MAP && i < section->list->n; i++) {
		const np_doc_node *entry = section->list->items[2 * i + 1];
		if (entry->type != NP_DOC_MAP && !np_doc_is_null(entry))
			return TRUE;
	}
	return section->type != NP_DOC_MAP;
}

/* True for a line that starts with a key which is none of a variable's: a section of the lab begins. */
static gboolean is_heading(const char *line)
{
	const char *start = line + (*line == '"' || *line == '\'');
	size_t length = strspn(start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	g_autofree char *key = g_strndup(start, length);
	const char *end = start + length;
	end += *end == '"' || *end == '\'';
	return length > 0 && end[strspn(end, " \t")] == ':' && np_kind_field(&np_variable_kind, key) == NULL;
}

/* True where the key `sensitive` seems to be. */
static gboolean has_flag(const char *line)
{
	for (const char *c = line; (c = strstr(c, "sensitiv")) != NULL;) {
		while (g_ascii_isalpha(*c))
			c++;
		if (c[strspn(c, "\"' \t")] == ':')
			return TRUE;
	}
	return FALSE;
}

/* Hides the sections that have such a flag, as far as they can be told from the text alone. */
static void sections_hide(np_diags *diags)
{
	gboolean secret = FALSE;
	np_pos at = {.line = 1}, first = at;
	gsize length;
	for (const char *line; (line = np_diags_line(diags, at, &length)) != NULL; at.line++) {
		g_autofree char *text = g_strndup(line, length);
		if (is_heading(text)) {
			if (secret)
				np_diags_hide(diags, first, at.line - 1);
			secret = FALSE;
			first = at;
		}
		secret = secret || has_flag(text);
	}
	if (secret)
		np_diags_hide(diags, first, at.line - 1);
}

void np_secrets_hide(const np_doc *doc, np_diags *diags)
{
	const np_doc_node *root = doc ? np_doc_root(doc) : NULL;
	const np_doc_node *section = root ? np_doc_get(root, "variables") : NULL;
	for (guint32 i = 0; section != NULL && section->type == NP_DOC_MAP && i < section->list->n; i++) {
		const np_doc_node *key = section->list->items[2 * i], *entry = section->list->items[2 * i + 1];
		if (np_secrets_meant(entry))
			entry_hide(diags, key, entry);
	}
	if (is_odd(doc, diags) && diags->text != NULL && strstr(diags->text, "sensitiv") != NULL)
		sections_hide(diags);
	np_secrets_blank(diags);
}

void np_secrets_blank(np_diags *diags)
{
	static const struct {
		np_code code;
		const char *message, *hint;
	} blanks[] = {
	        {NP_CODE_YAML_TAG, "tags are not part of the lab file's language",
	         "put a text that starts with ! in quotes"},
	        {NP_CODE_ALIAS_UNKNOWN, "an alias has no anchor", "put a text that starts with * in quotes"},
	        {NP_CODE_ALIAS_CYCLE, "an alias contains itself", "put a text that starts with & or * in quotes"},
	        {NP_CODE_KEY_TWICE, "a key is there twice in the same mapping", "remove one of them"},
	};
	for (guint i = 0; i < diags->list->len; i++) {
		np_diag *diag = diags->list->pdata[i];
		for (size_t k = 0; k < G_N_ELEMENTS(blanks); k++) {
			if (diag->code != blanks[k].code || !np_diags_is_hidden(diags, diag->pos))
				continue;
			g_free(diag->message);
			g_free(diag->hint);
			diag->message = g_strdup(blanks[k].message);
			diag->hint = g_strdup(blanks[k].hint);
		}
	}
}
