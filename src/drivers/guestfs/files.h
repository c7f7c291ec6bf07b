/* SPDX-License-Identifier: Apache-2.0 */
/* inject.files: their bytes, and the identity of all that inject writes. */
#pragma once
#include "drivers/guestfs/seed.h"

/* What the file holds in the guest. */
GBytes *np_file_bytes(const np_lab *lab, const np_node *node, const np_file *file, GError **error);
bool np_files_render(const np_lab *lab, const np_node *node, np_seed *seed, GError **error);
/* Public key lines of one entry: a literal key, or a file of them. Caller frees. */
char *np_keys_read(const char *entry, GError **error);
/* See np_disk_ops. */
char *np_inject_id(const np_lab *lab, const np_node *node, GError **error);
