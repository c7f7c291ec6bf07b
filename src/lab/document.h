/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML document as a tree with positions. Aliases share their target's nodes, so it may be a graph (without cycles).
 */
#pragma once
#include "base/diag.h"
#include "lab/codes.h"

typedef enum { NP_DOC_SCALAR, NP_DOC_LIST, NP_DOC_MAP } np_doc_type;
typedef enum { NP_DOC_PLAIN, NP_DOC_QUOTED, NP_DOC_BLOCK } np_doc_style;

typedef struct np_doc_node np_doc_node;
typedef struct np_doc_list np_doc_list;
struct np_doc_node {
	np_pos pos;
	guint8 type;  /* np_doc_type */
	guint8 style; /* np_doc_style of a scalar */
	guint16 more; /* lines of a scalar behind its first */
	union {
		const char *text;        /* scalar */
		const np_doc_list *list; /* list or map */
	};
};

/* Entries of a list or map. Kept apart: most values are scalars, and there may be millions. */
struct np_doc_list {
	guint32 n;
	guint32 weight;             /* number of values in it when aliases are written out */
	guint32 end_line, end_col;  /* behind its last character */
	GHashTable *index;          /* map: text of key → value; NULL for small ones */
	const np_doc_node *items[]; /* list: n values; map: n keys, each followed by its value */
};

/* One use of an anchor. */
typedef struct {
	np_pos pos; /* of the *NAME */
	const char *name;
	const np_doc_node *target;
} np_doc_alias;

typedef struct np_doc np_doc;

/* Reads UTF-8 text of one document. Returns NULL when nothing useful could be read; smaller problems (a duplicate key)
 * are in diags as well, and the caller goes on to find more. */
np_doc *np_doc_parse(const char *text, gsize length, np_diags *diags);
/* The same for another of the diagnostics' sources (np_diags_source). */
np_doc *np_doc_parse_source(const char *text, gsize length, guint16 source, np_diags *diags);
void np_doc_free(np_doc *doc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_doc, np_doc_free)

const np_doc_node *np_doc_root(const np_doc *doc);
/* All aliases, in order; of np_doc_alias. */
const GArray *np_doc_aliases(const np_doc *doc);
/* True when the place lies in what the node covers in the file. */
gboolean np_doc_covers(const np_doc_node *node, np_pos pos);
/* The value of the entry whose key (in a list: which itself) stands at a place, NULL when there is none. */
const np_doc_node *np_doc_entry(const np_doc_node *root, np_pos key);
/* The last line that something of it is in, brackets aside. */
guint32 np_doc_last_line(const np_doc_node *node);
/* Value of a map's key, NULL when it is not there. */
const np_doc_node *np_doc_get(const np_doc_node *map, const char *key);
/* True for ~, null and nothing at all, not in quotes. */
gboolean np_doc_is_null(const np_doc_node *node);
