/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a field from its text. */
#pragma once
#include "lab/expand.h"
#include "lab/field.h"

/* Stores a scalar field from its spelling; on failure problem->message says what it must be. Patterns are not looked
 * at. */
gboolean np_scalar_store(const np_field *field, gpointer object, const char *text, np_problem *problem);
/* What YAML 1.2 (core schema) takes a plain scalar for, when it is not text: "a number", "a boolean", "null". */
const char *np_scalar_core_type(const char *text);
/* True for what a NP_FIELD_PATH field may hold besides file names: a URL, a literal public key. */
gboolean np_path_is_other(const np_field *field, const char *text);
/* "~" and "~/…": below the user's home folder. */
gboolean np_path_is_home(const char *path);
/* What values of a scalar type are, in words: "a size", "true or false". */
const char *np_scalar_words(np_field_type type);
