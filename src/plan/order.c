/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/order.h"

#include <string.h>

#include "base/address.h"
#include "plan/diff.h"

typedef struct {
	const np_lab *lab; /* NULL: destroy */
	const np_world *world;
	const np_plan *plan;
	GPtrArray *steps;
	GHashTable *by_address[NP_STEP_DELETE_POOL + 1]; /* for each kind: address → np_step; borrowed from steps */
	bool reattaches;    /* a network is rebuilt under nodes that run on */
} order;

static np_step *find(order *o, np_step_kind kind, const char *address)
{
	/* Most kinds have no step at all in most plans, and an address takes longer to hash than that to see. */
	GHashTable *steps = o->by_address[kind];
	return g_hash_table_size(steps) ? g_hash_table_lookup(steps, address) : NULL;
}

static np_step *add(order *o, np_step_kind kind, const char *site, const char *address, const char *who, const char *verb)
{
	np_step *step = np_step_new(kind, o->steps->len, site, address, who, verb);
	g_ptr_array_add(o->steps, step);
	g_hash_table_insert(o->by_address[kind], (gpointer)step->address, step);
	return step;
}

static void need(np_step *step, const np_step *other)
{
	if (step && other && step != other && !np_step_ids_have(&step->needs, other->id))
		np_step_ids_add(&step->needs, other->id);
}

/* One that the step does not need yet: not searched for among thousands. */
static void need_new(np_step *step, const np_step *other)
{
	if (other)
		np_step_ids_add(&step->needs, other->id);
}

static void need_key(order *o, np_step *step, np_step_kind kind, const char *address)
{
	need(step, find(o, kind, address));
}

static void go_after(np_step *step, const np_step *other)
{
	if (other)
		np_step_ids_add(&step->after, other->id);
}

static np_change *change_of(order *o, const char *address)
{
	return np_plan_find(o->plan, address);
}

static bool loses_disk(const np_change *change)
{
	return change && (change->action == NP_ACTION_DELETE || change->action == NP_ACTION_REPLACE);
}

/* ── going down: children first ── */

typedef struct {
	bool down;    /* an ancestor goes down */
	bool doomed;  /* an ancestor's disk goes away, and all inside with it */
} fate;

static void down_site(order *o, const np_seen_site *site, fate above);

static void add_stop(order *o, const char *site, const np_seen_node *seen, bool graceful)
{
	const char *address = seen->node->address;
	np_step *stop = add(o, NP_STEP_STOP, site, address, address, graceful ? "shut down" : "power off");
	stop->seen = seen;
	stop->graceful = graceful;
	for (guint i = 0; seen->inside && i < seen->inside->nodes->len; i++) {
		const np_seen_node *child = g_ptr_array_index(seen->inside->nodes, i);
		need_new(stop, find(o, NP_STEP_STOP, child->node->address));
		need_new(stop, find(o, NP_STEP_DELETE, child->node->address));
	}
	for (guint i = 0; seen->inside && i < seen->inside->networks->len; i++) {
		const np_seen_network *network = g_ptr_array_index(seen->inside->networks, i);
		need_key(o, stop, NP_STEP_DELETE_NETWORK, network->network->address);
	}
}

static void down_node(order *o, const np_seen_site *site, const np_seen_node *seen, fate above)
{
	const char *address = seen->node->address;
	np_change *change = change_of(o, address);
	bool loses = loses_disk(change);
	fate inside = {above.down || np_change_is_down(change), above.doomed || loses};
	if (seen->inside)
		down_site(o, seen->inside, inside);
	bool crashed = seen->power == NP_POWER_CRASHED, running = seen->power != NP_POWER_OFF;
	if (running && (inside.down || (crashed && change)))
		add_stop(o, site->address, seen, !inside.doomed && !crashed);
	if (!loses || above.doomed)
		return;
	np_step *gone = add(o, NP_STEP_DELETE, site->address, address, address, "delete");
	gone->seen = seen;
	need_key(o, gone, NP_STEP_STOP, address);
}

