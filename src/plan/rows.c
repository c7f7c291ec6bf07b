/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/rows.h"

#include <string.h>

#include "base/units.h"
#include "plan/diff.h"

/* Asked of each row of each node: without a call for those that begin otherwise. */
#define BEGINS(name, prefix) ((name)[0] == (prefix)[0] && strncmp(name, prefix, strlen(prefix)) == 0)

bool np_row_is_item(const char *name)
{
	return BEGINS(name, "disks.") || BEGINS(name, "nics.") || BEGINS(name, "hosts.");
}

bool np_row_is_limit(const char *name)
{
	return strcmp(name, "memory_max") == 0 || strcmp(name, "vcpus_max") == 0;
}

bool np_row_is_part(const char *name)
{
	return BEGINS(name, "disks.") && strchr(name + strlen("disks."), '.');
}

static const char *size_text(np_record *rows, guint64 bytes)
{
	char text[NP_SIZE_TEXT];
	return np_record_keep(rows, np_size_text(bytes, text));
}

static bool is_default_mtu(const np_kind *kind, const np_field *field, gconstpointer object)
{
	return kind == &np_network_kind && field->offset == G_STRUCT_OFFSET(np_network, mtu) && ((const np_network *)object)->mtu == 0;
}

/* Decided elsewhere: the accelerator, the image by its content, and what is there without being asked for. */
static bool is_decided(const np_kind *kind, const np_field *field)
{
	return kind == &np_node_kind &&
	       (field->offset == G_STRUCT_OFFSET(np_node, accel) || field->offset == G_STRUCT_OFFSET(np_node, image) ||
	        field->offset == G_STRUCT_OFFSET(np_node, memory_max) || field->offset == G_STRUCT_OFFSET(np_node, vcpus_max));
}

