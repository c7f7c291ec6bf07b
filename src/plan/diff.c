/* SPDX-License-Identifier: Apache-2.0 */
/* Lab against world, site by site. */
#include "plan/diff.h"

#include <string.h>

#include "base/address.h"
#include "base/array.h"
#include "base/diag.h"
#include "base/units.h"

typedef struct {
	np_plan *plan;
	const np_lab *lab;
	const np_world *world;
	const np_plan_options *options;
	GPtrArray *emulated[2]; /* of const np_node*: those that `auto` lets fall back, at the host and deeper */
} diff;

/* How a site that the lab describes stands in the world. */
typedef enum {
	SITE_NEW,     /* does not exist: everything in it is created */
	SITE_REBUILT, /* its disks go, and all that is in it: whatever was there is created again */
	SITE_KNOWN,   /* was looked into */
	SITE_UNKNOWN, /* exists and does not answer */
} site_state;

static void diff_site(diff *d, const np_site *site, const np_seen_site *seen, site_state state);

bool np_site_gives_kvm(const np_world *world, const char *address, bool nesting)
{
	if (!*address)
		return world->accel.kvm;
	const np_seen_site *site = np_world_site(world, address);
	if (site && site->reachable && site->proof.gathered)
		return site->proof.kvm;
	/* Not up yet: what it is given; the proof will tell. */
	return nesting;
}

static void refuse_kvm(diff *d, const np_node *node, site_state state)
{
	const char *site = node->parent->address;
	np_pos at = np_object_at(&np_node_kind, &node->base, "accel");
	if (!*site) {
		np_plan_problem_at(d->plan, d->lab, at, "node '%s' asks for KVM (accel: kvm). %s. Enable virtualization in the firmware or "
		                   "in the hypervisor below, or set `accel: auto` on it to let it be emulated.",
		                   node->address, d->world->accel.reason);
	} else if (state != SITE_KNOWN && d->world->accel.needs_switch && d->lab->host.nesting != NP_NESTING_IGNORE) {
		/* np_diff_nesting said what to do */
	} else if (state == SITE_KNOWN) {
		const np_seen_site *seen = np_world_site(d->world, site);
		g_autofree char *missing = np_proof_missing(&seen->proof);
		np_plan_problem_at(d->plan, d->lab, at, "node '%s' asks for KVM (accel: kvm), which does not work in its hypervisor '%s' "
		                   "(level %u): %s. Set `accel: auto` on it to let it be emulated.", node->address, site,
		                   node->parent->level, missing);
	} else {
		np_plan_problem_at(d->plan, d->lab, at, "node '%s' asks for KVM (accel: kvm), and its hypervisor '%s' cannot have it on "
		                   "this host: %s.", node->address, site, d->world->accel.reason);
	}
}

static bool decide_accel(diff *d, const np_node *node, site_state state)
{
	const char *site = node->parent->address;
	/* A proof tells nothing of what takes the hypervisor's place. */
	bool kvm = state == SITE_REBUILT ? d->plan->nesting : np_site_gives_kvm(d->world, site, d->plan->nesting);
	if (node->accel == NP_ACCEL_EMULATE)
		return false;
	if (kvm)
		return true;
	if (node->accel == NP_ACCEL_AUTO) {
		g_ptr_array_add(d->emulated[*site != '\0'], (gpointer)node);
		return false;
	}
	if (state == SITE_KNOWN && *site && d->plan->nesting && np_change_is_down(np_plan_find(d->plan, site)))
		return true; /* its hypervisor starts anew, and is proven again */
	refuse_kvm(d, node, state);
	return false;
}

static void check_model(diff *d, const np_node *node, GHashTable *models, bool kvm)
{
	const char *model = node->cpu.model, *usable = models ? g_hash_table_lookup(models, model) : "yes";
	if (usable && !g_str_equal(usable, "no"))
		return;
	g_autofree const char **names = usable ? NULL : (const char **)g_hash_table_get_keys_as_array(models, NULL);
	const char *near = names ? np_nearest(model, names) : NULL;
	np_pos at = np_object_at(&np_cpu_kind, &node->cpu.base, "model");
	g_autofree char *meant = near ? g_strdup_printf(" Did you mean '%s'?", near) : g_strdup("");
	if (!usable)
		np_plan_problem_at(d->plan, d->lab, at, "node '%s': the hypervisor knows no CPU model '%s'.%s `virsh domcapabilities` lists "
		                   "them.", node->address, model, meant);
	else
		np_plan_problem_at(d->plan, d->lab, at, "node '%s': CPU model '%s' cannot be given to guests with accelerator %s on this "
		                   "hypervisor (libvirt: usable='no'); choose a model that is older, or `cpu: %s`.", node->address, model,
		                   kvm ? "kvm" : "emulate", kvm ? "host-passthrough" : "maximum");
}

