/* SPDX-License-Identifier: Apache-2.0 */
/* Field by field: what a node or network has against what it should have. Only declared things are compared; what libvirt
 * fills in is no difference. */
#include "plan/diff.h"

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

/* "custom EPYC +svm": features that the lab names; vmx and svm are ours to set on every node, so they count only when named. */
static char *cpu_text(np_cpu_mode mode, const np_cpu *cpu, const np_cpu *named)
{
	GString *text = g_string_new(np_cpu_mode_names[mode]);
	if (mode == NP_CPU_CUSTOM && cpu->model)
		g_string_append_printf(text, " %s", cpu->model);
	g_autoptr(GPtrArray) features = g_ptr_array_new();
	for (guint i = 0; cpu->features && i < cpu->features->len; i++) {
		np_feature *feature = g_ptr_array_index(cpu->features, i);
		if (named->features && np_map_find(named->features, feature->base.name))
			g_ptr_array_add(features, feature);
	}
	g_ptr_array_sort(features, compare_features);
	for (guint i = 0; i < features->len; i++) {
		const np_feature *feature = g_ptr_array_index(features, i);
		g_string_append_printf(text, " %s=%s", feature->base.name, np_policy_names[feature->policy]);
	}
	return g_string_free(text, FALSE);
}

static void differ(np_change *change, const char *name, const char *before, const char *after, np_impact impact)
{
	if (g_strcmp0(before, after) == 0)
		return;
	np_change_field(change, name, before, after);
	change->impact = MAX(change->impact, impact);
}

static void diff_scalars(np_change *change, const np_kind *kind, gconstpointer want, gconstpointer have)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		bool scalar = field->type < NP_FIELD_STRINGS;
		bool decided = kind == &np_node_kind && field->offset == G_STRUCT_OFFSET(np_node, accel);
		/* libvirt keeps no range for a bridge that is not its own. */
		bool unseen = kind == &np_network_kind && field->type == NP_FIELD_CIDR &&
		              ((const np_network *)want)->mode == NP_NET_BRIDGE;
		if (!(field->flags & NP_FIELD_COMPARED) || !scalar || decided || unseen || !np_object_has(kind, have, field->name))
			continue;
		g_autofree char *before = np_field_format(field, have);
		g_autofree char *after = np_field_format(field, want);
		differ(change, field->name, before, after, field->impact);
	}
}

static void diff_disks(np_change *change, const np_node *want, const np_node *have, const char *damaged)
{
	for (guint i = 0; want->disks && i < want->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(want->disks, i);
		const np_disk *other = have->disks ? np_map_find(have->disks, disk->base.name) : NULL;
		g_autofree char *name = g_strdup_printf("disks.%s", disk->base.name);
		const np_field *size = np_kind_field(&np_disk_kind, "size");
		g_autofree char *after = disk->size ? np_field_format(size, disk) : g_strdup("the image's size");
		if (g_strcmp0(damaged, disk->base.name) == 0) {
			differ(change, name, "damaged: no qcow2 image", after, NP_IMPACT_RECREATE);
			continue;
		}
		if (!other) {
			differ(change, name, NULL, after, NP_IMPACT_RESTART);
			continue;
		}
		g_autofree char *before = np_field_format(size, other);
		if (disk->size && other->size) /* refused by the caller unless the node is rebuilt anyway: data would be lost */
			differ(change, name, before, after, NP_IMPACT_RESTART);
	}
	for (guint i = 0; have->disks && i < have->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(have->disks, i);
		g_autofree char *name = g_strdup_printf("disks.%s", disk->base.name);
		if (!want->disks || !np_map_find(want->disks, disk->base.name))
			differ(change, name, "present", NULL, NP_IMPACT_RESTART);
	}
}

static char *nic_text(const np_nic *nic)
{
	g_autofree char *ip = nic->address ? np_ip_format(nic->address) : g_strdup("no address");
	return g_strdup_printf("%s %s %s", nic->network, nic->mac, ip);
}

/* Addresses are written into the disk before the first boot, so another address needs another disk. */
static void diff_nics(np_change *change, const np_node *want, const np_node *have)
{
	for (guint i = 0; want->nics && i < want->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(want->nics, i);
		const np_nic *other = have->nics ? np_map_find(have->nics, nic->base.name) : NULL;
		g_autofree char *name = g_strdup_printf("nics.%s", nic->base.name);
		g_autofree char *before = other ? nic_text(other) : NULL;
		g_autofree char *after = nic_text(nic);
		differ(change, name, before, after, NP_IMPACT_RECREATE);
	}
	for (guint i = 0; have->nics && i < have->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(have->nics, i);
		g_autofree char *name = g_strdup_printf("nics.%s", nic->base.name);
		g_autofree char *before = nic_text(nic);
		if (!want->nics || !np_map_find(want->nics, nic->base.name))
			differ(change, name, before, NULL, NP_IMPACT_RECREATE);
	}
}

static char *short_id(const char *id)
{
	return g_strndup(id, 7 + 12); /* "sha256-" and enough to tell apart */
}

static void diff_identity(np_change *change, const char *name, const char *before, const char *after)
{
	if (!before || !after || g_str_equal(before, after))
		return;
	g_autofree char *was = short_id(before), *is = short_id(after);
	differ(change, name, was, is, NP_IMPACT_RECREATE);
}

void np_diff_node_fields(np_change *change, const np_node *want, const np_seen_node *have, bool kvm, const char *image_id)
{
	const np_node *node = have->node;
	diff_scalars(change, &np_node_kind, want, node);
	const char *accel = np_accel_names[kvm ? NP_ACCEL_KVM : NP_ACCEL_EMULATE];
	differ(change, "accel", np_accel_names[node->accel], accel, NP_IMPACT_RESTART);
	g_autofree char *before = cpu_text((np_cpu_mode)node->cpu.mode, &node->cpu, &want->cpu);
	g_autofree char *after = cpu_text(np_cpu_mode_effective(want, kvm), &want->cpu, &want->cpu);
	differ(change, "cpu", before, after, NP_IMPACT_RESTART);
	diff_identity(change, "image", have->image_id, image_id);
	diff_identity(change, "inject", have->inject_id, want->inject_id);
	if (want->site.nodes->len)
		differ(change, "images", have->share, want->site.share, NP_IMPACT_RESTART);
	diff_disks(change, want, node, have->damaged);
	diff_nics(change, want, node);
	if (have->hypervisor != np_node_is_site(want))
		differ(change, "hypervisor", have->hypervisor ? "yes" : "no", have->hypervisor ? "no" : "yes", NP_IMPACT_RECREATE);
	change->action = change->impact == NP_IMPACT_RECREATE ? NP_ACTION_REPLACE : NP_ACTION_UPDATE;
	if (have->power == NP_POWER_RUNNING && (have->ready || want->ready.wait == NP_WAIT_NONE))
		return;
	change->start_only = change->fields->len == 0;
	if (have->power == NP_POWER_RUNNING)
		np_change_field(change, "ready", "no", "yes");
	else
		np_change_field(change, "power", np_power_names[have->power], "running");
}

void np_diff_network_fields(np_change *change, const np_network *want, const np_seen_network *have)
{
	diff_scalars(change, &np_network_kind, want, have->network);
	change->action = change->impact == NP_IMPACT_LIVE ? NP_ACTION_UPDATE : NP_ACTION_REPLACE;
	if (have->active)
		return;
	change->start_only = change->fields->len == 0;
	if (change->start_only)
		change->action = NP_ACTION_UPDATE;
	np_change_field(change, "active", "no", "yes");
}
