/* SPDX-License-Identifier: Apache-2.0 */
/* The user's cache folder; for this folder only. Everything in it can be deleted at any time. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* Path of `name` in nestplan's cache; no I/O. Caller frees. */
char *np_cache_path(const char *name);
/* Makes the folder that `path` lies in. */
bool np_cache_ensure(const char *path, GError **error);

/* SHA-256 of a regular file as 64 hex characters, from the cache when the file is what it was. Caller frees. */
char *np_cache_sha256(const char *path, GError **error);
