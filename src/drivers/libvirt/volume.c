/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/volume.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/parallel.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/xml.h"

void np_volume_info_free(np_volume_info *info)
{
	if (!info)
		return;
	g_free(info->name);
	g_free(info->format);
	g_free(info->backing);
	g_free(info);
}

/* Images are read by the domains of every lab; a disk gets its owner from libvirt when its domain starts. */
static const char *volume_mode(virStoragePoolPtr pool)
{
	return strcmp(virStoragePoolGetName(pool), NP_POOL_IMAGES) == 0 ? "0644" : "0600";
}

static char *volume_xml(virStoragePoolPtr pool, const char *name, const char *format, guint64 capacity)
{
	g_autoptr(xmlDoc) doc = np_xml_new("volume");
	xmlNode *root = xmlDocGetRootElement(doc);
	g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, capacity);
	np_xml_add_text(root, "name", name);
	np_xml_attr(np_xml_add_text(root, "capacity", bytes), "unit", "bytes");
	np_xml_attr(np_xml_add_text(root, "allocation", "0"), "unit", "bytes");
	xmlNode *target = np_xml_add(root, "target", NULL);
	np_xml_add(target, "format", "type", format, NULL);
	np_xml_add_text(np_xml_add(target, "permissions", NULL), "mode", volume_mode(pool));
	return np_xml_format(doc);
}

virStorageVolPtr np_volume_make(np_conn *conn, virStoragePoolPtr pool, const char *name, const char *format,
                                guint64 capacity, GError **error)
{
	g_autofree char *xml = volume_xml(pool, name, format, capacity);
	virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);
	if (volume)
		return volume;
	GError *local = NULL;
	bool exists = np_virt_error_is(VIR_ERR_STORAGE_VOL_EXIST);
	np_virt_error(&local, NP_ERROR_FAILED, "Volume '%s' cannot be created in pool '%s' at %s", name,
	              virStoragePoolGetName(pool), conn->uri);
	/* The test driver has no code of its own for it. */
	if (exists || np_volume_exists(pool, name))
		local->code = NP_ERROR_CLASH;
	g_propagate_error(error, local);
	return NULL;
}

bool np_volume_exists(virStoragePoolPtr pool, const char *name)
{
	g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
	return volume != NULL;
}

bool np_volume_drop(np_conn *conn, virStoragePoolPtr pool, const char *name, GError **error)
{
	g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
	if ((volume && virStorageVolDelete(volume, 0) == 0) || np_virt_error_is(VIR_ERR_NO_STORAGE_VOL))
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Volume '%s' cannot be deleted from pool '%s' at %s", name,
	              virStoragePoolGetName(pool), conn->uri);
	return false;
}

static GPtrArray *list_volumes(np_conn *conn, virStoragePoolPtr pool, GError **error)
{
	virStorageVolPtr *list = NULL;
	int count = virStoragePoolListAllVolumes(pool, &list, 0);
	if (count < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "The volumes of pool '%s' cannot be listed at %s",
		              virStoragePoolGetName(pool), conn->uri);
		return NULL;
	}
	return np_virt_list(list, count, (GDestroyNotify)(void (*)(void))virStorageVolFree);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

GPtrArray *np_volume_markers(np_conn *conn, virStoragePoolPtr pool, const char *name, GError **error)
{
	g_autoptr(GPtrArray) handles = list_volumes(conn, pool, error);
	if (!handles)
		return NULL;
	GPtrArray *markers = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < handles->len; i++) {
		const char *marker = virStorageVolGetName(g_ptr_array_index(handles, i));
		g_autofree char *marked = np_volume_of_marker(marker);
		if (g_strcmp0(marked, name) == 0)
			g_ptr_array_add(markers, g_strdup(marker));
	}
	g_ptr_array_sort(markers, compare_names);
	return markers;
}

bool np_volume_clear(np_conn *conn, virStoragePoolPtr pool, const char *name, GError **error)
{
	g_autoptr(GPtrArray) markers = np_volume_markers(conn, pool, name, error);
	if (!markers || !np_volume_drop(conn, pool, name, error))
		return false;
	for (guint i = 0; i < markers->len; i++)
		if (!np_volume_drop(conn, pool, g_ptr_array_index(markers, i), error))
			return false;
	return true;
}

bool np_volume_create(np_conn *conn, const char *pool_name, const char *name, const char *format, guint64 capacity,
                      GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(np_conn_pool_lock(conn, pool_name));
	g_autoptr(virStoragePool) pool = np_pool_need(conn, pool_name, error);
	g_autoptr(virStorageVol) volume = pool ? np_volume_make(conn, pool, name, format, capacity, error) : NULL;
	return volume != NULL;
}

bool np_volume_delete(np_conn *conn, const char *pool_name, const char *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(np_conn_pool_lock(conn, pool_name));
	GError *local = NULL;
	g_autoptr(virStoragePool) pool = np_pool_find(conn, pool_name, &local);
	if (!pool) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	return np_volume_clear(conn, pool, name, error);
}

