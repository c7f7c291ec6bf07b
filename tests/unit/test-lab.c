/* SPDX-License-Identifier: Apache-2.0 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/access.h"
#include "lab/lab.h"

#define HEAD                                                                                                           \
	"version: 1\n"                                                                                                 \
	"name: demo\n"                                                                                                 \
	"images: {tiny: {source: tiny.qcow2}}\n"                                                                       \
	"networks: {mgmt: {cidr: 10.20.0.0/24}}\n"                                                                     \
	"defaults: {image: tiny, memory: 256MiB, vcpus: 1}\n"

static np_lab *parse_with(const char *text, const char *const *variables)
{
	g_autoptr(np_diags) diags = NULL;
	np_load_options options = {.file = "lab.yaml", .folder = "/labs", .variables = variables};
	np_lab *lab = np_lab_parse(text, strlen(text), &options, &diags);
	if (lab == NULL) {
		g_autofree char *rendered = np_diags_render(diags, FALSE);
		g_test_message("%s", rendered);
	}
	g_assert_nonnull(lab);
	return lab;
}

static np_lab *parse(const char *text)
{
	return parse_with(text, NULL);
}

/* The errors as text; the lab must have some. */
static char *errors_of(const char *text, gsize length, const char *file, const char *const *variables)
{
	g_autoptr(np_diags) diags = NULL;
	np_load_options options = {.file = file, .folder = "/labs", .variables = variables};
	g_autoptr(np_lab) lab = np_lab_parse(text, length, &options, &diags);
	g_assert_null(lab);
	g_assert_cmpuint(diags->errors, >, 0);
	return np_diags_render(diags, FALSE);
}

static void assert_text(char *actual, const char *expected)
{
	g_assert_cmpstr(actual, ==, expected);
	g_free(actual);
}

static const np_nic *nic_of(const np_lab *lab, const char *address, const char *nic)
{
	const np_node *node = np_lab_node(lab, address);
	g_assert_nonnull(node);
	const np_nic *found = np_map_find(node->nics, nic);
	g_assert_nonnull(found);
	return found;
}

static void test_quickstart(void)
{
	g_autoptr(np_lab) lab = parse("version: 1\n"
	                              "name: quickstart\n"
	                              "images:\n"
	                              "  hypervisor: {source: images/debian-12-hypervisor.qcow2}\n"
	                              "  tiny: {source: images/tiny.qcow2}\n"
	                              "networks:\n"
	                              "  mgmt: {cidr: 10.20.0.0/24}\n"
	                              "defaults: {vcpus: 1, memory: 256MiB, image: tiny}\n"
	                              "nodes:\n"
	                              "  hypervisor:\n"
	                              "    image: hypervisor\n"
	                              "    vcpus: 2\n"
	                              "    memory: 3GiB\n"
	                              "    accel: auto\n"
	                              "    disks: {root: 8GiB}\n"
	                              "    nics: [mgmt]\n"
	                              "    networks:\n"
	                              "      int: {cidr: 10.30.1.0/24}\n"
	                              "    nodes:\n"
	                              "      guest: {count: 2, nics: [int], disks: {root: 1GiB}}\n");
	const np_node *l1 = np_lab_node(lab, "hypervisor"), *l2 = np_lab_node(lab, "hypervisor/guest-2");
	g_assert_nonnull(l1);
	g_assert_nonnull(l2);
	g_assert_cmpstr(lab->base.name, ==, "quickstart");
	g_assert_cmpstr(((np_image *)np_map_find(lab->images, "tiny"))->source, ==, "/labs/images/tiny.qcow2");
	g_assert_cmpuint(l1->memory, ==, G_GUINT64_CONSTANT(3) << 30);
	g_assert_cmpint(l1->accel, ==, NP_ACCEL_AUTO);
	g_assert_cmpint(l1->ready.wait, ==, NP_WAIT_HYPERVISOR);
	g_assert_cmpuint(l1->ready.timeout, ==, 600000);
	g_assert_cmpstr(l1->site.storage, ==, "/var/lib/nestplan");
	g_assert_true(np_node_is_site(l1));
	g_assert_true(l1->parent == &lab->site);
	g_assert_cmpstr(l2->base.name, ==, "guest-2");
	g_assert_cmpstr(l2->libvirt_name, ==, "quickstart.guest-2");
	g_assert_cmpuint(l2->level, ==, 2);
	g_assert_cmpuint(l2->index, ==, 2);
	g_assert_cmpuint(l2->vcpus, ==, 1);
	g_assert_cmpuint(l2->memory, ==, 256 << 20);
	g_assert_cmpstr(l2->image, ==, "tiny");
	g_assert_cmpint(l2->ready.wait, ==, NP_WAIT_SSH);
	g_assert_true(l2->parent == &l1->site);
	g_assert_true(np_lab_site(lab, "hypervisor") == &l1->site);
	g_assert_true(np_lab_site(lab, "") == &lab->site);
	g_assert_null(np_lab_node(lab, ""));
	g_assert_null(np_lab_node(lab, "hypervisor/guest"));
	g_assert_null(np_lab_node(lab, "hypervisor/guest-2/x"));
	const np_network *network = np_nic_network(l2, np_node_access_nic(l2));
	g_assert_cmpstr(network->address, ==, "hypervisor/network.int");
	g_assert_cmphex(network->gateway, ==, 0x0a1e0101);
	g_assert_cmpuint(strlen(network->device), ==, 10);
}

