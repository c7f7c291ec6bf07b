/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

typedef struct {
	char *name;
	guint64 capacity, allocation; /* bytes */
	char *format;                 /* as libvirt found it, "raw" when it found none; NULL: it cannot say */
	char *backing;                /* path as libvirt says, NULL: none */
} np_volume_info;
void np_volume_info_free(np_volume_info *info);

bool np_volume_create(np_conn *conn, const char *pool, const char *name, const char *format, guint64 capacity,
                      GError **error);
/* To that many bytes; it is in use by no running domain. */
bool np_volume_grow(np_conn *conn, const char *pool, const char *name, guint64 capacity, GError **error);
bool np_volume_delete(np_conn *conn, const char *pool, const char *name, GError **error);

/* Whether a pool has no such volume, also after a look at its folder; one without its folder has none. false: not known either. */
bool np_volume_is_gone(np_conn *conn, const char *pool, const char *name);
/* Of all but incomplete ones, without asking for each of them; empty when there is no pool. */
GPtrArray *np_volume_names(np_conn *conn, const char *pool, GError **error);

/* The parts of an upload. The caller holds the pool's lock. */
virStorageVolPtr np_volume_make(np_conn *conn, virStoragePoolPtr pool, const char *name, const char *format,
                                guint64 capacity, GError **error);
/* Deletes a volume; a missing one is no error. */
bool np_volume_drop(np_conn *conn, virStoragePoolPtr pool, const char *name, GError **error);
bool np_volume_exists(virStoragePoolPtr pool, const char *name);
/* Names of the volumes that mark this one as incomplete, sorted; NULL on an error. */
GPtrArray *np_volume_markers(np_conn *conn, virStoragePoolPtr pool, const char *name, GError **error);
/* Deletes the volume, then what marks it: an incomplete one must never look complete. */
bool np_volume_clear(np_conn *conn, virStoragePoolPtr pool, const char *name, GError **error);
