/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/domain_xml.h"

#include "drivers/libvirt/mark.h"

static void write_mark(xmlNode *root, const np_domain_spec *spec)
{
	const np_node *node = spec->node;
	const np_nic *access = np_node_access_nic(node);
	g_autofree char *ip = access && access->address ? np_ip_format(access->address) : NULL;
	xmlNode *mark = np_mark_write(root, spec->lab, node->address);
	np_xml_attr(mark, "image", spec->image_id);
	np_xml_attr(mark, "inject", node->inject_id);
	np_xml_attr(mark, "accel", np_accel_names[node->accel]);
	np_xml_attr(mark, "ip", ip);
	np_xml_attr(mark, "site", np_node_is_site(node) ? "yes" : "no");
	for (guint i = 0; node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		if (!nic->address)
			continue;
		g_autofree char *address = np_ip_format(nic->address);
		xmlNode *element = np_mark_add(mark, "nic");
		np_xml_attr(element, "name", nic->base.name);
		np_xml_attr(element, "address", address);
	}
	np_mark_record(mark, spec->record);
}

static void write_memory(xmlNode *root, const char *name, guint64 bytes)
{
	g_autofree char *kib = g_strdup_printf("%" G_GUINT64_FORMAT, bytes / 1024);
	np_xml_attr(np_xml_add_text(root, name, kib), "unit", "KiB");
}

/* As much as the guest may ever have, and what it has now: the difference can be given while it runs. */
static void write_size(xmlNode *root, const np_node *node)
{
	g_autofree char *vcpus = g_strdup_printf("%" G_GUINT64_FORMAT, MAX(node->vcpus, node->vcpus_max));
	write_memory(root, "memory", MAX(node->memory, node->memory_max));
	if (node->memory_max > node->memory)
		write_memory(root, "currentMemory", node->memory);
	xmlNode *vcpu = np_xml_add_text(root, "vcpu", vcpus);
	if (node->vcpus_max > node->vcpus)
		np_xml_attr_uint(vcpu, "current", node->vcpus);
}

static void write_machine(xmlNode *root, const np_node *node)
{
	write_size(root, node);
	xmlNode *os = np_xml_add(root, "os", NULL);
	xmlNode *type = np_xml_add_text(os, "type", "hvm");
	np_xml_attr(type, "arch", "x86_64");
	np_xml_attr(type, "machine", "q35");
	np_xml_add(os, "boot", "dev", "hd", NULL);
	xmlNode *features = np_xml_add(root, "features", NULL);
	np_xml_add(features, "acpi", NULL);
	np_xml_add(features, "apic", NULL);
}

/* host-passthrough is KVM's word; the emulator's counterpart is everything that it can emulate. */
static int cpu_mode(const np_domain_spec *spec)
{
	int mode = spec->node->cpu.mode;
	if (spec->kvm)
		return mode == NP_CPU_AUTO ? NP_CPU_HOST_PASSTHROUGH : mode;
	return mode == NP_CPU_AUTO || mode == NP_CPU_HOST_PASSTHROUGH ? NP_CPU_MAXIMUM : mode;
}

/* Named AMD models have no svm under KVM and no Intel model has vmx, so a hypervisor node asks for it by name. */
static void write_cpu(xmlNode *root, const np_domain_spec *spec)
{
	const np_cpu *cpu = &spec->node->cpu;
	int mode = cpu_mode(spec);
	xmlNode *element = np_xml_add(root, "cpu", "mode", np_cpu_mode_names[mode], NULL);
	if (mode == NP_CPU_HOST_PASSTHROUGH || mode == NP_CPU_MAXIMUM) {
		np_xml_attr(element, "check", "none");
		np_xml_attr(element, "migratable", "on");
	} else if (mode == NP_CPU_CUSTOM && cpu->model) {
		np_xml_attr(element, "match", "exact");
		np_xml_attr(np_xml_add_text(element, "model", cpu->model), "fallback", "forbid");
	}
	for (guint i = 0; cpu->features && i < cpu->features->len; i++) {
		const np_feature *feature = g_ptr_array_index(cpu->features, i);
		np_xml_add(element, "feature", "policy", np_policy_names[feature->policy], "name", feature->base.name,
		           NULL);
	}
	/* The emulator's own CPU without svm breaks its guests (seen with QEMU 7.2: `-cpu max,svm=off`, readlink gives garbage in
	 * every boot), so an emulated leaf keeps it. */
	bool can_lose = spec->kvm || mode != NP_CPU_MAXIMUM;
	if (spec->flag && (np_node_is_site(spec->node) || can_lose) && !(cpu->features && np_map_find(cpu->features, spec->flag)))
		np_xml_add(element, "feature", "policy", np_node_is_site(spec->node) ? "require" : "disable", "name",
		           spec->flag, NULL);
}

static void write_lifecycle(xmlNode *root)
{
	np_xml_add(root, "clock", "offset", "utc", NULL);
	np_xml_add_text(root, "on_poweroff", "destroy");
	np_xml_add_text(root, "on_reboot", "restart");
	np_xml_add_text(root, "on_crash", "destroy");
}

char *np_target_name(const char *prefix, unsigned index)
{
	g_autoptr(GString) name = g_string_new(NULL);
	for (unsigned rest = index + 1; rest > 0; rest = (rest - 1) / 26)
		g_string_prepend_c(name, (char)('a' + (rest - 1) % 26));
	g_string_prepend(name, prefix);
	return g_strdup(name->str);
}