/* Every key of the language. */
static void test_language(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_diags) diags = NULL;
	g_autoptr(np_lab) lab = np_lab_load(NP_TEST_DATA "/unit/labs/language.yaml", NULL, &diags, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(diags->list->len, ==, 0);
	g_assert_cmpstr(lab->folder, ==, NP_TEST_DATA "/unit/labs");
	g_assert_true(np_lab_node(lab, "controller")->protect);
	g_assert_cmpuint(lab->site.nodes->len, ==, 3);
	g_assert_cmphex(nic_of(lab, "compute-2", "mgmt")->address, ==, 0x0a140020);
	const np_node *compute = np_lab_node(lab, "compute-2");
	g_assert_cmpuint(compute->site.nodes->len, ==, 3);
	g_assert_cmphex(((np_network *)compute->site.networks->pdata[0])->cidr.base, ==, 0x0a1e0200);
	g_assert_cmpint(((np_network *)compute->site.networks->pdata[1])->mode, ==, NP_NET_BRIDGE);
	const np_user *stack = compute->inject.users->pdata[0];
	g_assert_cmpstr(stack->user, ==, "stack");
	g_assert_true(stack->sudo);
	const np_file *conf = compute->inject.files->pdata[0];
	g_assert_true(conf->expand);
	g_assert_cmphex(conf->mode, ==, 0640);
}

static void test_layers(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "types:\n"
	                                   "  big: {vcpus: 4, memory: 8GiB, cpu: host-passthrough, nics: [mgmt],\n"
	                                   "        disks: {root: 40GiB, data: {size: 1GiB, bus: scsi}},\n"
	                                   "        inject: {packages: [a, b], services: {enable: [x]}}}\n"
	                                   "nodes:\n"
	                                   "  n:\n"
	                                   "    type: big\n"
	                                   "    vcpus: 8\n"
	                                   "    cpu: {mode: custom, model: EPYC, features: {svm: require}}\n"
	                                   "    disks: {data: {cache: none}, more: 2GiB}\n"
	                                   "    inject: {packages: [c], services: {disable: [y]}}\n");
	const np_node *n = np_lab_node(lab, "n");
	g_assert_cmpuint(n->vcpus, ==, 8);
	g_assert_cmpuint(n->memory, ==, G_GUINT64_CONSTANT(8) << 30);
	g_assert_cmpstr(n->image, ==, "tiny");
	g_assert_cmpint(n->cpu.mode, ==, NP_CPU_CUSTOM);
	g_assert_cmpint(((np_feature *)np_map_find(n->cpu.features, "svm"))->policy, ==, NP_POLICY_REQUIRE);
	g_assert_cmpuint(n->disks->len, ==, 3);
	const np_disk *data = np_map_find(n->disks, "data");
	g_assert_cmpuint(data->size, ==, 1 << 30);
	g_assert_cmpint(data->bus, ==, NP_BUS_SCSI);
	g_assert_cmpint(data->cache, ==, NP_CACHE_NONE);
	g_assert_cmpuint(n->inject.packages->len, ==, 1);
	g_assert_cmpstr(n->inject.packages->pdata[0], ==, "c");
	g_assert_cmpstr(n->inject.services.enable->pdata[0], ==, "x");
	g_assert_cmpstr(n->inject.services.disable->pdata[0], ==, "y");
	g_assert_true(np_object_has(&np_node_kind, &n->base, "memory"));
	g_assert_false(np_object_has(&np_node_kind, &n->base, "protect"));
	np_pos memory = np_object_at(&np_node_kind, &n->base, "memory");
	g_assert_cmpuint(memory.line, ==, 7);
	g_assert_cmpuint(memory.col, ==, 27);
	g_assert_cmpuint(memory.len, ==, 4);
}

