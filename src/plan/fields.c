/* SPDX-License-Identifier: Apache-2.0 */
/* Field by field: what a node or network has, stored and live, against what it should have. Only declared things are
 * compared; what libvirt fills in is no difference. */
#include <string.h>

#include "plan/diff.h"
#include "plan/rows.h"

#define FEW_ROWS 32 /* as many are searched one by one */

/* Rows with a quick way to find one by its name. */
typedef struct {
	const np_record *rows;
	GHashTable *index; /* NULL: few */
	guint next;        /* of few: where the next one is likely to be, for tables have much the same order */
} table;

static table table_make(const np_record *rows)
{
	table t = {rows, NULL, 0};
	if (np_record_length(rows) <= FEW_ROWS)
		return t;
	t.index = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < np_record_length(rows); i++) {
		const np_row *row = np_record_row(rows, i);
		g_hash_table_insert(t.index, (gpointer)row->name, (gpointer)row);
	}
	return t;
}

static const char *table_get(const table *t, const char *name, bool *found)
{
	if (!t->index)
		return np_record_get(t->rows, name, found);
	const np_row *row = g_hash_table_lookup(t->index, name);
	*found = row != NULL;
	return row ? row->value : NULL;
}

/* As table_get, of names one after the other. */
static const char *table_follow(table *t, const char *name, bool *found)
{
	if (t->index || !t->rows)
		return table_get(t, name, found);
	guint length = np_record_length(t->rows);
	for (guint i = 0; i < length; i++) {
		guint at = (t->next + i) % length;
		const np_row *row = np_record_row(t->rows, at);
		if (row->name != name && (row->name[0] != name[0] || strcmp(row->name, name) != 0))
			continue;
		t->next = at + 1;
		*found = true;
		return row->value;
	}
	*found = false;
	return NULL;
}

/* Impact of one field. */
typedef struct compared compared;
typedef np_impact (*impact_fn)(const compared *c, const char *name, const char *want);

struct compared {
	np_change *change;
	table want, stored, live;
	GHashTable *applied;
	impact_fn impact;
	const np_node *node;       /* wanted; NULL: a network */
	const np_seen_node *seen;
};

static bool same(const char *want, const char *have)
{
	/* Most values are names that last, the same ones on both sides. */
	return want == have || g_strcmp0(want, have) == 0 ||
	       (g_strcmp0(want, NP_ROW_ANY) == 0 && g_strcmp0(have, NP_ROW_LOST) != 0);
}

/* Older marks lack it, and so do those of a lab that did not give it. */
static bool is_recorded_lately(const char *name)
{
	static const char *const names[] = {"description", "bridges", "nic", NULL};
	return g_strv_contains(names, name);
}

/* What moved since the last apply: the lab file, the world, or both. */
static np_moved moved(const compared *c, const char *name, const char *want, const char *have)
{
	if (!c->applied || g_str_has_prefix(name, "hosts.")) /* of hosts tell_hosts says it */
		return NP_MOVED_UNKNOWN;
	const char *applied = g_hash_table_lookup(c->applied, name);
	if (!applied && np_row_is_optional(name)) /* the lab file did not ask for it */
		return NP_MOVED_LAB;
	if (!applied && strcmp(name, "image") == 0) /* as it was recorded that there is none */
		applied = NP_IMAGE_NONE;
	if (!applied && is_recorded_lately(name) && !g_hash_table_contains(c->applied, name))
		return have ? NP_MOVED_UNKNOWN : NP_MOVED_LAB;
	unsigned lab = !same(want, applied) && !same(applied, want) ? NP_MOVED_LAB : 0;
	unsigned world = !same(applied, have) ? NP_MOVED_WORLD : 0;
	return (np_moved)(lab | world);
}

static void differ(compared *c, const char *name, const char *want, const char *have, const char *where)
{
	np_field_change *field = np_change_field(c->change, name, have, want);
	field->where = where;
	field->moved = moved(c, name, want, have);
	field->impact = c->impact(c, name, want);
	c->change->impact = MAX(c->change->impact, field->impact);
}

