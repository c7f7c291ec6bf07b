/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include <string.h>

#include "base/address.h"
#include "base/array.h"
#include "base/units.h"
#include "plan/diff.h"

const char *const np_action_names[] = {"no-op", "create", "update", "replace", "delete", NULL};
const char *const np_action_signs[] = {" ", "+", "~", "-/+", "-", NULL};
const char *const np_impact_names[] = {"live", "restart", "recreate", NULL};
const char *const np_moved_names[] = {NULL, "lab", "world", "both"};
const char *const np_change_kind_names[] = {"network", "node", "host", NULL};

static void field_change_free(gpointer data)
{
	np_field_change *field = data;
	g_free(field->name);
	g_free(field->before);
	g_free(field->after);
	g_free(field);
}

void np_change_free(np_change *change)
{
	g_free(change->reason);
	np_array_clear(&change->fields);
	np_array_clear(&change->takes_down);
	np_array_clear(&change->loses);
	np_array_clear(&change->reattaches);
	g_clear_pointer(&change->record, np_record_free);
	g_free(change);
}

static np_plan *plan_new(const char *lab)
{
	np_plan *plan = g_new0(np_plan, 1);
	plan->lab = g_strdup(lab);
	plan->changes = g_ptr_array_new_with_free_func((GDestroyNotify)np_change_free);
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
	g_clear_pointer(&plan->scope, g_hash_table_unref);
	g_clear_pointer(&plan->secrets, np_diags_free);
	g_free(plan);
}

/* A change and its addresses are one piece of memory: a plan of many nodes compares each of them by one. */
np_change *np_change_new(np_change_kind kind, const char *site, const char *address, np_action action)
{
	gsize site_size = strlen(site) + 1, address_size = strlen(address) + 1;
	np_change *change = g_malloc(sizeof(*change) + site_size + address_size);
	memset(change, 0, sizeof(*change));
	change->kind = kind;
	change->site = memcpy((char *)(change + 1), site, site_size);
	change->address = memcpy((char *)(change + 1) + site_size, address, address_size);
	change->level = np_address_level(site) + 1;
	change->action = action;
	change->impact = action == NP_ACTION_REPLACE || action == NP_ACTION_DELETE ? NP_IMPACT_RECREATE : NP_IMPACT_LIVE;
	change->fields = change->takes_down = change->loses = change->reattaches = NP_ARRAY_EMPTY;
	return change;
}

np_change *np_plan_take(np_plan *plan, np_change *change)
{
	g_ptr_array_add(plan->changes, change);
	g_hash_table_insert(plan->index, (gpointer)change->address, change);
	return change;
}

np_change *np_change_add(np_plan *plan, np_change_kind kind, const char *site, const char *address, np_action action)
{
	return np_plan_take(plan, np_change_new(kind, site, address, action));
}

np_field_change *np_change_field(np_change *change, const char *name, const char *before, const char *after)
{
	np_field_change *field = g_new0(np_field_change, 1);
	field->name = g_strdup(name);
	field->before = g_strdup(before);
	field->after = g_strdup(after);
	g_ptr_array_add(np_array_own(&change->fields, field_change_free), field);
	return field;
}

void np_plan_problem(np_plan *plan, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_ptr_array_add(plan->problems, g_strdup_vprintf(format, args));
	va_end(args);
}

void np_plan_problem_at(np_plan *plan, const np_lab *lab, np_pos pos, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	if (pos.line == 0 || pos.source != 0 || !lab->file) {
		np_plan_problem(plan, "%s", text);
		return;
	}
	const char *file = g_str_equal(lab->file, "-") ? "<stdin>" : lab->file;
	np_plan_problem(plan, "%s:%u:%u: %s", file, pos.line, MAX(pos.col, 1), text);
}

void np_plan_warning(np_plan *plan, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_ptr_array_add(plan->warnings, g_strdup_vprintf(format, args));
	va_end(args);
}

bool np_change_is_down(const np_change *change)
{
	return change && !change->deferred && !change->start_only &&
	       (change->action == NP_ACTION_DELETE || change->action == NP_ACTION_REPLACE ||
	        (change->action == NP_ACTION_UPDATE && change->impact == NP_IMPACT_RESTART));
}

bool np_plan_is_empty(const np_plan *plan)
{
	return plan->changes->len == 0;
}

np_change *np_plan_find(const np_plan *plan, const char *address)
{
	/* Most plans have few changes or none, and an address takes longer to hash than that to see. */
	return g_hash_table_size(plan->index) ? g_hash_table_lookup(plan->index, address) : NULL;
}

char **np_plan_replace_later(const np_plan *plan, const char *const *replace)
{
	g_autoptr(GStrvBuilder) later = g_strv_builder_new();
	bool any = false;
	for (const char *const *address = replace; address && *address; address++) {
		const np_change *change = np_plan_find(plan, *address);
		if (!change || !change->deferred)
			continue;
		g_strv_builder_add(later, *address);
		any = true;
	}
	return any ? g_strv_builder_end(later) : NULL;
}