/* A type may carry nodes, and the node that uses it changes and adds some. */
static void test_type_nodes(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "types:\n"
	                                   "  l1:\n"
	                                   "    memory: 4GiB\n"
	                                   "    nics: [mgmt]\n"
	                                   "    networks: {int: {cidr: \"10.30.${node.index}.0/24\"}}\n"
	                                   "    nodes: {g: {count: 1, nics: [int]}, h: {nics: [int]}}\n"
	                                   "nodes:\n"
	                                   "  a:\n"
	                                   "    type: l1\n"
	                                   "    count: 2\n"
	                                   "    nodes: {g: {count: 3, memory: 64MiB}, i: {nics: [int]}}\n");
	g_assert_nonnull(np_lab_node(lab, "a-1/g-3"));
	g_assert_null(np_lab_node(lab, "a-1/g-4"));
	g_assert_nonnull(np_lab_node(lab, "a-2/h"));
	g_assert_nonnull(np_lab_node(lab, "a-2/i"));
	g_assert_cmpuint(np_lab_node(lab, "a-2/g-3")->memory, ==, 64 << 20);
	g_assert_cmphex(nic_of(lab, "a-2/h", "int")->address & 0xffffff00, ==, 0x0a1e0200);
}

static void test_shorthands(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "nodes:\n"
	                                   "  a: {cpu: maximum, disks: {root: 2GiB}, nics: {mgmt: }}\n"
	                                   "  b:\n"
	                                   "    nics: {eth0: {network: mgmt, address: 10.20.0.9}}\n"
	                                   "  c:\n"
	                                   "host:\n");
	g_assert_cmpint(np_lab_node(lab, "a")->cpu.mode, ==, NP_CPU_MAXIMUM);
	g_assert_cmpuint(((np_disk *)np_lab_node(lab, "a")->disks->pdata[0])->size, ==, G_GUINT64_CONSTANT(2) << 30);
	g_assert_cmpstr(nic_of(lab, "a", "mgmt")->network, ==, "mgmt");
	g_assert_cmphex(nic_of(lab, "b", "eth0")->address, ==, 0x0a140009);
	g_assert_cmpstr(((np_disk *)np_lab_node(lab, "b")->disks->pdata[0])->base.name, ==, "root");
	g_assert_cmpint(np_lab_node(lab, "c")->ready.wait, ==, NP_WAIT_BOOT);
}

