/* SPDX-License-Identifier: Apache-2.0 */
/* --refresh-only: what moved outside nestplan, to be kept as what was last applied. Nothing but the record changes. */
#include "plan/diff.h"
#include "plan/rows.h"

/* What only runs so is kept nowhere; it is told, and left to an apply. */
static void drop_live(np_plan *plan, np_change *change)
{
	for (guint i = change->fields->len; i-- > 0;) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		if (g_strcmp0(field->where, "live") != 0)
			continue;
		np_plan_warning(plan, "%s '%s': %s is %s in what runs, and %s in what is stored. An apply puts it right.",
		                np_change_kind_names[change->kind], change->address, field->name, field->after ? field->after : "gone",
		                field->before ? field->before : "missing");
		g_ptr_array_remove_index(change->fields, i);
	}
}

/* Takes the change. */
static void finish(np_plan *plan, np_change *change)
{
	drop_live(plan, change);
	change->recorded = true;
	change->moved = NP_MOVED_WORLD;
	change->reason = g_strdup("changed outside nestplan; only the record of it is renewed");
	if (change->fields->len == 0)
		np_change_free(change);
	else
		np_plan_take(plan, change);
}

static void refresh_node(np_plan *plan, const np_lab *lab, const char *site, const np_seen_node *seen)
{
	const char *address = seen->node->address;
	if (!seen->applied || !np_plan_has_in_scope(plan, address))
		return;
	const np_node *want = np_lab_node(lab, address);
	np_change *change = np_change_new(NP_CHANGE_NODE, site, address, NP_ACTION_UPDATE);
	change->seen = seen;
	change->record = np_rows_stored_node(seen, want);
	g_autoptr(np_record) live = np_rows_live_node(seen);
	np_diff_record(change, seen->applied, change->record, live);
	finish(plan, change);
}

static void refresh_network(np_plan *plan, const char *site, const np_seen_network *seen)
{
	const char *address = seen->network->address;
	if (!seen->applied || !np_plan_has_in_scope(plan, address))
		return;
	np_change *change = np_change_new(NP_CHANGE_NETWORK, site, address, NP_ACTION_UPDATE);
	change->seen_network = seen;
	change->record = np_rows_seen_network(seen->network, seen->autostart);
	g_autoptr(np_record) live = seen->live ? np_rows_seen_network(seen->live, seen->autostart) : NULL;
	np_diff_record(change, seen->applied, change->record, live);
	finish(plan, change);
}

static void refresh_site(np_plan *plan, const np_lab *lab, const np_seen_site *site)
{
	for (guint i = 0; i < site->networks->len; i++)
		refresh_network(plan, site->address, g_ptr_array_index(site->networks, i));
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		refresh_node(plan, lab, site->address, seen);
		if (seen->inside)
			refresh_site(plan, lab, seen->inside);
	}
}

void np_diff_refresh(np_plan *plan, const np_lab *lab, const np_world *world)
{
	plan->refreshes = true;
	refresh_site(plan, lab, world->root);
}
