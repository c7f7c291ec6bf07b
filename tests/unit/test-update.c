/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a domain that is there: devices keep their places, and what is done is exactly what differs. The stored and the
 * running domain are texts as libvirt 9.0 gives them. */
#include <string.h>

#include "../libvirt-fixture.h"
#include "base/error.h"
#include "drivers/libvirt/domain_keep.h"
#include "drivers/libvirt/domain_xml.h"
#include "drivers/libvirt/mark.h"
#include "drivers/libvirt/update_plan.h"

typedef np_lab fixture;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fixture, fixture_free)

#define ALIAS(name) "<alias name='" name "'/>"
#define PCI(bus)    "<address type='pci' domain='0x0000' bus='" bus "' slot='0x00' function='0x0'/>"
#define DISK(volume, target, bus)                                                                                      \
	"<disk type='volume' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>"                         \
	"<source pool='nestplan-devstack' volume='node." volume ".qcow2' index='1'/><target dev='" target              \
	"' bus='virtio'/>" ALIAS("virtio-" target) PCI(bus) "</disk>"
#define NIC(name, network, mac, bus)                                                                                   \
	"<interface type='network'><mac address='" mac "'/><source network='devstack." network                         \
	"' portid='0' bridge='np0'/><model type='virtio'/><mtu size='1500'/>" ALIAS("ua-nestplan-" name) PCI(bus)      \
	"</interface>"
#define PORTS                                                                                                          \
	"<controller type='pci' index='0' model='pcie-root'/>"                                                         \
	"<controller type='pci' index='1' model='pcie-root-port'>" PCI("0x00") "</controller>"                         \
	"<controller type='pci' index='2' model='pcie-root-port'/><controller type='pci' index='3' model='pcie-root-port'/>" \
	"<controller type='pci' index='4' model='pcie-root-port'/><controller type='pci' index='5' model='pcie-root-port'/>"
#define DOMAIN(devices)                                                                                                \
	"<domain type='qemu'><memory unit='KiB'>2097152</memory><currentMemory unit='KiB'>1048576</currentMemory>"     \
	"<vcpu current='2'>4</vcpu><os><type arch='x86_64' machine='pc-q35-6.2'>hvm</type></os><devices>" devices PORTS \
	"<memballoon model='virtio'>" PCI("0x05") "</memballoon></devices></domain>"
#define MAC_A "52:54:00:00:00:0a"
#define MAC_B "52:54:00:00:00:0b"

static const char running[] = DOMAIN(DISK("root", "vda", "0x01") DISK("old", "vdb", "0x02") DISK("data", "vdc", "0x03")
                                             NIC("a", "a", MAC_A, "0x04"));

