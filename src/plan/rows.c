/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of nodes, and what rows of both kinds have in common. */
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

bool np_row_is_optional(const char *name)
{
	return strcmp(name, "memory_max") == 0 || strcmp(name, "vcpus_max") == 0 || strcmp(name, "protects") == 0;
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
	        field->offset == G_STRUCT_OFFSET(np_node, memory_max) || field->offset == G_STRUCT_OFFSET(np_node, vcpus_max) ||
	        field->offset == G_STRUCT_OFFSET(np_node, description));
}

void np_rows_add_scalars(np_record *rows, const np_kind *kind, gconstpointer object, bool all)
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
		if (disk->source) {
			np_record_add(rows, name, disk->source);
			continue;
		}
		np_record_add(rows, name, disk->lost ? NP_ROW_LOST : disk->size ? size_text(rows, disk->size) : NP_ROW_ANY);
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

static const np_nic *nic_with(const np_node *node, np_ip address)
{
	for (guint i = 0; address && node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		if (nic->address == address)
			return nic;
	}
	return NULL;
}

const np_nic *np_node_access_moved(const np_node *want, const np_seen_node *have)
{
	const np_nic *nic = np_node_access_nic(want);
	const np_nic *had = nic && nic->address != have->ip ? nic_with(have->node, have->ip) : NULL;
	const np_nic *same = had ? np_map_find(have->node->nics, nic->base.name) : NULL;
	return same && same->address == nic->address && np_map_find(want->nics, had->base.name) ? had : NULL;
}

/* What may be there without the lab file: every machine has a most that it can have, and anybody may describe it. It counts when
 * the lab file gives it, or gave it when it was last applied. */
typedef struct {
	bool memory, vcpus, description;
} optional;

/* Blanks alone are lost on the way through XML. */
static bool is_described(const np_node *node)
{
	return node->description && node->description[strspn(node->description, " \t\r\n")];
}

static optional what_counts(const np_node *want, GHashTable *applied)
{
	return (optional){
		(want && want->memory_max) || (applied && g_hash_table_lookup(applied, "memory_max")),
		(want && want->vcpus_max) || (applied && g_hash_table_lookup(applied, "vcpus_max")),
		(want && is_described(want)) || (applied && g_hash_table_lookup(applied, "description")),
	};
}

/* Ends of lines are what XML makes of them, and libvirt keeps no empty text. */
static const char *description_text(np_record *rows, const np_node *node)
{
	if (!is_described(node))
		return NULL;
	if (!strchr(node->description, '\r'))
		return node->description;
	g_auto(GStrv) lines = g_strsplit(node->description, "\r\n", -1);
	g_autofree char *text = g_strjoinv("\n", lines);
	return np_record_keep(rows, g_strdelimit(text, "\r", '\n'));
}

static void add_optional(np_record *rows, const np_node *node, optional counts)
{
	char digits[NP_UINT_TEXT];
	if (counts.memory)
		np_record_add(rows, "memory_max", size_text(rows, MAX(node->memory, node->memory_max)));
	if (counts.vcpus)
		np_record_add(rows, "vcpus_max", np_record_keep(rows, np_uint_text(MAX(node->vcpus, node->vcpus_max), digits)));
	if (counts.description)
		np_record_add(rows, "description", description_text(rows, node));
}

static gint compare_networks(gconstpointer a, gconstpointer b)
{
	return g_strcmp0((*(np_network *const *)a)->base.name, (*(np_network *const *)b)->base.name);
}

/* "prov=data": the bridges that a hypervisor has over its NICs, for networks inside. Takes the networks; NULL: none. */
static const char *bridges_text(np_record *rows, GPtrArray *networks)
{
	g_autoptr(GPtrArray) own = networks;
	g_autoptr(GString) text = g_string_new(NULL);
	g_ptr_array_sort(own, compare_networks);
	for (guint i = 0; i < own->len; i++) {
		const np_network *network = g_ptr_array_index(own, i);
		g_string_append_printf(text, "%s%s=%s", text->len ? " " : "", network->base.name, network->nic);
	}
	return text->len ? np_record_keep(rows, text->str) : NULL;
}

static const char *bridges_wanted(np_record *rows, const np_node *want)
{
	GPtrArray *over = NULL;
	for (guint i = 0; i < want->site.networks->len; i++) {
		np_network *network = g_ptr_array_index(want->site.networks, i);
		if (network->mode == NP_NET_BRIDGE && network->nic)
			g_ptr_array_add(over = over ? over : g_ptr_array_new(), network);
	}
	return over ? bridges_text(rows, over) : NULL;
}

