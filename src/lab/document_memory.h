/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a document, for what composes one. */
#pragma once
#include "lab/document.h"

struct np_doc {
	GPtrArray *chunks; /* memory of all nodes and texts */
	gsize left;        /* bytes free at the end of the last chunk */
	const np_doc_node *root;
	GArray *aliases;    /* of np_doc_alias */
	GPtrArray *indexes; /* of GHashTable*: those of large maps */
};

np_doc *np_doc_new(void);
/* Lasts as long as the document. */
gpointer np_doc_alloc(np_doc *doc, gsize size);
