/* SPDX-License-Identifier: Apache-2.0 */
/* Small read-only ext4 file systems in files; for this folder only. */
#pragma once
#include <gio/gio.h>
#include <stdbool.h>

/* A file that goes into the root folder under `name`. Borrowed strings. */
typedef struct {
	const char *name;
	const char *path;
	guint64 bytes;
} np_ext4_file;

/* Makes the file system in the existing, empty file `path`: the same bytes for the same files, label and uuid. Nobody
 * needs a permission for it but to read the files. */
bool np_ext4_make(const char *path, const char *label, const char *uuid, const np_ext4_file *files, gsize n_files,
                  GCancellable *cancel, GError **error);
