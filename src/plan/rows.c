/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/rows.h"

#include <string.h>

#include "base/units.h"
#include "plan/diff.h"

#define ROWS_USUAL 24

static GPtrArray *rows_new(void)
{
	return g_ptr_array_new_full(ROWS_USUAL, (GDestroyNotify)np_record_free);
}

static void add(GPtrArray *rows, const char *name, const char *value)
{
	g_ptr_array_add(rows, np_record_new(name, value));
}

/* Takes the value. */
static void add_text(GPtrArray *rows, const char *name, char *value)
{
	add(rows, name, value);
	g_free(value);
}

bool np_row_is_item(const char *name)
{
	return g_str_has_prefix(name, "disks.") || g_str_has_prefix(name, "nics.") || g_str_has_prefix(name, "hosts.");
}

bool np_row_is_limit(const char *name)
{
	return strcmp(name, "memory_max") == 0 || strcmp(name, "vcpus_max") == 0;
}

bool np_row_is_part(const char *name)
{
	return g_str_has_prefix(name, "disks.") && strchr(name + strlen("disks."), '.');
}

const char *np_rows_get(const GPtrArray *rows, const char *name, bool *found)
{
	for (guint i = 0; rows && i < rows->len; i++) {
		const np_record *row = g_ptr_array_index(rows, i);
		if (strcmp(row->name, name) != 0)
			continue;
		if (found)
			*found = true;
		return row->value;
	}
	if (found)
		*found = false;
	return NULL;
}

static void drop(GPtrArray *rows, const char *name)
{
	for (guint i = rows->len; i-- > 0;)
		if (strcmp(((const np_record *)g_ptr_array_index(rows, i))->name, name) == 0)
			g_ptr_array_remove_index(rows, i);
}

static bool is_default_mtu(const np_kind *kind, const np_field *field, gconstpointer object)
{
	return kind == &np_network_kind && field->offset == G_STRUCT_OFFSET(np_network, mtu) && ((const np_network *)object)->mtu == 0;
}

/* Fields that are compared as they are written. NULL mask: all of them; else those that were observed. */
static void add_scalars(GPtrArray *rows, const np_kind *kind, gconstpointer object, bool all)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		bool scalar = field->type < NP_FIELD_STRINGS;
		/* Decided elsewhere: the accelerator, the image by its content, and what is there without being asked for. */
		bool decided = kind == &np_node_kind && (field->offset == G_STRUCT_OFFSET(np_node, accel) ||
		                                         field->offset == G_STRUCT_OFFSET(np_node, image) ||
		                                         field->offset == G_STRUCT_OFFSET(np_node, memory_max) ||
		                                         field->offset == G_STRUCT_OFFSET(np_node, vcpus_max));
		if ((field->flags & NP_FIELD_COMPARED) && scalar && !decided &&
		    (all || (((const np_object *)object)->set >> i & 1)))
			add_text(rows, field->name, is_default_mtu(kind, field, object) ? g_strdup("default") : np_field_format(field, object));
	}
}

/* ── nodes ── */

static int compare_features(gconstpointer a, gconstpointer b)
{
	const np_feature *const *x = a, *const *y = b;
	return g_strcmp0((*x)->base.name, (*y)->base.name);
}

np_cpu_mode np_cpu_mode_effective(const np_node *node, bool kvm)
{
	bool own = node->cpu.mode == NP_CPU_AUTO || (node->cpu.mode == NP_CPU_HOST_PASSTHROUGH && !kvm);
	if (!own)
		return (np_cpu_mode)node->cpu.mode;
	return kvm ? NP_CPU_HOST_PASSTHROUGH : NP_CPU_MAXIMUM; /* the emulator's counterpart */
}

/* Features that count: vmx and svm are ours to set on every node, so they count only when somebody names them. */
static bool counts(const np_node *want, const char *const *recorded, const np_feature *feature)
{
	return (want && want->cpu.features && np_map_find(want->cpu.features, feature->base.name)) ||
	       (recorded && g_strv_contains(recorded, feature->base.name));
}

/* One that the lab file named when it was last applied, and names no longer, is a difference as well, unless it is what the node
 * is given anyway. NULL: none; caller frees. */
static char **recorded_features(const np_seen_node *have, bool is_site)
{
	const char *record = have->applied ? g_hash_table_lookup(have->applied, "cpu") : NULL;
	if (!record || !strchr(record, '='))
		return NULL;
	g_auto(GStrv) words = g_strsplit(record, " ", -1);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (char **word = words; *word; word++) {
		g_autofree char *name = g_strndup(*word, strcspn(*word, "="));
		const np_feature *feature = strchr(*word, '=') ? np_map_find(have->node->cpu.features, name) : NULL;
		bool nests = strcmp(name, "svm") == 0 || strcmp(name, "vmx") == 0;
		if (feature && !(nests && feature->policy == (is_site ? NP_POLICY_REQUIRE : NP_POLICY_DISABLE)))
			g_ptr_array_add(names, g_steal_pointer(&name));
	}
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_steal(names, NULL);
}

