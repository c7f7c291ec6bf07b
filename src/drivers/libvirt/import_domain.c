/* SPDX-License-Identifier: Apache-2.0 */
/* A foreign domain as a node; what the lab's language has no word for becomes remarks. */
#include <string.h>

#include "drivers/libvirt/domain_read.h"
#include "drivers/libvirt/domain_xml.h"
#include "drivers/libvirt/import.h"
#include "drivers/libvirt/names.h"

#define NAME_MAX_LENGTH 31
#define NIC_MAX_LENGTH  15

typedef struct {
	np_importer *importer;
	xmlNode *root;
	np_node *node;
	char *name;  /* libvirt's */
	char *about; /* "domain 'web'" */
} reader;

#define remark(r, object, ...)   np_remark_add((r)->importer, object, (r)->about, __VA_ARGS__)
#define obstacle(r, object, ...) np_obstacle_add((r)->importer, object, (r)->about, __VA_ARGS__)

static void mark(reader *r, const char *field)
{
	np_object_mark(&np_node_kind, &r->node->base, field);
}

/* Index of a spelling, -1 when it is absent or unknown. */
static int word(const char *const *names, const char *text)
{
	for (int i = 0; text && names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -1;
}

static void read_description(reader *r)
{
	r->node->description = np_xml_get(r->root, "description");
	if (!r->node->description)
		r->node->description = np_xml_get(r->root, "title");
	if (r->node->description)
		mark(r, "description");
}

static void read_size(reader *r)
{
	static const guint64 unit = 1024; /* libvirt writes KiB, whatever was given */
	guint64 most = np_xml_get_uint(r->root, "memory") * unit, current = np_xml_get_uint(r->root, "currentMemory") * unit;
	guint64 slots = np_xml_get_uint(r->root, "vcpu"), online = np_xml_get_uint(r->root, "vcpu/@current");
	r->node->memory = current ? current : most;
	r->node->vcpus = online ? online : slots;
	mark(r, "memory");
	mark(r, "vcpus");
	if (most > r->node->memory) {
		r->node->memory_max = most;
		mark(r, "memory_max");
	}
	if (slots > r->node->vcpus) {
		r->node->vcpus_max = slots;
		mark(r, "vcpus_max");
	}
	if (np_xml_has(r->root, "vcpu/@cpuset"))
		remark(r, r->node, "not expressed: <vcpu cpuset>");
}

static void read_accel(reader *r)
{
	g_autofree char *type = np_xml_get(r->root, "@type");
	if (g_strcmp0(type, "kvm") != 0 && g_strcmp0(type, "qemu") != 0)
		obstacle(r, r->node, "not expressed: a domain of type '%s'", type ? type : "");
	r->node->accel = g_strcmp0(type, "kvm") == 0 ? NP_ACCEL_KVM : NP_ACCEL_EMULATE;
	mark(r, "accel");
}

static void read_feature(reader *r, np_cpu *cpu, xmlNode *element)
{
	g_autofree char *name = np_xml_get(element, "@name");
	g_autofree char *policy = np_xml_get(element, "@policy");
	int known = policy ? word(np_policy_names, policy) : NP_POLICY_REQUIRE;
	if (known < 0 || !g_regex_match_simple(np_feature_kind.key_pattern, name, 0, 0) ||
	    np_map_find(cpu->features, name)) {
		remark(r, r->node, "not expressed: CPU feature '%s'", name);
		return;
	}
	np_feature *feature = np_object_new(&np_feature_kind, name);
	feature->policy = known;
	np_object_mark(&np_feature_kind, &feature->base, "policy");
	g_ptr_array_add(np_objects_own(&cpu->features), feature);
}

static void read_features(reader *r, np_cpu *cpu)
{
	g_autoptr(GPtrArray) features = np_xml_find(r->root, "cpu/feature[@name]");
	for (guint i = 0; i < features->len; i++)
		read_feature(r, cpu, g_ptr_array_index(features, i));
	if (features->len)
		np_object_mark(&np_cpu_kind, &cpu->base, "features");
}

static void read_cpu(reader *r)
{
	static const char *const known[] = {"model", "feature", "vendor", NULL};
	np_cpu *cpu = &r->node->cpu;
	g_autofree char *mode = np_xml_get(r->root, "cpu/@mode");
	int is = word(np_cpu_mode_names, mode);
	np_import_unknown(r->importer, r->node, r->about, r->root, "cpu/*", known);
	g_autofree char *model = is == NP_CPU_CUSTOM ? np_xml_get(r->root, "cpu/model") : NULL;
	const char *pattern = np_kind_field(&np_cpu_kind, "model")->pattern;
	if (is == NP_CPU_HOST_PASSTHROUGH && r->node->accel == NP_ACCEL_EMULATE) {
		obstacle(r, r->node, "not expressed: CPU mode host-passthrough of an emulated machine");
		return;
	}
	if (is <= NP_CPU_AUTO || (is == NP_CPU_CUSTOM && !(model && g_regex_match_simple(pattern, model, 0, 0)))) {
		obstacle(r, r->node, "not expressed: its CPU, which its definition leaves to the hypervisor");
		return;
	}
	cpu->mode = is;
	np_object_mark(&np_cpu_kind, &cpu->base, "mode");
	cpu->model = g_steal_pointer(&model);
	if (cpu->model)
		np_object_mark(&np_cpu_kind, &cpu->base, "model");
	read_features(r, cpu);
	mark(r, "cpu");
}

/* How it boots. Without its firmware or kernel a machine would not start any more. */
static void read_os(reader *r)
{
	static const char *const known[] = {"type",   "boot",   "loader",  "nvram", "firmware",
	                                    "kernel", "initrd", "cmdline", NULL};
	g_autofree char *arch = np_xml_get(r->root, "os/type/@arch");
	g_autofree char *machine = np_xml_get(r->root, "os/type/@machine");
	g_autofree char *boot = np_xml_get(r->root, "os/boot/@dev");
	if (arch && strcmp(arch, "x86_64") != 0)
		obstacle(r, r->node, "not expressed: architecture %s (a lab's machines are x86_64)", arch);
	if (np_xml_has(r->root, "os[@firmware='efi'] | os/loader | os/nvram"))
		obstacle(r, r->node, "not expressed: UEFI firmware (a lab's machines boot by BIOS)");
	if (np_xml_has(r->root, "os/kernel"))
		obstacle(r, r->node, "not expressed: a kernel outside its disk, <os><kernel>");
	if (machine && !strstr(machine, "q35"))
		remark(r, r->node, "not expressed: machine type %s (a lab's machines are q35)", machine);
	if (boot && strcmp(boot, "hd") != 0)
		remark(r, r->node, "not expressed: <boot dev='%s'>", boot);
	np_import_unknown(r->importer, r->node, r->about, r->root, "os/*", known);
}

static void remark_rest(reader *r)
{
	static const char *const known[] = {"name",     "uuid",          "title",    "description", "metadata",
	                                    "memory",   "currentMemory", "vcpu",     "os",          "features",
	                                    "cpu",      "clock",         "pm",       "on_poweroff", "on_reboot",
	                                    "on_crash", "devices",       "resource", NULL};
	static const char *const features[] = {"acpi", "apic", "pae", "vmport", NULL};
	/* What every machine has, or libvirt adds by itself. */
	static const char *const devices[] = {"emulator", "disk",    "controller", "interface", "serial",
	                                      "console",  "channel", "input",      "audio",     "memballoon",
	                                      "rng",      "video",   "hostdev",    NULL};
	g_autofree char *clock = np_xml_get(r->root, "clock/@offset");
	if (clock && strcmp(clock, "utc") != 0)
		remark(r, r->node, "not expressed: <clock offset='%s'>", clock);
	np_import_unknown(r->importer, r->node, r->about, r->root, "*", known);
	np_import_unknown(r->importer, r->node, r->about, r->root, "features/*", features);
	np_import_unknown(r->importer, r->node, r->about, r->root, "devices/*", devices);
	g_autoptr(GPtrArray) passed = np_xml_find(r->root, "devices/hostdev");
	for (guint i = 0; i < passed->len; i++) {
		g_autofree char *tag = np_import_tag(g_ptr_array_index(passed, i));
		obstacle(r, r->node, "not expressed: %s, a device of the host passed through", tag);
	}
}

/* ── disks ── */

GPtrArray *np_import_disks(xmlNode *root)
{
	return np_xml_find(root,
	                   "devices/disk[(not(@device) or @device='disk') and not(serial='" NP_SHARE_SERIAL "')]");
}

static char *disk_source(xmlNode *element)
{
	g_autofree char *file = np_xml_get(element, "source/@file | source/@dev | source/@name | source/@dir");
	g_autofree char *pool = np_xml_get(element, "source/@pool");
	g_autofree char *volume = np_xml_get(element, "source/@volume");
	return pool && volume ? g_strdup_printf("volume '%s' of pool '%s'", volume, pool)
	                      : g_strdup(file ? file : "nowhere");
}

static char *disk_name(reader *r, xmlNode *element, bool first, GHashTable *taken)
{
	g_autofree char *volume = np_xml_get(element, "source/@volume");
	g_autofree char *target = np_xml_get(element, "target/@dev");
	g_autofree char *ours = np_disk_of_volume(r->node->base.name, volume);
	return np_import_name(taken, "disk", first ? "root" : ours ? ours : target ? target : "disk", NAME_MAX_LENGTH);
}

static void remark_disk(reader *r, const np_disk *disk, xmlNode *element)
{
	static const char *const known[] = {"driver", "source",    "target",     "address",      "alias", "boot",
	                                    "serial", "shareable", "encryption", "backingStore", NULL};
	g_autofree char *source = disk_source(element);
	g_autofree char *format = np_xml_get(element, "driver/@type");
	g_autofree char *serial = np_xml_get(element, "serial");
	remark(r, disk, "is %s", source);
	if (!np_xml_has(element, "self::*[@type='file' or @type='volume']"))
		obstacle(r, disk, "not expressed: disk '%s' is no file", source);
	else if (g_strcmp0(format, "qcow2") != 0)
		obstacle(
		        r, disk,
		        "not expressed: format %s of disk '%s' (a lab's disks are qcow2; qemu-img convert makes it so)",
		        format ? format : "raw", source);
	if (np_xml_has(element, "shareable"))
		obstacle(r, disk, "not expressed: disk '%s' is shared with other machines", source);
	if (np_xml_has(element, "encryption | source/encryption"))
		obstacle(r, disk, "not expressed: disk '%s' is encrypted", source);
	if (serial)
		remark(r, disk, "not expressed: serial '%s'", serial);
	np_import_unknown(r->importer, disk, r->about, element, "*", known);
}

static void read_disk(reader *r, xmlNode *element, bool first, GHashTable *taken)
{
	g_autofree char *name = disk_name(r, element, first, taken);
	g_autofree char *bus = np_xml_get(element, "target/@bus");
	g_autofree char *cache = np_xml_get(element, "driver/@cache");
	np_disk *disk = np_object_new(&np_disk_kind, name);
	int known_bus = word(np_bus_names, bus), known_cache = word(np_cache_names, cache);
	g_ptr_array_add(np_objects_own(&r->node->disks), disk);
	remark_disk(r, disk, element);
	if (known_bus >= 0) {
		disk->bus = known_bus;
		np_object_mark(&np_disk_kind, &disk->base, "bus");
	} else {
		obstacle(r, disk, "not expressed: bus '%s' of disk '%s' (a lab has virtio, scsi and sata)",
		         bus ? bus : "", name);
	}
	if (known_cache >= 0) {
		disk->cache = known_cache;
		np_object_mark(&np_disk_kind, &disk->base, "cache");
	} else if (cache) {
		remark(r, disk, "not expressed: cache '%s'", cache);
	}
}

static void read_disks(reader *r)
{
	g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) disks = np_import_disks(r->root);
	g_autoptr(GPtrArray) others = np_xml_find(r->root, "devices/disk[@device and @device!='disk']");
	for (guint i = 0; i < disks->len; i++)
		read_disk(r, g_ptr_array_index(disks, i), i == 0, taken);
	for (guint i = 0; i < others->len; i++) {
		g_autofree char *tag = np_import_tag(g_ptr_array_index(others, i));
		g_autofree char *source = disk_source(g_ptr_array_index(others, i));
		remark(r, r->node, "not expressed: %s with %s", tag,
		       strcmp(source, "nowhere") == 0 ? "nothing in it" : source);
	}
	/* Its own disks are all that there is: no image of them is known. */
	r->node->image = g_strdup(NP_IMAGE_NONE);
	mark(r, "image");
}