static void check_cpu(diff *d, const np_node *node, const np_seen_site *seen, bool kvm)
{
	np_cpu_mode mode = np_cpu_mode_effective(node, kvm);
	unsigned modes = !seen ? 0 : kvm ? seen->facts.modes_kvm : seen->facts.modes_qemu;
	if (modes && !(modes & (1u << mode)))
		np_plan_problem_at(d->plan, d->lab, np_object_at(&np_cpu_kind, &node->cpu.base, "mode"),
		                   "node '%s': CPU mode %s is not available with accelerator %s on this hypervisor; try `cpu: %s`.",
		                   node->address, np_cpu_mode_names[mode], kvm ? "kvm" : "emulate",
		                   kvm ? "host-passthrough" : "maximum");
	else if (seen && mode == NP_CPU_CUSTOM && node->cpu.model)
		check_model(d, node, kvm ? seen->facts.models_kvm : seen->facts.models_qemu, kvm);
}

static bool clash(diff *d, const np_seen_site *seen, const char *what, const char *name, const char *address, np_pos at)
{
	g_autofree char *key = g_strdup_printf("%s %s", what, name);
	if (!seen || !g_hash_table_contains(seen->foreign, key))
		return false;
	np_plan_problem_at(d->plan, d->lab, at, "%s '%s': a %s named '%s' exists already and does not carry the mark of lab '%s'. "
	                   "Rename one of them, or remove that one.", g_str_equal(what, "domain") ? "node" : "network", address, what,
	                   name, d->lab->name);
	return true;
}

/* What is said of the fields together. */
static char *why_different(const np_change *change)
{
	static const char *const words[] = {
		[NP_MOVED_UNKNOWN] = "it differs from lab.yaml",
		[NP_MOVED_LAB] = "changed in lab.yaml",
		[NP_MOVED_WORLD] = "changed outside nestplan",
		[NP_MOVED_BOTH] = "changed in lab.yaml and outside nestplan",
	};
	return g_strdup(words[change->moved]);
}

static void sum_up(np_change *change)
{
	for (guint i = 0; i < change->fields->len; i++)
		change->moved |= ((np_field_change *)g_ptr_array_index(change->fields, i))->moved;
}

/* Whether a thing of the lab is looked at. What is lost with its hypervisor comes back, asked for or not. */
static bool is_looked_at(const diff *d, const char *address, site_state state, const np_seen_site *seen, bool exists)
{
	return np_plan_has_in_scope(d->plan, address) || (state == SITE_REBUILT && (exists || !seen || !seen->reachable));
}

static void lose(np_change *change)
{
	change->action = NP_ACTION_REPLACE;
	change->impact = NP_IMPACT_RECREATE;
	change->reason = g_strdup("its hypervisor is recreated");
}

static void diff_network(diff *d, const np_site *site, const np_network *network, const np_seen_site *seen, site_state state)
{
	np_seen_network *have = seen ? np_seen_site_network(seen, network->base.name) : NULL;
	if (!is_looked_at(d, network->address, state, seen, have != NULL))
		return;
	const np_seen_site *stays = state == SITE_REBUILT ? NULL : seen;
	np_pos at = network->base.pos;
	if (!have && (clash(d, stays, "network", network->libvirt_name, network->address, at) ||
	              (network->mode != NP_NET_BRIDGE && clash(d, stays, "device", network->device, network->address, at))))
		return;
	g_autoptr(np_change) change = np_change_new(NP_CHANGE_NETWORK, site->address, network->address, NP_ACTION_CREATE);
	change->network = network;
	change->seen_network = have;
	change->deferred = state == SITE_UNKNOWN;
	if (!have) {
		change->reason = g_strdup(change->deferred ? "known when its hypervisor is up" : "it does not exist");
	} else if (state == SITE_REBUILT) {
		lose(change);
	} else {
		change->action = NP_ACTION_UPDATE;
		np_diff_network_fields(change, d->lab, network, have);
		if (change->fields->len == 0)
			return;
		sum_up(change);
		change->reason = change->start_only ? g_strdup("it is not active") : why_different(change);
	}
	np_plan_take(d->plan, g_steal_pointer(&change));
}

