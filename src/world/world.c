/* SPDX-License-Identifier: Apache-2.0 */
#include "world/world.h"

const char *const np_power_names[] = {"off", "running", "paused", "crashed", NULL};

void np_host_facts_clear(np_host_facts *facts)
{
	g_free(facts->uuid);
	g_free(facts->arch);
	g_free(facts->version);
	g_free(facts->flag);
	g_free(facts->security);
	g_clear_pointer(&facts->models_kvm, g_hash_table_unref);
	g_clear_pointer(&facts->models_qemu, g_hash_table_unref);
	*facts = (np_host_facts){.nested = -1, .qemu_uid = -1, .qemu_gid = -1};
}

void np_local_facts_clear(np_local_facts *facts)
{
	g_free(facts->uri);
	g_free(facts->guestfs);
	g_free(facts->storage);
	g_free(facts->denied);
	g_clear_pointer(&facts->missing, g_ptr_array_unref);
	*facts = (np_local_facts){0};
}

static void option_source_free(gpointer data)
{
	np_option_source *source = data;
	g_free(source->file);
	g_free(source->value);
	g_free(source);
}

static void holder_free(gpointer data)
{
	np_holder *holder = data;
	g_free(holder->command);
	g_free(holder->domain);
	g_free(holder);
}

static void route_free(gpointer data)
{
	g_free(((np_route *)data)->device);
	g_free(data);
}

np_route *np_route_new(np_cidr range, char *device, bool link)
{
	np_route *route = g_new(np_route, 1);
	*route = (np_route){range, device, link};
	return route;
}

void np_kernel_facts_clear(np_kernel_facts *facts)
{
	g_free(facts->vendor);
	g_free(facts->flag);
	g_free(facts->module);
	g_free(facts->device_error);
	g_free(facts->vm_error);
	g_free(facts->blacklist);
	g_free(facts->forbidden);
	g_clear_pointer(&facts->sources, g_ptr_array_unref);
	g_clear_pointer(&facts->holders, g_ptr_array_unref);
	g_clear_pointer(&facts->slow, g_ptr_array_unref);
	g_clear_pointer(&facts->labs, g_ptr_array_unref);
	g_clear_pointer(&facts->routes, g_ptr_array_unref);
	*facts = (np_kernel_facts){.nested = -1, .before = -1};
}

void np_kernel_facts_init(np_kernel_facts *facts)
{
	*facts = (np_kernel_facts){.nested = -1, .before = -1};
	facts->sources = g_ptr_array_new_with_free_func(option_source_free);
	facts->holders = g_ptr_array_new_with_free_func(holder_free);
	facts->slow = g_ptr_array_new_with_free_func(g_free);
	facts->labs = g_ptr_array_new_with_free_func(g_free);
	facts->routes = g_ptr_array_new_with_free_func(route_free);
}

char *np_host_text(const char *name, const char *mac)
{
	return mac ? g_strdup_printf("%s %s", name ? name : "?", mac) : g_strdup(name ? name : "?");
}

np_seen_node *np_seen_node_new(void)
{
	np_seen_node *seen = g_new0(np_seen_node, 1);
	seen->node = np_object_new(&np_node_kind, NULL);
	return seen;
}

void np_seen_node_free(np_seen_node *seen)
{
	if (!seen)
		return;
	np_node_free(seen->node);
	np_node_free(seen->live);
	g_clear_pointer(&seen->applied, g_hash_table_unref);
	g_free(seen->image_id);
	g_free(seen->inject_id);
	g_free(seen->want_accel);
	g_free(seen->share);
	g_free(seen->damaged);
	np_seen_site_free(seen->inside);
	g_free(seen);
}

np_seen_network *np_seen_network_new(void)
{
	np_seen_network *seen = g_new0(np_seen_network, 1);
	seen->network = np_object_new(&np_network_kind, NULL);
	seen->autostart = true;
	return seen;
}

void np_seen_network_free(np_seen_network *seen)
{
	if (!seen)
		return;
	np_network_free(seen->network);
	np_network_free(seen->live);
	g_clear_pointer(&seen->hosts, g_hash_table_unref);
	g_clear_pointer(&seen->live_hosts, g_hash_table_unref);
	g_clear_pointer(&seen->applied, g_hash_table_unref);
	g_free(seen);
}

