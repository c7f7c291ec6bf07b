/* SPDX-License-Identifier: Apache-2.0 */
/* What exists, as a sum: a plan that deletes says nothing of what it deletes but the address. */
#include "base/ident.h"
#include "plan/diff.h"
#include "plan/rows.h"

typedef struct {
	const np_plan *plan;
	const np_lab *lab;
	GChecksum *sum;
} digest;

/* Takes the rows. */
static void add_rows(const digest *d, np_record *rows)
{
	for (guint i = 0; i < np_record_length(rows); i++) {
		np_sum_text(d->sum, np_record_row(rows, i)->name);
		np_sum_text(d->sum, np_record_row(rows, i)->value);
	}
	np_sum_text(d->sum, "");
	np_record_free(rows);
}

static void add_node(const digest *d, const np_seen_node *seen)
{
	np_sum_text(d->sum, seen->node->address);
	np_sum_text(d->sum, seen->node->uuid);
	np_sum_text(d->sum, np_power_names[seen->power]);
	np_sum_text(d->sum, seen->damaged);
	add_rows(d, np_rows_stored_node(seen, np_lab_node(d->lab, seen->node->address)));
	np_record *live = np_rows_live_node(seen);
	if (live) /* a balloon moves on its own; where that counts the plan says so */
		np_record_remove(live, "memory");
	add_rows(d, live);
	np_sum_text(d->sum, seen->inside && seen->inside->reachable ? "known" : "unknown");
}

static void add_network(const digest *d, const np_seen_network *seen)
{
	np_sum_text(d->sum, seen->network->address);
	np_sum_text(d->sum, seen->active ? "active" : "");
	add_rows(d, np_rows_stored_network(seen, seen->network));
	add_rows(d, np_rows_live_network(seen, seen->network));
}

static void add_site(const digest *d, const np_seen_site *site)
{
	for (guint i = 0; i < site->networks->len; i++) {
		const np_seen_network *seen = g_ptr_array_index(site->networks, i);
		if (np_plan_has_in_scope(d->plan, seen->network->address))
			add_network(d, seen);
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		if (np_plan_has_in_scope(d->plan, seen->node->address))
			add_node(d, seen);
		if (seen->inside)
			add_site(d, seen->inside);
	}
}

void np_plan_digest(const np_plan *plan, const np_lab *lab, const np_world *world, GChecksum *sum)
{
	digest d = {plan, lab, sum};
	add_site(&d, world->root);
}