/* ── NICs ── */

char *np_import_network_key(xmlNode *interface)
{
	g_autofree char *network = np_xml_get(interface, "self::*[@type='network']/source/@network");
	g_autofree char *bridge = np_xml_get(interface, "self::*[@type='bridge']/source/@bridge");
	if (network)
		return g_strconcat("network ", network, NULL);
	return bridge ? g_strconcat("bridge ", bridge, NULL) : NULL;
}

static char *nic_name(xmlNode *element, const np_network *network, unsigned number, GHashTable *taken)
{
	static const char *const kept[] = {"lo", "all", "default", NULL};
	g_autofree char *alias = np_xml_get(element, "alias/@name");
	g_autofree char *numbered = g_strdup_printf("nic-%u", number);
	bool ours = alias && g_str_has_prefix(alias, NP_NIC_ALIAS);
	g_autofree char *key = g_strconcat("nic ", network->base.name, NULL);
	bool fits = strlen(network->base.name) <= NIC_MAX_LENGTH && !g_strv_contains(kept, network->base.name) &&
	            !g_hash_table_contains(taken, key);
	return np_import_name(taken, "nic",
	                      ours   ? alias + strlen(NP_NIC_ALIAS)
	                      : fits ? network->base.name
	                             : numbered,
	                      NIC_MAX_LENGTH);
}

