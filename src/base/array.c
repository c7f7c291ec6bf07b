/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"

const GPtrArray np_array_nothing = {NULL, 0};

GPtrArray *np_array_own(GPtrArray **array, GDestroyNotify element_free)
{
	if (*array == NP_ARRAY_EMPTY)
		*array = g_ptr_array_new_with_free_func(element_free);
	return *array;
}

void np_array_clear(GPtrArray **array)
{
	if (*array != NP_ARRAY_EMPTY && *array != NULL)
		g_ptr_array_unref(*array);
	*array = NP_ARRAY_EMPTY;
}
