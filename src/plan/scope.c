/* SPDX-License-Identifier: Apache-2.0 */
/* --target: which part of lab and world a plan is about: what is named, what that needs, and what is inside it. */
#include <string.h>

#include "base/address.h"
#include "base/diag.h"
#include "plan/diff.h"

typedef struct {
	np_plan *plan;
	const np_lab *lab;
	const np_world *world;
	GPatternSpec *pattern;
	bool found, with_needs;
} scope;

bool np_plan_has_in_scope(const np_plan *plan, const char *address)
{
	return !plan->scope || g_hash_table_contains(plan->scope, address);
}

static void take(scope *s, const char *address)
{
	if (!g_hash_table_contains(s->plan->scope, address))
		g_hash_table_add(s->plan->scope, g_strdup(address));
}

static void take_needs(scope *s, const np_node *node)
{
	for (; node; node = node->parent->node) {
		take(s, node->address);
		for (guint i = 0; node->nics && i < node->nics->len; i++) {
			const np_network *network = np_nic_network(node, g_ptr_array_index(node->nics, i));
			if (network)
				take(s, network->address);
		}
	}
}

/* A network inside a node needs the node. */
static void take_site_needs(scope *s, const np_site *site)
{
	if (s->with_needs && site->node)
		take_needs(s, site->node);
}

static bool matches(scope *s, const char *address)
{
	bool match = g_pattern_spec_match_string(s->pattern, address);
	s->found |= match;
	return match;
}

static void walk_lab(scope *s, const np_site *site, bool inside)
{
	for (guint i = 0; i < site->networks->len; i++) {
		const np_network *network = g_ptr_array_index(site->networks, i);
		if (!inside && !matches(s, network->address))
			continue;
		take(s, network->address);
		take_site_needs(s, site);
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		bool taken = matches(s, node->address) || inside;
		if (taken)
			take(s, node->address);
		if (taken && s->with_needs)
			take_needs(s, node);
		walk_lab(s, &node->site, taken);
	}
}

/* Networks that the node is on now: they know its name and address, also when it leaves them. */
static void take_left(scope *s, const np_seen_site *site, const np_node *node)
{
	const np_site *wanted = np_lab_site(s->lab, site->address);
	for (guint i = 0; wanted && node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		const np_network *network = nic->network ? np_site_network(wanted, nic->network) : NULL;
		if (network)
			take(s, network->address);
	}
}

/* Also what the lab file no longer has. */
static void walk_world(scope *s, const np_seen_site *site, bool inside)
{
	for (guint i = 0; site && i < site->networks->len; i++) {
		const np_network *network = ((np_seen_network *)g_ptr_array_index(site->networks, i))->network;
		if (inside || matches(s, network->address))
			take(s, network->address);
	}
	for (guint i = 0; site && i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		bool taken = matches(s, seen->node->address) || inside;
		if (taken)
			take(s, seen->node->address);
		if (taken && s->with_needs)
			take_left(s, site, seen->node);
		walk_world(s, seen->inside, taken);
	}
}

static void add_address(np_node *node, gpointer data)
{
	g_ptr_array_add(data, node->address);
}

static void complain(scope *s, const char *option, const char *address)
{
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	np_lab_foreach_node(&s->lab->site, add_address, known);
	g_ptr_array_add(known, NULL);
	const char *near = np_nearest(address, (const char **)known->pdata);
	g_autofree char *meant = near ? g_strdup_printf(" Did you mean '%s'?", near) : g_strdup("");
	np_plan_problem(s->plan, "%s %s: lab '%s' has nothing at this address.%s `nestplan status` lists what it has.", option, address,
	                s->plan->lab, meant);
}

void np_scope_make(np_plan *plan, const np_lab *lab, const np_world *world, const np_plan_options *options)
{
	scope s = {.plan = plan, .lab = lab, .world = world, .with_needs = !options->destroy};
	for (const char *const *name = options->replace; name && *name; name++)
		if (!np_lab_node(lab, *name))
			complain(&s, "--replace", *name);
	if (!options->targets)
		return;
	plan->scope = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (const char *const *target = options->targets; *target; target++) {
		s.found = false;
		s.pattern = g_pattern_spec_new(*target);
		walk_lab(&s, &lab->site, false);
		walk_world(&s, world->root, false);
		g_pattern_spec_free(s.pattern);
		if (!s.found)
			complain(&s, "--target", *target);
	}
	for (const char *const *name = options->replace; name && *name; name++)
		if (np_lab_node(lab, *name) && !np_plan_has_in_scope(plan, *name))
			np_plan_problem(plan, "--replace %s: it is not among the targets; add `--target %s`.", *name, *name);
}

