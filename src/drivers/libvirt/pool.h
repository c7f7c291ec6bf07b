/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/volume.h"

bool np_pool_ensure(np_conn *conn, const char *name, const char *folder, GError **error);
bool np_pool_delete(np_conn *conn, const char *name, GError **error);
/* Of np_volume_info*, without incomplete ones; backing is filled on demand: it costs a question each. *exists may be
 * NULL. */
GPtrArray *np_volumes_read(np_conn *conn, const char *pool, bool *exists, GError **error);

/* nestplan's own pool, active; NULL without an error when there is none, or when its folder is missing. */
virStoragePoolPtr np_pool_find(np_conn *conn, const char *name, GError **error);
/* Whether it is defined, usable or not. */
bool np_pool_exists(np_conn *conn, const char *name);
/* As np_pool_find, but a missing pool is NP_ERROR_NOT_FOUND. */
virStoragePoolPtr np_pool_need(np_conn *conn, const char *name, GError **error);
/* Waits out background jobs of the daemon on the pool. The caller holds the pool's lock. */
bool np_pool_refresh(np_conn *conn, virStoragePoolPtr pool, GError **error);
GPtrArray *np_pool_list(np_conn *conn, GError **error); /* of virStoragePoolPtr; empty when the driver has no storage */
