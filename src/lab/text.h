/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a file, before they are YAML. */
#pragma once
#include "base/diag.h"

#define NP_TEXT_MAX (48 * 1024 * 1024) /* bytes of a lab file */

/* Refuses what is not text, or too much of it, in words that name the reason. */
gboolean np_text_check(const char *text, gsize length, guint16 source, np_diags *diags);
/* Place of a byte of the text. */
np_pos np_text_pos(const char *text, gsize offset, guint16 source);