/* What is done inside a hypervisor is done over the network. */
static void need_inside(order *o, np_step *step, const np_seen_node *node)
{
	g_autofree char *prefix = g_strconcat(node->node->address, "/", NULL);
	for (guint i = 0; node->inside && i < step->id; i++) {
		const np_step *other = g_ptr_array_index(o->steps, i);
		if (g_str_has_prefix(other->address, prefix))
			need_new(step, other);
	}
}

static void down_network(order *o, const np_seen_site *site, const np_seen_network *seen)
{
	const char *address = seen->network->address;
	np_change *change = change_of(o, address);
	if (!loses_disk(change))
		return;
	np_step *gone = add(o, NP_STEP_DELETE_NETWORK, site->address, address, address, "delete");
	gone->seen_network = seen;
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *node = g_ptr_array_index(site->nodes, i);
		const np_step *away = find(o, NP_STEP_DELETE, node->node->address), *stop = find(o, NP_STEP_STOP, node->node->address);
		need_new(gone, away);
		need_new(gone, stop);
		bool stays = !away && !stop;
		if (stays && np_node_uses(node->node, seen->network->base.name))
			need_inside(o, gone, node);
	}
}

static void down_site(order *o, const np_seen_site *site, fate above)
{
	for (guint i = 0; i < site->nodes->len; i++)
		down_node(o, site, g_ptr_array_index(site->nodes, i), above);
	for (guint i = 0; !above.doomed && i < site->networks->len; i++)
		down_network(o, site, g_ptr_array_index(site->networks, i));
}

/* ── coming up: parents first ── */

static bool is_new(const np_change *change)
{
	return change && !change->deferred && (change->action == NP_ACTION_CREATE || change->action == NP_ACTION_REPLACE);
}

static void need_networks(order *o, np_step *step, np_step_kind kind, const np_node *node)
{
	for (guint i = 0; i < node->nics->len; i++) {
		const np_network *network = np_nic_network(node, g_ptr_array_index(node->nics, i));
		if (network)
			need_key(o, step, kind, network->address);
	}
}

/* The hypervisor is up, and can be reached. */
static void need_site(order *o, np_step *step, const np_site *site)
{
	need_key(o, step, NP_STEP_SITE, site->address);
	for (const np_node *node = site->node; o->reattaches && node; node = node->parent->node)
		need_networks(o, step, NP_STEP_REATTACH, node);
}

static const char *who(const np_site *site)
{
	return *site->address ? site->address : "host";
}

/* Memory, disk space and addresses of what goes away are free before anything new is made. */
static void up_pool(order *o, const np_site *site)
{
	np_step *pool = add(o, NP_STEP_POOL, site->address, site->address, who(site), "storage pools");
	need_site(o, pool, site);
	const np_seen_site *seen = np_world_site(o->world, site->address);
	for (guint i = 0; seen && i < seen->nodes->len; i++)
		go_after(pool, find(o, NP_STEP_DELETE, ((np_seen_node *)g_ptr_array_index(seen->nodes, i))->node->address));
}

/* libvirt starts no network whose range another one has. */
static void need_range(order *o, np_step *step, const np_network *network)
{
	const np_seen_site *seen = np_cidr_is_set(network->cidr) ? np_world_site(o->world, step->site) : NULL;
	for (guint i = 0; seen && i < seen->networks->len; i++) {
		const np_network *other = ((np_seen_network *)g_ptr_array_index(seen->networks, i))->network;
		if (np_cidr_is_set(other->cidr) && np_cidr_overlaps(network->cidr, other->cidr))
			need_key(o, step, NP_STEP_DELETE_NETWORK, other->address);
	}
}

