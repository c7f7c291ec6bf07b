/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/document.h"

#include <string.h>

const np_doc_node *np_doc_get(const np_doc_node *map, const char *key)
{
	if (map->type != NP_DOC_MAP)
		return NULL;
	for (guint32 i = 0; i < map->n; i++)
		if (strcmp(map->items[2 * i]->text, key) == 0)
			return map->items[2 * i + 1];
	return NULL;
}

gboolean np_doc_is_null(const np_doc_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	return node->type == NP_DOC_SCALAR && node->style == NP_DOC_PLAIN && g_strv_contains(nulls, node->text);
}
