/* SPDX-License-Identifier: Apache-2.0 */
/* What a saved plan was made from, as sums. They tell that something has moved, and nothing of what it is. */
#pragma once
#include "cli/cli.h"

typedef struct {
	char *lab;   /* of the lab file, its variables and all that it names */
	char *world; /* of what exists of it, as far as the plan is about it */
} np_fingerprint;
void np_fingerprint_clear(np_fingerprint *fingerprint);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_fingerprint, np_fingerprint_clear)

/* salt: any text that no other file has; sums with different ones cannot be compared. */
np_fingerprint np_fingerprint_take(const np_context *context, const np_plan *plan, const char *salt);