/* ── what is left out and stands in the way ── */

/* A network stays as long as a node that stays is on it. */
static void check_still_used(np_plan *plan, const np_change *change, const np_seen_site *site)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = ((np_seen_node *)g_ptr_array_index(site->nodes, i))->node;
		if (!np_plan_find(plan, node->address) && np_node_uses(node, change->seen_network->network->base.name))
			np_plan_problem(plan, "network '%s' cannot be destroyed while node '%s' is on it; add `--target %s`.", change->address,
			                node->address, node->address);
	}
}

static bool holds_range(const np_seen_network *seen, np_cidr range)
{
	const np_network *runs = seen->live ? seen->live : seen->network;
	return seen->active && np_cidr_is_set(runs->cidr) && np_cidr_overlaps(runs->cidr, range);
}

/* libvirt starts no network whose range another one has. */
static void check_range_free(np_plan *plan, const np_change *change, const np_seen_site *site)
{
	const np_cidr range = change->network->cidr;
	for (guint i = 0; i < site->networks->len; i++) {
		const np_seen_network *seen = g_ptr_array_index(site->networks, i);
		const char *other = seen->network->address;
		if (np_plan_has_in_scope(plan, other) || !holds_range(seen, range))
			continue;
		g_autofree char *text = np_cidr_format(range);
		np_plan_problem(plan, "network '%s' cannot have the range %s while network '%s' has it, which is not among the targets; add "
		                "`--target %s`.", change->address, text, other, other);
	}
}

static bool has_address_outside(const np_node *node, const np_network *network)
{
	for (guint i = 0; node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		if (nic->address && g_strcmp0(nic->network, network->base.name) == 0 && !np_cidr_contains(network->cidr, nic->address))
			return true;
	}
	return false;
}

/* A node's address is in its disk, and is changed with the node only. */
static void warn_of_left_nodes(np_plan *plan, const np_change *change, const np_seen_site *site)
{
	g_autoptr(GString) left = g_string_new(NULL);
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = ((np_seen_node *)g_ptr_array_index(site->nodes, i))->node;
		if (!np_plan_has_in_scope(plan, node->address) && has_address_outside(node, change->network))
			g_string_append_printf(left, "%s%s", left->len ? ", " : "", node->address);
	}
	if (!left->len)
		return;
	g_autofree char *range = np_cidr_format(change->network->cidr);
	np_plan_warning(plan, "network '%s' gets the range %s; nodes on it that are not among the targets keep their addresses, and are not "
	                "reached by it any more: %s. Add them with --target.", change->address, range, left->str);
}

/* Whether the network is started, with a range of its own. */
static bool takes_range(const np_change *change)
{
	bool starts = change->action == NP_ACTION_CREATE || change->action == NP_ACTION_REPLACE ||
	              (change->action == NP_ACTION_UPDATE && change->seen_network && !change->seen_network->active);
	return starts && !change->deferred && change->network && change->network->mode != NP_NET_BRIDGE &&
	       np_cidr_is_set(change->network->cidr);
}

void np_scope_check(np_plan *plan, const np_world *world)
{
	for (guint i = 0; plan->scope && i < plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(plan->changes, i);
		const np_change *above = np_plan_find(plan, change->site);
		const np_seen_site *site = change->kind == NP_CHANGE_NETWORK ? np_world_site(world, change->site) : NULL;
		if (!site)
			continue;
		if (change->action == NP_ACTION_DELETE)
			check_still_used(plan, change, site);
		else if (takes_range(change) && !(above && above->action == NP_ACTION_REPLACE)) /* all that is inside goes with its disks */
			check_range_free(plan, change, site);
		if (change->action == NP_ACTION_REPLACE && change->network && np_cidr_is_set(change->network->cidr))
			warn_of_left_nodes(plan, change, site);
	}
}
