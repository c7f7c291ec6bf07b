/* SPDX-License-Identifier: Apache-2.0 */
#include "check-steps.h"

#include <string.h>

#include "base/address.h"

typedef struct {
	const np_lab *lab;
	const np_world *world;
	const np_plan *plan;
	const GPtrArray *steps;
} checked;

static const np_step *step_at(const checked *c, guint i)
{
	return g_ptr_array_index(c->steps, i);
}

static const np_step *find(const checked *c, np_step_kind kind, const char *address)
{
	for (guint i = 0; i < c->steps->len; i++)
		if (step_at(c, i)->kind == kind && g_str_equal(step_at(c, i)->address, address))
			return step_at(c, i);
	return NULL;
}

static const np_step *need(const checked *c, np_step_kind kind, const char *address)
{
	const np_step *step = find(c, kind, address);
	if (!step)
		g_error("no step '%s' for '%s'", np_step_kind_names[kind], address);
	return step;
}

static void refuse(const checked *c, np_step_kind kind, const char *address)
{
	if (find(c, kind, address))
		g_error("a step '%s' for '%s' that should not be", np_step_kind_names[kind], address);
}

static bool waits_for(const checked *c, const np_step *step, const np_step *other)
{
	if (step == other)
		return true;
	for (unsigned i = 0; i < step->needs.n; i++)
		if (waits_for(c, step_at(c, step->needs.ids[i]), other))
			return true;
	return false;
}

static void assert_after(const checked *c, const np_step *step, const np_step *other)
{
	if (step && other && !waits_for(c, step, other))
		g_error("step '%s' does not wait for '%s'", step->label, other->label);
}

/* ── the list itself ── */

static void check_backwards(const np_step_ids *needs, unsigned id)
{
	for (unsigned i = 0; i < needs->n; i++) {
		g_assert_cmpuint(needs->ids[i], <, id); /* so there is no cycle either */
		for (unsigned k = 0; k < i; k++)
			g_assert_cmpuint(needs->ids[k], !=, needs->ids[i]);
	}
}

static void check_list(const checked *c)
{
	for (guint i = 0; i < c->steps->len; i++) {
		const np_step *step = step_at(c, i);
		g_assert_cmpuint(step->id, ==, i);
		check_backwards(&step->needs, i);
		check_backwards(&step->after, i);
		g_assert_true(find(c, step->kind, step->address) == step); /* none twice */
	}
}

/* ── each change has its steps ── */

/* Whether a thing goes with the disks of a node around it. */
static bool is_doomed(const checked *c, const char *site)
{
	for (g_autofree char *at = g_strdup(site); *at;) {
		const np_change *change = np_plan_find(c->plan, at);
		if (change && (change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_DELETE))
			return true;
		char *slash = strrchr(at, '/');
		*(slash ? slash : at) = '\0';
	}
	return false;
}

static bool runs(const np_seen_node *seen)
{
	return seen->power == NP_POWER_RUNNING || seen->power == NP_POWER_PAUSED;
}

/* Made or started: what the node's coming up begins with. */
static const np_step *begun(const checked *c, const char *address)
{
	const np_step *made = find(c, NP_STEP_CREATE, address);
	return made ? made : find(c, NP_STEP_START, address);
}

static void check_gone(const checked *c, const np_change *change, np_step_kind kind)
{
	if (is_doomed(c, change->site))
		refuse(c, kind, change->address);
	else
		(void)need(c, kind, change->address);
}

static void check_network(const checked *c, const np_change *change)
{
	bool goes = change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_DELETE;
	if (goes)
		check_gone(c, change, NP_STEP_DELETE_NETWORK);
	if (change->action == NP_ACTION_DELETE)
		refuse(c, NP_STEP_NETWORK, change->address);
	else
		assert_after(c, need(c, NP_STEP_NETWORK, change->address), find(c, NP_STEP_DELETE_NETWORK, change->address));
	for (guint i = 0; i < change->reattaches->len; i++)
		refuse(c, NP_STEP_STOP, g_ptr_array_index(change->reattaches, i));
	if (change->reattaches->len)
		assert_after(c, need(c, NP_STEP_REATTACH, change->address), find(c, NP_STEP_NETWORK, change->address));
}

static void check_made(const checked *c, const np_change *change)
{
	const np_step *made = need(c, NP_STEP_CREATE, change->address);
	const np_step *disks = need(c, NP_STEP_DISKS, change->site);
	g_assert_true(g_ptr_array_find(disks->nodes, change->node, NULL));
	assert_after(c, made, disks);
	assert_after(c, made, need(c, NP_STEP_POOL, change->site));
	assert_after(c, made, find(c, NP_STEP_DELETE, change->address));
}

