/* SPDX-License-Identifier: Apache-2.0 */
/* A job's overlay before the appliance sees it: made by qemu-img, its last partition grown to its end. */
#pragma once
#include "drivers/driver.h"
#include "drivers/guestfs/ptable.h"

/* Start of the image's disk, read from a fresh overlay. Caller frees. */
GBytes *np_overlay_head(const char *path, GCancellable *cancel, GError **error);
/* Refuses a size below the image's. */
bool np_overlay_create(const np_disk_job *job, GCancellable *cancel, GError **error);
/* *grown: whether there is room that the file system does not know of yet. */
bool np_overlay_grow(const np_disk_job *job, GBytes *head, bool *grown, GCancellable *cancel, GError **error);
