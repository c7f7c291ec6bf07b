/* SPDX-License-Identifier: Apache-2.0 */
/* What is at one site: the lab's own objects, and the names that others use. */
#include "drivers/libvirt/observe.h"

#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/network_read.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/volume.h"

bool np_observe_wants(const np_mark *mark, const char *lab)
{
	return mark->lab && (!lab || strcmp(mark->lab, lab) == 0);
}

void np_observe_foreign(np_seen_site *site, const char *kind, const char *name)
{
	if (name)
		g_hash_table_add(site->foreign, g_strdup_printf("%s %s", kind, name));
}

static bool observe_network_state(virNetworkPtr network, np_mark *mark, np_seen_network *seen, GError **error)
{
	int autostart = 1;
	seen->active = virNetworkIsActive(network) == 1;
	seen->autostart = virNetworkGetAutostart(network, &autostart) < 0 || autostart;
	if (!seen->active)
		return true;
	GError *local = NULL;
	g_autoptr(xmlDoc) doc = np_network_describe_live(network, &local);
	if (local)
		g_propagate_error(error, local);
	if (!doc)
		return !local;
	np_seen_network *live = np_network_read(xmlDocGetRootElement(doc), mark);
	seen->live = g_steal_pointer(&live->network);
	seen->live_hosts = g_steal_pointer(&live->hosts);
	np_seen_network_free(live);
	return true;
}

static bool observe_network(virNetworkPtr network, const char *lab, np_seen_site *site, GError **error)
{
	g_autoptr(GError) local = NULL;
	g_autoptr(xmlDoc) doc = np_network_describe(network, &local);
	if (!doc) {
		if (local)
			g_propagate_error(error, g_error_copy(local));
		return !local;
	}
	xmlNode *root = xmlDocGetRootElement(doc);
	g_auto(np_mark) mark = {0};
	(void)np_mark_read(root, &mark);
	if (!np_observe_wants(&mark, lab)) {
		g_autofree char *device = np_xml_get(root, "bridge/@name");
		np_observe_foreign(site, "network", virNetworkGetName(network));
		np_network_read_ranges(root, virNetworkIsActive(network) == 1, site->ranges);
		/* A bridge that a network only uses belongs to the site, not to that network. */
		if (!np_xml_has(root, "forward[@mode='bridge']"))
			np_observe_foreign(site, "device", device);
		return true;
	}
	np_seen_network *seen = np_network_read(root, &mark);
	g_ptr_array_add(site->networks, seen);
	return observe_network_state(network, &mark, seen, error);
}

static const np_volume_info *volume_of(GHashTable *volumes, const np_node *node, const np_disk *disk)
{
	g_autofree char *volume = np_volume_name(node->base.name, disk->base.name);
	return g_hash_table_lookup(volumes, volume);
}

/* Where the lab has no pool, or one that cannot be looked into, nothing is known to be lost. */
static bool is_lost(np_conn *conn, const char *pool, const np_node *node, const np_disk *disk)
{
	g_autofree char *volume = np_volume_name(node->base.name, disk->base.name);
	return np_volume_is_gone(conn, pool, volume);
}

static void set_node_sizes(np_conn *conn, const char *pool, np_node *node, GHashTable *volumes)
{
	for (guint j = 0; node && j < node->disks->len; j++) {
		np_disk *disk = g_ptr_array_index(node->disks, j);
		if (disk->source)
			continue;
		const np_volume_info *info = volume_of(volumes, node, disk);
		disk->lost = !info && is_lost(conn, pool, node, disk);
		if (!info)
			continue;
		disk->size = np_size_up(info->capacity, NP_DISK_UNIT);
		np_object_mark(&np_disk_kind, &disk->base, "size");
	}
}

/* A hypervisor that lost its power soon after an upload may have a disk of zeros, which would never boot. One that has been seen
 * ready since it was started is fine. */
static void find_damage(np_seen_node *seen, GHashTable *volumes)
{
	for (guint j = 0; !seen->ready && !seen->damaged && j < seen->node->disks->len; j++) {
		const np_disk *disk = g_ptr_array_index(seen->node->disks, j);
		const np_volume_info *info = volume_of(volumes, seen->node, disk);
		if (info && g_strcmp0(info->format, "raw") == 0)
			seen->damaged = g_strdup(disk->base.name);
	}
}

static void set_volumes(np_conn *conn, const char *pool, np_seen_site *site, GPtrArray *volumes)
{
	g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < volumes->len; i++) {
		np_volume_info *info = g_ptr_array_index(volumes, i);
		g_hash_table_insert(by_name, info->name, info);
		g_hash_table_add(site->volumes, g_strdup(info->name));
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		set_node_sizes(conn, pool, seen->node, by_name);
		set_node_sizes(conn, pool, seen->live, by_name);
		find_damage(seen, by_name);
	}
}

/* One listing for all the disks of the site; of every lab at once the sizes are not looked up. */
static bool observe_volumes(np_conn *conn, const char *lab, np_seen_site *site, GError **error)
{
	if (!lab)
		return true;
	g_autofree char *pool = np_pool_name(lab);
	g_autoptr(GPtrArray) volumes = np_volumes_read(conn, pool, &site->pool, error);
	if (volumes)
		set_volumes(conn, pool, site, volumes);
	return volumes != NULL;
}

static int compare_nodes(gconstpointer a, gconstpointer b)
{
	const np_seen_node *const *x = a, *const *y = b;
	return strcmp((*x)->node->libvirt_name, (*y)->node->libvirt_name);
}

static int compare_networks(gconstpointer a, gconstpointer b)
{
	const np_seen_network *const *x = a, *const *y = b;
	return strcmp((*x)->network->libvirt_name, (*y)->network->libvirt_name);
}

bool np_observe_read(np_conn *conn, const char *lab, np_seen_site *site, GError **error)
{
	g_autoptr(GPtrArray) networks = np_observe_domains(conn, lab, site, error) ? np_network_list(conn, error) : NULL;
	if (!networks)
		return false;
	for (guint i = 0; i < networks->len; i++)
		if (!observe_network(g_ptr_array_index(networks, i), lab, site, error))
			return false;
	/* libvirt lists in the order of a hash table. */
	g_ptr_array_sort(site->nodes, compare_nodes);
	g_ptr_array_sort(site->networks, compare_networks);
	return observe_volumes(conn, lab, site, error);
}