/* Something that can be there or not. */
static bool is_whole(const char *name)
{
	return np_row_is_item(name) && !np_row_is_part(name);
}

/* A name that the wanted rows have. */
static void compare_wanted(compared *c, const np_row *row)
{
	bool stored, live;
	const char *is_stored = table_follow(&c->stored, row->name, &stored);
	const char *is_live = table_follow(&c->live, row->name, &live);
	bool off = stored ? !same(row->value, is_stored) : is_whole(row->name);
	bool off_live = live ? !same(row->value, is_live) : c->live.rows && is_whole(row->name);
	bool apart = off && off_live && g_strcmp0(is_stored, is_live) != 0;
	bool both = !off_live && c->live.rows && live; /* are known */
	if (off_live)
		differ(c, row->name, row->value, is_live, !off || apart ? "live" : NULL);
	if (off && (!off_live || apart))
		differ(c, row->name, row->value, is_stored, apart || both ? "stored" : NULL);
}

/* Things that are there and should not be. */
static void compare_extra(compared *c, const table *have, table *before)
{
	for (guint i = 0; i < np_record_length(have->rows); i++) {
		const np_row *row = np_record_row(have->rows, i);
		if (!is_whole(row->name))
			continue;
		bool wanted, known = false;
		(void)table_follow(&c->want, row->name, &wanted);
		if (before)
			(void)table_follow(before, row->name, &known);
		if (!wanted && !known)
			differ(c, row->name, NULL, row->value, before ? "live" : NULL);
	}
}

static void compare(compared *c)
{
	for (guint i = 0; i < np_record_length(c->want.rows); i++)
		compare_wanted(c, np_record_row(c->want.rows, i));
	compare_extra(c, &c->stored, NULL);
	compare_extra(c, &c->live, &c->stored);
	g_clear_pointer(&c->want.index, g_hash_table_unref);
	g_clear_pointer(&c->stored.index, g_hash_table_unref);
	g_clear_pointer(&c->live.index, g_hash_table_unref);
}

/* ── nodes ── */

/* A value that the running node has already: only its stored definition is put right. */
static bool is_live_already(const compared *c, const char *name, const char *want)
{
	bool found;
	const char *live = table_get(&c->live, name, &found);
	return found && same(want, live);
}

static np_impact memory_impact(const compared *c)
{
	return c->node->memory <= c->seen->memory_limit ? NP_IMPACT_LIVE : NP_IMPACT_RESTART;
}

/* Guests give a virtual CPU back when they like, if ever. */
static np_impact vcpus_impact(const compared *c)
{
	bool grows = c->seen->live && c->node->vcpus >= c->seen->live->vcpus;
	return grows && c->node->vcpus <= c->seen->vcpus_limit ? NP_IMPACT_LIVE : NP_IMPACT_RESTART;
}

static np_impact disk_impact(const compared *c, const char *name, const char *want)
{
	if (np_row_is_part(name))
		return NP_IMPACT_RESTART;
	const char *disk = name + strlen("disks.");
	if (g_strcmp0(c->seen->damaged, disk) == 0)
		return NP_IMPACT_RECREATE;
	bool found;
	const char *is = table_get(&c->stored, name, &found);
	if (want && g_strcmp0(is, NP_ROW_LOST) == 0) /* a data disk begins anew, and what runs has the old one open */
		return strcmp(disk, "root") == 0 ? NP_IMPACT_RECREATE : NP_IMPACT_RESTART;
	const np_node *from = want ? c->node : c->seen->node;
	const np_disk *one = np_map_find(from->disks, disk);
	one = !one && !want && c->seen->live ? np_map_find(c->seen->live->disks, disk) : one;
	bool pluggable = !one || one->bus != NP_BUS_SATA;
	if (found && want) /* another size */
		return NP_IMPACT_LIVE;
	return pluggable && strcmp(disk, "root") != 0 ? NP_IMPACT_LIVE : NP_IMPACT_RESTART;
}