/* Disks of an existing node: what cannot be done without losing data that nobody gave up. */
static void check_disks(diff *d, const np_change *change)
{
	const np_node *node = change->node, *have = change->seen->node;
	for (guint i = 0; change->action != NP_ACTION_REPLACE && have->disks && i < have->disks->len; i++) {
		const np_disk *had = g_ptr_array_index(have->disks, i);
		const np_disk *disk = np_map_find(node->disks, had->base.name);
		if (disk && disk->size && disk->size < had->size) {
			g_autofree char *from = np_size_format(had->size), *to = np_size_format(disk->size);
			np_plan_problem_at(d->plan, d->lab, np_object_at(&np_disk_kind, &disk->base, "size"),
			                   "node '%s': disk '%s' cannot go from %s to %s: a disk never shrinks. Write %s in the lab file, or "
			                   "recreate the node, which loses its disks: `--replace %s`.", node->address, disk->base.name,
			                   from, to, from, node->address);
		} else if (!disk && !had->source && node->protect) {
			np_plan_problem(d->plan, "node '%s' is protected (protect: true) and would lose its disk '%s'.", node->address,
			                had->base.name);
		}
	}
}

static void check_existing(diff *d, np_change *change)
{
	const np_node *node = change->node;
	if (node->protect && change->action == NP_ACTION_REPLACE)
		np_plan_problem(d->plan, "node '%s' is protected (protect: true) and would have to be recreated, which loses its disks.",
		                node->address);
	if (change->action == NP_ACTION_REPLACE && !(change->seen->inside && change->seen->inside->reachable))
		np_check_unknown(d->plan, node, change->seen);
	check_disks(d, change);
}

static bool is_named(const char *const *list, const char *address)
{
	return list && g_strv_contains(list, address);
}

static char *reason_to_change(const np_change *change, const np_seen_node *have, bool asked)
{
	if (asked)
		return g_strdup("asked for by --replace");
	if (change->start_only)
		return g_strdup(have->power == NP_POWER_RUNNING ? "it has not been ready since it was started" : "it is not running");
	g_autofree char *why = why_different(change);
	return change->action == NP_ACTION_REPLACE ? g_strdup_printf("%s; what differs is in its disks", why) : g_steal_pointer(&why);
}

/* What is to be done with the node is known when its hypervisor is up; that it is to be recreated is known now. */
static void defer_node(diff *d, np_change *change, bool asked)
{
	const np_node *node = change->node;
	change->reason = g_strdup(asked ? "recreated when its hypervisor is up (--replace)" : "known when its hypervisor is up");
	if (asked && node->protect)
		np_plan_problem(d->plan, "--replace %s: it is protected (protect: true), and would lose its disks.", node->address);
	if (asked)
		np_check_unknown(d->plan, node, NULL);
}

/* Returns how the inside of the node stands after the plan. */
static site_state diff_node_itself(diff *d, const np_node *node, np_seen_node *have, site_state state, const np_seen_site *seen)
{
	const char *site = node->parent->address;
	bool kvm = decide_accel(d, node, state);
	const np_seen_site *stays = state == SITE_REBUILT ? NULL : seen;
	check_cpu(d, node, stays, kvm);
	if (!have && clash(d, stays, "domain", node->libvirt_name, node->address, node->base.pos))
		return SITE_NEW;
	g_autoptr(np_change) change = np_change_new(NP_CHANGE_NODE, site, node->address, NP_ACTION_CREATE);
	change->node = node;
	change->seen = have;
	change->kvm = kvm;
	change->deferred = state == SITE_UNKNOWN;
	bool asked = is_named(d->options->replace, node->address);
	if (!have) {
		if (change->deferred)
			defer_node(d, change, asked);
		else
			change->reason = g_strdup("it does not exist");
		np_plan_take(d->plan, g_steal_pointer(&change));
		return state == SITE_UNKNOWN ? SITE_UNKNOWN : SITE_NEW;
	}
	if (state == SITE_REBUILT) {
		lose(change);
		check_existing(d, change);
		np_plan_take(d->plan, g_steal_pointer(&change));
		return SITE_REBUILT;
	}
	np_diff_node_fields(change, d->lab, node, have, kvm);
	if (asked) {
		change->action = NP_ACTION_REPLACE;
		change->impact = NP_IMPACT_RECREATE;
		change->start_only = false;
	}
	check_existing(d, change);
	site_state inside = change->action == NP_ACTION_REPLACE                     ? SITE_REBUILT
	                    : have->inside && have->inside->reachable               ? SITE_KNOWN
	                                                                            : SITE_UNKNOWN;
	if (!asked && change->fields->len == 0)
		return inside;
	sum_up(change);
	change->reason = reason_to_change(change, have, asked);
	np_plan_take(d->plan, g_steal_pointer(&change));
	return inside;
}

