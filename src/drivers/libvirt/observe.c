/* SPDX-License-Identifier: Apache-2.0 */
/* What is at one site: the lab's own objects, and the names that others use. */
#include "drivers/libvirt/observe.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/domain.h"
#include "drivers/libvirt/domain_read.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/network_read.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/volume.h"

static np_power read_power(virDomainPtr domain)
{
	int state = VIR_DOMAIN_SHUTOFF;
	(void)virDomainGetState(domain, &state, NULL, 0);
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN:
	case VIR_DOMAIN_PMSUSPENDED: return NP_POWER_RUNNING;
	case VIR_DOMAIN_PAUSED: return NP_POWER_PAUSED;
	case VIR_DOMAIN_CRASHED: return NP_POWER_CRASHED;
	default: return NP_POWER_OFF;
	}
}

static bool is_wanted(const np_mark *mark, const char *lab)
{
	return mark->lab && (!lab || strcmp(mark->lab, lab) == 0);
}

static void add_foreign(np_seen_site *site, const char *kind, const char *name)
{
	if (name)
		g_hash_table_add(site->foreign, g_strdup_printf("%s %s", kind, name));
}

static bool runs(np_power power)
{
	return power == NP_POWER_RUNNING || power == NP_POWER_PAUSED;
}

/* What runs may differ from what is stored. A domain that stopped meanwhile is off. */
static bool observe_live(virDomainPtr domain, const np_mark *mark, np_seen_node *seen, GError **error)
{
	GError *local = NULL;
	g_autoptr(xmlDoc) doc = np_domain_describe_live(domain, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	if (!doc)
		return true;
	xmlNode *root = xmlDocGetRootElement(doc);
	np_domain_read_live(root, mark, seen);
	seen->ready = seen->power == NP_POWER_RUNNING && np_domain_is_ready(root);
	return true;
}

static bool observe_domain(virDomainPtr domain, const char *lab, np_seen_site *site, GError **error)
{
	GError *local = NULL;
	g_autoptr(xmlDoc) doc = np_domain_describe(domain, &local);
	if (local)
		g_propagate_error(error, local);
	if (!doc)
		return !local;
	xmlNode *root = xmlDocGetRootElement(doc);
	g_auto(np_mark) mark = {0};
	(void)np_mark_read(root, &mark);
	if (!is_wanted(&mark, lab)) {
		add_foreign(site, "domain", virDomainGetName(domain));
		return true;
	}
	np_seen_node *seen = np_domain_read(root, &mark);
	g_ptr_array_add(site->nodes, seen);
	seen->power = read_power(domain);
	return !runs(seen->power) || observe_live(domain, &mark, seen, error);
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
	if (!is_wanted(&mark, lab)) {
		g_autofree char *device = np_xml_get(root, "bridge/@name");
		add_foreign(site, "network", virNetworkGetName(network));
		np_network_read_ranges(root, virNetworkIsActive(network) == 1, site->ranges);
		/* A bridge that a network only uses belongs to the site, not to that network. */
		if (!np_xml_has(root, "forward[@mode='bridge']"))
			add_foreign(site, "device", device);
		return true;
	}
	np_seen_network *seen = np_network_read(root, &mark);
	g_ptr_array_add(site->networks, seen);
	return observe_network_state(network, &mark, seen, error);
}

static void set_node_sizes(const char *name, np_node *node, GHashTable *sizes)
{
	for (guint j = 0; node && j < node->disks->len; j++) {
		np_disk *disk = g_ptr_array_index(node->disks, j);
		g_autofree char *volume = np_volume_name(name, disk->base.name);
		const np_volume_info *info = g_hash_table_lookup(sizes, volume);
		if (!info)
			continue;
		disk->size = info->capacity;
		np_object_mark(&np_disk_kind, &disk->base, "size");
	}
}

static void set_sizes(np_seen_site *site, GPtrArray *volumes)
{
	g_autoptr(GHashTable) sizes = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < volumes->len; i++) {
		np_volume_info *info = g_ptr_array_index(volumes, i);
		g_hash_table_insert(sizes, info->name, info);
		g_hash_table_add(site->volumes, g_strdup(info->name));
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		set_node_sizes(seen->node->base.name, seen->node, sizes);
		set_node_sizes(seen->node->base.name, seen->live, sizes);
	}
}

/* A hypervisor that lost its power soon after an upload may have a disk of zeros, which would never boot. One that has been seen
 * ready since it was started is fine. */
static void find_damage(np_conn *conn, const char *pool, np_seen_site *site)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		for (guint j = 0; !seen->ready && !seen->damaged && j < seen->node->disks->len; j++) {
			const np_disk *disk = g_ptr_array_index(seen->node->disks, j);
			g_autofree char *volume = np_volume_name(seen->node->base.name, disk->base.name);
			g_autofree char *format = np_volume_format(conn, pool, volume);
			if (g_strcmp0(format, "raw") == 0)
				seen->damaged = g_strdup(disk->base.name);
		}
	}
}

/* One listing for all the disks of the site; of every lab at once the sizes are not looked up. */
static bool observe_volumes(np_conn *conn, const char *lab, np_seen_site *site, GError **error)
{
	if (!lab)
		return true;
	g_autofree char *pool = np_pool_name(lab);
	g_autoptr(GPtrArray) volumes = np_volumes_read(conn, pool, false, &site->pool, error);
	if (!volumes)
		return false;
	set_sizes(site, volumes);
	if (site->pool)
		find_damage(conn, pool, site);
	return true;
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
	g_autoptr(GPtrArray) domains = np_domain_list(conn, error);
	g_autoptr(GPtrArray) networks = domains ? np_network_list(conn, error) : NULL;
	if (!networks)
		return false;
	for (guint i = 0; i < domains->len; i++)
		if (!observe_domain(g_ptr_array_index(domains, i), lab, site, error))
			return false;
	for (guint i = 0; i < networks->len; i++)
		if (!observe_network(g_ptr_array_index(networks, i), lab, site, error))
			return false;
	/* libvirt lists in the order of a hash table. */
	g_ptr_array_sort(site->nodes, compare_nodes);
	g_ptr_array_sort(site->networks, compare_networks);
	return observe_volumes(conn, lab, site, error);
}