static void up_network(order *o, const np_site *site, const np_network *network)
{
	np_change *change = change_of(o, network->address);
	if (!change || change->deferred || change->action == NP_ACTION_DELETE)
		return;
	bool update = change->action == NP_ACTION_UPDATE;
	np_step *step = add(o, NP_STEP_NETWORK, site->address, network->address, network->address,
	                    !update ? "create" : change->start_only ? "start" : "update");
	step->network = network;
	need_site(o, step, site);
	if (network->nic) /* the hypervisor makes the bridge */
		need_key(o, step, NP_STEP_UPDATE, site->address);
	need_key(o, step, NP_STEP_DELETE_NETWORK, network->address);
	if (!update)
		need_range(o, step, network);
}

static void up_reattach(order *o, const np_site *site, const np_network *network)
{
	const np_change *change = change_of(o, network->address);
	if (!change || change->deferred || !change->reattaches->len)
		return;
	g_autofree char *verb =
	        g_strdup_printf("re-attach %u node%s", change->reattaches->len, change->reattaches->len == 1 ? "" : "s");
	np_step *step = add(o, NP_STEP_REATTACH, site->address, network->address, network->address, verb);
	step->network = network;
	need_key(o, step, NP_STEP_NETWORK, network->address);
}

static void up_image(order *o, const np_node *node)
{
	const np_image *image = node->image ? np_map_find(o->lab->images, node->image) : NULL;
	if (!image || node->level != 1)
		return;
	g_autofree char *address = g_strconcat("image.", image->base.name, NULL);
	if (find(o, NP_STEP_IMAGE, address))
		return;
	np_step *step = add(o, NP_STEP_IMAGE, "", address, address, "store");
	step->image = image;
	need_key(o, step, NP_STEP_POOL, "");
}

static void up_share(order *o, const np_node *node)
{
	if (node->level != 1 || !node->site.nodes->len || find(o, NP_STEP_SHARE, node->address))
		return;
	np_step *step = add(o, NP_STEP_SHARE, "", node->address, node->address, "images for its nodes");
	step->node = node;
	need_key(o, step, NP_STEP_POOL, "");
}

static void up_disks(order *o, const np_site *site)
{
	g_autoptr(GPtrArray) nodes = g_ptr_array_new();
	for (guint i = 0; i < site->nodes->len; i++) {
		np_node *node = g_ptr_array_index(site->nodes, i);
		if (is_new(change_of(o, node->address)))
			g_ptr_array_add(nodes, node);
	}
	if (!nodes->len)
		return;
	up_pool(o, site);
	g_autofree char *verb = g_strdup_printf("write %u disk%s", nodes->len, nodes->len == 1 ? "" : "s");
	np_step *step = add(o, NP_STEP_DISKS, "", site->address, who(site), verb);
	step->nodes = g_steal_pointer(&nodes);
	for (guint i = 0; i < step->nodes->len; i++) {
		np_node *node = g_ptr_array_index(step->nodes, i);
		up_image(o, node);
		up_share(o, node);
	}
}

static void need_place(order *o, np_step *step, const np_node *node)
{
	need_site(o, step, node->parent);
	need_key(o, step, NP_STEP_POOL, node->parent->address);
	need_networks(o, step, NP_STEP_NETWORK, node);
	g_autofree char *image = node->image && g_hash_table_size(o->by_address[NP_STEP_IMAGE]) ? g_strconcat("image.", node->image, NULL) : NULL;
	if (image)
		need_key(o, step, NP_STEP_IMAGE, image);
	need_key(o, step, NP_STEP_SHARE, node->address);
}

static np_step *up_step(order *o, np_step_kind kind, const np_node *node, const np_change *change, const char *verb)
{
	np_step *step = add(o, kind, node->parent->address, node->address, node->address, verb);
	step->node = node;
	step->kvm = change ? change->kvm : np_site_gives_kvm(o->world, node->parent->address, o->plan->nesting);
	step->seen = change ? change->seen : NULL;
	need_place(o, step, node);
	return step;
}

