/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: folders of nestplan's own. Names say whose they are, so only "nestplan-…" is ever touched. */
#include "drivers/libvirt/pool.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/xml.h"

#define REFRESH_PATIENCE_US (30 * G_USEC_PER_SEC)
#define REFRESH_PAUSE_US    (100 * 1000)

static bool check_name(const char *name, GError **error)
{
	if (np_pool_is_ours(name))
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_CLASH, "Storage pool '%s' is not one of nestplan's; it is left alone.",
	            name);
	return false;
}

static virStoragePoolPtr lookup(np_conn *conn, const char *name, GError **error)
{
	if (!check_name(name, error))
		return NULL;
	virStoragePoolPtr pool = virStoragePoolLookupByName(conn->vir, name);
	if (!pool && !np_virt_error_is(VIR_ERR_NO_STORAGE_POOL))
		np_virt_error(error, NP_ERROR_FAILED, "Storage pool '%s' cannot be looked up at %s", name, conn->uri);
	return pool;
}

/* Somebody removed the folder, or it could never be made. */
static bool folder_is_missing(void)
{
	virErrorPtr last = virGetLastError();
	return last && last->code == VIR_ERR_SYSTEM_ERROR && last->int1 == ENOENT;
}

/* NP_ERROR_NOT_FOUND: its folder is missing. */
static bool activate(np_conn *conn, virStoragePoolPtr pool, GError **error)
{
	/* Not valid: another process has started it meanwhile. */
	if (virStoragePoolIsActive(pool) == 1 || virStoragePoolCreate(pool, 0) == 0 ||
	    np_virt_error_is(VIR_ERR_OPERATION_INVALID))
		return true;
	int code = folder_is_missing() ? NP_ERROR_NOT_FOUND : NP_ERROR_FAILED;
	np_virt_error(error, code, "Storage pool '%s' cannot be started at %s", virStoragePoolGetName(pool), conn->uri);
	return false;
}

/* An inactive pool shows no volumes; disks that only seem to be missing would be made anew. So it is started. One without its
 * folder has no volumes, and is as good as none until it is made again. */
virStoragePoolPtr np_pool_find(np_conn *conn, const char *name, GError **error)
{
	g_autoptr(virStoragePool) pool = lookup(conn, name, error);
	g_autoptr(GError) local = NULL;
	if (!pool || activate(conn, pool, &local))
		return g_steal_pointer(&pool);
	if (!g_error_matches(local, NP_ERROR, NP_ERROR_NOT_FOUND))
		g_propagate_error(error, g_steal_pointer(&local));
	return NULL;
}

bool np_pool_exists(np_conn *conn, const char *name)
{
	g_autoptr(virStoragePool) pool = lookup(conn, name, NULL);
	return pool != NULL;
}

virStoragePoolPtr np_pool_need(np_conn *conn, const char *name, GError **error)
{
	GError *local = NULL;
	virStoragePoolPtr pool = np_pool_find(conn, name, &local);
	if (!pool && !local)
		g_set_error(&local, NP_ERROR, NP_ERROR_NOT_FOUND,
		            "Storage pool '%s' does not exist at %s; apply the lab again.", name, conn->uri);
	if (local)
		g_propagate_error(error, local);
	return pool;
}

static char *pool_xml(const char *name, const char *folder)
{
	g_autoptr(xmlDoc) doc = np_xml_new("pool");
	xmlNode *root = xmlDocGetRootElement(doc);
	np_xml_attr(root, "type", "dir");
	np_xml_add_text(root, "name", name);
	xmlNode *target = np_xml_add(root, "target", NULL);
	np_xml_add_text(target, "path", folder);
	np_xml_add_text(np_xml_add(target, "permissions", NULL), "mode", "0711");
	return np_xml_format(doc);
}

static bool check_folder(np_conn *conn, virStoragePoolPtr pool, const char *folder, GError **error)
{
	const char *name = virStoragePoolGetName(pool);
	char *text = virStoragePoolGetXMLDesc(pool, 0);
	g_autoptr(xmlDoc) doc = text ? np_xml_parse(text, name, NULL) : NULL;
	free(text);
	g_autofree char *path = doc ? np_xml_get(xmlDocGetRootElement(doc), "target/path") : NULL;
	if (!path) {
		np_virt_error(error, NP_ERROR_FAILED, "The description of storage pool '%s' cannot be read at %s", name,
		              conn->uri);
		return false;
	}
	g_autofree char *is = g_canonicalize_filename(path, "/");
	g_autofree char *wanted = g_canonicalize_filename(folder, "/");
	if (strcmp(is, wanted) == 0)
		return true;
	g_set_error(
	        error, NP_ERROR, NP_ERROR_CLASH,
	        "Storage pool '%s' at %s lies in '%s', not in '%s'; set 'storage' to match, or destroy the lab first.",
	        name, conn->uri, is, wanted);
	return false;
}

