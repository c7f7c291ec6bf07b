/* SPDX-License-Identifier: Apache-2.0 */
/* From text to a lab: yaml → decode → complete → check. */
#pragma once
#include "lab/model.h"

typedef struct {
	const char *file;             /* for messages; "-" is standard input */
	const char *folder;           /* base of relative file names; NULL: the file's own */
	const char *const *variables; /* "NAME=VALUE", NULL-terminated, or NULL */
} np_load_options;

/* Reads `text` (length bytes). All problems are in *diags (never NULL on return when given; caller frees).
 * Returns the completed lab, or NULL when there are errors. Does no I/O beyond opening nothing. */
np_lab *np_lab_parse(const char *text, gsize length, const np_load_options *options, np_diags **ret_diags);

/* As np_lab_parse from a file or standard input. *error is set when the file cannot be read. */
np_lab *np_lab_load(const char *file, const np_load_options *options, np_diags **ret_diags, GError **error);

/* Expands ${…} with everything that is known of `node` (NULL: only lab and variables). Unknown names are an error
 * that names them. Caller frees. */
char *np_lab_expand(const np_lab *lab, const np_node *node, const char *text, GError **error);

/* The JSON Schema (2020-12) of the lab file, from the field tables. Caller frees. */
char *np_schema_render(void);
