/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a completed lab. */
#pragma once
#include "lab/model.h"

void np_lab_check(np_lab *lab, np_diags *diags);

/* The rest is between check*.c. */

typedef struct {
	const np_lab *lab;
	np_diags *diags;
	GHashTable *seen; /* places and messages of what was reported */
} np_checker;

/* As np_diags_add; a mistake written once is reported once, however many nodes were made from it. */
void np_check_report(np_checker *c, np_severity severity, np_pos pos, const char *hint, const char *format, ...)
        G_GNUC_PRINTF(5, 6);
#define np_check_error(c, pos, hint, ...) np_check_report(c, NP_SEVERITY_ERROR, pos, hint, __VA_ARGS__)

/* "did you mean 'x'?" for a name that is not in the map; else `otherwise`. Caller frees. */
char *np_check_hint(const GPtrArray *map, const char *name, const char *otherwise);

void np_check_networks(np_checker *c);
void np_check_nodes(np_checker *c);
