/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lab/model.h"

/* Digits of SHA-256 that a key is known by, in marks and inside guests. */
#define NP_KEY_DIGITS 12

/* Adds the keys of an entry of authorized_keys, a key or a file of them, one a line and without blanks around them: guests find them
 * again by their lines. keys: of char*. FALSE with *error set: the file cannot be read. */
gboolean np_access_keys_read(GPtrArray *keys, const char *entry, GError **error);
/* Which public keys these are, whatever their order: the first digits of the SHA-256 of each line, or "none". Caller frees.
 * keys: NULL-terminated. */
char *np_access_keys_id(const char *const *keys);