static np_step *up_create(order *o, const np_node *node, const np_change *change)
{
	np_step *step = up_step(o, NP_STEP_CREATE, node, change, "create and start");
	need_key(o, step, NP_STEP_DISKS, node->parent->address);
	need_key(o, step, NP_STEP_DELETE, node->address);
	return step;
}

/* Whether the change is made under a running node. */
static bool is_live(const np_change *change)
{
	return change && change->action == NP_ACTION_UPDATE && !change->start_only && change->impact == NP_IMPACT_LIVE && change->seen &&
	       (change->seen->power == NP_POWER_RUNNING || change->seen->power == NP_POWER_PAUSED);
}

static np_step *up_update(order *o, const np_node *node, const np_change *change)
{
	np_step *step = up_step(o, NP_STEP_UPDATE, node, change, "update");
	need_networks(o, step, NP_STEP_REATTACH, node);
	if (change->seen->power != NP_POWER_PAUSED)
		return step;
	np_step *resume = up_step(o, NP_STEP_START, node, change, "resume");
	need(resume, step);
	return resume;
}

static np_step *up_restart(order *o, const np_node *node, const np_change *change, const np_step *stop)
{
	np_step *redefine = NULL;
	if (change && change->action == NP_ACTION_UPDATE && !change->start_only) {
		if (np_node_is_site(node) && node->level == 1) {
			if (!find(o, NP_STEP_POOL, ""))
				up_pool(o, node->parent);
			up_share(o, node);
		}
		redefine = up_step(o, NP_STEP_REDEFINE, node, change, "redefine");
		need(redefine, stop);
	}
	np_step *start = up_step(o, NP_STEP_START, node, change, "start");
	need(start, stop);
	need(start, redefine);
	return start;
}

static void up_ready(order *o, const np_node *node, const np_step *begun)
{
	const char *site = node->parent->address;
	const char *verb = node->ready.wait == NP_WAIT_NONE ? "started" : "wait until ready";
	np_step *ready = add(o, NP_STEP_READY, site, node->address, node->address, verb);
	ready->node = node;
	ready->fragile = node->level > 1 && !o->world->accel.kvm;
	need(ready, begun);
	if (!np_node_is_site(node))
		return;
	np_step *prove = add(o, NP_STEP_SITE, site, node->address, node->address, "prove that KVM works inside");
	prove->node = node;
	need(prove, ready);
}

static void up_site(order *o, const np_site *site);

static void up_node(order *o, const np_node *node)
{
	np_change *change = change_of(o, node->address);
	if (change && change->deferred)
		return;
	np_step *stop = find(o, NP_STEP_STOP, node->address);
	const np_seen_node *seen = change ? change->seen : np_world_node(o->world, node->address);
	bool runs = seen && seen->power == NP_POWER_RUNNING;
	bool asked = np_plan_has_in_scope(o->plan, node->address);
	bool waited_for = runs && ((change && change->start_only) || (asked && seen->inside && !seen->inside->reachable));
	bool live = is_live(change) && !stop;
	np_step *begun = is_new(change)                                         ? up_create(o, node, change)
	                 : live                                                 ? up_update(o, node, change)
	                 : stop || (change && (!change->start_only || !runs)) ? up_restart(o, node, change, stop)
	                                                                        : NULL;
	waited_for = waited_for || (live && !seen->ready && node->ready.wait != NP_WAIT_NONE);
	if ((begun && begun->kind != NP_STEP_UPDATE) || waited_for) /* an apply may have been cut short while it waited */
		up_ready(o, node, begun);
	if (np_node_is_site(node))
		up_site(o, &node->site);
}

/* Guests that boot all at once on few vCPUs are all late. So inside a hypervisor only as many boot at a time as it has vCPUs:
 * each further one is started when the one that many places before it is ready, or has failed. */
