/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of image files by their first bytes. Image files are untrusted. */
#pragma once
#include "lab/model.h"

/* *ret_format is QCOW2 or RAW. A qcow2 that refers to other files, and what is no disk image at all, is an error. */
bool np_format_probe(const char *path, guint64 bytes, np_format *ret_format, guint64 *ret_virtual_size, GError **error);