/* 1 GiB of 2, 2 vCPUs of 4, disks root, old, data, and NIC a: what `running` is. */
static np_lab *same_lab(void)
{
	np_lab *lab = fixture_empty("devstack");
	fixture_network(lab, "a", "10.20.0.0/24", NP_NET_NAT);
	fixture_network(lab, "b", "10.20.1.0/24", NP_NET_NAT);
	np_node *node = fixture_node(lab, "node", GIB, 2);
	node->memory_max = 2 * GIB;
	node->vcpus_max = 4;
	fixture_disk(node, "root", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	fixture_disk(node, "old", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	fixture_disk(node, "data", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	np_nic *nic = fixture_nic(node, "a", "a", "10.20.0.11");
	g_free(nic->mac);
	nic->mac = g_strdup(MAC_A);
	return lab;
}

static np_nic *add_nic(np_node *node, const char *name, const char *mac)
{
	np_nic *nic = fixture_nic(node, name, name, NULL);
	g_free(nic->mac);
	nic->mac = g_strdup(mac);
	return nic;
}

static void drop_disk(np_node *node, guint index)
{
	np_object_free(&np_disk_kind, g_ptr_array_steal_index(node->disks, index));
}

static void set_size(GHashTable *sizes, const char *volume, guint64 size)
{
	g_hash_table_insert(sizes, g_strdup(volume), g_memdup2(&size, sizeof(size)));
}

/* The plan in words: "unplug NIC 'a' ua-nestplan-a", a line each; or "refused: …". */
static char *plan_words(np_lab *lab, const char *live_text, GHashTable *sizes)
{
	static const char *const verbs[] = {"unplug", "grow", "plug", "move", "set", "set"};
	const np_domain_spec spec = {.lab = "devstack", .node = np_lab_node(lab, "node")};
	g_autoptr(xmlDoc) live = live_text ? np_xml_parse(live_text, "live", NULL) : NULL;
	g_autoptr(xmlDoc) stored = np_xml_parse(running, "stored", NULL);
	g_autoptr(xmlDoc) wanted = np_domain_keep(&spec, xmlDocGetRootElement(stored), live ? xmlDocGetRootElement(live) : NULL);
	g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) steps = np_update_plan(&spec, xmlDocGetRootElement(wanted), live ? xmlDocGetRootElement(live) : NULL,
	                                            sizes ? sizes : none, &error);
	if (!steps) {
		g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
		return g_strdup_printf("refused: %s", error->message);
	}
	GString *words = g_string_new(NULL);
	for (guint i = 0; i < steps->len; i++) {
		const np_update_step *step = g_ptr_array_index(steps, i);
		g_string_append_printf(words, "%s %s%s%s%s%s", verbs[step->kind], step->what, step->device ? " " : "",
		                       step->device ? step->device : "", step->volume ? " " : "", step->volume ? step->volume : "");
		if (step->value)
			g_string_append_printf(words, " %" G_GUINT64_FORMAT, step->value);
		g_string_append_c(words, '\n');
	}
	return g_string_free(words, FALSE);
}

static void expect(np_lab *lab, const char *live, GHashTable *sizes, const char *wanted)
{
	g_autofree char *words = plan_words(lab, live, sizes);
	g_assert_cmpstr(words, ==, wanted);
}

static void test_nothing(void)
{
	g_autoptr(fixture) lab = same_lab();
	expect(lab, running, NULL, "");
	expect(lab, NULL, NULL, "");
}

#define FILE_DISK(bus, target)                                                                                              \
	"<disk type='file' device='disk'><source file='/srv/other.img'/><target dev='" target "' bus='" bus "'/>" ALIAS("own") "</disk>"
#define CD "<disk type='file' device='cdrom'><source file='/srv/cd.iso'/><target dev='sdz' bus='sata'/></disk>"

/* One that others attached is taken away, and what is in the drive stays. */
static void test_foreign_disk(void)
{
	g_autoptr(fixture) lab = same_lab();
	g_autoptr(GString) text = g_string_new(running);
	g_string_replace(text, "<devices>", "<devices>" FILE_DISK("virtio", "vdx") CD, 1);
	expect(lab, text->str, NULL, "unplug disk 'vdx*' own\n");
	g_string_replace(text, "bus='virtio'/>" ALIAS("own"), "bus='usb'/>" ALIAS("own"), 1);
	expect(lab, text->str, NULL,
	       "refused: Domain 'devstack.node': disk 'vdx*' is on bus usb, where nothing is plugged or unplugged while it runs.");
}

static void test_size(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	node->memory = 2 * GIB;
	node->vcpus = 4;
	expect(lab, running, NULL, "set vCPUs 4\nset memory 2147483648\n");
	expect(lab, NULL, NULL, "");
	node->memory = 3 * GIB;
	expect(lab, running, NULL,
	       "refused: Domain 'devstack.node': its memory cannot become 3GiB while it runs: it was started with at most 2GiB.");
	node->memory = GIB / 2;
	node->vcpus = 2;
	expect(lab, running, NULL, "set memory 536870912\n");
	node->vcpus = 1;
	expect(lab, running, NULL, "refused: Domain 'devstack.node': 1 of its 2 vCPUs cannot be taken from it while it runs.");
	node->vcpus = 5;
	expect(lab, running, NULL, "refused: Domain 'devstack.node': it cannot have 5 vCPUs while it runs: it was started with at most 4.");
}

static void test_no_balloon(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_lab_node(lab, "node")->memory = 2 * GIB;
	g_autoptr(GString) text = g_string_new(running);
	g_string_replace(text, "memballoon model='virtio'", "memballoon model='none'", 0);
	expect(lab, text->str, NULL, "refused: Domain 'devstack.node': its memory cannot become 2GiB while it runs: it has no memory balloon.");
}

static void test_nics(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	drop_disk(node, 1);
	add_nic(node, "b", MAC_B);
	expect(lab, running, NULL, "unplug disk 'old' virtio-vdb\nplug NIC 'b'\n");
	np_nic *a = np_map_find(node->nics, "a");
	g_free(a->mac);
	a->mac = g_strdup("52:54:00:00:00:ff");
	expect(lab, running, NULL, "unplug NIC 'a' ua-nestplan-a\nunplug disk 'old' virtio-vdb\nplug NIC 'a'\nplug NIC 'b'\n");
}

/* What was plugged by hand is no NIC of the node. */
static void test_nic_by_hand(void)
{
	g_autoptr(fixture) lab = same_lab();
	g_autoptr(GString) text = g_string_new(running);
	g_string_replace(text, "ua-nestplan-a", "net0", 0);
	expect(lab, text->str, NULL, "unplug NIC 'net0' net0\nplug NIC 'a'\n");
}

static void test_nic_moves(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_nic *a = np_map_find(np_lab_node(lab, "node")->nics, "a");
	g_free(a->network);
	a->network = g_strdup("b");
	expect(lab, running, NULL, "move NIC 'a'\n");
	((np_network *)np_map_find(lab->site.networks, "b"))->mtu = 9000;
	expect(lab, running, NULL, "unplug NIC 'a' ua-nestplan-a\nplug NIC 'a'\n");
}

static void test_disks(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	drop_disk(node, 1);
	fixture_disk(node, "new", NP_BUS_VIRTIO, NP_CACHE_NONE);
	expect(lab, running, NULL, "unplug disk 'old' virtio-vdb\nplug disk 'new'\n");
	((np_disk *)np_map_find(node->disks, "new"))->bus = NP_BUS_SATA;
	expect(lab, running, NULL, "refused: Domain 'devstack.node': disk 'new' is on bus sata, where nothing is plugged or unplugged while it runs.");
	((np_disk *)np_map_find(node->disks, "new"))->bus = NP_BUS_SCSI;
	expect(lab, running, NULL, "unplug disk 'old' virtio-vdb\nplug SCSI controller\nplug disk 'new'\n");
	((np_disk *)np_map_find(node->disks, "data"))->cache = NP_CACHE_UNSAFE;
	expect(lab, running, NULL, "refused: Domain 'devstack.node': bus and cache of its disk 'data' cannot be changed while it runs.");
}

static void test_root_stays(void)
{
	g_autoptr(fixture) lab = same_lab();
	drop_disk(np_lab_node(lab, "node"), 0);
	expect(lab, running, NULL, "refused: Domain 'devstack.node': its root disk cannot be exchanged while it runs.");
}

static void test_sizes(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	g_autoptr(GHashTable) sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	set_size(sizes, "node.root.qcow2", GIB);
	set_size(sizes, "node.data.qcow2", 2 * GIB);
	((np_disk *)np_map_find(node->disks, "root"))->size = 3 * GIB;
	((np_disk *)np_map_find(node->disks, "data"))->size = 2 * GIB;
	expect(lab, running, sizes, "grow disk 'root' vda node.root.qcow2 3221225472\n");
	expect(lab, NULL, sizes, "grow disk 'root' node.root.qcow2 3221225472\n");
	((np_disk *)np_map_find(node->disks, "data"))->size = GIB;
	static const char refused[] = "refused: Domain 'devstack.node': its disk 'data' has 2GiB and cannot shrink to 1GiB; write 2GiB, "
	                              "or rebuild the node with a smaller one.";
	expect(lab, running, sizes, refused);
	expect(lab, NULL, sizes, refused);
}

/* Nothing is begun that has no room. */
static void test_no_room(void)
{
	g_autoptr(fixture) lab = same_lab();
	add_nic(np_lab_node(lab, "node"), "b", MAC_B);
	expect(lab, running, NULL, "refused: Domain 'devstack.node': more devices can be plugged into it while it runs: 0; needed: 1.");
}

/* ── places ── */

static char *place_of(xmlNode *root, const char *volume, const char *what)
{
	xmlNode *disk = np_domain_disk(root, volume);
	g_assert_nonnull(disk);
	return np_xml_get(disk, what);
}

static void check_place(xmlNode *root, const char *volume, const char *target, const char *bus)
{
	g_autofree char *is_target = place_of(root, volume, "target/@dev");
	g_autofree char *is_bus = place_of(root, volume, "address/@bus");
	g_assert_cmpstr(is_target, ==, target);
	g_assert_cmpstr(is_bus, ==, bus);
}

static void test_places(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	drop_disk(node, 1);
	fixture_disk(node, "new", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	fixture_disk(node, "newer", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	g_autoptr(xmlDoc) stored = np_xml_parse(running, "stored", NULL);
	g_autoptr(xmlDoc) doc = np_domain_keep(&(np_domain_spec){.lab = "devstack", .node = node}, xmlDocGetRootElement(stored), NULL);
	xmlNode *root = xmlDocGetRootElement(doc);
	check_place(root, "node.root.qcow2", "vda", "0x01");
	check_place(root, "node.data.qcow2", "vdc", "0x03");
	check_place(root, "node.new.qcow2", "vdb", NULL);
	check_place(root, "node.newer.qcow2", "vdd", NULL);
	g_autofree char *nic = np_device_place(np_domain_interface(root, "ua-nestplan-a"));
	g_assert_cmpstr(nic, ==, "0000:04:00.0");
	g_autofree char *machine = np_xml_get(root, "os/type/@machine");
	g_assert_cmpstr(machine, ==, "pc-q35-6.2");
	/* Each port is there once, the first where it was, and some are to spare. */
	g_autoptr(GPtrArray) ports = np_xml_find(root, "devices/controller[@model='pcie-root-port']");
	g_assert_cmpuint(ports->len, ==, 4 + 1 + 1 + 1 + 1 + NP_SPARE_PORTS);
	g_autoptr(GPtrArray) port = np_xml_find(root, "devices/controller[@index='1']");
	g_assert_cmpuint(port->len, ==, 1);
	g_autofree char *place = np_device_place(g_ptr_array_index(port, 0));
	g_assert_cmpstr(place, ==, "0000:00:00.0");
}

/* libvirt gives no domain another UUID; where the lab file names none, it is the one that it has. */
static void test_uuid(void)
{
	static const char had[] = "9f86d081-884c-4d65-9a2f-eaa0c55ad015";
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	for (int named = 0; named < 2; named++) {
		g_autoptr(xmlDoc) stored = np_xml_parse(running, "stored", NULL);
		np_xml_add_text(xmlDocGetRootElement(stored), "uuid", had);
		if (named)
			np_object_mark(&np_node_kind, &node->base, "uuid");
		g_autoptr(xmlDoc) doc = np_domain_keep(&(np_domain_spec){.lab = "devstack", .node = node}, xmlDocGetRootElement(stored), NULL);
		g_autofree char *uuid = np_xml_get(xmlDocGetRootElement(doc), "uuid");
		g_assert_cmpstr(uuid, ==, named ? node->uuid : had);
	}
}

/* A device that came while the domain ran stays where it went, unless the definition has something there. */
static void test_live_places(void)
{
	static const char live_text[] = DOMAIN(DISK("root", "vda", "0x01") DISK("new", "vde", "0x06") DISK("newer", "vdf", "0x04"));
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	fixture_disk(node, "new", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	fixture_disk(node, "newer", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	g_autoptr(xmlDoc) stored = np_xml_parse(running, "stored", NULL);
	g_autoptr(xmlDoc) live = np_xml_parse(live_text, "live", NULL);
	g_autoptr(xmlDoc) doc = np_domain_keep(&(np_domain_spec){.lab = "devstack", .node = node}, xmlDocGetRootElement(stored),
	                                       xmlDocGetRootElement(live));
	xmlNode *root = xmlDocGetRootElement(doc);
	check_place(root, "node.new.qcow2", "vde", "0x06");
	g_autofree char *bus = place_of(root, "node.newer.qcow2", "address/@bus");
	g_assert_cmpstr(bus, ==, NULL);
}

/* A disk that changes its bus gets a new place. */
static void test_other_bus(void)
{
	g_autoptr(fixture) lab = same_lab();
	np_node *node = np_lab_node(lab, "node");
	((np_disk *)np_map_find(node->disks, "data"))->bus = NP_BUS_SCSI;
	g_autoptr(xmlDoc) stored = np_xml_parse(running, "stored", NULL);
	g_autoptr(xmlDoc) doc = np_domain_keep(&(np_domain_spec){.lab = "devstack", .node = node}, xmlDocGetRootElement(stored), NULL);
	check_place(xmlDocGetRootElement(doc), "node.data.qcow2", "sda", NULL);
}

static void test_record(void)
{
	g_autoptr(fixture) lab = same_lab();
	g_autoptr(np_record) record = np_record_new();
	np_record_add(record, "memory", "1GiB");
	np_record_add(record, "nics.a", "<&'\">");
	np_domain_spec spec = {.lab = "devstack", .node = np_lab_node(lab, "node"), .record = record};
	g_autoptr(xmlDoc) doc = np_domain_keep(&spec, NULL, NULL);
	xmlNode *root = xmlDocGetRootElement(doc);
	g_autofree char *value = np_xml_get(root, "metadata/np:lab/np:field[@name='nics.a']/@value");
	g_assert_cmpstr(value, ==, "<&'\">");
	/* As virDomainSetMetadata takes it. */
	g_autofree char *mark = np_mark_format(root);
	g_autoptr(xmlDoc) bare = np_xml_parse(mark, "mark", NULL);
	g_assert_null(strstr(mark, "np:"));
	g_assert_null(strstr(mark, "xmlns"));
	g_assert_true(np_xml_has(xmlDocGetRootElement(bare), "field[@name='memory' and @value='1GiB']"));
}

static void test_serials(void)
{
	static const char *const names[] = {"root", "data", "a-name-of-many-letters-and-more", NP_SHARE_SERIAL};
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		char *serial = np_disk_serial(names[i]);
		g_assert_cmpuint(strlen(serial), <=, 20);
		g_assert_cmpstr(serial, !=, NP_SHARE_SERIAL);
		g_assert_true(g_hash_table_add(seen, serial));
	}
	g_assert_true(g_hash_table_contains(seen, "data"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/update/nothing", test_nothing);
	g_test_add_func("/update/foreign-disk", test_foreign_disk);
	g_test_add_func("/update/uuid", test_uuid);
	g_test_add_func("/update/size", test_size);
	g_test_add_func("/update/no-balloon", test_no_balloon);
	g_test_add_func("/update/nics", test_nics);
	g_test_add_func("/update/nic-by-hand", test_nic_by_hand);
	g_test_add_func("/update/nic-moves", test_nic_moves);
	g_test_add_func("/update/disks", test_disks);
	g_test_add_func("/update/root-stays", test_root_stays);
	g_test_add_func("/update/sizes", test_sizes);
	g_test_add_func("/update/no-room", test_no_room);
	g_test_add_func("/keep/places", test_places);
	g_test_add_func("/keep/live-places", test_live_places);
	g_test_add_func("/keep/other-bus", test_other_bus);
	g_test_add_func("/keep/record", test_record);
	g_test_add_func("/keep/serials", test_serials);
	return g_test_run();
}