static void test_yaml(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "nodes:\n"
	                                   "  a: &base\n"
	                                   "    description: \"tab\\there\"\n"
	                                   "    vcpus: 2\n"
	                                   "    nics: &nics [mgmt]\n"
	                                   "  b:\n"
	                                   "    <<: *base\n"
	                                   "    vcpus: 3\n"
	                                   "  c: {<<: [{vcpus: 5}, *base], description: yes}\n"
	                                   "  d:\n"
	                                   "    nics: *nics\n"
	                                   "    inject:\n"
	                                   "      run:\n"
	                                   "        - |\n"
	                                   "          one\n"
	                                   "          two\n");
	g_assert_cmpstr(np_lab_node(lab, "a")->description, ==, "tab\there");
	g_assert_cmpuint(np_lab_node(lab, "b")->vcpus, ==, 3);
	g_assert_cmpuint(np_lab_node(lab, "b")->nics->len, ==, 1);
	g_assert_cmpuint(np_lab_node(lab, "c")->vcpus, ==, 5);
	g_assert_cmpstr(np_lab_node(lab, "c")->description, ==, "yes");
	g_assert_cmpuint(np_lab_node(lab, "d")->nics->len, ==, 1);
	g_assert_cmpstr(np_lab_node(lab, "d")->inject.run->pdata[0], ==, "one\ntwo\n");
}

static void test_variables(void)
{
	static const char *const given[] = {"n=3", "size=1GiB", "on=true", NULL};
	const char *text =
	        "version: 1\n"
	        "name: ${var.prefix}-lab\n"
	        "variables: {n: {default: 1, type: integer}, size: {}, prefix: {default: x}, on: {type: boolean}}\n"
	        "images: {tiny: {source: \"${lab.name}.img\"}}\n"
	        "nodes:\n"
	        "  a: {count: \"${var.n}\", memory: \"${var.size}\", vcpus: 1, image: tiny, protect: \"${var.on}\",\n"
	        "      description: \"$${x} ${node.name} ${node.index} ${node.address} $5\"}\n";
	g_autoptr(np_lab) lab = parse_with(text, given);
	g_assert_cmpstr(lab->name, ==, "x-lab");
	g_assert_cmpstr(((np_image *)lab->images->pdata[0])->source, ==, "/labs/x-lab.img");
	const np_node *node = np_lab_node(lab, "a-3");
	g_assert_cmpuint(node->memory, ==, 1 << 30);
	g_assert_true(node->protect);
	g_assert_cmpstr(node->description, ==, "${x} a-3 3 a-3 $5");
	g_autofree char *errors = errors_of(text, strlen(text), "lab.yaml", NULL);
	g_assert_nonnull(strstr(errors, "variable 'size' has no value"));
}

