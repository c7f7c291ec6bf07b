/* SPDX-License-Identifier: Apache-2.0 */
/* Identities derived from names, so that a plan is known in full before anything exists. */
#pragma once
#include <glib.h>

/* RFC 4122 version 5 UUID of the joined parts (NULL-terminated) in nestplan's namespace. Caller frees. */
char *np_ident_uuid(const char *part, ...) G_GNUC_NULL_TERMINATED;
/* "52:54:00:xx:xx:xx" from the parts. Caller frees. */
char *np_ident_mac(const char *part, ...) G_GNUC_NULL_TERMINATED;
/* 64 hex characters. Caller frees. */
char *np_ident_sha256(const void *data, gssize length);
/* First `digits` hex characters of the SHA-256 of the parts. Caller frees. */
char *np_ident_short(unsigned digits, const char *part, ...) G_GNUC_NULL_TERMINATED;
/* Adds a text with its end, so that two are not as good as one. NULL is a text of its own. */
void np_sum_text(GChecksum *sum, const char *text);