static void add_running(np_change *change, const np_seen_node *seen)
{
	if (seen->power == NP_POWER_RUNNING || seen->power == NP_POWER_PAUSED)
		g_ptr_array_add(np_array_own(&change->takes_down, g_free), g_strdup(seen->node->address));
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

static void add_loss(np_change *change, const np_disk *disk)
{
	g_autofree char *size = disk->size ? np_size_format(disk->size) : NULL;
	g_ptr_array_add(np_array_own(&change->loses, g_free), size ? g_strdup_printf("%s (%s)", disk->base.name, size) : g_strdup(disk->base.name));
}

static void find_loses(np_change *change)
{
	bool all = change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_DELETE;
	const np_node *had = change->seen ? change->seen->node : NULL;
	for (guint i = 0; had && had->disks && i < had->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(had->disks, i);
		bool gone = change->action == NP_ACTION_UPDATE && !change->start_only && !change->recorded &&
		            !np_map_find(change->node->disks, disk->base.name);
		if ((all || gone) && !disk->source)
			add_loss(change, disk);
	}
}

static void count_one(np_plan *plan, const char *address)
{
	plan->unchanged += np_plan_has_in_scope(plan, address) && !np_plan_find(plan, address);
}

static void count_node(np_node *node, gpointer data)
{
	np_plan *plan = data;
	count_one(plan, node->address);
	for (guint i = 0; i < node->site.networks->len; i++)
		count_one(plan, ((np_network *)g_ptr_array_index(node->site.networks, i))->address);
}

static void count_unchanged(np_plan *plan, const np_lab *lab)
{
	np_lab_foreach_node(&lab->site, count_node, plan);
	for (guint i = 0; i < lab->site.networks->len; i++)
		count_one(plan, ((np_network *)g_ptr_array_index(lab->site.networks, i))->address);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return g_strcmp0(a, b);
}

/* What others made in a hypervisor goes with its disks. */
static void warn_of_foreign(np_plan *plan, const np_change *change)
{
	bool lost = change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_DELETE;
	const np_seen_site *inside = lost && change->seen ? change->seen->inside : NULL;
	g_autoptr(GList) names = inside ? g_list_sort(g_hash_table_get_keys(inside->foreign), compare_names) : NULL;
	for (const GList *name = names; name; name = name->next)
		if (g_str_has_prefix(name->data, "domain "))
			np_plan_warning(plan, "%s is in node '%s' without being of this lab, and is lost with it.", (char *)name->data,
			                change->address);
}

/* So does what the lab has in one that cannot be looked into. */
static void warn_of_unseen(np_plan *plan, const np_change *change)
{
	bool lost = change->action == NP_ACTION_REPLACE || change->action == NP_ACTION_DELETE;
	const np_seen_site *inside = lost && change->seen ? change->seen->inside : NULL;
	if (inside && !inside->reachable)
		np_plan_warning(plan, "node '%s' carries nodes, and whatever is inside is lost with it. What that is cannot be looked at: %s",
		                change->address, inside->why);
}

static void count(np_plan *plan)
{
	for (guint i = 0; i < plan->changes->len; i++) {
		np_change *change = g_ptr_array_index(plan->changes, i);
		find_takes_down(change);
		find_loses(change);
		warn_of_foreign(plan, change);
		warn_of_unseen(plan, change);
		plan->deferred += change->deferred;
		if (change->deferred)
			continue;
		plan->add += change->action == NP_ACTION_CREATE || change->action == NP_ACTION_REPLACE;
		plan->destroy += change->action == NP_ACTION_DELETE || change->action == NP_ACTION_REPLACE;
		plan->change += change->action == NP_ACTION_UPDATE;
	}
}

static void destroy(np_plan *plan, const np_world *world)
{
	plan->destroys = true;
	np_diff_delete_site(plan, world->root, "destroy was asked for");
	if (!plan->scope)
		np_diff_nesting_release(plan, world, world->lab);
}

static void diff_all(np_plan *plan, const np_lab *lab, const np_world *world, const np_plan_options *options)
{
	np_diff_lab(plan, lab, world, options);
	np_diff_host(plan, lab, world);
}

np_plan *np_plan_make(const np_lab *lab, const np_world *world, const np_plan_options *options)
{
	static const np_plan_options everything;
	options = options ? options : &everything;
	np_plan *plan = plan_new(world->lab);
	plan->accel_reason = g_strdup(world->accel.reason);
	np_scope_make(plan, lab, world, options);
	if (options->destroy)
		destroy(plan, world);
	else if (options->refresh_only)
		np_diff_refresh(plan, lab, world);
	else
		diff_all(plan, lab, world, options);
	np_check_protected(plan, lab);
	np_scope_check(plan, world);
	if (!options->destroy)
		count_unchanged(plan, lab);
	count(plan);
	np_plan_conceal(plan, lab);
	return plan;
}