static void read_mac(reader *r, np_nic *nic, xmlNode *element)
{
	g_autofree char *text = np_xml_get(element, "mac/@address");
	g_autofree char *mac = text ? g_ascii_strdown(text, -1) : NULL;
	const np_field *field = np_kind_field(&np_nic_kind, "mac");
	if (!mac || !g_regex_match_simple(field->pattern, mac, 0, 0) ||
	    !g_hash_table_add(r->importer->taken, g_strdup(mac))) {
		obstacle(r, nic,
		         "not expressed: MAC address %s of NIC '%s', which another NIC has as well or which is none",
		         mac ? mac : "(none)", nic->base.name);
		return;
	}
	nic->mac = g_steal_pointer(&mac);
	np_object_mark(&np_nic_kind, &nic->base, "mac");
}

/* What the network hands out to it: a reservation, or the lease that it has now. */
static void read_address(reader *r, np_nic *nic, const np_network *network)
{
	np_ip ip = nic->mac ? GPOINTER_TO_UINT(g_hash_table_lookup(r->importer->addresses, nic->mac)) : 0;
	if (!ip || !np_cidr_contains(network->cidr, ip) || ip <= network->cidr.base + 1 ||
	    ip == np_cidr_broadcast(network->cidr))
		return;
	g_autofree char *key = g_strdup_printf("%s %u", network->base.name, ip);
	if (!g_hash_table_add(r->importer->taken, g_strdup(key)))
		return;
	nic->address = ip;
	np_object_mark(&np_nic_kind, &nic->base, "address");
}