/* The address by which a node is reached is written into its disk before the first boot; the others can be changed from within. */
static np_impact nic_impact(const compared *c, const char *name, const char *want)
{
	/* As it was applied: the disk has it already, and only the NIC was taken away or changed from outside. */
	if (want && c->applied && g_strcmp0(want, g_hash_table_lookup(c->applied, name)) == 0)
		return NP_IMPACT_LIVE;
	const np_nic *wanted = np_node_access_nic(c->node), *had = np_node_access_nic(c->seen->node);
	const char *nic = name + strlen("nics.");
	bool access = (wanted && strcmp(wanted->base.name, nic) == 0) || (had && strcmp(had->base.name, nic) == 0);
	return access ? NP_IMPACT_RECREATE : NP_IMPACT_LIVE;
}

/* Whether one of "prov=data ext=eth2" is over the NIC. */
static bool has_bridge_over(const char *bridges, const np_nic *nic)
{
	g_auto(GStrv) words = g_strsplit(bridges ? bridges : "", " ", -1);
	g_autofree char *end = g_strconcat("=", nic->base.name, NULL);
	for (char **word = words; *word; word++)
		if (g_str_has_suffix(*word, end))
			return true;
	return false;
}

/* Bridges are made and unmade inside while it runs, but not under the address by which that is done. */
static np_impact bridges_impact(const compared *c, const char *want)
{
	const np_nic *access = np_node_access_nic(c->node);
	bool found;
	const char *had = table_get(&c->stored, "bridges", &found);
	return access && has_bridge_over(want, access) != has_bridge_over(had, access) ? NP_IMPACT_RECREATE : NP_IMPACT_LIVE;
}

static np_impact node_impact(const compared *c, const char *name, const char *want)
{
	static const char *const fixed[] = {"image", "inject", NULL};
	np_impact impact;
	if (g_strv_contains(fixed, name))
		return NP_IMPACT_RECREATE;
	if (strcmp(name, "hypervisor") == 0) /* what makes it one is in its disk, and does no harm when it is one no longer */
		impact = strcmp(want, "yes") == 0 ? NP_IMPACT_RECREATE : NP_IMPACT_RESTART;
	else if (g_str_has_prefix(name, "disks."))
		impact = disk_impact(c, name, want);
	else if (g_str_has_prefix(name, "nics."))
		impact = nic_impact(c, name, want);
	else if (strcmp(name, "protects") == 0 || strcmp(name, NP_ROW_KEYS) == 0)
		impact = NP_IMPACT_LIVE;
	else if (strcmp(name, "bridges") == 0)
		impact = bridges_impact(c, want);
	else if (strcmp(name, "memory") == 0)
		impact = memory_impact(c);
	else if (strcmp(name, "vcpus") == 0)
		impact = vcpus_impact(c);
	else {
		const np_field *field = np_kind_field(&np_node_kind, name);
		impact = field ? field->impact : NP_IMPACT_RESTART;
	}
	bool runs = c->seen->power == NP_POWER_RUNNING || c->seen->power == NP_POWER_PAUSED;
	if (impact == NP_IMPACT_RESTART && (!runs || is_live_already(c, name, want)))
		return NP_IMPACT_LIVE;
	return impact;
}

/* Fields that come in short forms: a hash is told apart by its beginning. */
static void shorten(np_field_change *field)
{
	static const char *const hashes[] = {"image", "inject", NULL};
	if (!g_strv_contains(hashes, field->name))
		return;
	char **texts[] = {&field->before, &field->after};
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		char *whole = *texts[i];
		*texts[i] = g_strndup(whole, strlen("sha256-") + 12);
		g_free(whole);
	}
}