/* "custom EPYC svm=require" */
static char *cpu_text(np_cpu_mode mode, const np_cpu *cpu, const np_node *want, const char *const *recorded)
{
	const char *model = mode == NP_CPU_CUSTOM ? cpu->model : NULL;
	if (!cpu->features || cpu->features->len == 0)
		return g_strjoin(" ", np_cpu_mode_names[mode], model, NULL);
	g_autoptr(GPtrArray) features = g_ptr_array_new();
	for (guint i = 0; i < cpu->features->len; i++) {
		np_feature *feature = g_ptr_array_index(cpu->features, i);
		if (counts(want, recorded, feature))
			g_ptr_array_add(features, feature);
	}
	g_ptr_array_sort(features, compare_features);
	GString *text = g_string_new(np_cpu_mode_names[mode]);
	if (model)
		g_string_append_printf(text, " %s", model);
	for (guint i = 0; i < features->len; i++) {
		const np_feature *feature = g_ptr_array_index(features, i);
		g_string_append_printf(text, " %s=%s", feature->base.name, np_policy_names[feature->policy]);
	}
	return g_string_free(text, FALSE);
}

static void add_disks(GPtrArray *rows, const np_node *node)
{
	for (guint i = 0; node->disks && i < node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(node->disks, i);
		g_autofree char *name = g_strconcat("disks.", disk->base.name, NULL);
		add_text(rows, name, disk->size ? np_size_format(disk->size) : g_strdup(NP_ROW_ANY));
		g_autofree char *bus = g_strconcat(name, ".bus", NULL), *cache = g_strconcat(name, ".cache", NULL);
		add(rows, bus, np_bus_names[disk->bus]);
		add(rows, cache, np_cache_names[disk->cache]);
	}
}

static void add_nics(GPtrArray *rows, const np_node *node)
{
	for (guint i = 0; node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		g_autofree char *name = g_strconcat("nics.", nic->base.name, NULL);
		g_autofree char *ip = nic->address ? np_ip_format(nic->address) : g_strdup("no address");
		add_text(rows, name, g_strjoin(" ", nic->network ? nic->network : "no network", nic->mac ? nic->mac : "no MAC", ip, NULL));
	}
}

/* Every machine has a most that it can have; it counts when the lab file gives one, or gave one when it was last applied. */
typedef struct {
	bool memory, vcpus;
} limits;

static limits limits_that_count(const np_node *want, GHashTable *applied)
{
	return (limits){
		(want && want->memory_max) || (applied && g_hash_table_lookup(applied, "memory_max")),
		(want && want->vcpus_max) || (applied && g_hash_table_lookup(applied, "vcpus_max")),
	};
}

static void add_limits(GPtrArray *rows, const np_node *node, limits counts)
{
	char digits[NP_UINT_TEXT];
	if (counts.memory)
		add_text(rows, "memory_max", np_size_format(MAX(node->memory, node->memory_max)));
	if (counts.vcpus)
		add(rows, "vcpus_max", np_uint_text(MAX(node->vcpus, node->vcpus_max), digits));
}

static void add_identity(GPtrArray *rows, const char *image, const char *inject, const char *share, bool site)
{
	if (image)
		add(rows, "image", image);
	if (inject)
		add(rows, "inject", inject);
	if (share)
		add(rows, "images", share);
	add(rows, "hypervisor", site ? "yes" : "no");
}

GPtrArray *np_rows_wanted_node(const np_node *want, GHashTable *applied, bool kvm, const char *image)
{
	GPtrArray *rows = rows_new();
	add_scalars(rows, &np_node_kind, want, true);
	add_limits(rows, want, limits_that_count(want, applied));
	add(rows, "accel", np_accel_names[kvm ? NP_ACCEL_KVM : NP_ACCEL_EMULATE]);
	add_text(rows, "cpu", cpu_text(np_cpu_mode_effective(want, kvm), &want->cpu, want, NULL));
	add(rows, "protect", want->protect ? "true" : "false");
	add_identity(rows, image, want->inject_id, want->site.nodes->len ? want->site.share : NULL, np_node_is_site(want));
	add_disks(rows, want);
	add_nics(rows, want);
	return rows;
}

GPtrArray *np_rows_stored_node(const np_seen_node *have, const np_node *want)
{
	GPtrArray *rows = rows_new();
	const np_node *node = have->node;
	g_auto(GStrv) recorded = recorded_features(have, want ? np_node_is_site(want) : have->hypervisor);
	add_scalars(rows, &np_node_kind, node, false);
	add_limits(rows, node, limits_that_count(want, have->applied));
	add(rows, "accel", np_accel_names[node->accel]);
	add_text(rows, "cpu", cpu_text((np_cpu_mode)node->cpu.mode, &node->cpu, want, (const char *const *)recorded));
	/* Kept only in the mark, so that it still holds when the lab file no longer has the node. */
	const char *protect = have->applied ? g_hash_table_lookup(have->applied, "protect") : NULL;
	if (protect)
		add(rows, "protect", protect);
	/* A hypervisor whose share was taken away differs from one that never had one. */
	const char *share = have->share ? have->share : want && want->site.nodes->len ? "none" : NULL;
	add_identity(rows, have->image_id, have->inject_id, share, have->hypervisor);
	add_disks(rows, node);
	add_nics(rows, node);
	return rows;
}