void np_warn_unknown(np_plan *plan, const np_seen_node *seen)
{
	if (seen->power == NP_POWER_RUNNING && seen->inside && !seen->inside->reachable)
		np_plan_warning(plan, "node '%s' is running, and what is inside is not known: %s", seen->node->address, seen->inside->why);
}

static void diff_node(diff *d, const np_node *node, np_seen_node *have, const np_seen_site *seen, site_state state)
{
	if (!is_looked_at(d, node->address, state, seen, have != NULL)) /* nor is anything inside: that would need it */
		return;
	site_state inside = diff_node_itself(d, node, have, state, seen);
	bool was_site = have && have->hypervisor;
	if (!np_node_is_site(node) && was_site && inside == SITE_UNKNOWN)
		np_plan_warning(d->plan, "node '%s' no longer carries nodes, and what is inside cannot be looked at: it stays in its disks, "
		                "and is not removed.", node->address);
	if (!np_node_is_site(node) && (!was_site || inside == SITE_UNKNOWN))
		return;
	const np_change *change = np_plan_find(d->plan, node->address);
	if (have && (!change || (np_change_is_down(change) && change->action != NP_ACTION_REPLACE)))
		np_warn_unknown(d->plan, have);
	diff_site(d, &node->site, have ? have->inside : NULL, inside);
}

static void delete_node(np_plan *plan, const char *site, const np_seen_node *seen, const char *reason)
{
	if (seen->inside)
		np_diff_delete_site(plan, seen->inside, reason);
	if (!np_plan_has_in_scope(plan, seen->node->address))
		return;
	np_change *change = np_change_add(plan, NP_CHANGE_NODE, site, seen->node->address, NP_ACTION_DELETE);
	change->seen = seen;
	change->reason = g_strdup(reason);
}

static void delete_network(np_plan *plan, const char *site, const np_seen_network *seen, const char *reason)
{
	if (!np_plan_has_in_scope(plan, seen->network->address))
		return;
	np_change *change = np_change_add(plan, NP_CHANGE_NETWORK, site, seen->network->address, NP_ACTION_DELETE);
	change->seen_network = seen;
	change->reason = g_strdup(reason);
}

void np_diff_delete_site(np_plan *plan, const np_seen_site *site, const char *reason)
{
	for (guint i = 0; i < site->nodes->len; i++)
		delete_node(plan, site->address, g_ptr_array_index(site->nodes, i), reason);
	for (guint i = 0; i < site->networks->len; i++)
		delete_network(plan, site->address, g_ptr_array_index(site->networks, i), reason);
}

/* found: as many of the lab's nodes are there; where that is all of them none needs to be looked up. */
static void delete_orphans(diff *d, const np_site *site, const np_seen_site *seen, guint found)
{
	if (!seen)
		return;
	for (guint i = 0; found < seen->nodes->len && i < seen->nodes->len; i++) {
		const np_seen_node *node = g_ptr_array_index(seen->nodes, i);
		if (!np_site_node(site, node->node->base.name))
			delete_node(d->plan, site->address, node, "lab.yaml no longer has it");
	}
	for (guint i = 0; i < seen->networks->len; i++) {
		const np_seen_network *network = g_ptr_array_index(seen->networks, i);
		if (!np_site_network(site, network->network->base.name))
			delete_network(d->plan, site->address, network, "lab.yaml no longer has it");
	}
}

