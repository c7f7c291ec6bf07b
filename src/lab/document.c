/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/document.h"

#include <string.h>

const np_doc_node *np_doc_get(const np_doc_node *map, const char *key)
{
	if (map->type != NP_DOC_MAP)
		return NULL;
	const np_doc_list *list = map->list;
	if (list->index != NULL)
		return g_hash_table_lookup(list->index, key);
	for (guint32 i = 0; i < list->n; i++)
		if (list->items[2 * i]->text[0] == key[0] && strcmp(list->items[2 * i]->text, key) == 0)
			return list->items[2 * i + 1];
	return NULL;
}

static gboolean is_before(guint32 line, guint32 col, guint32 other_line, guint32 other_col)
{
	return line < other_line || (line == other_line && col < other_col);
}

gboolean np_doc_covers(const np_doc_node *node, np_pos pos)
{
	if (pos.line == 0 || pos.source != node->pos.source ||
	    is_before(pos.line, pos.col, node->pos.line, node->pos.col))
		return FALSE;
	if (node->type == NP_DOC_SCALAR)
		return pos.line == node->pos.line && pos.col < node->pos.col + MAX(node->pos.len, 1u);
	return is_before(pos.line, pos.col, node->list->end_line, node->list->end_col);
}

guint32 np_doc_last_line(const np_doc_node *node)
{
	guint32 last = node->pos.line;
	while (node->type != NP_DOC_SCALAR && node->list->n > 0) {
		node = node->list->items[node->list->n * (node->type == NP_DOC_MAP ? 2 : 1) - 1];
		last = MAX(last, node->pos.line);
	}
	return node->type == NP_DOC_SCALAR ? MAX(last, node->pos.line + node->more) : last;
}

const np_doc_node *np_doc_entry(const np_doc_node *root, np_pos key)
{
	guint32 step = root->type == NP_DOC_MAP ? 2 : 1;
	for (guint32 i = 0; root->type != NP_DOC_SCALAR && i < root->list->n; i++) {
		const np_doc_node *name = root->list->items[step * i], *value = root->list->items[step * i + step - 1];
		if (name->pos.line == key.line && name->pos.col == key.col)
			return value;
		const np_doc_node *found =
		        value->type != NP_DOC_SCALAR && np_doc_covers(value, key) ? np_doc_entry(value, key) : NULL;
		if (found != NULL)
			return found;
	}
	return NULL;
}

gboolean np_doc_is_null(const np_doc_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	return node->type == NP_DOC_SCALAR && node->style == NP_DOC_PLAIN &&
	       (node->text[0] == '\0' || strchr("~nN", node->text[0]) != NULL) && g_strv_contains(nulls, node->text);
}