static void note_damage(compared *c)
{
	if (!c->seen->damaged)
		return;
	g_autofree char *name = g_strdup_printf("disks.%s", c->seen->damaged);
	bool found;
	const char *want = table_get(&c->want, name, &found);
	if (found)
		differ(c, name, want, "damaged: no qcow2 image", NULL);
}

/* Both NICs are configured inside, so it can be reached by the other one at once; only the mark says which it is. */
static void note_access(compared *c)
{
	const np_nic *had = np_node_access_moved(c->node, c->seen);
	if (!had)
		return;
	np_field_change *field = np_change_field(c->change, "access", had->base.name, np_node_access_nic(c->node)->base.name);
	field->moved = NP_MOVED_LAB;
}

/* libvirt gives no machine another one. One that the lab file does not name may be any. */
static void note_uuid(compared *c)
{
	const char *had = c->seen->node->uuid, *want = c->node->uuid;
	if (!had || !np_object_has(&np_node_kind, &c->node->base, "uuid") || g_ascii_strcasecmp(had, want) == 0)
		return;
	np_field_change *field = np_change_field(c->change, "uuid", had, want);
	field->impact = c->change->impact = NP_IMPACT_RECREATE;
}

void np_diff_node_fields(np_change *change, const np_lab *lab, const np_node *want, const np_seen_node *have, bool kvm)
{
	g_autoptr(np_record) wanted = np_rows_wanted_node(lab, want, have, kvm);
	g_autoptr(np_record) stored = np_rows_stored_node(have, want);
	g_autoptr(np_record) live = np_rows_live_node(have);
	compared c = {change,        table_make(wanted), table_make(stored), table_make(live),
	              have->applied, node_impact,        want,               have};
	note_damage(&c);
	compare(&c);
	note_access(&c);
	note_uuid(&c);
	for (guint i = 0; i < change->fields->len; i++)
		shorten(g_ptr_array_index(change->fields, i));
	change->action = change->impact == NP_IMPACT_RECREATE ? NP_ACTION_REPLACE : NP_ACTION_UPDATE;
	if (have->power == NP_POWER_RUNNING && (have->ready || want->ready.wait == NP_WAIT_NONE))
		return;
	change->start_only = change->fields->len == 0;
	if (have->power == NP_POWER_RUNNING)
		np_change_field(change, "ready", "no", "yes");
	else
		np_change_field(change, "power", np_power_names[have->power], "running");
}

/* ── networks ── */

static np_impact network_impact(const compared *c, const char *name, const char *want)
{
	const np_field *field = np_kind_field(&np_network_kind, name);
	bool found;
	/* libvirt's network is on the same bridge; the hypervisor's own row is what moves that. */
	if (want && strcmp(name, "nic") == 0 && table_get(&c->stored, name, &found))
		return NP_IMPACT_LIVE;
	if (is_live_already(c, name, want))
		return NP_IMPACT_LIVE;
	if (strcmp(name, "gateway") == 0) /* the bridge's own address */
		return NP_IMPACT_RESTART;
	return field ? field->impact : NP_IMPACT_LIVE;
}

/* Whether `field` differs only because `cause` does. */
static bool follows(const np_field_change *field, const np_field_change *cause)
{
	bool range = strcmp(field->name, "dhcp_range") == 0;
	if (!range && strcmp(field->name, "gateway") != 0)
		return false;
	if (strcmp(cause->name, "cidr") != 0 && !(range && strcmp(cause->name, "dhcp") == 0))
		return false;
	return (!cause->where || g_strcmp0(cause->where, field->where) == 0) && !(field->moved & ~cause->moved);
}

/* What is said already by another range of addresses, or by DHCP that comes or goes. */
static void drop_followers(np_change *change)
{
	for (guint i = change->fields->len; i-- > 0;) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		bool said = false;
		for (guint j = 0; j < change->fields->len && !said; j++)
			said = follows(field, g_ptr_array_index(change->fields, j));
		if (said)
			g_ptr_array_remove_index(change->fields, i);
	}
}

