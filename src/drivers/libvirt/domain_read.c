/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/domain_read.h"

#include <string.h>

#include "base/address.h"
#include "base/units.h"
#include "drivers/libvirt/domain_xml.h"
#include "drivers/libvirt/names.h"

/* Index of a spelling, `missing` when it is absent or unknown. Takes text. */
static int enum_of(const char *const *names, char *text, int missing)
{
	int found = missing;
	for (int i = 0; text && names[i]; i++)
		if (strcmp(names[i], text) == 0)
			found = i;
	g_free(text);
	return found;
}

static void read_cpu(xmlNode *root, np_cpu *cpu)
{
	cpu->mode = enum_of(np_cpu_mode_names, np_xml_get(root, "cpu/@mode"), NP_CPU_AUTO);
	np_object_mark(&np_cpu_kind, &cpu->base, "mode");
	g_free(cpu->model);
	cpu->model = np_xml_get(root, "cpu/model");
	if (cpu->model)
		np_object_mark(&np_cpu_kind, &cpu->base, "model");
	g_autoptr(GPtrArray) found = np_xml_find(root, "cpu/feature[@name]");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *element = g_ptr_array_index(found, i);
		g_autofree char *name = np_xml_get(element, "@name");
		np_feature *feature = np_object_new(&np_feature_kind, name);
		feature->policy = enum_of(np_policy_names, np_xml_get(element, "@policy"), NP_POLICY_REQUIRE);
		np_object_mark(&np_feature_kind, &feature->base, "policy");
		g_ptr_array_add(np_objects_own(&cpu->features), feature);
	}
	np_object_mark(&np_cpu_kind, &cpu->base, "features");
}

static void read_disks(xmlNode *root, np_node *node)
{
	g_autoptr(GPtrArray) found =
	        np_xml_find(root, "devices/disk[@type='volume' and not(serial='" NP_SHARE_SERIAL "')]");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *element = g_ptr_array_index(found, i);
		g_autofree char *volume = np_xml_get(element, "source/@volume");
		g_autofree char *name = np_disk_of_volume(node->base.name, volume);
		if (!name)
			continue;
		np_disk *disk = np_object_new(&np_disk_kind, name);
		disk->bus = enum_of(np_bus_names, np_xml_get(element, "target/@bus"), NP_BUS_VIRTIO);
		disk->cache = enum_of(np_cache_names, np_xml_get(element, "driver/@cache"), NP_CACHE_DEFAULT);
		np_object_mark(&np_disk_kind, &disk->base, "bus");
		np_object_mark(&np_disk_kind, &disk->base, "cache");
		g_ptr_array_add(np_objects_own(&node->disks), disk);
	}
	np_object_mark(&np_node_kind, &node->base, "disks");
}

/* Ones that somebody attached by hand, shown by their place. */
static void read_foreign_disks(xmlNode *root, np_node *node)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, NP_FOREIGN_DISKS);
	for (guint i = 0; i < found->len; i++) {
		xmlNode *element = g_ptr_array_index(found, i);
		g_autofree char *target = np_xml_get(element, "target/@dev");
		g_autofree char *name = np_foreign_disk_name(target);
		np_disk *disk = np_object_new(&np_disk_kind, name);
		disk->source = np_xml_get(element, "source/@file");
		if (!disk->source)
			disk->source = np_xml_get(element, "source/@dev");
		if (!disk->source)
			disk->source = g_strdup("nothing");
		/* Nothing is unplugged from a bus that is not known. */
		disk->bus = enum_of(np_bus_names, np_xml_get(element, "target/@bus"), NP_BUS_SATA);
		g_ptr_array_add(np_objects_own(&node->disks), disk);
	}
}

static void read_address(xmlNode *root, np_nic *nic)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "metadata/np:lab/np:nic");
	for (guint i = 0; i < found->len; i++) {
		g_autofree char *name = np_xml_get(g_ptr_array_index(found, i), "@name");
		g_autofree char *address = np_xml_get(g_ptr_array_index(found, i), "@address");
		if (g_strcmp0(name, nic->base.name) == 0 && address && np_ip_parse(address, &nic->address))
			np_object_mark(&np_nic_kind, &nic->base, "address");
	}
}