static void test_expand(void)
{
	g_autoptr(np_lab) lab =
	        parse(HEAD "variables: {x: {default: v}}\n"
	                   "nodes:\n"
	                   "  a: {nics: {mgmt: {address: 10.20.0.7}}, inject: {files: [{path: /a,\n"
	                   "      content: \"$${x} ${node.nics.mgmt.address} ${nodes.b/g.nics.int.address}\"}]}}\n"
	                   "  b:\n"
	                   "    nics: [mgmt]\n"
	                   "    networks: {int: {cidr: 10.30.0.0/24}}\n"
	                   "    nodes: {g: {memory: 64MiB, nics: {int: {address: 10.30.0.8}}}}\n");
	const np_node *a = np_lab_node(lab, "a");
	const np_file *file = a->inject.files->pdata[0];
	g_autoptr(GError) error = NULL;
	assert_text(np_lab_expand(lab, a, file->content, &error), "${x} 10.20.0.7 10.30.0.8");
	assert_text(np_lab_expand(lab, NULL, "${lab.name} ${var.x} ${", &error), NULL);
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	g_clear_error(&error);
	assert_text(np_lab_expand(lab, NULL, "${lab.name} ${var.x} $ $$", &error), "demo v $ $$");
	g_assert_null(np_lab_expand(lab, NULL, "${node.name}", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	g_clear_error(&error);
	g_assert_null(np_lab_expand(lab, a, "${node.nics.data.address}", &error));
	g_assert_cmpstr(error->message, ==, "node 'a' has no NIC 'data'");
}

static void test_dhcp_range(void)
{
	np_ip first = 0, last = 0;
	const char *why;
	np_network network = {.dhcp = TRUE};
	g_assert_false(np_network_dhcp_range(&network, &first, &last));
	g_assert_true(np_cidr_parse("10.20.0.0/24", &network.cidr, &why));
	g_assert_true(np_network_dhcp_range(&network, &first, &last));
	g_assert_cmphex(first, ==, 0x0a1400c0);
	g_assert_cmphex(last, ==, 0x0a1400fe);
	network.cidr.prefix = 29;
	g_assert_true(np_network_dhcp_range(&network, &first, &last));
	g_assert_cmphex(first, ==, 0x0a140006);
	g_assert_cmphex(last, ==, 0x0a140006);
	network.cidr.prefix = 30;
	g_assert_false(np_network_dhcp_range(&network, &first, &last));
	network.cidr.prefix = 24;
	network.mode = NP_NET_BRIDGE;
	g_assert_false(np_network_dhcp_range(&network, &first, &last));
}

/* Derived addresses: inside the static range, different, and untouched by other nodes. */
static void test_addresses(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "nodes:\n  n: {count: 190, nics: [mgmt]}\n");
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = lab->site.nodes->pdata[i];
		np_ip ip = np_node_access_nic(node)->address;
		g_assert_cmphex(ip, >=, 0x0a140002);
		g_assert_cmphex(ip, <=, 0x0a1400bf);
		g_assert_true(g_hash_table_add(seen, GUINT_TO_POINTER(ip)));
	}
	g_autoptr(np_lab) one = parse(HEAD "nodes:\n  x: {nics: [mgmt]}\n");
	g_autoptr(np_lab) more = parse(HEAD "nodes:\n  a: {nics: [mgmt]}\n  x: {nics: [mgmt]}\n  b: {nics: [mgmt]}\n");
	g_assert_cmphex(nic_of(one, "x", "mgmt")->address, ==, nic_of(more, "x", "mgmt")->address);
	g_assert_cmpstr(nic_of(one, "x", "mgmt")->mac, ==, nic_of(more, "x", "mgmt")->mac);
	g_assert_cmpstr(np_lab_node(one, "x")->uuid, ==, np_lab_node(more, "x")->uuid);
}

/* One address for all nodes of a count is the first one's; with ${node.index} each has its own. */
static void test_counted_addresses(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "nodes:\n"
	                                   "  a: {count: 3, nics: {mgmt: {address: 10.20.0.31}}}\n"
	                                   "  b: {count: 2, nics: {mgmt: {address: \"10.20.0.4${node.index}\"}}}\n");
	g_assert_cmphex(nic_of(lab, "a-1", "mgmt")->address, ==, 0x0a14001f);
	g_assert_cmphex(nic_of(lab, "a-3", "mgmt")->address, ==, 0x0a140021);
	g_assert_cmphex(nic_of(lab, "b-1", "mgmt")->address, ==, 0x0a140029);
	g_assert_cmphex(nic_of(lab, "b-2", "mgmt")->address, ==, 0x0a14002a);
}

/* L2s of several L1s on one wire never get the same address. */
static void test_segments(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "nodes:\n"
	                                   "  a:\n"
	                                   "    count: 4\n"
	                                   "    memory: 8GiB\n"
	                                   "    nics: [mgmt]\n"
	                                   "    networks: {prov: {mode: bridge, nic: mgmt, cidr: 10.20.0.0/24}}\n"
	                                   "    nodes: {g: {count: 20, nics: [prov]}}\n");
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (unsigned i = 1; i <= 4; i++) {
		for (unsigned k = 1; k <= 20; k++) {
			g_autofree char *address = g_strdup_printf("a-%u/g-%u", i, k);
			np_ip ip = nic_of(lab, address, "prov")->address;
			g_assert_cmphex(ip, >=, 0x0a140002);
			g_assert_cmphex(ip, <=, 0x0a1400bf);
			g_assert_true(g_hash_table_add(seen, GUINT_TO_POINTER(ip)));
		}
	}
	const np_network *prov = np_lab_node(lab, "a-1")->site.networks->pdata[0];
	g_assert_cmpuint(prov->gateway, ==, 0);
	g_assert_false(prov->dhcp);
}