static void check_update(const checked *c, const np_change *change)
{
	const char *address = change->address;
	const np_step *stop = find(c, NP_STEP_STOP, address);
	if (change->start_only) {
		refuse(c, NP_STEP_REDEFINE, address);
		refuse(c, NP_STEP_UPDATE, address);
		(void)need(c, NP_STEP_READY, address);
	} else if (runs(change->seen) && !stop) {
		g_assert_cmpint(change->impact, ==, NP_IMPACT_LIVE);
		assert_after(c, find(c, NP_STEP_START, address), need(c, NP_STEP_UPDATE, address));
	} else {
		const np_step *redefine = need(c, NP_STEP_REDEFINE, address);
		assert_after(c, redefine, stop);
		assert_after(c, need(c, NP_STEP_START, address), redefine);
	}
	refuse(c, NP_STEP_DELETE, address);
	refuse(c, NP_STEP_CREATE, address);
}

static void check_node(const checked *c, const np_change *change)
{
	if (change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_DELETE)
		check_gone(c, change, NP_STEP_DELETE);
	if (change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_CREATE)
		check_made(c, change);
	if (change->action == NP_ACTION_DELETE)
		g_assert_null(begun(c, change->address));
	if (change->action == NP_ACTION_UPDATE)
		check_update(c, change);
}

static void check_change(const checked *c, const np_change *change)
{
	if (c->plan->refreshes)
		(void)need(c, NP_STEP_RECORD, change->address);
	else if (change->kind == NP_CHANGE_HOST)
		(void)need(c, NP_STEP_NESTING, change->address);
	else if (change->deferred)
		g_assert_null(begun(c, change->address));
	else if (change->kind == NP_CHANGE_NETWORK)
		check_network(c, change);
	else
		check_node(c, change);
}

/* ── down and up ── */

static bool says_down(const np_plan *plan, const char *address)
{
	for (guint i = 0; i < plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(plan->changes, i);
		if (g_ptr_array_find_with_equal_func(change->takes_down, address, g_str_equal, NULL))
			return true;
	}
	return false;
}

/* What is shown to go down goes down, and nothing else. */
static void check_down(const checked *c)
{
	for (guint i = 0; i < c->plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(c->plan->changes, i);
		for (guint k = 0; k < change->takes_down->len; k++)
			(void)need(c, NP_STEP_STOP, g_ptr_array_index(change->takes_down, k));
	}
	for (guint i = 0; i < c->steps->len; i++) {
		const np_step *step = step_at(c, i);
		if (step->kind == NP_STEP_STOP && step->seen->power != NP_POWER_CRASHED)
			g_assert_true(says_down(c->plan, step->address));
	}
}

static char *parent_of(const char *address)
{
	const char *slash = strrchr(address, '/');
	return g_strndup(address, slash ? (gsize)(slash - address) : 0);
}

/* A hypervisor goes down after all that is in it, and is up and proven before anything in it is done. */
static void check_inside(const checked *c, const np_step *step)
{
	g_autofree char *parent = parent_of(step->address);
	const np_step *stop = *parent ? find(c, NP_STEP_STOP, parent) : NULL;
	bool down = step->kind == NP_STEP_STOP || step->kind == NP_STEP_DELETE || step->kind == NP_STEP_DELETE_NETWORK;
	if (down && stop)
		assert_after(c, stop, step);
	bool up = !down && *step->site && step->kind != NP_STEP_RECORD;
	if (up && step->kind != NP_STEP_SITE)
		assert_after(c, step, find(c, NP_STEP_SITE, step->site));
	if (step->kind == NP_STEP_STOP && !find(c, NP_STEP_DELETE, step->address) && !is_doomed(c, step->site))
		assert_after(c, begun(c, step->address), step);
}

/* Whoever starts is waited for, and proven where it carries nodes. */
static void check_begun(const checked *c, const np_step *step)
{
	if (step->kind != NP_STEP_CREATE && step->kind != NP_STEP_START)
		return;
	const np_step *ready = need(c, NP_STEP_READY, step->address);
	assert_after(c, ready, step);
	if (np_node_is_site(step->node))
		assert_after(c, need(c, NP_STEP_SITE, step->address), ready);
	for (guint i = 0; i < step->node->nics->len; i++) {
		const np_network *network = np_nic_network(step->node, g_ptr_array_index(step->node->nics, i));
		if (network)
			assert_after(c, step, find(c, NP_STEP_NETWORK, network->address));
	}
}

/* What ran and was stopped comes back, unless it is gone. */
static void check_back(const checked *c, const np_step *step)
{
	if (step->kind != NP_STEP_STOP || c->plan->destroys)
		return;
	const np_change *change = np_plan_find(c->plan, step->address);
	bool gone = (change && change->action == NP_ACTION_DELETE) || !np_lab_node(c->lab, step->address);
	if (!gone)
		g_assert_nonnull(begun(c, step->address));
}

void check_steps(const np_lab *lab, const np_world *world, const np_plan *plan, const GPtrArray *steps)
{
	checked c = {lab, world, plan, steps};
	check_list(&c);
	for (guint i = 0; i < plan->changes->len; i++)
		check_change(&c, g_ptr_array_index(plan->changes, i));
	if (!plan->refreshes)
		check_down(&c);
	for (guint i = 0; i < steps->len; i++) {
		check_inside(&c, step_at(&c, i));
		check_begun(&c, step_at(&c, i));
		check_back(&c, step_at(&c, i));
	}
}