static void read_nics(xmlNode *root, const char *lab, np_node *node)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "devices/interface");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *element = g_ptr_array_index(found, i);
		g_autofree char *alias = np_xml_get(element, "alias/@name");
		g_autofree char *network = np_xml_get(element, "source/@network");
		/* One that somebody added by hand has no alias of ours; it is shown by its place. */
		g_autofree char *name = alias && g_str_has_prefix(alias, NP_NIC_ALIAS)
		                                ? g_strdup(alias + strlen(NP_NIC_ALIAS))
		                                : g_strdup_printf("nic-%u", i + 1);
		np_nic *nic = np_object_new(&np_nic_kind, name);
		g_free(nic->network);
		g_free(nic->mac);
		nic->network = network ? g_strdup(np_name_in_lab(lab, network)) : NULL;
		nic->mac = np_xml_get(element, "mac/@address");
		np_object_mark(&np_nic_kind, &nic->base, "network");
		np_object_mark(&np_nic_kind, &nic->base, "mac");
		read_address(root, nic);
		g_ptr_array_add(np_objects_own(&node->nics), nic);
	}
	np_object_mark(&np_node_kind, &node->base, "nics");
}

static guint64 memory_of(xmlNode *root, const char *element)
{
	g_autofree char *attribute = g_strconcat(element, "/@unit", NULL);
	g_autofree char *unit = np_xml_get(root, attribute);
	bool bytes = g_strcmp0(unit, "b") == 0 || g_strcmp0(unit, "bytes") == 0;
	return np_size_up(np_xml_get_uint(root, element) * (bytes ? 1 : 1024), NP_MEMORY_UNIT);
}

/* What the guest has now: the balloon, and virtual CPUs that are not plugged in, make it less than the most it could have. */
static void read_size(xmlNode *root, np_node *node)
{
	node->memory = memory_of(root, np_xml_has(root, "currentMemory") ? "currentMemory" : "memory");
	node->vcpus = np_xml_get_uint(root, np_xml_has(root, "vcpu/@current") ? "vcpu/@current" : "vcpu");
	node->memory_max = memory_of(root, "memory");
	node->vcpus_max = np_xml_get_uint(root, "vcpu");
	np_object_mark(&np_node_kind, &node->base, "memory");
	np_object_mark(&np_node_kind, &node->base, "vcpus");
}

static void read_node(xmlNode *root, const np_mark *mark, np_node *node)
{
	g_autofree char *name = np_xml_get(root, "name");
	g_autofree char *type = np_xml_get(root, "@type");
	g_free(node->base.name);
	node->base.name = g_strdup(np_name_in_lab(mark->lab, name));
	node->libvirt_name = g_steal_pointer(&name);
	node->uuid = np_xml_get(root, "uuid");
	node->address = g_strdup(mark->address);
	node->level = np_address_level(mark->address);
	/* Of a machine that was taken over by import --adopt the title is the description where it has no other. */
	node->description = np_xml_get(root, "description");
	if (!node->description)
		node->description = np_xml_get(root, "title");
	read_size(root, node);
	node->accel = g_strcmp0(type, "kvm") == 0 ? NP_ACCEL_KVM : NP_ACCEL_EMULATE;
	static const char *const observed[] = {"accel", "cpu"};
	for (unsigned i = 0; i < G_N_ELEMENTS(observed); i++)
		np_object_mark(&np_node_kind, &node->base, observed[i]);
	read_cpu(root, &node->cpu);
	read_disks(root, node);
	read_foreign_disks(root, node);
	read_nics(root, mark->lab, node);
}

void np_domain_read_live(xmlNode *root, const np_mark *mark, np_seen_node *seen)
{
	seen->live = np_object_new(&np_node_kind, NULL);
	read_node(root, mark, seen->live);
	bool balloon = np_xml_has(root, "devices/memballoon[not(@model='none')]");
	seen->memory_limit = balloon ? memory_of(root, "memory") : 0;
	seen->vcpus_limit = np_xml_get_uint(root, "vcpu");
}

np_seen_node *np_domain_read(xmlNode *root, np_mark *mark)
{
	np_seen_node *seen = np_seen_node_new();
	read_node(root, mark, seen->node);
	seen->image_id = g_strdup(mark->image);
	seen->inject_id = g_strdup(mark->inject);
	seen->want_accel = g_strdup(mark->accel);
	seen->hypervisor = mark->site;
	seen->applied = g_steal_pointer(&mark->applied);
	seen->share = np_xml_get(root, "devices/disk[serial='" NP_SHARE_SERIAL "']/source/@volume");
	if (mark->ip)
		(void)np_ip_parse(mark->ip, &seen->ip);
	return seen;
}
