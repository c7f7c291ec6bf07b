/* SPDX-License-Identifier: Apache-2.0 */
/* A job's disk in the appliance: finding its root, growing the file system, writing the seed. */
#pragma once
#include "drivers/guestfs/appliance.h"
#include "drivers/guestfs/ptable.h"
#include "drivers/guestfs/seed.h"

/* What is known of an image, found once and used for all overlays of it. */
typedef struct {
	GBytes *head; /* start of its disk */
	np_ptable table;
	bool found;         /* the root is known: */
	unsigned partition; /* 0: the whole disk */
	char *fstype;
	char *options;    /* for mount */
	GHashTable *seen; /* answers of the view: "e/etc/hosts" → text, or NULL */
} np_image_facts;

np_image_facts *np_image_facts_new(GBytes *head);
void np_image_facts_free(np_image_facts *facts);

/* Mounts the root of the disk at `index`. */
bool np_guestdisk_mount(np_appliance *appliance, unsigned index, np_image_facts *facts, GError **error);
/* Grows the mounted file system to the end of its partition. */
bool np_guestdisk_grow(np_appliance *appliance, unsigned index, const np_image_facts *facts, GError **error);
/* Renders and writes. */
bool np_guestdisk_write(np_appliance *appliance, const np_disk_job *job, np_image_facts *facts, GError **error);
bool np_guestdisk_umount(np_appliance *appliance, GError **error);
