/* SPDX-License-Identifier: Apache-2.0 */
/* From libvirt's names back to the lab's. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* "compute-1" of "devstack.compute-1"; the whole name when it does not start with the lab's. Borrowed from name. */
const char *np_name_in_lab(const char *lab, const char *name);
/* "root" of "compute-1.root.qcow2", NULL when the volume is not the node's. Caller frees. */
char *np_disk_of_volume(const char *node, const char *volume);
/* Disks that are no volumes, without what is put in and taken out (CDs), or was passed through. */
#define NP_FOREIGN_DISKS "devices/disk[(@type='file' or @type='block') and (not(@device) or @device='disk')]"
/* "vdc*", which no disk of a lab is called. target may be NULL. Caller frees. */
char *np_foreign_disk_name(const char *target);
/* Name for a new volume that marks another as incomplete: "NAME.1b9d6bcd.uploading", with a random part. Caller frees.
 */
char *np_marker_name(const char *volume);
/* "NAME" of "NAME.1b9d6bcd.uploading", NULL when it marks nothing. Caller frees. */
char *np_volume_of_marker(const char *marker);
/* True for "nestplan-…": pools that are nestplan's own. */
bool np_pool_is_ours(const char *pool);
/* Lab of "nestplan-LAB", NULL for the images' pool and for others. Borrowed from pool. */
const char *np_lab_of_pool(const char *pool);