/* Fields that are compared as they are written: all of them, or those that were observed. */
static void add_scalars(np_record *rows, const np_kind *kind, gconstpointer object, bool all)
{
	guint64 set = all ? ~(guint64)0 : ((const np_object *)object)->set;
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		char text[NP_FIELD_TEXT];
		if (!(field->flags & NP_FIELD_COMPARED) || !(set >> i & 1) || field->type >= NP_FIELD_STRINGS || is_decided(kind, field))
			continue;
		const char *value = is_default_mtu(kind, field, object) ? "default" : np_field_text(field, object, text);
		/* Names of values last; what is written or the object's does not. */
		bool lasts = field->type == NP_FIELD_ENUM || field->type == NP_FIELD_BOOL;
		np_record_add(rows, field->name, lasts ? value : np_record_keep(rows, value));
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

static void add_disks(np_record *rows, const np_node *node)
{
	for (guint i = 0; node->disks && i < node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(node->disks, i);
		const char *name = np_record_join(rows, "disks.", disk->base.name, NULL);
		np_record_add(rows, name, disk->size ? size_text(rows, disk->size) : NP_ROW_ANY);
		np_record_add(rows, np_record_join(rows, name, ".bus", NULL), np_bus_names[disk->bus]);
		np_record_add(rows, np_record_join(rows, name, ".cache", NULL), np_cache_names[disk->cache]);
	}
}

static void add_nics(np_record *rows, const np_node *node)
{
	for (guint i = 0; node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		char ip[NP_IP_TEXT];
		np_record_add(rows, np_record_join(rows, "nics.", nic->base.name, NULL),
		              np_record_join(rows, nic->network ? nic->network : "no network", " ", nic->mac ? nic->mac : "no MAC", " ",
		                             nic->address ? np_ip_text(nic->address, ip) : "no address", NULL));
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

static void add_limits(np_record *rows, const np_node *node, limits counts)
{
	char digits[NP_UINT_TEXT];
	if (counts.memory)
		np_record_add(rows, "memory_max", size_text(rows, MAX(node->memory, node->memory_max)));
	if (counts.vcpus)
		np_record_add(rows, "vcpus_max", np_record_keep(rows, np_uint_text(MAX(node->vcpus, node->vcpus_max), digits)));
}

static void add_identity(np_record *rows, const char *image, const char *inject, const char *share, bool site)
{
	if (image)
		np_record_add(rows, "image", np_record_keep(rows, image));
	if (inject)
		np_record_add(rows, "inject", np_record_keep(rows, inject));
	if (share)
		np_record_add(rows, "images", np_record_keep(rows, share));
	np_record_add(rows, "hypervisor", site ? "yes" : "no");
}

np_record *np_rows_wanted_node(const np_node *want, GHashTable *applied, bool kvm, const char *image)
{
	np_record *rows = np_record_new();
	add_scalars(rows, &np_node_kind, want, true);
	add_limits(rows, want, limits_that_count(want, applied));
	np_record_add(rows, "accel", np_accel_names[kvm ? NP_ACCEL_KVM : NP_ACCEL_EMULATE]);
	np_record_take(rows, "cpu", cpu_text(np_cpu_mode_effective(want, kvm), &want->cpu, want, NULL));
	np_record_add(rows, "protect", want->protect ? "true" : "false");
	add_identity(rows, image, want->inject_id, want->site.nodes->len ? want->site.share : NULL, np_node_is_site(want));
	add_disks(rows, want);
	add_nics(rows, want);
	return rows;
}

np_record *np_rows_stored_node(const np_seen_node *have, const np_node *want)
{
	np_record *rows = np_record_new();
	const np_node *node = have->node;
	g_auto(GStrv) recorded = recorded_features(have, want ? np_node_is_site(want) : have->hypervisor);
	add_scalars(rows, &np_node_kind, node, false);
	add_limits(rows, node, limits_that_count(want, have->applied));
	np_record_add(rows, "accel", np_accel_names[node->accel]);
	np_record_take(rows, "cpu", cpu_text((np_cpu_mode)node->cpu.mode, &node->cpu, want, (const char *const *)recorded));
	/* Kept only in the mark, so that it still holds when the lab file no longer has the node. */
	const char *protect = have->applied ? g_hash_table_lookup(have->applied, "protect") : NULL;
	if (protect)
		np_record_add(rows, "protect", np_record_keep(rows, protect));
	/* A hypervisor whose share was taken away differs from one that never had one. */
	const char *share = have->share ? have->share : want && want->site.nodes->len ? "none" : NULL;
	add_identity(rows, have->image_id, have->inject_id, share, have->hypervisor);
	add_disks(rows, node);
	add_nics(rows, node);
	return rows;
}

/* libvirt expands the CPU of what runs, and cannot change it. */
np_record *np_rows_live_node(const np_seen_node *have)
{
	if (!have->live)
		return NULL;
	np_record *rows = np_record_new();
	add_scalars(rows, &np_node_kind, have->live, false);
	/* Without a balloon driver it would differ for ever. */
	if (have->unsettled)
		np_record_remove(rows, "memory");
	np_record_add(rows, "accel", np_accel_names[have->live->accel]);
	add_disks(rows, have->live);
	add_nics(rows, have->live);
	return rows;
}

np_record *np_node_record(const np_node *node, bool kvm, const char *image)
{
	return np_rows_wanted_node(node, NULL, kvm, image);
}

/* ── networks ── */

/* libvirt keeps no range for a bridge that is not its own. */
static void keep_seen(np_record *rows, const np_network *want)
{
	if (want->mode == NP_NET_BRIDGE)
		np_record_remove(rows, "cidr");
}

static void add_host(np_record *rows, const np_network *network, const np_node *node, const np_nic *nic)
{
	g_autofree char *ip = np_ip_format(nic->address);
	np_record_take(rows, np_record_join(rows, "hosts.", ip, NULL), np_host_text(node->base.name, network->dhcp ? nic->mac : NULL));
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

static void add_wanted_hosts(np_record *rows, const np_lab *lab, const np_network *network)
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

np_record *np_network_record(const np_network *network)
{
	np_record *rows = np_record_new();
	add_scalars(rows, &np_network_kind, network, true);
	np_record_add(rows, "autostart", "true");
	keep_seen(rows, network);
	return rows;
}

np_record *np_rows_wanted_network(const np_lab *lab, const np_network *want, bool with_hosts)
{
	np_record *rows = np_network_record(want);
	if (with_hosts && want->mode != NP_NET_BRIDGE)
		add_wanted_hosts(rows, lab, want);
	return rows;
}

np_record *np_rows_seen_network(const np_network *network, bool autostart)
{
	np_record *rows = np_record_new();
	add_scalars(rows, &np_network_kind, network, false);
	np_record_add(rows, "autostart", autostart ? "true" : "false");
	keep_seen(rows, network);
	return rows;
}

static void add_seen_hosts(np_record *rows, GHashTable *hosts)
{
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(hosts), (GCompareFunc)(void (*)(void))strcmp);
	for (GList *key = keys; key; key = key->next)
		np_record_add(rows, np_record_join(rows, "hosts.", key->data, NULL),
		              np_record_keep(rows, g_hash_table_lookup(hosts, key->data)));
}

np_record *np_rows_stored_network(const np_seen_network *have, const np_network *want)
{
	np_record *rows = np_rows_seen_network(have->network, have->autostart);
	if (have->hosts)
		add_seen_hosts(rows, have->hosts);
	keep_seen(rows, want);
	return rows;
}

np_record *np_rows_live_network(const np_seen_network *have, const np_network *want)
{
	if (!have->live)
		return NULL;
	np_record *rows = np_rows_seen_network(have->live, have->autostart);
	if (have->live_hosts)
		add_seen_hosts(rows, have->live_hosts);
	keep_seen(rows, want);
	return rows;
}
