/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be written into a node's disk, rendered without an appliance. */
#pragma once
#include "drivers/driver.h"
#include "drivers/guestfs/view.h"

typedef enum { NP_SEED_FILE, NP_SEED_FOLDER, NP_SEED_LINK, NP_SEED_REMOVE } np_seed_kind;

typedef struct {
	np_seed_kind kind;
	char *path;      /* absolute, in the guest */
	GBytes *content; /* FILE */
	char *target;    /* LINK */
	guint32 mode, uid, gid;
	bool keep; /* FILE: an existing file's owner and mode stay */
} np_seed_item;

typedef GPtrArray np_seed; /* of np_seed_item*, in the order of writing */

np_seed *np_seed_new(void);
/* A later item replaces an earlier one of the same path. */
void np_seed_text(np_seed *seed, const char *path, guint32 mode, const char *text);
void np_seed_edit(np_seed *seed, const char *path, const char *text); /* keeps owner and mode */
void np_seed_bytes(np_seed *seed, const char *path, GBytes *content, guint32 mode, guint32 uid, guint32 gid);
void np_seed_folder(np_seed *seed, const char *path, guint32 mode, guint32 uid, guint32 gid);
void np_seed_link(np_seed *seed, const char *path, const char *target);
void np_seed_remove(np_seed *seed, const char *path);
/* NULL when nothing is written at path. Borrowed. */
const np_seed_item *np_seed_find(const np_seed *seed, const char *path);
/* Text as the disk will hold it: what the seed writes there, else what the image has; NULL when neither. Caller frees.
 */
char *np_seed_current(const np_seed *seed, const np_guest_view *view, const char *path);

/* Everything for one job. */
np_seed *np_seed_render(const np_disk_job *job, const np_guest_view *view, GError **error);