static void remark_nic(reader *r, const np_nic *nic, xmlNode *element)
{
	static const char *const known[] = {"mac",    "source", "target", "model",       "address", "alias",
	                                    "driver", "mtu",    "vlan",   "virtualport", NULL};
	g_autofree char *model = np_xml_get(element, "model/@type");
	g_autofree char *group = np_xml_get(element, "source/@portgroup");
	if (model && strcmp(model, "virtio") != 0)
		remark(r, nic, "not expressed: model '%s' (a lab's NICs are virtio)", model);
	if (np_xml_has(element, "vlan"))
		obstacle(r, nic, "not expressed: the VLAN of NIC '%s'", nic->base.name);
	if (np_xml_has(element, "virtualport"))
		obstacle(r, nic, "not expressed: the virtual port of NIC '%s'", nic->base.name);
	if (group)
		obstacle(r, nic, "not expressed: portgroup '%s' of NIC '%s'", group, nic->base.name);
	np_import_unknown(r->importer, nic, r->about, element, "*", known);
}

static void read_nic(reader *r, xmlNode *element, unsigned number, GHashTable *taken)
{
	g_autofree char *key = np_import_network_key(element);
	np_network *network = key ? g_hash_table_lookup(r->importer->networks, key) : NULL;
	if (!network) {
		g_autofree char *tag = np_import_tag(element);
		obstacle(r, r->node, "not expressed: %s on %s", tag, key ? key : "no network or bridge of libvirt's");
		return;
	}
	g_autofree char *name = nic_name(element, network, number, taken);
	np_nic *nic = np_object_new(&np_nic_kind, name);
	g_ptr_array_add(np_objects_own(&r->node->nics), nic);
	if (strcmp(name, network->base.name) != 0) {
		nic->network = g_strdup(network->base.name);
		np_object_mark(&np_nic_kind, &nic->base, "network");
	}
	read_mac(r, nic, element);
	read_address(r, nic, network);
	remark_nic(r, nic, element);
}

