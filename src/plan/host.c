/* SPDX-License-Identifier: Apache-2.0 */
/* What the plan adds against what else there is: memory, CPUs and disk of the host, ranges that others use at a site. What is not
 * known refuses nothing. */
#include "base/units.h"
#include "lab/lab.h"
#include "plan/diff.h"

#define PREFIX_MIN 8 /* shorter ones are default routes cut in pieces, as VPNs do */

/* ── memory, CPUs and disk ── */

static bool adds_nodes(const np_plan *plan, const np_lab *lab)
{
	for (guint i = 0; i < lab->site.nodes->len; i++)
		if (np_plan_find(plan, ((const np_node *)g_ptr_array_index(lab->site.nodes, i))->address))
			return true;
	return false;
}

static void check_memory(np_plan *plan, const np_lab *lab, guint64 demand, guint64 memory)
{
	if (!memory || demand <= memory || lab->host.overcommit)
		return;
	g_autofree char *wanted = np_size_human(demand), *there = np_size_human(memory);
	np_plan_problem(plan, "host: the nodes of lab '%s' have %s of memory together, more than the host's %s. Give them less, or write "
	                "`host: {overcommit: true}` into the lab file.", lab->name, wanted, there);
}

static void check_vcpus(np_plan *plan, const np_lab *lab, const np_demand *demand, unsigned cpus)
{
	for (guint i = 0; cpus && demand->most_vcpus > cpus && i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		if (node->vcpus < demand->most_vcpus)
			continue;
		np_plan_warning(plan, "node '%s' has %" G_GUINT64_FORMAT " vCPUs, more than the %u of the host: it works, slowly.",
		                node->address, node->vcpus, cpus);
		return;
	}
	if (cpus && np_demand_is_crowded(demand, cpus))
		np_plan_warning(plan, "the nodes of lab '%s' have %" G_GUINT64_FORMAT " vCPUs together, more than %d for each of the host's "
		                "%u: it works, slowly.", lab->name, demand->vcpus, NP_VCPU_RATIO, cpus);
}

static guint64 disk_growth(const np_plan *plan, const np_lab *lab, const np_seen_site *root)
{
	guint64 sum = 0;
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		guint64 more = np_disk_growth(node, np_seen_site_node(root, node->base.name));
		if (more && np_plan_find(plan, node->address))
			sum += MIN(more, G_MAXUINT64 - sum);
	}
	return sum;
}

/* A warning as between levels: a disk takes what was written to it. */
static void check_disk(np_plan *plan, const np_lab *lab, const np_world *world)
{
	guint64 growth = disk_growth(plan, lab, world->root);
	if (!world->room || growth <= world->room)
		return;
	g_autofree char *wanted = np_size_human(growth), *there = np_size_human(world->room);
	np_plan_warning(plan, "host: the disks of lab '%s' may grow by %s with this plan, more than the %s that are free in %s; a guest "
	                "that cannot write to its disk is paused.", lab->name, wanted, there, lab->site.storage);
}

/* ── ranges ── */

typedef struct {
	np_plan *plan;
	const np_lab *lab;
	const np_world *world;
	const np_network *inner; /* first network inside a node whose range the host uses; NULL: none */
	char *inner_use;         /* as what */
	unsigned inner_more;     /* after the first */
} ranges;

static char *range_use(const np_foreign_range *foreign)
{
	g_autofree char *range = np_cidr_format(foreign->range);
	return g_strdup_printf("%s of the libvirt network '%s'", range, foreign->network);
}

static char *route_use(const np_route *route)
{
	g_autofree char *range = np_cidr_format(route->range);
	return g_strdup_printf("%s, the host's route through %s", range, route->device);
}

/* Through a bridge of libvirt's: its network tells more, or it is the lab's own. */
static bool is_libvirt_route(const np_seen_site *root, const np_route *route)
{
	for (guint i = 0; i < root->networks->len; i++)
		if (g_strcmp0(((const np_seen_network *)g_ptr_array_index(root->networks, i))->network->device, route->device) == 0)
			return true;
	for (guint i = 0; i < root->ranges->len; i++)
		if (g_strcmp0(((const np_foreign_range *)g_ptr_array_index(root->ranges, i))->device, route->device) == 0)
			return true;
	return false;
}

static bool overlaps(const np_network *network, np_cidr range)
{
	return range.prefix >= PREFIX_MIN && np_cidr_overlaps(network->cidr, range);
}

static const np_foreign_range *find_foreign(const np_seen_site *site, const np_network *network, bool active)
{
	for (guint i = 0; site && i < site->ranges->len; i++) {
		const np_foreign_range *foreign = g_ptr_array_index(site->ranges, i);
		if (foreign->active == active && overlaps(network, foreign->range))
			return foreign;
	}
	return NULL;
}