static bool is_host(const np_field_change *field)
{
	return g_str_has_prefix(field->name, "hosts.");
}

/* Hosts are recorded together, so what moved is known of all of them at once, of those stored and of those that are live. */
static void tell_hosts(const compared *c)
{
	const char *applied = c->applied ? g_hash_table_lookup(c->applied, NP_ROW_HOSTS) : NULL;
	bool any = false;
	for (guint i = 0; i < c->change->fields->len; i++)
		any = any || is_host(g_ptr_array_index(c->change->fields, i));
	if (!applied || !any)
		return;
	g_autofree char *want = np_rows_hosts_digest(c->want.rows), *stored = np_rows_hosts_digest(c->stored.rows);
	g_autofree char *live = c->live.rows ? np_rows_hosts_digest(c->live.rows) : NULL;
	unsigned lab = strcmp(want, applied) != 0 ? NP_MOVED_LAB : 0;
	bool off = strcmp(stored, applied) != 0, off_live = live && strcmp(live, applied) != 0;
	for (guint i = 0; i < c->change->fields->len; i++) {
		np_field_change *field = g_ptr_array_index(c->change->fields, i);
		bool in_live = g_strcmp0(field->where, "stored") != 0, in_stored = g_strcmp0(field->where, "live") != 0;
		if (is_host(field))
			field->moved = (np_moved)(lab | ((off && in_stored) || (off_live && in_live) ? NP_MOVED_WORLD : 0));
	}
}

/* A network that is made anew gets all its hosts anew. */
static void drop_hosts(np_change *change)
{
	for (guint i = change->fields->len; i-- > 0;)
		if (is_host(g_ptr_array_index(change->fields, i)))
			g_ptr_array_remove_index(change->fields, i);
}

void np_diff_network_fields(np_change *change, const np_lab *lab, const np_network *want, const np_seen_network *have)
{
	g_autoptr(np_record) wanted = np_rows_wanted_network(lab, want, have);
	g_autoptr(np_record) stored = np_rows_stored_network(have, want);
	g_autoptr(np_record) live = np_rows_live_network(have, want);
	compared c = {change,        table_make(wanted), table_make(stored), table_make(live),
	              have->applied, network_impact,     NULL,               NULL};
	compare(&c);
	drop_followers(change);
	tell_hosts(&c);
	change->action = change->impact == NP_IMPACT_LIVE ? NP_ACTION_UPDATE : NP_ACTION_REPLACE;
	if (change->action == NP_ACTION_REPLACE)
		drop_hosts(change);
	if (have->active)
		return;
	change->start_only = change->fields->len == 0;
	if (change->start_only)
		change->action = NP_ACTION_UPDATE;
	np_change_field(change, "active", "no", "yes");
}

/* ── what was applied against what is ── */

static np_impact no_impact(const compared *c G_GNUC_UNUSED, const char *name G_GNUC_UNUSED, const char *want G_GNUC_UNUSED)
{
	return NP_IMPACT_LIVE;
}

static np_record *rows_of(GHashTable *applied)
{
	np_record *rows = np_record_new();
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(applied), (GCompareFunc)(void (*)(void))strcmp);
	for (const GList *name = names; name; name = name->next)
		np_record_add(rows, name->data, g_hash_table_lookup(applied, name->data));
	return rows;
}

void np_diff_record(np_change *change, GHashTable *applied, const np_record *stored, const np_record *live)
{
	g_autoptr(np_record) rows = rows_of(applied);
	compared c = {.change = change,
	              .want = table_make(rows),
	              .stored = table_make(stored),
	              .live = table_make(live),
	              .applied = applied,
	              .impact = no_impact};
	compare(&c);
	for (guint i = 0; i < change->fields->len; i++) {
		np_field_change *field = g_ptr_array_index(change->fields, i);
		char *recorded = field->after;
		field->after = field->before;
		field->before = recorded;
	}
}