static void up_window(order *o, const np_site *site)
{
	if (!site->node)
		return;
	g_autoptr(GPtrArray) begun = g_ptr_array_new(); /* of np_step*: what starts a node, in order */
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		np_step *start = find(o, NP_STEP_CREATE, node->address);
		start = start ? start : find(o, NP_STEP_START, node->address);
		if (!start)
			continue;
		if (begun->len >= site->node->vcpus) {
			const np_step *before = g_ptr_array_index(begun, begun->len - (guint)site->node->vcpus);
			const np_step *ready = find(o, NP_STEP_READY, before->address);
			go_after(start, ready);
		}
		g_ptr_array_add(begun, start);
	}
}

static void up_site(order *o, const np_site *site)
{
	up_disks(o, site);
	for (guint i = 0; i < site->networks->len; i++)
		up_network(o, site, g_ptr_array_index(site->networks, i));
	for (guint i = 0; i < site->networks->len; i++)
		up_reattach(o, site, g_ptr_array_index(site->networks, i));
	for (guint i = 0; i < site->nodes->len; i++)
		up_node(o, g_ptr_array_index(site->nodes, i));
	up_window(o, site);
}

static void need_all(np_step *last)
{
	for (unsigned i = 0; i < last->id; i++) /* it has no others: not searched for each */
		np_step_ids_add(&last->needs, i);
}

static void teardown_pool(order *o)
{
	need_all(add(o, NP_STEP_DELETE_POOL, "", "", "host", "storage and keys of the lab"));
}

/* First of all: guests of the host and the appliance that writes disks use KVM, which holds the module; and when it fails, nothing
 * else is begun. */
static void host_on(order *o)
{
	np_change *change = change_of(o, "host.nesting");
	if (!change || !change->nesting)
		return;
	np_step *step = add(o, NP_STEP_NESTING, "", "host.nesting", "host", "switch nesting on");
	step->nesting = true;
}

static void need_host(order *o)
{
	np_step *nesting = find(o, NP_STEP_NESTING, "host.nesting");
	for (guint i = 0; nesting && i < o->steps->len; i++) {
		np_step *step = g_ptr_array_index(o->steps, i);
		if (step->needs.n == 0)
			need(step, nesting);
	}
}

/* After everything that might use it is gone. */
static void host_off(order *o)
{
	np_change *change = change_of(o, "host.nesting");
	if (change && !change->nesting)
		need_all(add(o, NP_STEP_NESTING, "", "host.nesting", "host", "switch nesting off again"));
}

static void record(order *o)
{
	for (guint i = 0; i < o->plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(o->plan->changes, i);
		np_step *step = add(o, NP_STEP_RECORD, change->site, change->address, change->address, "record");
		step->seen = change->seen;
		step->seen_network = change->seen_network;
		step->record = change->record;
	}
}

static bool any_reattached(const np_plan *plan)
{
	for (guint i = 0; i < plan->changes->len; i++)
		if (((np_change *)g_ptr_array_index(plan->changes, i))->reattaches->len)
			return true;
	return false;
}

static void change_all(order *o, bool teardown)
{
	o->reattaches = any_reattached(o->plan);
	host_on(o);
	down_site(o, o->world->root, (fate){false, false});
	if (!o->plan->destroys) {
		up_site(o, &o->lab->site);
		need_host(o);
	}
	host_off(o);
	if (teardown)
		teardown_pool(o);
}

GPtrArray *np_order_make(const np_lab *lab, const np_world *world, const np_plan *plan)
{
	order o = {.lab = lab, .world = world, .plan = plan};
	o.steps = g_ptr_array_new_with_free_func((GDestroyNotify)np_step_free);
	for (unsigned i = 0; i < G_N_ELEMENTS(o.by_address); i++)
		o.by_address[i] = g_hash_table_new(g_str_hash, g_str_equal);
	if (plan->refreshes)
		record(&o);
	else
		change_all(&o, plan->destroys && !plan->scope);
	for (unsigned i = 0; i < G_N_ELEMENTS(o.by_address); i++)
		g_hash_table_unref(o.by_address[i]);
	return o.steps;
}
