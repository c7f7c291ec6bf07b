/* SPDX-License-Identifier: Apache-2.0 */
/* The host's kernel as a part of the plan. */
#include "plan/diff.h"

#define ADDRESS "host.nesting"

/* First node in scope that needs nesting in the host's kernel; NULL: none. */
static const np_node *first_hypervisor(const np_plan *plan, const np_lab *lab)
{
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		if (np_node_is_site(node) && node->accel != NP_ACCEL_EMULATE && np_plan_has_in_scope(plan, node->address))
			return node;
	}
	return NULL;
}

static bool is_listed(const np_world *world, const char *lab)
{
	return world->has_kernel && g_ptr_array_find_with_equal_func(world->kernel.labs, lab, g_str_equal, NULL);
}

/* "a, b": the labs of nestplan's file without one, then with it when `with`; NULL: none. Caller frees. */
static char *labs_text(const GPtrArray *labs, const char *lab, bool with)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < labs->len; i++)
		if (!g_str_equal(g_ptr_array_index(labs, i), lab))
			g_ptr_array_add(names, g_ptr_array_index(labs, i));
	if (with)
		g_ptr_array_add(names, (gpointer)lab);
	if (!names->len)
		return NULL;
	g_ptr_array_add(names, NULL);
	return g_strjoinv(", ", (char **)names->pdata);
}

static char *labs_now(const GPtrArray *labs)
{
	g_autoptr(GPtrArray) names = g_ptr_array_copy((GPtrArray *)labs, NULL, NULL);
	g_ptr_array_set_free_func(names, NULL);
	g_ptr_array_add(names, NULL);
	return labs->len ? g_strjoinv(", ", (char **)names->pdata) : NULL;
}

static void add_fields(np_change *change, const np_world *world, const char *lab, const char *before, const char *after)
{
	const GPtrArray *labs = world->kernel.labs;
	g_autofree char *had = labs_now(labs), *has = labs_text(labs, lab, change->nesting);
	g_autofree char *holders = before && change->nesting ? np_nesting_holders(&world->kernel, NULL) : NULL;
	if (before && after)
		np_change_field(change, "nested", before, after);
	if (holders) /* in the way: the module cannot be reloaded before they are gone */
		np_change_field(change, "used by", holders, "nobody");
	if (!had != !has)
		np_change_field(change, "file", had ? NP_NESTING_FILE : NULL, has ? NP_NESTING_FILE : NULL);
	if (g_strcmp0(had, has) != 0)
		np_change_field(change, "labs", had, has);
}

static void switch_on(np_plan *plan, const np_lab *lab, const np_world *world)
{
	bool off = world->accel.needs_switch, listed = is_listed(world, lab->name);
	np_change *change = np_change_add(plan, NP_CHANGE_HOST, "", ADDRESS, NP_ACTION_UPDATE);
	change->nesting = true;
	change->reason = off && listed ? g_strdup_printf("it was switched off outside nestplan; %s is reloaded", world->kernel.module)
	                 : off         ? g_strdup_printf("nested virtualization is off; %s is reloaded", world->kernel.module)
	                               : g_strdup("it is on for other labs; this one is added");
	add_fields(change, world, lab->name, off ? "0" : NULL, off ? "1" : NULL);
	plan->nesting = true;
}

static void refuse(np_plan *plan, const np_node *node, const np_world *world, const char *why)
{
	np_plan_problem(plan, "host: node '%s' carries nodes, and nested virtualization is off in the host's kernel (%s). %s",
	                node->address, world->accel.reason, why);
}

void np_diff_nesting(np_plan *plan, const np_lab *lab, const np_world *world)
{
	const np_accel_answer *accel = &world->accel;
	const np_node *node = accel->kvm ? first_hypervisor(plan, lab) : NULL;
	plan->nesting = accel->nested;
	if (!node || lab->host.nesting == NP_NESTING_IGNORE) {
		if (!plan->scope) /* others of the lab may need it */
			np_diff_nesting_release(plan, world, lab->name);
		return;
	}
	bool ours = world->has_kernel && world->kernel.labs->len > 0;
	if (!accel->needs_switch && (!ours || is_listed(world, lab->name)))
		return;
	g_autofree char *obstacle = world->has_kernel && accel->needs_switch ? np_nesting_obstacle(&world->kernel) : NULL;
	g_autofree char *commands = g_strdup_printf("Switch it on and try again: %s", accel->switch_commands);
	if (accel->needs_switch && lab->host.nesting == NP_NESTING_REQUIRE) {
		g_autofree char *why = g_strdup_printf("The lab says `nesting: require`, so nestplan does not switch it. %s", commands);
		refuse(plan, node, world, why);
	} else if (accel->needs_switch && !world->has_kernel) {
		g_autofree char *why = g_strdup_printf("nestplan never switches a remote host. %s", commands);
		refuse(plan, node, world, why);
	} else if (obstacle) {
		g_autofree char *why = g_strdup_printf("It cannot be switched on: %s.", obstacle);
		refuse(plan, node, world, why);
		switch_on(plan, lab, world); /* what it would be, for who reads the plan as JSON */
	} else {
		switch_on(plan, lab, world);
	}
}

void np_diff_nesting_release(np_plan *plan, const np_world *world, const char *lab)
{
	if (!is_listed(world, lab))
		return;
	const np_kernel_facts *kernel = &world->kernel;
	bool last = kernel->labs->len == 1;
	bool back = last && kernel->nested == 1 && kernel->before == 0;
	g_autofree char *holders = np_nesting_holders(kernel, lab);
	np_change *change = np_change_add(plan, NP_CHANGE_HOST, "", ADDRESS, last ? NP_ACTION_DELETE : NP_ACTION_UPDATE);
	if (!last)
		change->reason = g_strdup("other labs still need nesting");
	else if (back && holders)
		change->reason = g_strdup_printf("no lab needs it any more, but it stays on until %s is loaded anew: in use by %s",
		                                 kernel->module, holders);
	else
		change->reason = g_strdup("no lab needs it any more");
	add_fields(change, world, lab, back && !holders ? "1" : NULL, back && !holders ? "0" : NULL);
}
