/* SPDX-License-Identifier: Apache-2.0 */
/* Partition tables, MBR and GPT, as bytes: where the partitions are, and the bytes that grow the last one. Done here
 * and not by the appliance, where each run of parted costs a second under emulation. Pure. */
#pragma once
#include <glib.h>
#include <stdbool.h>

#define NP_SECTOR         512u
#define NP_PTABLE_SECTORS 64u /* what has to be read from the start of a disk */

typedef enum { NP_PTABLE_NONE, NP_PTABLE_MBR, NP_PTABLE_GPT } np_ptable_kind;

typedef struct {
	unsigned number; /* counts from 1 */
	guint64 start, sectors;
	bool linux_fs; /* its type says that it may hold a Linux file system */
} np_partition;

typedef struct {
	np_ptable_kind kind;
	GArray *partitions; /* of np_partition, by number */
} np_ptable;
void np_ptable_clear(np_ptable *table);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_ptable, np_ptable_clear)

typedef struct {
	guint64 offset; /* bytes */
	GBytes *bytes;
} np_patch;

/* head: the first NP_PTABLE_SECTORS sectors (or fewer on a small disk). */
void np_ptable_parse(const guint8 *head, gsize length, np_ptable *ret);
/* The one that ends last, NULL when there is none. Borrowed. */
const np_partition *np_ptable_last(const np_ptable *table);
/* Patches (of np_patch*) that make the last partition fill a disk of `sectors` sectors; none when it does already or is
 * of no Linux type. NULL with a reason in *why (static) when the table is damaged or too unusual. */
GPtrArray *np_ptable_grow(const guint8 *head, gsize length, guint64 sectors, const char **why);
