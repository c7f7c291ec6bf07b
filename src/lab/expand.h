/* SPDX-License-Identifier: Apache-2.0 */
/* ${…} in texts, with what is known at a place. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"

typedef struct {
	const np_lab *lab;
	const char *name, *address; /* of the node the text belongs to; NULL outside of nodes */
	unsigned index;
	const np_node *node;           /* the same after completion, when NICs have addresses; may be NULL */
	gboolean completed;            /* addresses of all nodes are known */
	gboolean written;              /* result in the lab file's language: ${ is $${, and some variables stay */
	const np_variable **sensitive; /* set to the sensitive variable that was used, if any; may be NULL */
	gboolean early;                /* variables and the lab's name are not known yet */
	gboolean late;                 /* not completed, but the text is only checked: addresses count as known */
} np_scope;

/* What is wrong with a value. */
typedef struct {
	np_code code;
	char *message, *hint; /* owned; hint may be NULL */
	char *unknown;        /* a variable that there is not: np_problem_hint looks for one like it; or NULL */
	gsize at, length;     /* bytes of the text that are meant */
} np_problem;
void np_problem_clear(np_problem *problem);
/* The hint, worked out where that is a search: only for what will be shown. Borrowed. */
const char *np_problem_hint(np_problem *problem, const np_lab *lab);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_problem, np_problem_clear)

/* The text so that reading it as a string of the lab file gives it back: ${ is $${. Caller frees. */
char *np_text_escape(const char *text);
gboolean np_text_has_expression(const char *text);
/* The ${…} of a text and nothing else, each once: those that ask for the node's NICs, which is all that may be wrong with one node
 * and right with another, and the others. Caller frees both. */
void np_text_expressions(const char *text, char **ret_of_node, char **ret_others);
/* The text with all ${…} replaced, NULL with *problem filled in: the first. Caller frees. */
char *np_text_expand(const np_scope *scope, const char *text, np_problem *problem);
/* Tells `fn` of everything that np_text_expand would not replace. */
typedef void (*np_problem_fn)(np_problem *problem, gpointer data);
void np_text_problems(const np_scope *scope, const char *text, np_problem_fn fn, gpointer data);
/* What is known in the texts of a completed lab's node; NULL: outside of nodes. */
np_scope np_scope_of(const np_lab *lab, const np_node *node);