/* They are in its disk: the record has them, or, where that is older, the networks inside. */
static void add_bridges_had(np_record *rows, const np_seen_node *have)
{
	const char *recorded = have->applied ? g_hash_table_lookup(have->applied, "bridges") : NULL;
	if (recorded)
		np_record_add(rows, "bridges", np_record_keep(rows, recorded));
	if (recorded || !have->inside || !have->inside->reachable)
		return;
	GPtrArray *over = g_ptr_array_new();
	for (guint i = 0; i < have->inside->networks->len; i++) {
		np_network *network = ((np_seen_network *)g_ptr_array_index(have->inside->networks, i))->network;
		if (network->mode == NP_NET_BRIDGE && network->nic)
			g_ptr_array_add(over, network);
	}
	np_record_add(rows, "bridges", bridges_text(rows, over));
}

bool np_node_bridges_differ(const np_node *want, const np_seen_node *have)
{
	g_autoptr(np_record) rows = np_record_new();
	bool known;
	add_bridges_had(rows, have);
	const char *had = np_record_get(rows, "bridges", &known);
	return known && g_strcmp0(had, bridges_wanted(rows, want)) != 0;
}

static void add_keys(np_record *rows, const char *id)
{
	if (id)
		np_record_add(rows, NP_ROW_KEYS, np_record_keep(rows, id));
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

/* Takes `protects`. */
static void add_protects(np_record *rows, char *protects)
{
	if (protects)
		np_record_take(rows, "protects", protects);
}

static np_record *rows_of_wanted(const np_lab *lab, const np_node *want, GHashTable *applied, char *protects, bool kvm)
{
	np_record *rows = np_record_new();
	np_rows_add_scalars(rows, &np_node_kind, want, true);
	add_optional(rows, want, what_counts(want, applied));
	np_record_add(rows, "accel", np_accel_names[kvm ? NP_ACCEL_KVM : NP_ACCEL_EMULATE]);
	np_record_take(rows, "cpu", cpu_text(np_cpu_mode_effective(want, kvm), &want->cpu, want, NULL));
	np_record_add(rows, "protect", want->protect ? "true" : "false");
	add_protects(rows, protects);
	const char *share = want->site.nodes->len ? want->site.share : NULL;
	const char *image = want->root_image ? want->root_image->id : NULL;
	add_identity(rows, want->image ? image : NP_IMAGE_NONE, want->inject_id, share, np_node_is_site(want));
	if (want->image) /* nothing is written into others */
		add_keys(rows, lab->access.keys_id);
	const char *bridges = bridges_wanted(rows, want);
	if (bridges || (applied && g_hash_table_lookup(applied, "bridges")))
		np_record_add(rows, "bridges", bridges);
	add_disks(rows, want);
	add_nics(rows, want);
	return rows;
}

np_record *np_rows_wanted_node(const np_lab *lab, const np_node *want, const np_seen_node *have, bool kvm)
{
	return rows_of_wanted(lab, want, have->applied, have->hypervisor ? np_protects_wanted(want, have) : NULL, kvm);
}

np_record *np_rows_stored_node(const np_seen_node *have, const np_node *want)
{
	np_record *rows = np_record_new();
	const np_node *node = have->node;
	g_auto(GStrv) recorded = recorded_features(have, want ? np_node_is_site(want) : have->hypervisor);
	np_rows_add_scalars(rows, &np_node_kind, node, false);
	add_optional(rows, node, what_counts(want, have->applied));
	np_record_add(rows, "accel", np_accel_names[node->accel]);
	np_record_take(rows, "cpu", cpu_text((np_cpu_mode)node->cpu.mode, &node->cpu, want, (const char *const *)recorded));
	/* Kept only in the mark, so that it still holds when the lab file no longer has the node. */
	const char *protect = have->applied ? g_hash_table_lookup(have->applied, "protect") : NULL;
	if (protect)
		np_record_add(rows, "protect", np_record_keep(rows, protect));
	if (have->hypervisor)
		add_protects(rows, np_protects_stored(want, have));
	/* A hypervisor whose share was taken away differs from one that never had one. */
	const char *share = have->share ? have->share : want && want->site.nodes->len ? "none" : NULL;
	/* A record that names no image is of a node without one. */
	const char *image = have->image_id ? have->image_id : have->applied ? NP_IMAGE_NONE : NULL;
	add_identity(rows, image, have->inject_id, share, have->hypervisor);
	add_keys(rows, have->applied ? g_hash_table_lookup(have->applied, NP_ROW_KEYS) : NULL);
	add_bridges_had(rows, have);
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
	np_rows_add_scalars(rows, &np_node_kind, have->live, false);
	/* Without a balloon driver it would differ for ever. */
	if (have->unsettled)
		np_record_remove(rows, "memory");
	add_optional(rows, have->live, (optional){.description = true});
	np_record_add(rows, "accel", np_accel_names[have->live->accel]);
	add_disks(rows, have->live);
	add_nics(rows, have->live);
	return rows;
}

np_record *np_node_record(const np_lab *lab, const np_node *node, const np_seen_node *have, bool kvm)
{
	return rows_of_wanted(lab, node, NULL, np_protects_record(node, have), kvm);
}
