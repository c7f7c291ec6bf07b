/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <glib.h>

/* As wide as a terminal is at least. */
#define NP_WIDTH 80

/* The text with line breaks for spaces, so that no line of it is wider than `width` characters unless a word is; the first begins at
 * column `used`, those after it with `indent` spaces. Its own line breaks stay. Caller frees. */
char *np_wrap(const char *text, unsigned used, unsigned width, unsigned indent);