bool np_volume_grow(np_conn *conn, const char *pool_name, const char *name, guint64 capacity, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(np_conn_pool_lock(conn, pool_name));
	g_autoptr(virStoragePool) pool = np_pool_need(conn, pool_name, error);
	if (!pool)
		return false;
	/* The test driver's volumes have no bytes, and a size that only a new one can change. */
	if (conn->mock) {
		g_autoptr(virStorageVol) made = np_volume_drop(conn, pool, name, error)
		                                        ? np_volume_make(conn, pool, name, "qcow2", capacity, error)
		                                        : NULL;
		return made != NULL;
	}
	g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
	if (volume && virStorageVolResize(volume, capacity, 0) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Volume '%s' of pool '%s' cannot be grown at %s", name, pool_name, conn->uri);
	return false;
}

/* NULL when it is gone meanwhile. One question a volume: its description has all. */
static np_volume_info *read_info(virStorageVolPtr volume)
{
	const char *name = virStorageVolGetName(volume);
	char *text = virStorageVolGetXMLDesc(volume, 0);
	g_autoptr(xmlDoc) doc = text ? np_xml_parse(text, name, NULL) : NULL;
	free(text);
	if (!doc)
		return NULL;
	xmlNode *root = xmlDocGetRootElement(doc);
	np_volume_info *info = g_new0(np_volume_info, 1);
	info->name = g_strdup(name);
	info->capacity = np_xml_get_uint(root, "capacity");
	info->allocation = np_xml_get_uint(root, "allocation");
	info->format = np_xml_get(root, "target/format/@type");
	info->backing = np_xml_get(root, "backingStore/path");
	return info;
}

/* Names that are not to be listed: of markers, and of what they mark. */
static GHashTable *hidden_names(GPtrArray *handles)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < handles->len; i++) {
		const char *name = virStorageVolGetName(g_ptr_array_index(handles, i));
		char *marked = np_volume_of_marker(name);
		if (!marked)
			continue;
		g_hash_table_add(names, g_strdup(name));
		g_hash_table_add(names, marked);
	}
	return names;
}

typedef struct {
	GPtrArray *handles;
	GHashTable *hidden;
	np_volume_info **infos;
} reading;

static bool read_one(guint i, gpointer data)
{
	reading *r = data;
	virStorageVolPtr volume = g_ptr_array_index(r->handles, i);
	if (!g_hash_table_contains(r->hidden, virStorageVolGetName(volume)))
		r->infos[i] = read_info(volume);
	return true;
}

static GPtrArray *read_infos(GPtrArray *handles)
{
	g_autoptr(GHashTable) hidden = hidden_names(handles);
	g_autofree np_volume_info **found = g_new0(np_volume_info *, handles->len);
	reading r = {handles, hidden, found};
	np_parallel(handles->len, read_one, &r);
	GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)np_volume_info_free);
	for (guint i = 0; i < handles->len; i++)
		if (found[i])
			g_ptr_array_add(infos, found[i]);
	return infos;
}

/* The volumes of a pool; *ret_pool is NULL when there is none. */
static GPtrArray *read_handles(np_conn *conn, const char *name, virStoragePoolPtr *ret_pool, GError **error)
{
	GError *local = NULL;
	*ret_pool = np_pool_find(conn, name, &local);
	if (!local)
		return *ret_pool ? list_volumes(conn, *ret_pool, error) : g_ptr_array_new();
	g_propagate_error(error, local);
	return NULL;
}

GPtrArray *np_volumes_read(np_conn *conn, const char *name, bool *exists, GError **error)
{
	g_autoptr(virStoragePool) pool = NULL;
	g_autoptr(GPtrArray) handles = read_handles(conn, name, &pool, error);
	if (exists)
		*exists = pool || np_pool_exists(conn, name);
	return handles ? read_infos(handles) : NULL;
}

bool np_volume_is_gone(np_conn *conn, const char *pool_name, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(virStoragePool) pool = np_pool_find(conn, pool_name, &error);
	/* What the daemon knows of the folder may be old. It stops a pool whose folder is not there. */
	if (pool && virStoragePoolRefresh(pool, 0) < 0) {
		if (virStoragePoolIsActive(pool) == 1)
			return false;
		g_clear_pointer(&pool, virStoragePoolFree);
		pool = np_pool_find(conn, pool_name, &error);
	}
	if (!pool)
		return !error && np_pool_exists(conn, pool_name);
	g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
	return !volume && np_virt_error_is(VIR_ERR_NO_STORAGE_VOL);
}

GPtrArray *np_volume_names(np_conn *conn, const char *name, GError **error)
{
	g_autoptr(virStoragePool) pool = NULL;
	g_autoptr(GPtrArray) handles = read_handles(conn, name, &pool, error);
	if (!handles)
		return NULL;
	g_autoptr(GHashTable) hidden = hidden_names(handles);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < handles->len; i++) {
		const char *volume = virStorageVolGetName(g_ptr_array_index(handles, i));
		if (!g_hash_table_contains(hidden, volume))
			g_ptr_array_add(names, g_strdup(volume));
	}
	return names;
}
