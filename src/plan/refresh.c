/* SPDX-License-Identifier: Apache-2.0 */
/* --refresh-only: what moved outside nestplan, to be kept as what was last applied. Nothing but the record changes. */
#include <string.h>

#include "plan/diff.h"
#include "plan/rows.h"

#define NAMES_SHOWN 3

typedef struct {
	np_plan *plan;
	const np_lab *lab;
	GPtrArray *down; /* of const char*: what is in scope and does not run, borrowed */
} refresh;

/* What only runs so is kept nowhere; it is told, and left to an apply. */
static void drop_live(np_plan *plan, np_change *change)
{
	for (guint i = change->fields->len; i-- > 0;) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		if (g_strcmp0(field->where, "live") != 0)
			continue;
		const char *stored = np_record_get(change->record, field->name, NULL);
		np_plan_warning(plan, "%s '%s': %s is %s in what runs, and %s in what is stored. An apply puts it right.",
		                np_change_kind_names[change->kind], change->address, field->name, field->after ? field->after : "gone",
		                stored ? stored : "missing");
		g_ptr_array_remove_index(change->fields, i);
	}
}

/* A lost disk is nothing to get used to: the record stays as it was. */
static void keep_lost(np_plan *plan, np_change *change)
{
	for (guint i = change->fields->len; i-- > 0;) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		if (g_strcmp0(field->after, NP_ROW_LOST) != 0)
			continue;
		np_plan_warning(plan, "%s '%s': the volume of disk '%s' was deleted. An apply makes a new one.",
		                np_change_kind_names[change->kind], change->address, field->name + strlen("disks."));
		const char *name = np_record_keep(change->record, field->name);
		np_record_remove(change->record, name);
		np_record_add(change->record, name, np_record_keep(change->record, field->before));
		g_ptr_array_remove_index(change->fields, i);
	}
}

/* Takes the change. */
static void finish(np_plan *plan, np_change *change)
{
	drop_live(plan, change);
	keep_lost(plan, change);
	for (guint i = 0; i < change->fields->len; i++) /* all are of what is stored, against the record */
		((np_field_change *)g_ptr_array_index(change->fields, i))->where = NULL;
	change->recorded = true;
	change->moved = NP_MOVED_WORLD;
	change->reason = g_strdup("changed outside nestplan; only the record of it is renewed");
	if (change->fields->len == 0)
		np_change_free(change);
	else
		np_plan_take(plan, change);
}

static void refresh_node(refresh *r, const char *site, const np_seen_node *seen)
{
	const char *address = seen->node->address;
	if (!np_plan_has_in_scope(r->plan, address))
		return;
	np_warn_unknown(r->plan, seen);
	if (seen->power != NP_POWER_RUNNING)
		g_ptr_array_add(r->down, (gpointer)address);
	if (!seen->applied)
		return;
	const np_node *want = np_lab_node(r->lab, address);
	np_change *change = np_change_new(NP_CHANGE_NODE, site, address, NP_ACTION_UPDATE);
	change->seen = seen;
	change->record = np_rows_stored_node(seen, want);
	g_autoptr(np_record) live = np_rows_live_node(seen);
	np_diff_record(change, seen->applied, change->record, live);
	finish(r->plan, change);
}

static void refresh_network(refresh *r, const char *site, const np_seen_network *seen)
{
	const char *address = seen->network->address;
	if (!np_plan_has_in_scope(r->plan, address))
		return;
	if (!seen->active)
		g_ptr_array_add(r->down, (gpointer)address);
	if (!seen->applied)
		return;
	np_change *change = np_change_new(NP_CHANGE_NETWORK, site, address, NP_ACTION_UPDATE);
	change->seen_network = seen;
	change->record = np_rows_seen_network(seen->network, seen->hosts, seen->autostart);
	g_autoptr(np_record) live = seen->live ? np_rows_seen_network(seen->live, seen->live_hosts, seen->autostart) : NULL;
	np_diff_record(change, seen->applied, change->record, live);
	finish(r->plan, change);
}

static void refresh_site(refresh *r, const np_seen_site *site)
{
	for (guint i = 0; i < site->networks->len; i++)
		refresh_network(r, site->address, g_ptr_array_index(site->networks, i));
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		refresh_node(r, site->address, seen);
		if (seen->inside)
			refresh_site(r, seen->inside);
	}
}

/* Whether something runs is not recorded: that it should is what the lab file says. */
static void warn_of_down(const refresh *r)
{
	if (!r->down->len)
		return;
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < MIN(r->down->len, NAMES_SHOWN); i++)
		g_string_append_printf(names, "%s'%s'", i ? ", " : "", (const char *)g_ptr_array_index(r->down, i));
	if (r->down->len > NAMES_SHOWN)
		g_string_append_printf(names, " and %u more", r->down->len - NAMES_SHOWN);
	np_plan_warning(r->plan, "%s %s not running, which is not recorded. An apply starts %s.", names->str,
	                r->down->len == 1 ? "is" : "are", r->down->len == 1 ? "it" : "them");
}

void np_diff_refresh(np_plan *plan, const np_lab *lab, const np_world *world)
{
	plan->refreshes = true;
	g_autoptr(GPtrArray) down = g_ptr_array_new();
	refresh r = {plan, lab, down};
	refresh_site(&r, world->root);
	warn_of_down(&r);
}