static void diff_site(diff *d, const np_site *site, const np_seen_site *seen, site_state state)
{
	for (guint i = 0; i < site->networks->len; i++)
		diff_network(d, site, g_ptr_array_index(site->networks, i), seen, state);
	guint found = 0;
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		np_seen_node *have = seen ? np_seen_site_node(seen, node->base.name) : NULL;
		found += have != NULL;
		diff_node(d, node, have, seen, state);
	}
	if (state == SITE_KNOWN || state == SITE_REBUILT)
		delete_orphans(d, site, seen, found);
}

bool np_node_uses(const np_node *node, const char *network)
{
	for (guint i = 0; node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		if (g_strcmp0(nic->network, network) == 0)
			return true;
	}
	return false;
}

static bool runs_on(const np_plan *plan, const np_seen_node *seen)
{
	g_autofree char *at = g_strdup(seen->node->address);
	for (char *slash = at; slash; slash = strrchr(at, '/')) { /* it goes down with what it is in */
		*slash = slash == at ? *at : '\0';
		if (np_change_is_down(np_plan_find(plan, at)))
			return false;
	}
	return seen->power == NP_POWER_RUNNING || seen->power == NP_POWER_PAUSED;
}

/* The bridge that guests are on goes with a network that is rebuilt, and went with one that was stopped. */
static bool is_cut_off(const np_change *change)
{
	return change->action == NP_ACTION_REPLACE ||
	       (change->action == NP_ACTION_UPDATE && change->seen_network && !change->seen_network->active);
}

static void find_reattached(diff *d)
{
	for (guint i = 0; i < d->plan->changes->len; i++) {
		np_change *change = g_ptr_array_index(d->plan->changes, i);
		if (change->kind != NP_CHANGE_NETWORK || !is_cut_off(change))
			continue;
		const np_seen_site *site = np_world_site(d->world, change->site);
		for (guint j = 0; site && j < site->nodes->len; j++) {
			const np_seen_node *seen = g_ptr_array_index(site->nodes, j);
			if (runs_on(d->plan, seen) && np_node_uses(seen->node, change->network->base.name))
				g_ptr_array_add(np_array_own(&change->reattaches, g_free), g_strdup(seen->node->address));
		}
	}
}

#define NAMES_SHOWN 3

/* One warning for all, or a lab of many nodes would be a page of them. */
static void warn_of_emulation(diff *d, const GPtrArray *nodes, const char *why)
{
	if (!nodes->len)
		return;
	const np_node *first = g_ptr_array_index(nodes, 0);
	if (nodes->len == 1) {
		np_plan_warning(d->plan, "node '%s' (level %u) will be emulated, " NP_EMULATION_COST ": %s", first->address,
		                first->level, why);
		return;
	}
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < MIN(nodes->len, NAMES_SHOWN); i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "", ((const np_node *)g_ptr_array_index(nodes, i))->address);
	if (nodes->len > NAMES_SHOWN)
		g_string_append_printf(names, " and %u more", nodes->len - NAMES_SHOWN);
	np_plan_warning(d->plan, "%u nodes (%s) will be emulated, " NP_EMULATION_COST ": %s", nodes->len, names->str, why);
}

/* Every exit of a guest passes all levels above it. The figure is this project's: KVM_RUN of a third level against a second. */
static void warn_of_depth(diff *d)
{
	for (guint i = 0; i < d->plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(d->plan->changes, i);
		if (change->action != NP_ACTION_CREATE || !change->node || change->node->level < 3)
			continue;
		np_plan_warning(d->plan, "node '%s' is at level %u: it works, but each level from the third on makes what leaves the guest about "
		                "10 times slower. Allow for it in `ready: {timeout: …}`.", change->address, change->node->level);
		return;
	}
}

void np_diff_lab(np_plan *plan, const np_lab *lab, const np_world *world, const np_plan_options *options)
{
	diff d = {plan, lab, world, options, {g_ptr_array_new(), g_ptr_array_new()}};
	np_diff_nesting(plan, lab, world);
	diff_site(&d, &lab->site, world->root, SITE_KNOWN);
	find_reattached(&d);
	warn_of_emulation(&d, d.emulated[0], world->accel.reason);
	warn_of_emulation(&d, d.emulated[1], "KVM does not work in their hypervisor");
	warn_of_depth(&d);
	g_ptr_array_unref(d.emulated[0]);
	g_ptr_array_unref(d.emulated[1]);
}