static xmlNode *write_disk(xmlNode *devices, const char *pool, const char *volume, const char *format, int cache)
{
	xmlNode *disk = np_xml_add(devices, "disk", "type", "volume", "device", "disk", NULL);
	np_xml_add(disk, "driver", "name", "qemu", "type", format, "cache",
	           cache == NP_CACHE_DEFAULT ? NULL : np_cache_names[cache], "discard", "unmap", NULL);
	np_xml_add(disk, "source", "pool", pool, "volume", volume, NULL);
	return disk;
}

static void write_disks(xmlNode *devices, const np_domain_spec *spec)
{
	const np_node *node = spec->node;
	g_autofree char *pool = np_pool_name(spec->lab);
	unsigned n_virtio = 0, n_scsi = 0;
	gboolean needs_scsi = FALSE;
	for (guint i = 0; node->disks && i < node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(node->disks, i);
		gboolean virtio = disk->bus == NP_BUS_VIRTIO;
		g_autofree char *volume = np_volume_name(node->base.name, disk->base.name);
		g_autofree char *target = np_target_name(virtio ? "vd" : "sd", virtio ? n_virtio++ : n_scsi++);
		xmlNode *element = write_disk(devices, pool, volume, "qcow2", disk->cache);
		g_autofree char *serial = np_disk_serial(disk->base.name);
		np_xml_add(element, "target", "dev", target, "bus", np_bus_names[disk->bus], NULL);
		np_xml_add_text(element, "serial", serial);
		needs_scsi |= disk->bus == NP_BUS_SCSI;
	}
	if (spec->share) {
		g_autofree char *target = np_target_name("vd", n_virtio);
		xmlNode *element = write_disk(devices, NP_POOL_IMAGES, spec->share, "raw", NP_CACHE_DEFAULT);
		np_xml_add(element, "target", "dev", target, "bus", "virtio", NULL);
		np_xml_add_text(element, "serial", NP_SHARE_SERIAL);
		np_xml_add(element, "readonly", NULL);
		np_xml_add(element, "shareable", NULL);
	}
	if (needs_scsi)
		np_xml_add(devices, "controller", "type", "scsi", "model", "virtio-scsi", NULL);
}

static void write_nics(xmlNode *devices, const np_node *node)
{
	for (guint i = 0; node->nics && i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		const np_network *network = np_nic_network(node, nic);
		g_autofree char *alias = g_strconcat(NP_NIC_ALIAS, nic->base.name, NULL);
		xmlNode *element = np_xml_add(devices, "interface", "type", "network", NULL);
		np_xml_add(element, "mac", "address", nic->mac, NULL);
		np_xml_add(element, "source", "network", network ? network->libvirt_name : nic->network, NULL);
		np_xml_add(element, "model", "type", "virtio", NULL);
		if (network && network->mtu)
			np_xml_attr_uint(np_xml_add(element, "mtu", NULL), "size", network->mtu);
		np_xml_add(element, "alias", "name", alias, NULL);
	}
}

static void write_small_devices(xmlNode *devices)
{
	xmlNode *serial = np_xml_add(devices, "serial", "type", "pty", NULL);
	np_xml_add(serial, "target", "type", "isa-serial", "port", "0", NULL);
	xmlNode *console = np_xml_add(devices, "console", "type", "pty", NULL);
	np_xml_add(console, "target", "type", "serial", "port", "0", NULL);
	xmlNode *channel = np_xml_add(devices, "channel", "type", "unix", NULL);
	np_xml_add(channel, "target", "type", "virtio", "name", "org.qemu.guest_agent.0", NULL);
	np_xml_add(devices, "controller", "type", "usb", "model", "none", NULL);
	np_xml_add(devices, "memballoon", "model", "virtio", NULL);
	xmlNode *rng = np_xml_add(devices, "rng", "model", "virtio", NULL);
	np_xml_attr(np_xml_add_text(rng, "backend", "/dev/urandom"), "model", "random");
}

/* Each of these sits on a port of its own; so does the controller of the channel, which libvirt adds. */
#define ON_PORTS                                                                                                       \
	"disk[target/@bus='virtio'] | interface | controller[@type='scsi'] | channel | memballoon | rng"

/* A device can be added while the guest runs only on a port that is there already. */
static void write_ports(xmlNode *devices)
{
	g_autoptr(GPtrArray) found = np_xml_find(devices, ON_PORTS);
	for (guint i = 1; i <= found->len + NP_SPARE_PORTS; i++) {
		xmlNode *port = np_xml_add(devices, "controller", "type", "pci", NULL);
		np_xml_attr_uint(port, "index", i);
		np_xml_attr(port, "model", "pcie-root-port");
	}
}

char *np_domain_xml(const np_domain_spec *spec)
{
	g_autoptr(xmlDoc) doc = np_xml_new("domain");
	xmlNode *root = xmlDocGetRootElement(doc);
	np_xml_attr(root, "type", spec->kvm ? "kvm" : "qemu");
	np_xml_add_text(root, "name", spec->node->libvirt_name);
	np_xml_add_text(root, "uuid", spec->node->uuid);
	write_mark(root, spec);
	if (spec->node->description)
		np_xml_add_text(root, "description", spec->node->description);
	write_machine(root, spec->node);
	write_cpu(root, spec);
	write_lifecycle(root);
	xmlNode *devices = np_xml_add(root, "devices", NULL);
	write_disks(devices, spec);
	write_nics(devices, spec->node);
	write_small_devices(devices);
	write_ports(devices);
	return np_xml_format(doc);
}