np_foreign_range *np_foreign_range_new(np_cidr range, char *network, char *device, bool active)
{
	np_foreign_range *foreign = g_new(np_foreign_range, 1);
	*foreign = (np_foreign_range){range, network, device, active};
	return foreign;
}

static void foreign_range_free(gpointer data)
{
	np_foreign_range *foreign = data;
	g_free(foreign->network);
	g_free(foreign->device);
	g_free(foreign);
}

np_seen_site *np_seen_site_new(const char *address)
{
	np_seen_site *site = g_new0(np_seen_site, 1);
	site->address = g_strdup(address);
	site->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)np_seen_node_free);
	site->networks = g_ptr_array_new_with_free_func((GDestroyNotify)np_seen_network_free);
	site->foreign = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	site->ranges = g_ptr_array_new_with_free_func(foreign_range_free);
	site->volumes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return site;
}

void np_seen_site_free(np_seen_site *site)
{
	if (!site)
		return;
	g_free(site->address);
	g_free(site->why);
	np_host_facts_clear(&site->facts);
	np_proof_clear(&site->proof);
	g_clear_pointer(&site->nodes_by_name, g_hash_table_unref);
	g_ptr_array_unref(site->nodes);
	g_ptr_array_unref(site->networks);
	g_hash_table_unref(site->foreign);
	g_ptr_array_unref(site->ranges);
	g_hash_table_unref(site->volumes);
	g_free(site);
}

np_world *np_world_new(const char *lab)
{
	np_world *world = g_new0(np_world, 1);
	world->lab = g_strdup(lab);
	world->root = np_seen_site_new("");
	np_kernel_facts_init(&world->kernel);
	return world;
}

void np_world_free(np_world *world)
{
	if (!world)
		return;
	g_free(world->lab);
	np_seen_site_free(world->root);
	np_kernel_facts_clear(&world->kernel);
	np_accel_answer_clear(&world->accel);
	g_free(world);
}

void np_seen_site_index(np_seen_site *site)
{
	g_clear_pointer(&site->nodes_by_name, g_hash_table_unref);
	site->nodes_by_name = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < site->nodes->len; i++) {
		np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		g_hash_table_insert(site->nodes_by_name, seen->node->base.name, seen);
	}
}

static guint64 disk_sum(const np_node *node)
{
	guint64 sum = 0;
	for (guint i = 0; i < node->disks->len; i++)
		sum += MIN(np_disk_bytes(node, g_ptr_array_index(node->disks, i)), G_MAXUINT64 - sum);
	return sum;
}

guint64 np_disk_growth(const np_node *node, const np_seen_node *seen)
{
	guint64 wanted = disk_sum(node), had = seen ? disk_sum(seen->node) : 0;
	return wanted > had ? wanted - had : 0;
}

np_seen_node *np_seen_site_node(const np_seen_site *site, const char *name)
{
	if (site && site->nodes_by_name && name)
		return g_hash_table_lookup(site->nodes_by_name, name);
	for (guint i = 0; site && i < site->nodes->len; i++) {
		np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		if (g_strcmp0(seen->node->base.name, name) == 0)
			return seen;
	}
	return NULL;
}

np_seen_network *np_seen_site_network(const np_seen_site *site, const char *name)
{
	for (guint i = 0; site && i < site->networks->len; i++) {
		np_seen_network *seen = g_ptr_array_index(site->networks, i);
		if (g_strcmp0(seen->network->base.name, name) == 0)
			return seen;
	}
	return NULL;
}

np_seen_node *np_world_node(const np_world *world, const char *address)
{
	const np_seen_site *site = world->root;
	for (;;) {
		const char *slash = strchr(address, '/');
		g_autofree char *outer = slash ? g_strndup(address, (gsize)(slash - address)) : NULL;
		np_seen_node *seen = np_seen_site_node(site, outer ? outer : address);
		if (!seen || !slash)
			return seen;
		site = seen->inside;
		address = slash + 1;
	}
}

np_seen_site *np_world_site(const np_world *world, const char *address)
{
	if (!*address)
		return world->root;
	np_seen_node *seen = np_world_node(world, address);
	return seen ? seen->inside : NULL;
}
