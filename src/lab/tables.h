/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables_*.c share: how one row is written. */
#pragma once
#include "lab/model.h"

#define NP_FIELD(struct_type, member, key, field_type)                                                                 \
	.name = key, .type = field_type, .offset = offsetof(struct_type, member)
#define NP_KIND_FIELDS(struct_type, table) .size = sizeof(struct_type), .fields = table, .n_fields = G_N_ELEMENTS(table)

#define NP_PATTERN_NAME "^[a-z][a-z0-9-]{0,30}$"
#define NP_HELP_NAME    "a name is up to 31 small letters, digits and dashes, and starts with a letter"