/* A part of the wire's range: neither the wire's gateway nor what its DHCP server hands out. */
static void test_segment_part(void)
{
	g_autoptr(np_lab) lab = parse(HEAD "nodes:\n"
	                                   "  a:\n"
	                                   "    memory: 16GiB\n"
	                                   "    nics: [mgmt]\n"
	                                   "    networks: {prov: {mode: bridge, nic: mgmt, cidr: 10.20.0.128/25}}\n"
	                                   "    nodes: {g: {count: 50, nics: [prov]}}\n");
	for (unsigned k = 1; k <= 50; k++) {
		g_autofree char *address = g_strdup_printf("a/g-%u", k);
		np_ip ip = nic_of(lab, address, "prov")->address;
		g_assert_cmphex(ip, >=, 0x0a140082);
		g_assert_cmphex(ip, <=, 0x0a1400bf);
	}
}

static void test_paths(void)
{
	g_autoptr(np_lab) lab =
	        parse(HEAD "access: {authorized_keys: [~/.ssh/id.pub, keys/a.pub, \"ssh-ed25519 AAAA me\"]}\n"
	                   "nodes:\n"
	                   "  a: {inject: {files: [{path: /a, source: x/../files/a}, {path: /b, source: /abs}]}}\n");
	g_autofree char *home = g_build_filename(g_get_home_dir(), ".ssh/id.pub", NULL);
	const np_node *a = np_lab_node(lab, "a");
	g_assert_cmpstr(lab->access.authorized_keys->pdata[0], ==, home);
	g_assert_cmpstr(lab->access.authorized_keys->pdata[1], ==, "/labs/keys/a.pub");
	g_assert_cmpstr(lab->access.authorized_keys->pdata[2], ==, "ssh-ed25519 AAAA me");
	g_assert_cmpstr(((np_file *)a->inject.files->pdata[0])->source, ==, "/labs/files/a");
	g_assert_cmpstr(((np_file *)a->inject.files->pdata[1])->source, ==, "/abs");
	g_assert_cmphex(((np_file *)a->inject.files->pdata[0])->mode, ==, 0644);
	g_assert_cmpstr(((np_file *)a->inject.files->pdata[0])->owner, ==, "0:0");
}

static void test_format(void)
{
	g_autoptr(np_lab) lab =
	        parse(HEAD "nodes:\n  a: {nics: {mgmt: {address: 10.20.0.7}}, inject: {run: [x, y]}}\n");
	const np_node *a = np_lab_node(lab, "a");
	const np_network *mgmt = lab->site.networks->pdata[0];
	assert_text(np_field_format(np_kind_field(&np_node_kind, "memory"), a), "256MiB");
	assert_text(np_field_format(np_kind_field(&np_node_kind, "accel"), a), "kvm");
	assert_text(np_field_format(np_kind_field(&np_node_kind, "vcpus"), a), "1");
	assert_text(np_field_format(np_kind_field(&np_node_kind, "protect"), a), "false");
	assert_text(np_field_format(np_kind_field(&np_node_kind, "description"), a), NULL);
	assert_text(np_field_format(np_kind_field(&np_node_kind, "disks"), a), NULL);
	assert_text(np_field_format(np_kind_field(&np_network_kind, "cidr"), mgmt), "10.20.0.0/24");
	assert_text(np_field_format(np_kind_field(&np_nic_kind, "address"), a->nics->pdata[0]), "10.20.0.7");
	assert_text(np_field_format(np_kind_field(&np_ready_kind, "timeout"), &a->ready), "10m");
	assert_text(np_field_format(np_kind_field(&np_inject_kind, "run"), &a->inject), "[x, y]");
}

