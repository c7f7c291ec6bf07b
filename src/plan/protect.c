/* SPDX-License-Identifier: Apache-2.0 */
/* `protect: true`. A node's own mark keeps it, and so does the mark of each hypervisor above it: while that is off, the node and its
 * mark cannot be seen, and would be lost with the hypervisor's disks. */
#include <string.h>

#include "base/address.h"
#include "plan/diff.h"
#include "plan/rows.h"

#define NOTHING "none"

static const char *recorded(const np_seen_node *have)
{
	const char *names = have && have->applied ? g_hash_table_lookup(have->applied, "protects") : NULL;
	return names && strcmp(names, NOTHING) != 0 ? names : NULL;
}

/* A node inside a hypervisor, by its address from there. *ret_known: false when it cannot be told whether it is there; what is in the
 * disks of one that is a hypervisor no longer cannot. */
static const np_seen_node *find_inside(const np_seen_node *hypervisor, const char *address, bool *ret_known)
{
	const np_seen_node *node = hypervisor;
	g_auto(GStrv) names = g_strsplit(address, "/", -1);
	*ret_known = true;
	for (char **name = names; node && *name; name++) {
		*ret_known = node->inside ? node->inside->reachable : node != hypervisor;
		node = *ret_known && node->inside ? np_seen_site_node(node->inside, *name) : NULL;
	}
	return node;
}

typedef struct {
	const np_node *hypervisor;
	const np_seen_node *have; /* only those that its inside does not contradict; NULL: all */
	GPtrArray *names;         /* of char*, borrowed from addresses */
} collection;

static void collect(np_node *node, gpointer data)
{
	collection *c = data;
	const char *name = node->address + strlen(c->hypervisor->address) + 1;
	if (!node->protect)
		return;
	bool known;
	const np_seen_node *seen = c->have ? find_inside(c->have, name, &known) : NULL;
	const char *applied = seen && seen->applied ? g_hash_table_lookup(seen->applied, "protect") : NULL;
	if (c->have && known && (!seen || g_strcmp0(applied, "false") == 0))
		return;
	g_ptr_array_add(c->names, (gpointer)name);
}

static char *protected_names(const np_node *hypervisor, const np_seen_node *have, char **more)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	collection c = {hypervisor, have, names};
	if (hypervisor->protects)
		np_lab_foreach_node(&hypervisor->site, collect, &c);
	for (char **name = more; name && *name; name++)
		g_ptr_array_add(names, *name);
	g_ptr_array_add(names, NULL);
	return names->len > 1 ? g_strjoinv(" ", (char **)names->pdata) : NULL;
}

/* What the record names, the lab no longer has, and may be there still. */
static char **left_behind(const np_node *want, const np_seen_node *have)
{
	const char *names = recorded(have);
	g_auto(GStrv) all = g_strsplit(names ? names : "", " ", -1);
	g_autoptr(GStrvBuilder) left = g_strv_builder_new();
	for (char **name = all; *name; name++) {
		bool known;
		if (!np_site_find(&want->site, *name) && (find_inside(have, *name, &known) || !known))
			g_strv_builder_add(left, *name);
	}
	return g_strv_builder_end(left);
}

char *np_protects_record(const np_node *want, const np_seen_node *have)
{
	if (!want->protects && !recorded(have))
		return NULL;
	g_auto(GStrv) left = left_behind(want, have);
	return protected_names(want, NULL, left);
}

char *np_protects_wanted(const np_node *want, const np_seen_node *have)
{
	char *names = np_protects_record(want, have);
	return names || !recorded(have) ? names : g_strdup(NOTHING);
}

char *np_protects_stored(const np_node *want, const np_seen_node *have)
{
	if (!have->applied || recorded(have) || !want || !want->protects || !have->inside || !have->inside->reachable)
		return g_strdup(recorded(have));
	/* A mark that is older than this: no difference where the nodes inside are as the lab wants them. */
	char *names = protected_names(want, have, NULL);
	return names ? names : g_strdup(NOTHING);
}

/* ── refusing ── */

static void check_one_unknown(np_node *node, gpointer data)
{
	if (node->protect)
		np_plan_problem(data, "node '%s' is protected (protect: true), and would be lost with node '%s', which cannot be looked into. "
		                "Start that one, or remove `protect: true`.", node->address, node->parent->address);
}

void np_check_unknown(np_plan *plan, const np_node *node, const np_seen_node *have)
{
	if (node && node->protects && (!have || have->hypervisor))
		np_lab_foreach_node(&node->site, check_one_unknown, plan);
	const char *names = recorded(have);
	g_auto(GStrv) all = names ? g_strsplit(names, " ", -1) : NULL;
	for (char **name = all; name && *name; name++) {
		g_autofree char *address = np_address_join(have->node->address, *name);
		if (!node || !np_site_find(&node->site, *name))
			np_plan_problem(plan, "node '%s' is protected: it was applied with `protect: true`, the lab file no longer has it, and it "
			                "would be lost with node '%s', which cannot be looked into. To destroy it put it back without `protect`, apply, and "
			                "remove it then.", address, have->node->address);
	}
}

static void check_one(np_plan *plan, const np_lab *lab, const np_seen_node *seen)
{
	const char *address = seen->node->address;
	const np_node *node = np_lab_node(lab, address);
	if (node && node->protect)
		np_plan_problem(plan, "node '%s' is protected. Remove `protect: true` from it in the lab file to destroy it.", address);
	if (!seen->inside || !seen->inside->reachable)
		np_check_unknown(plan, node, seen);
	if (!node && seen->applied && g_strcmp0(g_hash_table_lookup(seen->applied, "protect"), "true") == 0)
		np_plan_problem(plan, "node '%s' is protected: it was applied with `protect: true`, and the lab file no longer has it. To "
		                "destroy it put it back without, apply, and remove it then.", address);
}

void np_check_protected(np_plan *plan, const np_lab *lab)
{
	for (guint i = 0; i < plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(plan->changes, i);
		if (change->kind == NP_CHANGE_NODE && change->action == NP_ACTION_DELETE)
			check_one(plan, lab, change->seen);
	}
}
