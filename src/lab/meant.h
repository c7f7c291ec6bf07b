/* SPDX-License-Identifier: Apache-2.0 */
/* What a value that is refused was most likely meant to be: "write 16" for 0x10. */
#pragma once
#include "lab/field.h"

/* A hint, spelled as the field takes it and within its limits. Caller frees; NULL: nobody knows. Other fields than booleans, whole
 * numbers, sizes, durations and modes have none. */
char *np_meant_hint(const np_field *field, const char *text);
