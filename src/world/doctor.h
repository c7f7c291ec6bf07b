/* SPDX-License-Identifier: Apache-2.0 */
/* What is good and what is bad about a host, as a checklist. Pure: from facts to findings. */
#pragma once
#include "world/world.h"

typedef enum { NP_VERDICT_GOOD, NP_VERDICT_WARNING, NP_VERDICT_BAD } np_verdict;
extern const char *const np_verdict_names[]; /* "good", "warning", "bad" */

typedef struct {
	const char *name; /* "cpu", "module", … stable; static */
	np_verdict verdict;
	char *text;       /* what was seen */
	char *fix;        /* what to do; NULL when good */
} np_finding;

/* lab NULL: the host alone. Returns np_finding*; caller unrefs. */
GPtrArray *np_doctor_examine(const np_lab *lab, const np_world *world, const np_local_facts *local);
