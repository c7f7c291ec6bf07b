/* SPDX-License-Identifier: Apache-2.0 */
/* Private to plan/: which addresses there are of those that read alike but for their numbers. */
#pragma once
#include <glib.h>

/* "c-1 … c-4", "c-6": texts of those that follow one another, in the order of their numbers. addresses: of const char*, all of one
 * shape. Where a number ends the one before it goes on: after hyp-1/vm-9 comes hyp-2/vm-1. Caller unrefs. */
GPtrArray *np_runs(const GPtrArray *addresses);
