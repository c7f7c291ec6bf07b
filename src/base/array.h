/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that are empty more often than not. A lab of 100,000 nodes has a million of them, so all share one until something is
 * added; that one is in read-only memory, and to change it is to crash at once. */
#pragma once
#include <glib.h>

extern const GPtrArray np_array_nothing;
/* What a member that holds such an array begins as. */
#define NP_ARRAY_EMPTY ((GPtrArray *)&np_array_nothing)

/* The array itself, to be changed: made when there was none yet, with element_free (may be NULL) for its elements. Borrowed. */
GPtrArray *np_array_own(GPtrArray **array, GDestroyNotify element_free);
/* Lets go of the array. It is empty again. */
void np_array_clear(GPtrArray **array);
