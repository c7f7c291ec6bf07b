/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/document_memory.h"

#define CHUNK 65536

np_doc *np_doc_new(void)
{
	np_doc *doc = g_new0(np_doc, 1);
	doc->chunks = g_ptr_array_new_with_free_func(g_free);
	doc->indexes = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
	doc->aliases = g_array_new(FALSE, FALSE, sizeof(np_doc_alias));
	return doc;
}

void np_doc_free(np_doc *doc)
{
	if (doc == NULL)
		return;
	g_ptr_array_unref(doc->chunks);
	g_ptr_array_unref(doc->indexes);
	g_array_unref(doc->aliases);
	g_free(doc);
}

const GArray *np_doc_aliases(const np_doc *doc)
{
	return doc->aliases;
}

const np_doc_node *np_doc_root(const np_doc *doc)
{
	return doc->root;
}

gpointer np_doc_alloc(np_doc *doc, gsize size)
{
	size = (size + 7) & ~(gsize)7;
	if (size > CHUNK / 8) { /* large ones get a chunk of their own, put before the one in use */
		gpointer own = g_malloc(size);
		g_ptr_array_insert(doc->chunks, doc->chunks->len > 0 ? (int)doc->chunks->len - 1 : 0, own);
		if (doc->chunks->len == 1)
			doc->left = 0;
		return own;
	}
	if (size > doc->left) {
		g_ptr_array_add(doc->chunks, g_malloc(CHUNK));
		doc->left = CHUNK;
	}
	char *memory = doc->chunks->pdata[doc->chunks->len - 1];
	memory += CHUNK - doc->left;
	doc->left -= size;
	return memory;
}