static void read_nics(reader *r)
{
	g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) interfaces = np_xml_find(r->root, "devices/interface");
	for (guint i = 0; i < interfaces->len; i++)
		read_nic(r, g_ptr_array_index(interfaces, i), i + 1, taken);
}

/* Nothing in it knows the lab's keys, and its disks cannot be made again. */
static void read_ownership(reader *r)
{
	r->node->ready.wait = NP_WAIT_NONE;
	np_object_mark(&np_ready_kind, &r->node->ready.base, "wait");
	if (!r->importer->request->adopt)
		return;
	r->node->uuid = np_xml_get(r->root, "uuid");
	mark(r, "uuid");
	r->node->protect = TRUE;
	mark(r, "protect");
}

np_node *np_import_domain(np_importer *importer, xmlNode *root)
{
	reader r = {.importer = importer, .root = root, .name = np_xml_get(root, "name")};
	const char *shorter = np_name_in_lab(importer->request->name, r.name);
	g_autofree char *name = np_import_name(importer->names, "node", shorter, NAME_MAX_LENGTH);
	r.node = np_object_new(&np_node_kind, name);
	r.about = g_strdup_printf("domain '%s'", r.name);
	if (strcmp(name, r.name) != 0)
		remark(&r, r.node, "was domain '%s'", r.name);
	g_ptr_array_add(np_objects_own(&importer->import->lab->site.nodes), r.node);
	g_ptr_array_add(importer->import->origins, g_strdup(r.name));
	read_description(&r);
	read_size(&r);
	read_accel(&r);
	read_cpu(&r);
	read_os(&r);
	remark_rest(&r);
	read_disks(&r);
	read_nics(&r);
	read_ownership(&r);
	g_free(r.name);
	g_free(r.about);
	return r.node;
}