static void test_load(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_diags) diags = NULL;
	g_assert_null(np_lab_load("/nonexistent/lab.yaml", NULL, &diags, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_null(np_lab_load("/", NULL, &diags, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
}

/* Small files that would unfold into huge labs end soon, with an error. */
static void test_hostile(void)
{
	g_autoptr(GString) nested = g_string_new(HEAD "nodes:\n");
	for (int i = 0; i < 8; i++)
		g_string_append_printf(nested, "%*sn: \n%*scount: 10000\n%*snodes:\n", 2 + 4 * i, "", 4 + 4 * i, "",
		                       4 + 4 * i, "");
	g_string_append_printf(nested, "%*sn: {}\n", 34, "");
	g_autofree char *text = g_strnfill(1 << 20, 'x');
	g_autofree char *texts = g_strconcat(HEAD "nodes:\n  n: {count: 10000, description: ", text, "}\n", NULL);
	g_autofree char *opens = g_strnfill(1 << 20, '[');
	g_autofree char *keys = g_strnfill(1 << 20, '{');
	const char *const inputs[] = {nested->str,
	                              texts,
	                              opens,
	                              keys,
	                              "&a [*a]",
	                              "? ? ? ?",
	                              "%YAML 9.9\n---\na",
	                              "*",
	                              "\"",
	                              "!",
	                              "version: 1\nname: ${",
	                              "version: 1\nname: a\nnodes: {a: {count: ${lab.name}}}",
	                              "\xef\xbb\xbf",
	                              ":",
	                              "- - - -",
	                              "version: 1\nname: a\nnodes: {a: {nodes: {b: {nodes: }}}}"};
	for (size_t i = 0; i < G_N_ELEMENTS(inputs); i++) {
		g_autofree char *errors = errors_of(inputs[i], strlen(inputs[i]), "lab.yaml", NULL);
		g_assert_cmpuint(strlen(errors), <, 4000);
	}
}

/* Every prefix of a lab, and every lab with one byte changed, is read to an end. */
static void test_mutations(void)
{
	static const char text[] = HEAD "nodes:\n"
	                                "  a: &a\n"
	                                "    count: 2\n"
	                                "    nics: {mgmt: {address: \"10.20.0.3${node.index}\"}}\n"
	                                "    description: |\n"
	                                "      x ${node.name}\n"
	                                "  b: {<<: *a, memory: 1GiB}\n";
	static const char bytes[] = "\0 \n\t:{}[]&*!'\"$-#x\xff\xc3";
	for (size_t i = 0; i < sizeof text; i++) {
		g_autofree char *copy = g_memdup2(text, sizeof text);
		for (size_t k = 0; k < sizeof bytes; k++) {
			g_autoptr(np_diags) diags = NULL;
			g_autofree char *rendered = NULL;
			copy[i] = bytes[k];
			np_lab_free(np_lab_parse(copy, k == 0 ? i : sizeof text - 1, NULL, &diags));
			rendered = np_diags_render(diags, FALSE);
			g_assert_true(g_utf8_validate(rendered, -1, NULL));
		}
	}
}

static void test_schema(void)
{
	g_autofree char *schema = np_schema_render();
	g_autofree char *again = np_schema_render();
	g_assert_cmpstr(schema, ==, again);
	g_assert_true(g_str_has_suffix(schema, "}\n"));
	g_assert_nonnull(strstr(schema, "\"https://json-schema.org/draft/2020-12/schema\""));
}

/* Places of fields lie closely; they are found whatever the order they came in, and after one of them went. */
static void test_places(void)
{
	g_autoptr(np_node) node = np_object_new(&np_node_kind, "n");
	node->base.pos = (np_pos){.line = 1};
	for (unsigned i = np_node_kind.n_fields; i-- > 0;) /* the last field first */
		np_object_place(&np_node_kind, &node->base, &np_node_kind.fields[i], (np_pos){.line = 100 + i});
	np_object_place(&np_node_kind, &node->base, &np_node_kind.fields[3], (np_pos){.line = 7}); /* written again */
	np_object_unmark(&np_node_kind, &node->base, np_node_kind.fields[5].name);
	np_object_unmark(&np_node_kind, &node->base, np_node_kind.fields[5].name);
	for (unsigned i = 0; i < np_node_kind.n_fields; i++) {
		const char *name = np_node_kind.fields[i].name;
		g_assert_cmpint(np_object_has(&np_node_kind, &node->base, name), ==, i != 5);
		g_assert_cmpuint(np_object_at(&np_node_kind, &node->base, name).line, ==, i == 3 ? 7 : i == 5 ? 1 : 100 + i);
	}
	np_object_mark(&np_node_kind, &node->base, np_node_kind.fields[5].name);
	np_object_mark(&np_node_kind, &node->base, np_node_kind.fields[6].name); /* keeps its place */
	g_assert_cmpuint(np_object_at(&np_node_kind, &node->base, np_node_kind.fields[5].name).line, ==, 1);
	g_assert_cmpuint(np_object_at(&np_node_kind, &node->base, np_node_kind.fields[6].name).line, ==, 106);
	/* Marked before any place is known. */
	g_autoptr(np_node) seen = np_object_new(&np_node_kind, "s");
	np_object_mark(&np_node_kind, &seen->base, "memory");
	np_object_place(&np_node_kind, &seen->base, np_kind_field(&np_node_kind, "image"), (np_pos){.line = 9});
	g_assert_cmpuint(np_object_at(&np_node_kind, &seen->base, "memory").line, ==, 0);
	g_assert_cmpuint(np_object_at(&np_node_kind, &seen->base, "image").line, ==, 9);
}

/* Each key is a line of its own in a guest, and found again there by it. */
static void test_access_keys(void)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	static const char text[] = "ssh-ed25519 AAAA ann\nEND OF KEYS\n  sk-ssh-ed25519@openssh.com BBBB bob \r\n# ssh-rsa CCCC\n";
	g_autofree char *file = NULL;
	g_autoptr(GError) error = NULL;
	close(g_file_open_tmp("np-keys-XXXXXX", &file, NULL));
	g_assert_true(g_file_set_contents(file, text, -1, NULL));
	g_assert_true(np_access_keys_read(keys, file, &error));
	g_assert_true(np_access_keys_read(keys, "ecdsa-sha2-nistp256 DDDD\nrm -rf /\n", &error));
	g_assert_no_error(error);
	g_unlink(file);
	g_assert_false(np_access_keys_read(keys, file, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
	g_assert_nonnull(strstr(error->message, file));
	static const char *const want[] = {"ssh-ed25519 AAAA ann", "sk-ssh-ed25519@openssh.com BBBB bob", "ecdsa-sha2-nistp256 DDDD"};
	g_assert_cmpuint(keys->len, ==, G_N_ELEMENTS(want));
	for (guint i = 0; i < keys->len; i++)
		g_assert_cmpstr(keys->pdata[i], ==, want[i]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lab/access-keys", test_access_keys);
	g_test_add_func("/lab/places", test_places);
	g_test_add_func("/lab/quickstart", test_quickstart);
	g_test_add_func("/lab/language", test_language);
	g_test_add_func("/lab/layers", test_layers);
	g_test_add_func("/lab/type-nodes", test_type_nodes);
	g_test_add_func("/lab/shorthands", test_shorthands);
	g_test_add_func("/lab/yaml", test_yaml);
	g_test_add_func("/lab/variables", test_variables);
	g_test_add_func("/lab/expand", test_expand);
	g_test_add_func("/lab/dhcp-range", test_dhcp_range);
	g_test_add_func("/lab/addresses", test_addresses);
	g_test_add_func("/lab/addresses/counted", test_counted_addresses);
	g_test_add_func("/lab/addresses/segments", test_segments);
	g_test_add_func("/lab/addresses/segments/part", test_segment_part);
	g_test_add_func("/lab/paths", test_paths);
	g_test_add_func("/lab/format", test_format);
	g_test_add_func("/lab/load", test_load);
	g_test_add_func("/lab/hostile", test_hostile);
	g_test_add_func("/lab/mutations", test_mutations);
	g_test_add_func("/lab/schema", test_schema);
	return g_test_run();
}
