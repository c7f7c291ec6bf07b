/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/origin.h"

#include <string.h>

#define ALIASES_MAX 10000 /* a note is not worth more work */

/* The alias inside what `within` covers that brings the place there; NULL when there is none. */
static const np_doc_alias *alias_find(const np_doc *doc, const np_doc_node *within, np_pos pos)
{
	const GArray *aliases = np_doc_aliases(doc);
	for (guint i = 0; within != NULL && i < MIN(aliases->len, ALIASES_MAX); i++) {
		const np_doc_alias *alias = &g_array_index(aliases, np_doc_alias, i);
		if (np_doc_covers(within, alias->pos) && np_doc_covers(alias->target, pos))
			return alias;
	}
	return NULL;
}

static gboolean is_before(np_pos a, np_pos b)
{
	return a.line < b.line || (a.line == b.line && a.col < b.col);
}

/* The alias that is the value of the entry with this key: what it stands for is written further up. */
static const np_doc_alias *entry_alias(const np_doc *doc, np_pos key, const np_doc_node *value)
{
	const GArray *aliases = np_doc_aliases(doc);
	const np_doc_alias *found = NULL;
	if (value == NULL || !is_before(value->pos, key))
		return NULL;
	for (guint i = 0; i < MIN(aliases->len, ALIASES_MAX); i++) {
		const np_doc_alias *alias = &g_array_index(aliases, np_doc_alias, i);
		if (alias->target == value && is_before(key, alias->pos) && (found == NULL || is_before(alias->pos, found->pos)))
			found = alias;
	}
	return found;
}

static void alias_note(np_diag *diag, const np_doc_alias *alias, const char *address)
{
	if (address != NULL)
		np_diag_note(diag, alias->pos, "node '%s' has it through the alias '*%s'", address, alias->name);
	else
		np_diag_note(diag, alias->pos, "it is used here through the alias '*%s'", alias->name);
}

static void defaults_note(const np_origin *o, np_diag *diag, const np_owner *owner)
{
	const np_doc_node *defaults = np_doc_get(np_doc_root(o->doc), "defaults");
	if (diag->notes == NULL && defaults != NULL && np_doc_covers(defaults, diag->pos))
		np_diag_note(diag, owner->key, "node '%s' has it from defaults", owner->address);
}

/* Notes how the place came into one node. TRUE when nothing more needs to be said. */
static gboolean owner_explain(const np_origin *o, np_diag *diag, const np_owner *owner)
{
	const np_doc_node *root = np_doc_root(o->doc), *types = np_doc_get(root, "types");
	const np_doc_node *own = owner->key.line > 0 ? np_doc_entry(root, owner->key) : NULL;
	const np_doc_node *type = types && owner->type ? np_doc_get(types, owner->type) : NULL;
	gboolean is_key = owner->key.line == diag->pos.line && owner->key.col == diag->pos.col;
	const np_doc_alias *alias = is_key ? NULL : entry_alias(o->doc, owner->key, own);
	if (alias == NULL && (is_key || (own != NULL && np_doc_covers(own, diag->pos))))
		return owner->up == NULL;
	if (alias == NULL)
		alias = alias_find(o->doc, own, diag->pos);
	gboolean by_type = type != NULL && np_doc_covers(type, diag->pos);
	if (alias == NULL && type != NULL && !by_type) {
		alias = alias_find(o->doc, type, diag->pos);
		by_type = alias != NULL;
	}
	if (alias != NULL)
		alias_note(diag, alias, by_type ? NULL : owner->address);
	if (by_type && owner->type_at.line > 0 && owner->address != NULL)
		np_diag_note(diag, owner->type_at, "node '%s' has it through its type '%s'", owner->address,
		             owner->type);
	if (alias == NULL && !by_type && o->node != NULL)
		defaults_note(o, diag, owner);
	return alias != NULL || by_type;
}

/* What is written in the part's own place needs no note; TRUE after one. */
static gboolean part_explain(const np_origin *o, np_diag *diag)
{
	const np_doc_node *own = o->part && o->part->pos.line > 0 ? np_doc_entry(np_doc_root(o->doc), o->part->pos) : NULL;
	const np_doc_alias *alias = own ? entry_alias(o->doc, o->part->pos, own) : NULL;
	if (alias == NULL && own != NULL && !np_doc_covers(own, diag->pos))
		alias = alias_find(o->doc, own, diag->pos);
	if (alias != NULL)
		alias_note(diag, alias, NULL);
	return alias != NULL;
}

static void node_explain(const np_origin *o, np_diag *diag)
{
	if (part_explain(o, diag))
		return;

	for (const np_node *node = o->node; node != NULL; node = node->parent ? node->parent->node : NULL) {
		np_owner owner = {.address = node->address, .key = node->base.pos, .type = node->type};
		if (np_object_has(&np_node_kind, &node->base, "type"))
			owner.type_at = np_object_at(&np_node_kind, &node->base, "type");
		if (owner_explain(o, diag, &owner))
			return;
	}
}

static void variable_note(np_diag *diag, const np_variable *variable)
{
	static const char *const by[] = {"its default", "--var", "--var-file", "the environment"};
	const char *name = variable->base.name;
	if (variable->value == NULL)
		return;
	if (variable->sensitive)
		np_diag_note(diag, variable->given_at, "variable '%s' has its value by %s", name, by[variable->given]);
	else
		np_diag_note(diag, variable->given_at, "variable '%s' is '%s' by %s", name, variable->value,
		             by[variable->given]);
}

/* The variables in the text that the diagnostic underlines. */
static void variables_explain(np_diags *diags, const np_origin *o, np_diag *diag)
{
	gsize length = 0;
	const char *line = np_diags_line(diags, diag->pos, &length);
	g_autofree char *text = line ? g_strndup(line, length) : NULL;
	if (text == NULL || strstr(text, "${var.") == NULL || (guint32)g_utf8_strlen(text, -1) < diag->pos.col)
		return;
	const char *start = g_utf8_offset_to_pointer(text, diag->pos.col - 1);
	g_autofree char *part = g_utf8_substring(start, 0, MIN(diag->pos.len, g_utf8_strlen(start, -1)));
	for (const char *c = part; (c = strstr(c, "${var.")) != NULL; c += 6) {
		g_autofree char *name = g_strndup(c + 6, strcspn(c + 6, "}"));
		const np_variable *variable = np_lab_variable(o->lab, name);
		if (variable != NULL && !(c > part && c[-1] == '$'))
			variable_note(diag, variable);
	}
}

void np_origin_annotate(np_diags *diags, np_diag *diag, gpointer origin)
{
	const np_origin *o = origin;
	if (diag->pos.line == 0 || diag->pos.source != 0)
		return;
	for (const np_owner *owner = o->owner; owner != NULL && !owner_explain(o, diag, owner); owner = owner->up)
		continue;
	if (o->owner == NULL)
		node_explain(o, diag);
	if (o->lab != NULL)
		variables_explain(diags, o, diag);
}