static virStoragePoolPtr define(np_conn *conn, const char *name, const char *folder, GError **error)
{
	g_autofree char *xml = pool_xml(name, folder);
	virStoragePoolPtr pool = virStoragePoolDefineXML(conn->vir, xml, 0);
	if (!pool)
		np_virt_error(error, NP_ERROR_FAILED, "Storage pool '%s' cannot be defined at %s", name, conn->uri);
	return pool;
}

static bool start(np_conn *conn, virStoragePoolPtr pool, const char *folder, GError **error)
{
	g_autoptr(GError) unbuilt = NULL;
	if (virStoragePoolIsActive(pool) != 1 && virStoragePoolBuild(pool, 0) < 0 &&
	    !np_virt_error_is(VIR_ERR_NO_SUPPORT))
		np_virt_error(&unbuilt, NP_ERROR_FAILED, "Folder '%s' of storage pool '%s' cannot be made at %s", folder,
		              virStoragePoolGetName(pool), conn->uri);
	/* Inside a hypervisor the images folder is a read-only file system: it cannot be built, and need not be. */
	if (!activate(conn, pool, unbuilt ? NULL : error)) {
		if (unbuilt)
			g_propagate_error(error, g_steal_pointer(&unbuilt));
		return false;
	}
	if (virStoragePoolSetAutostart(pool, 1) < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "Storage pool '%s' cannot be set to start by itself at %s",
		              virStoragePoolGetName(pool), conn->uri);
		return false;
	}
	return np_pool_refresh(conn, pool, error);
}

/* A pool that runs and whose folder somebody removed is stopped by the look at it, and can be made again then. */
static bool start_or_rebuild(np_conn *conn, virStoragePoolPtr pool, const char *folder, GError **error)
{
	GError *local = NULL;
	if (start(conn, pool, folder, &local))
		return true;
	if (!g_error_matches(local, NP_ERROR, NP_ERROR_NOT_FOUND)) {
		g_propagate_error(error, local);
		return false;
	}
	g_error_free(local);
	return start(conn, pool, folder, error);
}

bool np_pool_ensure(np_conn *conn, const char *name, const char *folder, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(np_conn_pool_lock(conn, name));
	GError *local = NULL;
	g_autoptr(virStoragePool) pool = lookup(conn, name, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	if (pool && !check_folder(conn, pool, folder, error))
		return false;
	bool known = pool != NULL;
	if (!pool)
		pool = define(conn, name, folder, error);
	if (!pool || start_or_rebuild(conn, pool, folder, error))
		return pool != NULL;
	if (!known) /* what cannot be used is not left behind */
		(void)virStoragePoolUndefine(pool);
	return false;
}

/* The daemon scans a pool on its own after an upload; there is no event for its end. */
bool np_pool_refresh(np_conn *conn, virStoragePoolPtr pool, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + REFRESH_PATIENCE_US;
	while (virStoragePoolRefresh(pool, 0) < 0) {
		const char *words = virGetLastErrorMessage();
		if (!strstr(words, "asynchronous jobs") || g_get_monotonic_time() > deadline) {
			int code = folder_is_missing() ? NP_ERROR_NOT_FOUND : NP_ERROR_FAILED;
			np_virt_error(error, code, "Storage pool '%s' cannot be refreshed at %s", virStoragePoolGetName(pool),
			              conn->uri);
			return false;
		}
		g_usleep(REFRESH_PAUSE_US);
	}
	return true;
}

bool np_pool_delete(np_conn *conn, const char *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(np_conn_pool_lock(conn, name));
	GError *local = NULL;
	g_autoptr(virStoragePool) pool = lookup(conn, name, &local);
	if (!pool) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	if (virStoragePoolIsActive(pool) == 1 && virStoragePoolDestroy(pool) < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "Storage pool '%s' cannot be stopped at %s", name, conn->uri);
		return false;
	}
	/* A folder with something in it stays. */
	(void)virStoragePoolDelete(pool, VIR_STORAGE_POOL_DELETE_NORMAL);
	if (virStoragePoolUndefine(pool) < 0 && !np_virt_error_is(VIR_ERR_NO_STORAGE_POOL)) {
		np_virt_error(error, NP_ERROR_FAILED, "Storage pool '%s' cannot be removed at %s", name, conn->uri);
		return false;
	}
	return true;
}

GPtrArray *np_pool_list(np_conn *conn, GError **error)
{
	virStoragePoolPtr *list = NULL;
	int count = virConnectListAllStoragePools(conn->vir, &list, 0);
	if (count < 0 && !np_virt_error_is(VIR_ERR_NO_SUPPORT)) {
		np_virt_error(error, NP_ERROR_FAILED, "The storage pools at %s cannot be listed", conn->uri);
		return NULL;
	}
	return np_virt_list(list, MAX(count, 0), (GDestroyNotify)(void (*)(void))virStoragePoolFree);
}