/* libvirt expands the CPU of what runs, and cannot change it. */
GPtrArray *np_rows_live_node(const np_seen_node *have)
{
	if (!have->live)
		return NULL;
	GPtrArray *rows = rows_new();
	add_scalars(rows, &np_node_kind, have->live, false);
	/* Without a balloon driver it would differ for ever. */
	if (have->unsettled)
		drop(rows, "memory");
	add(rows, "accel", np_accel_names[have->live->accel]);
	add_disks(rows, have->live);
	add_nics(rows, have->live);
	return rows;
}

GPtrArray *np_node_record(const np_node *node, bool kvm, const char *image)
{
	return np_rows_wanted_node(node, NULL, kvm, image);
}

/* ── networks ── */

/* libvirt keeps no range for a bridge that is not its own. */
static bool is_seen(const char *name, const np_network *want)
{
	return want->mode != NP_NET_BRIDGE || strcmp(name, "cidr") != 0;
}

static void keep_seen(GPtrArray *rows, const np_network *want)
{
	guint kept = 0;
	for (guint i = 0; i < rows->len; i++) {
		np_record *row = g_ptr_array_index(rows, i);
		if (is_seen(row->name, want)) {
			rows->pdata[i] = rows->pdata[kept];
			rows->pdata[kept++] = row;
		}
	}
	g_ptr_array_set_size(rows, (gint)kept);
}

static void add_host(GPtrArray *rows, const np_network *network, const np_node *node, const np_nic *nic)
{
	g_autofree char *ip = np_ip_format(nic->address);
	g_autofree char *name = g_strconcat("hosts.", ip, NULL);
	add_text(rows, name, np_host_text(node->base.name, network->dhcp ? nic->mac : NULL));
}

/* The site that a network is declared in. */
static const np_site *site_of(const np_lab *lab, const np_network *network)
{
	const char *slash = strrchr(network->address, '/');
	if (!slash)
		return &lab->site;
	g_autofree char *address = g_strndup(network->address, (gsize)(slash - network->address));
	const np_node *node = np_lab_node(lab, address);
	return node ? &node->site : NULL;
}

static void add_wanted_hosts(GPtrArray *rows, const np_lab *lab, const np_network *network)
{
	const np_site *site = np_cidr_is_set(network->cidr) ? site_of(lab, network) : NULL;
	for (guint i = 0; site && i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		for (guint j = 0; node->nics && j < node->nics->len; j++) {
			const np_nic *nic = g_ptr_array_index(node->nics, j);
			if (nic->address && np_nic_network(node, nic) == network)
				add_host(rows, network, node, nic);
		}
	}
}

GPtrArray *np_network_record(const np_network *network)
{
	GPtrArray *rows = rows_new();
	add_scalars(rows, &np_network_kind, network, true);
	add(rows, "autostart", "true");
	keep_seen(rows, network);
	return rows;
}

GPtrArray *np_rows_wanted_network(const np_lab *lab, const np_network *want, bool with_hosts)
{
	GPtrArray *rows = np_network_record(want);
	if (with_hosts && want->mode != NP_NET_BRIDGE)
		add_wanted_hosts(rows, lab, want);
	return rows;
}

GPtrArray *np_rows_seen_network(const np_network *network, bool autostart)
{
	GPtrArray *rows = rows_new();
	add_scalars(rows, &np_network_kind, network, false);
	add(rows, "autostart", autostart ? "true" : "false");
	keep_seen(rows, network);
	return rows;
}

static void add_seen_hosts(GPtrArray *rows, GHashTable *hosts)
{
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(hosts), (GCompareFunc)(void (*)(void))strcmp);
	for (GList *key = keys; key; key = key->next) {
		g_autofree char *name = g_strconcat("hosts.", (char *)key->data, NULL);
		add(rows, name, g_hash_table_lookup(hosts, key->data));
	}
}

GPtrArray *np_rows_stored_network(const np_seen_network *have, const np_network *want)
{
	GPtrArray *rows = np_rows_seen_network(have->network, have->autostart);
	if (have->hosts)
		add_seen_hosts(rows, have->hosts);
	keep_seen(rows, want);
	return rows;
}

GPtrArray *np_rows_live_network(const np_seen_network *have, const np_network *want)
{
	if (!have->live)
		return NULL;
	GPtrArray *rows = np_rows_seen_network(have->live, have->autostart);
	if (have->live_hosts)
		add_seen_hosts(rows, have->live_hosts);
	keep_seen(rows, want);
	return rows;
}
