/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics of text files: collected while reading, shown all at once. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* A place in a source file; line and col count from 1, 0 means unknown. */
typedef struct {
	guint32 line;
	guint32 col; /* in characters, not bytes */
	guint32 len; /* characters to underline, 0: one caret */
} np_pos;

typedef enum { NP_SEVERITY_ERROR, NP_SEVERITY_WARNING } np_severity;

typedef struct {
	np_severity severity;
	np_pos pos;
	char *message;
	char *hint; /* NULL: none */
} np_diag;

/* All diagnostics of one file, with its text for the source lines. */
typedef struct {
	char *file;      /* name as the user gave it */
	char *text;      /* UTF-8, may be NULL */
	GPtrArray *list; /* of np_diag*, owned, in order of arrival */
	GHashTable *seen;
	unsigned errors;
	unsigned warnings;
} np_diags;

np_diags *np_diags_new(const char *file);
void np_diags_free(np_diags *diags);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_diags, np_diags_free)

/* Adds one; the same message at the same place is kept once (a template of many nodes reports once).
 * hint may be NULL; both are copied. */
void np_diags_add(np_diags *diags, np_severity severity, np_pos pos, const char *hint, const char *format, ...)
	G_GNUC_PRINTF(5, 6);
#define np_diags_error(diags, pos, hint, ...) np_diags_add(diags, NP_SEVERITY_ERROR, pos, hint, __VA_ARGS__)
#define np_diags_warning(diags, pos, hint, ...) np_diags_add(diags, NP_SEVERITY_WARNING, pos, hint, __VA_ARGS__)

/* Sorted by place: `file:line:col: error: …`, the source line, a caret, `hint: …`. Caller frees. */
char *np_diags_render(np_diags *diags, bool colour);

/* Of `candidates` (NULL-terminated) the one nearest to `word` by edit distance, NULL when none is near. Borrowed. */
const char *np_nearest(const char *word, const char *const *candidates);
