/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of a node in the lab's own pool. */
#include <string.h>

#include "run/runner.h"

static GPtrArray *lab_volumes(np_runner *runner, np_conn *conn, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	return runner->drivers->hypervisor->volumes(conn, pool, error);
}

bool np_volumes_create(np_runner *runner, np_conn *conn, const np_node *node, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	g_autoptr(GPtrArray) volumes = lab_volumes(runner, conn, error);
	if (!volumes)
		return false;
	for (guint i = 0; i < node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(node->disks, i);
		g_autofree char *name = np_volume_name(node->base.name, disk->base.name);
		bool uploaded = node->image && g_str_equal(disk->base.name, "root");
		if (uploaded || g_ptr_array_find_with_equal_func(volumes, name, g_str_equal, NULL))
			continue;
		if (!runner->drivers->hypervisor->volume_create(conn, pool, name, "qcow2", disk->size, error))
			return false;
	}
	return true;
}

static bool is_of_disk(const np_node *node, const char *volume)
{
	for (guint i = 0; i < node->disks->len; i++) {
		g_autofree char *name = np_volume_name(node->base.name, ((np_disk *)g_ptr_array_index(node->disks, i))->base.name);
		if (g_str_equal(name, volume))
			return true;
	}
	return false;
}

/* Of the node with that name; `but` keeps those of its disks, NULL: none. */
static bool delete_volumes(np_runner *runner, np_conn *conn, const char *node, const np_node *but, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	g_autofree char *prefix = g_strconcat(node, ".", NULL);
	g_autoptr(GPtrArray) volumes = lab_volumes(runner, conn, error);
	if (!volumes)
		return false;
	for (guint i = 0; i < volumes->len; i++) {
		const char *volume = g_ptr_array_index(volumes, i);
		if (g_str_has_prefix(volume, prefix) && !(but && is_of_disk(but, volume)) &&
		    !runner->drivers->hypervisor->volume_delete(conn, pool, volume, error))
			return false;
	}
	return true;
}

bool np_volumes_delete(np_runner *runner, np_conn *conn, const char *node, GError **error)
{
	return delete_volumes(runner, conn, node, NULL, error);
}

bool np_volumes_prune(np_runner *runner, np_conn *conn, const np_node *node, GError **error)
{
	return delete_volumes(runner, conn, node->base.name, node, error);
}
