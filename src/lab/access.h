/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lab/model.h"

/* Digits of SHA-256 that a key is known by, in marks and inside guests. */
#define NP_KEY_DIGITS 12

/* Whether an entry of authorized_keys is a key itself, and no file. */
gboolean np_access_is_key(const char *text);
/* Adds the keys of a text, one a line, without blanks around them: guests find them again by their lines. keys: of char*. */
void np_access_keys_add(GPtrArray *keys, const char *text);
/* Which public keys these are, whatever their order: the first digits of the SHA-256 of each line, or "none". Caller frees.
 * keys: NULL-terminated. */
char *np_access_keys_id(const char *const *keys);
