/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics of text files: collected while reading, shown all at once. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* A place in a source file; line and col count from 1, 0 means unknown. */
typedef struct {
	guint32 line;
	guint32 col;    /* in characters, not bytes */
	guint16 len;    /* characters to underline, 0: one caret */
	guint16 source; /* 0: the file itself; else what np_diags_source returned */
} np_pos;

typedef enum { NP_SEVERITY_ERROR, NP_SEVERITY_WARNING } np_severity;

/* Another place that has to do with a diagnostic; line 0: no place. */
typedef struct {
	np_pos pos;
	char *text;
} np_note;

typedef struct {
	np_severity severity;
	unsigned code; /* shown as NP0123; 0: none */
	np_pos pos;
	char *message;
	char *hint;       /* NULL: none */
	GPtrArray *notes; /* of np_note*, or NULL */
} np_diag;

/* All diagnostics of one file, with its text for the source lines. */
typedef struct np_diags np_diags;
struct np_diags {
	char *file;      /* name as the user gave it */
	char *text;      /* UTF-8, may be NULL */
	GPtrArray *list; /* of np_diag*, owned, in order of arrival */
	GHashTable *seen;
	GPtrArray *sources; /* further files, see np_diags_source */
	GPtrArray *lines;   /* of GArray*: starts of the lines of each source, made when needed */
	GPtrArray *secrets; /* of char*: texts that are never shown, see np_diags_secret */
	GArray *hidden;     /* lines that are never shown, see np_diags_hide */
	bool strict;        /* warnings count as errors */
	unsigned errors;
	unsigned warnings;
	/* Adds notes to a new diagnostic; may be NULL. */
	void (*annotate)(np_diags *diags, np_diag *diag, gpointer data);
	gpointer annotate_data;
};

np_diags *np_diags_new(const char *file);
void np_diags_free(np_diags *diags);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_diags, np_diags_free)

/* Adds one; the same message at the same place is kept once (a template of many nodes reports once).
 * hint may be NULL; both are copied. */
void np_diags_add(np_diags *diags, unsigned code, np_severity severity, np_pos pos, const char *hint,
                  const char *format, ...) G_GNUC_PRINTF(6, 7);
#define np_diags_error(diags, code, pos, hint, ...) np_diags_add(diags, code, NP_SEVERITY_ERROR, pos, hint, __VA_ARGS__)
#define np_diags_warning(diags, code, pos, hint, ...)                                                                  \
	np_diags_add(diags, code, NP_SEVERITY_WARNING, pos, hint, __VA_ARGS__)
/* True when a diagnostic with this code and place is in the list. */
bool np_diags_has(const np_diags *diags, unsigned code, np_pos pos);
/* False the first time for a code and place: what is written once is wrong once, whatever the words are. */
bool np_diags_told(np_diags *diags, unsigned code, np_pos pos);
/* Only for annotate: one more place. */
void np_diag_note(np_diag *diag, np_pos pos, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Another file that places may be in (a file of variables); its number for np_pos.source. Both are copied; text may be
 * NULL. */
guint16 np_diags_source(np_diags *diags, const char *file, const char *text);
/* Name of the file a place is in. Borrowed. */
const char *np_diags_file(const np_diags *diags, np_pos pos);
/* Its text, NULL when unknown. Borrowed. */
const char *np_diags_text(const np_diags *diags, np_pos pos);
/* The line a place is in, NULL when unknown; *ret_length is without its break. Borrowed. */
const char *np_diags_line(np_diags *diags, np_pos pos, gsize *ret_length);
/* True when further diagnostics are only counted, so that nobody works out hints for them. */
bool np_diags_full(const np_diags *diags);
/* From now on no message, hint, note or source line shows the text. */
void np_diags_secret(np_diags *diags, const char *text);
/* From now on no line from that of `first` to `last` is shown as a source line. For values that stand in a file
 * otherwise than they read. */
void np_diags_hide(np_diags *diags, np_pos first, guint32 last);
/* True when the line of a place is one of those. */
bool np_diags_is_hidden(const np_diags *diags, np_pos pos);
/* As np_diags_add keeps texts: printable, and without secrets. Caller frees. */
char *np_diags_clean(const np_diags *diags, const char *text);
/* The text without secrets, else as it is. Caller frees. */
char *np_diags_redact(const np_diags *diags, const char *text);
/* The text with a star for each character of a secret. Caller frees. */
char *np_diags_star(const np_diags *diags, const char *text);

/* Sorts by place. np_diags_render does it as well. */
void np_diags_sort(np_diags *diags);
/* Sorted by place: `file:line:col: error: … [NP0123]`, the source line, a caret, `hint: …`, notes. Caller frees. */
char *np_diags_render(np_diags *diags, bool colour);
/* "NP0123"; caller frees. */
char *np_code_format(unsigned code);

/* Of `candidates` (NULL-terminated) the one nearest to `word` by edit distance, NULL when none is near. Borrowed. */
const char *np_nearest(const char *word, const char *const *candidates);
