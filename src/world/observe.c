/* SPDX-License-Identifier: Apache-2.0 */
#include "world/observe.h"

#include "base/address.h"
#include "base/error.h"
#include "world/proof.h"

#define PROOF_TIMEOUT_MS 60000

static bool gather_proof(np_session *session, const char *address, GCancellable *cancel, np_seen_site *site, GError **error)
{
	const np_drivers *drivers = np_session_drivers(session);
	if (!np_session_guests(session)) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
		            "The lab has no SSH key at its host, so node '%s' cannot be reached.", address);
		return false;
	}
	g_auto(np_process_result) result = {0};
	guint64 timeout = (guint64)PROOF_TIMEOUT_MS * np_address_level(address); /* deeper is slower */
	if (!drivers->guest->run(np_session_guests(session), address, np_proof_script, timeout, cancel, &result, error))
		return false;
	if (result.status != 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "ssh to node '%s' failed: %s", address,
		            result.errors && *result.errors ? g_strchomp(result.errors) : "no message");
		return false;
	}
	np_proof_read(&site->proof, result.output);
	return true;
}

/* The nodes inside carry a mark without the path that leads to them; their address is the site's plus their name. */
static void place(np_seen_site *site)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		g_free(seen->node->address);
		seen->node->address = np_address_join(site->address, seen->node->base.name);
		seen->node->level = np_address_level(seen->node->address);
	}
	for (guint i = 0; i < site->networks->len; i++) {
		np_seen_network *seen = g_ptr_array_index(site->networks, i);
		g_autofree char *leaf = g_strconcat("network.", seen->network->base.name, NULL);
		g_free(seen->network->address);
		seen->network->address = np_address_join(site->address, leaf);
	}
	np_seen_site_index(site);
}

/* What a hypervisor's CPUs can be is asked where a node says more than `auto`: inside a level the answer costs seconds. */
static bool needs_cpus(const np_lab *lab, const char *address)
{
	const np_node *node = *address ? np_lab_node(lab, address) : NULL;
	for (guint i = 0; node && i < node->site.nodes->len; i++) {
		int mode = ((const np_node *)g_ptr_array_index(node->site.nodes, i))->cpu.mode;
		if (mode != NP_CPU_AUTO && mode != NP_CPU_HOST_PASSTHROUGH)
			return true;
	}
	return !*address;
}

bool np_observe_site(np_session *session, const char *lab, const char *address, const char *uuid, GCancellable *cancel,
                     np_seen_site *site, GError **error)
{
	const np_hypervisor_ops *ops = np_session_drivers(session)->hypervisor;
	if (*address && !gather_proof(session, address, cancel, site, error))
		return false;
	np_conn *conn = np_session_conn(session, address, uuid, error);
	if (!conn || !ops->facts(conn, &site->facts, error) || !ops->observe(conn, lab, site, error))
		return false;
	if (needs_cpus(np_session_lab(session), address))
		ops->cpus(conn, &site->facts);
	if (*address)
		np_proof_finish(&site->proof, &site->facts);
	place(site);
	site->reachable = true;
	return true;
}

typedef struct {
	np_session *session;
	const char *lab;
	GCancellable *cancel;
} walk;

static void observe_inside(np_seen_node *seen, const walk *context);

static gpointer inside_thread(gpointer data)
{
	gpointer *pair = data;
	observe_inside(pair[0], pair[1]);
	g_free(pair);
	return NULL;
}

/* One thread a hypervisor: nearly all of the time is waiting for its answers. */
static void observe_children(np_seen_site *site, const walk *context)
{
	g_autoptr(GPtrArray) threads = g_ptr_array_new();
	for (guint i = 0; i < site->nodes->len; i++) {
		np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		if (!seen->hypervisor)
			continue;
		gpointer *pair = g_new(gpointer, 2);
		pair[0] = seen;
		pair[1] = (gpointer)context;
		g_ptr_array_add(threads, g_thread_new("observe", inside_thread, pair));
	}
	for (guint i = 0; i < threads->len; i++)
		g_thread_join(g_ptr_array_index(threads, i));
}

static void observe_inside(np_seen_node *seen, const walk *context)
{
	const char *address = seen->node->address;
	seen->inside = np_seen_site_new(address);
	if (seen->power != NP_POWER_RUNNING) {
		seen->inside->why = g_strdup_printf("node '%s' is %s", address, np_power_names[seen->power]);
		return;
	}
	g_autoptr(GError) error = NULL;
	const np_drivers *drivers = np_session_drivers(context->session);
	np_guests *guests = np_session_guests(context->session);
	if (guests && seen->ip)
		drivers->guest->add(guests, address, seen->ip, NULL);
	if (!np_observe_site(context->session, context->lab, address, seen->node->uuid, context->cancel, seen->inside, &error)) {
		seen->inside->why = g_strdup(error->message);
		return;
	}
	observe_children(seen->inside, context);
}

/* A lab without a running hypervisor is not logged in to, and its guests' keys, which take longer to derive than the rest of a
 * look at them, are not needed. */
static bool is_entered(const np_seen_site *site)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		if (seen->hypervisor && seen->power == NP_POWER_RUNNING)
			return true;
	}
	return false;
}

static guint64 observe_room(const np_drivers *drivers, const np_lab *lab, const np_world *world)
{
	const char *storage = lab->site.storage;
	return world->root->facts.local && drivers->image && storage ? drivers->image->room(storage) : 0;
}

static bool observe_kernel(const np_drivers *drivers, const np_observe_options *options, np_world *world, GError **error)
{
	if (!world->root->facts.local || !drivers->kernel)
		return true;
	if (!drivers->kernel->facts(options->sysroot ? options->sysroot : "", &world->kernel, error))
		return false;
	world->has_kernel = true;
	np_proof_host(&world->root->proof, &world->kernel, &world->root->facts);
	return true;
}

np_world *np_observe(np_session *session, const np_lab *lab, const np_observe_options *options, GError **error)
{
	g_autoptr(np_world) world = np_world_new(lab->name);
	if (!np_observe_site(session, lab->name, "", NULL, options->cancel, world->root, error))
		return NULL;
	if (!observe_kernel(np_session_drivers(session), options, world, error))
		return NULL;
	world->room = observe_room(np_session_drivers(session), lab, world);
	np_accel_decide(&world->root->facts, world->has_kernel ? &world->kernel : NULL, &world->accel);
	if (options->inside) {
		if (is_entered(world->root) && !np_session_open_guests(session, false, error))
			return NULL;
		walk context = {session, lab->name, options->cancel};
		observe_children(world->root, &context);
	}
	return g_steal_pointer(&world);
}