/* grave: only one that cannot be beside the network. The longest prefix wins, so a wide route may well be. */
static const np_route *find_route(const np_world *world, const np_network *network, bool grave)
{
	for (guint i = 0; i < world->kernel.routes->len; i++) {
		const np_route *route = g_ptr_array_index(world->kernel.routes, i);
		bool is_grave = route->link || route->range.prefix >= network->cidr.prefix;
		if (overlaps(network, route->range) && (is_grave || !grave) && !is_libvirt_route(world->root, route))
			return route;
	}
	return NULL;
}

static np_pos range_at(const np_network *network)
{
	return np_object_at(&np_network_kind, &network->base, "cidr");
}

/* Returns true after a problem. */
static bool check_foreign(const ranges *r, const np_network *network, const char *range, const np_seen_site *seen)
{
	const np_foreign_range *active = find_foreign(seen, network, true), *idle = find_foreign(seen, network, false);
	g_autofree char *use = active ? range_use(active) : idle ? range_use(idle) : NULL;
	if (active)
		np_plan_problem_at(r->plan, r->lab, range_at(network), "%s: its range %s overlaps with %s, which is not of this lab. Choose "
		                   "another range for one of them.", network->address, range, use);
	else if (idle)
		np_plan_warning(r->plan, "%s: its range %s overlaps with %s, which is not active now: only one of them can be.",
		                network->address, range, use);
	return active != NULL;
}

static void check_routes(const ranges *r, const np_network *network, const char *range)
{
	const np_route *grave = find_route(r->world, network, true), *wide = find_route(r->world, network, false);
	g_autofree char *use = grave ? route_use(grave) : wide ? route_use(wide) : NULL;
	if (grave)
		np_plan_problem_at(r->plan, r->lab, range_at(network), "%s: its range %s overlaps with %s. Choose another range.",
		                   network->address, range, use);
	else if (wide)
		np_plan_warning(r->plan, "%s: its range %s is a part of %s. What has those addresses there cannot be reached while the lab "
		                "exists.", network->address, range, use);
}

/* A network inside a node only hides what the host has, from that node and from those inside. */
static void note_inner(ranges *r, const np_network *network)
{
	const np_foreign_range *foreign = find_foreign(r->world->root, network, true);
	const np_route *route = find_route(r->world, network, false);
	if (!foreign && !route)
		return;
	if (r->inner) {
		r->inner_more++;
		return;
	}
	r->inner = network;
	r->inner_use = foreign ? range_use(foreign) : route_use(route);
}

/* What is known of the inside of a node, and still holds after the plan. */
static const np_seen_site *seen_inside(const ranges *r, const np_node *node, const np_seen_site *site)
{
	const np_change *change = np_plan_find(r->plan, node->address);
	const np_seen_node *seen = change && change->action == NP_ACTION_REPLACE ? NULL : np_seen_site_node(site, node->base.name);
	return seen ? seen->inside : NULL;
}

static void check_site(ranges *r, const np_site *site, const np_seen_site *seen)
{
	for (guint i = 0; i < site->networks->len; i++) {
		const np_network *network = g_ptr_array_index(site->networks, i);
		if (network->mode == NP_NET_BRIDGE || !np_plan_find(r->plan, network->address))
			continue;
		g_autofree char *range = np_cidr_format(network->cidr);
		if (check_foreign(r, network, range, seen))
			continue;
		if (site->level == 0)
			check_routes(r, network, range);
		else
			note_inner(r, network);
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		if (np_node_is_site(node))
			check_site(r, &node->site, seen_inside(r, node, seen));
	}
}

static void warn_of_inner(const ranges *r)
{
	if (!r->inner)
		return;
	g_autofree char *range = np_cidr_format(r->inner->cidr);
	g_autofree char *more = r->inner_more ? g_strdup_printf(" (and %u more inside nodes)", r->inner_more) : g_strdup("");
	np_plan_warning(r->plan, "%s%s: its range %s overlaps with %s, which cannot be reached from inside that node.", r->inner->address,
	                more, range, r->inner_use);
}

void np_diff_host(np_plan *plan, const np_lab *lab, const np_world *world)
{
	const np_host_facts *facts = &world->root->facts;
	if (adds_nodes(plan, lab)) {
		np_demand demand = np_site_demand(&lab->site);
		check_memory(plan, lab, demand.memory, facts->memory);
		check_vcpus(plan, lab, &demand, facts->cpus);
	}
	check_disk(plan, lab, world);
	ranges r = {.plan = plan, .lab = lab, .world = world};
	check_site(&r, &lab->site, world->root);
	warn_of_inner(&r);
	g_free(r.inner_use);
}
