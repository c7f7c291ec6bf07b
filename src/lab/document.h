/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML document as a tree with positions. Aliases share their target's nodes, so it may be a graph (without cycles).
 */
#pragma once
#include "base/diag.h"

typedef enum { NP_DOC_SCALAR, NP_DOC_LIST, NP_DOC_MAP } np_doc_type;
typedef enum { NP_DOC_PLAIN, NP_DOC_QUOTED, NP_DOC_BLOCK } np_doc_style;

typedef struct np_doc_node np_doc_node;
struct np_doc_node {
	np_pos pos;
	guint8 type;    /* np_doc_type */
	guint8 style;   /* np_doc_style of a scalar */
	guint32 n;      /* entries of a list or map */
	guint32 weight; /* number of values in it when aliases are written out */
	union {
		const char *text;          /* scalar */
		const np_doc_node **items; /* list: n values; map: n keys, each followed by its value */
	};
};

typedef struct np_doc np_doc;

/* Reads UTF-8 text of one document. Returns NULL when nothing useful could be read; smaller problems (a duplicate key)
 * are in diags as well, and the caller goes on to find more. */
np_doc *np_doc_parse(const char *text, gsize length, np_diags *diags);
void np_doc_free(np_doc *doc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_doc, np_doc_free)

const np_doc_node *np_doc_root(const np_doc *doc);
/* Value of a map's key, NULL when it is not there. */
const np_doc_node *np_doc_get(const np_doc_node *map, const char *key);
/* True for ~, null and nothing at all. */
gboolean np_doc_is_null(const np_doc_node *node);
