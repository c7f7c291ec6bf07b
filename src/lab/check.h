/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a completed lab. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"
#include "lab/origin.h"

/* `origin` learns of which node each message is. */
void np_lab_check(np_lab *lab, np_diags *diags, np_origin *origin);

/* The files that the lab names. */
void np_lab_check_files(np_lab *lab, np_diags *diags, np_origin *origin);

/* The rest is between check*.c. */

typedef struct {
	const np_lab *lab;
	np_diags *diags;
	np_origin *origin; /* its `node`: what is being checked */
	GHashTable *seen;  /* places and messages of what was reported */
} np_checker;

/* As np_diags_add; a mistake written once is reported once, however many nodes were made from it. */
void np_check_report(np_checker *c, np_code code, np_severity severity, np_pos pos, const char *hint,
                     const char *format, ...) G_GNUC_PRINTF(6, 7);
#define np_check_error(c, code, pos, hint, ...)   np_check_report(c, code, NP_SEVERITY_ERROR, pos, hint, __VA_ARGS__)
#define np_check_warning(c, code, pos, hint, ...) np_check_report(c, code, NP_SEVERITY_WARNING, pos, hint, __VA_ARGS__)

/* "did you mean 'x'?" for a name that is not in the map; else `otherwise`. Caller frees. */
char *np_check_hint(const GPtrArray *map, const char *name, const char *otherwise);

void np_check_networks(np_checker *c);
void np_check_nodes(np_checker *c);
void np_check_overlaps(np_checker *c);
/* What the nodes inside one need of it. */
void np_check_capacity(np_checker *c, const np_node *node);
