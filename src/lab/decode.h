/* SPDX-License-Identifier: Apache-2.0 */
/* Document → lab, by the field tables. */
#pragma once
#include "lab/document.h"
#include "lab/expand.h"
#include "lab/lab.h"
#include "lab/origin.h"

/* What is wrong is in diags, and what could be read is in the lab; NULL when that is too much. Nodes have name, index, level and
 * address. */
np_lab *np_lab_decode(const np_doc *doc, const np_load_options *options, np_diags *diags, np_origin *origin);

/* The rest is between decode*.c and variables.c. */

typedef struct {
	np_lab *lab;
	np_diags *diags;
	np_scope scope;
	const np_doc_node *defaults, *types; /* NULL: none */
	GHashTable *used_types;              /* names */
	GHashTable *regexes;                 /* pattern → GRegex */
	guint64 values, bytes, nodes;        /* what was stored so far */
	np_origin *origin;                   /* what diagnostics are about */
	guint64 max_nodes;
	gsize node_cost;                     /* of one node without what it holds */
	gboolean stopped;                    /* a limit was reached */
} np_decoder;

/* What a mapping describes, for messages. */
typedef struct {
	const char *kind, *name; /* "disk", "root"; name may be NULL */
	gboolean is_template;    /* keys of a node that are written elsewhere */
} np_label;

/* "disk 'root'". Caller frees. */
char *np_label_format(const np_label *label);

/* Decodes into an object that may hold values already: scalars and lists replace, maps merge. */
void np_decode_object(np_decoder *d, const np_label *label, const np_kind *kind, gpointer object,
                      const np_doc_node *node);
/* One scalar field; FALSE when the value is not valid. */
gboolean np_decode_scalar(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                          const np_doc_node *value);
void np_decode_strings(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                       const np_doc_node *value);
/* Checks a string of the lab file against an anchored pattern (NULL: any). */
gboolean np_decode_matches(np_decoder *d, const char *pattern, const char *text);
/* A key of a map; reports what is wrong with it. */
gboolean np_decode_key(np_decoder *d, const np_kind *kind, const np_doc_node *key);
/* What the member held is gone, and with it how it was written. */
void np_decode_forget(np_decoder *d, gconstpointer member);
/* Bytes that an object of a kind takes, about. */
gsize np_decode_cost(const np_kind *kind);
/* Counts what is stored, so that a small file cannot fill the memory; FALSE at the limit. */
gboolean np_decode_account(np_decoder *d, gsize bytes, np_pos pos);

/* All nodes of the lab, with types and defaults; then checks the types that no node uses. */
void np_decode_nodes(np_decoder *d, const np_doc_node *nodes);
void np_decode_templates(np_decoder *d);

/* Gives the variables their values: --var goes before --var-file, that before the environment, that before the default.
 * Sensitive ones become secrets of diags. `section` is where they are declared, or NULL. */
void np_variables_resolve(np_lab *lab, const np_doc_node *section, const np_load_options *options, np_diags *diags);
