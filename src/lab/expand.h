/* SPDX-License-Identifier: Apache-2.0 */
/* ${…} in texts, with what is known at a place. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"

typedef struct {
	const np_lab *lab;
	const char *name, *address; /* of the node the text belongs to; NULL outside of nodes */
	unsigned index;
	const np_node *node; /* the same after completion, when NICs have addresses; may be NULL */
	gboolean completed;  /* addresses of all nodes are known */
	gboolean written;    /* result in the lab file's language: sensitive variables stay, ${ is $${ */
	gboolean *sensitive; /* set when a sensitive variable was used; may be NULL */
	gboolean late;       /* not completed, but the text is only checked: addresses count as known */
} np_scope;

/* What is wrong with a value. */
typedef struct {
	np_code code;
	char *message, *hint; /* owned; hint may be NULL */
	gsize at, length;     /* bytes of the text that are meant */
} np_problem;
void np_problem_clear(np_problem *problem);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_problem, np_problem_clear)

/* The text so that reading it as a string of the lab file gives it back: ${ is $${. Caller frees. */
char *np_text_escape(const char *text);
gboolean np_text_has_expression(const char *text);
/* The text with all ${…} replaced, NULL with *problem filled in. Caller frees. */
char *np_text_expand(const np_scope *scope, const char *text, np_problem *problem);
