/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include "base/address.h"
#include "plan/diff.h"

const char *const np_action_names[] = {"no-op", "create", "update", "replace", "delete", NULL};
const char *const np_action_signs[] = {" ", "+", "~", "-/+", "-", NULL};
const char *const np_impact_names[] = {"live", "restart", "recreate", NULL};
const char *const np_change_kind_names[] = {"network", "node", "host", NULL};

static void field_change_free(gpointer data)
{
	np_field_change *field = data;
	g_free(field->name);
	g_free(field->before);
	g_free(field->after);
	g_free(field);
}

static void change_free(gpointer data)
{
	np_change *change = data;
	g_free(change->address);
	g_free(change->site);
	g_free(change->reason);
	g_ptr_array_unref(change->fields);
	g_ptr_array_unref(change->takes_down);
	g_free(change);
}

static np_plan *plan_new(const char *lab)
{
	np_plan *plan = g_new0(np_plan, 1);
	plan->lab = g_strdup(lab);
	plan->changes = g_ptr_array_new_with_free_func(change_free);
	plan->index = g_hash_table_new(g_str_hash, g_str_equal);
	plan->problems = g_ptr_array_new_with_free_func(g_free);
	plan->warnings = g_ptr_array_new_with_free_func(g_free);
	return plan;
}

void np_plan_free(np_plan *plan)
{
	if (!plan)
		return;
	g_free(plan->lab);
	g_hash_table_unref(plan->index);
	g_ptr_array_unref(plan->changes);
	g_ptr_array_unref(plan->problems);
	g_ptr_array_unref(plan->warnings);
	g_free(plan->accel_reason);
	g_free(plan);
}

np_change *np_change_add(np_plan *plan, np_change_kind kind, const char *site, const char *address, np_action action)
{
	np_change *change = g_new0(np_change, 1);
	change->kind = kind;
	change->site = g_strdup(site);
	change->address = g_strdup(address);
	change->level = np_address_level(site) + 1;
	change->action = action;
	change->impact = action == NP_ACTION_REPLACE || action == NP_ACTION_DELETE ? NP_IMPACT_RECREATE : NP_IMPACT_LIVE;
	change->fields = g_ptr_array_new_with_free_func(field_change_free);
	change->takes_down = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(plan->changes, change);
	g_hash_table_insert(plan->index, change->address, change);
	return change;
}

void np_change_drop_last(np_plan *plan)
{
	np_change *change = g_ptr_array_index(plan->changes, plan->changes->len - 1);
	g_hash_table_remove(plan->index, change->address);
	g_ptr_array_remove_index(plan->changes, plan->changes->len - 1);
}

void np_change_field(np_change *change, const char *name, const char *before, const char *after)
{
	np_field_change *field = g_new0(np_field_change, 1);
	field->name = g_strdup(name);
	field->before = g_strdup(before);
	field->after = g_strdup(after);
	g_ptr_array_add(change->fields, field);
}

void np_plan_problem(np_plan *plan, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_ptr_array_add(plan->problems, g_strdup_vprintf(format, args));
	va_end(args);
}

void np_plan_warning(np_plan *plan, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_ptr_array_add(plan->warnings, g_strdup_vprintf(format, args));
	va_end(args);
}

bool np_plan_is_empty(const np_plan *plan)
{
	return plan->changes->len == 0;
}

np_change *np_plan_find(const np_plan *plan, const char *address)
{
	return g_hash_table_lookup(plan->index, address);
}

static void add_running(np_change *change, const np_seen_node *seen)
{
	if (seen->power == NP_POWER_RUNNING || seen->power == NP_POWER_PAUSED)
		g_ptr_array_add(change->takes_down, g_strdup(seen->node->address));
	for (guint i = 0; seen->inside && i < seen->inside->nodes->len; i++)
		add_running(change, g_ptr_array_index(seen->inside->nodes, i));
}

/* What goes down is known from the world, not from the lab. */
static void find_takes_down(np_change *change)
{
	bool down = change->impact != NP_IMPACT_LIVE || change->action == NP_ACTION_DELETE;
	if (down && change->seen && !change->start_only)
		add_running(change, change->seen);
}

static void finish(np_plan *plan)
{
	for (guint i = 0; i < plan->changes->len; i++) {
		np_change *change = g_ptr_array_index(plan->changes, i);
		find_takes_down(change);
		plan->deferred += change->deferred;
		if (change->deferred)
			continue;
		plan->add += change->action == NP_ACTION_CREATE || change->action == NP_ACTION_REPLACE;
		plan->destroy += change->action == NP_ACTION_DELETE || change->action == NP_ACTION_REPLACE;
		plan->change += change->action == NP_ACTION_UPDATE;
	}
}

np_plan *np_plan_make(const np_lab *lab, const np_world *world)
{
	np_plan *plan = plan_new(lab->name);
	plan->accel_reason = g_strdup(world->accel.reason);
	np_diff_lab(plan, lab, world);
	np_diff_host(plan, lab, world);
	finish(plan);
	return plan;
}

static void check_protected(np_plan *plan, const np_lab *lab)
{
	for (guint i = 0; i < plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(plan->changes, i);
		const np_node *node = change->kind == NP_CHANGE_NODE ? np_lab_node(lab, change->address) : NULL;
		if (node && node->protect)
			np_plan_problem(plan, "node '%s' is protected. Remove `protect: true` from it in the lab file to destroy it.",
			                change->address);
	}
}

np_plan *np_plan_destroy(const np_lab *lab, const np_world *world)
{
	np_plan *plan = plan_new(world->lab);
	np_diff_delete_site(plan, world->root, "destroy was asked for");
	np_diff_nesting_release(plan, world, world->lab);
	check_protected(plan, lab);
	finish(plan);
	return plan;
}
