/* SPDX-License-Identifier: Apache-2.0 */
/* The libvirt driver without a daemon: its XML against golden files and libvirt's own schema, and round trips through
 * libvirt's in-process test driver. NP_TEST_REGENERATE=1 rewrites the golden files. */
#include <glib/gstdio.h>
#include <libxml/relaxng.h>
#include <string.h>
#include <unistd.h>

#include "../libvirt-fixture.h"
#include "base/error.h"
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/domain_read.h"
#include "drivers/libvirt/domain_xml.h"
#include "drivers/libvirt/network_read.h"
#include "drivers/libvirt/network_xml.h"
#include "drivers/libvirt/pool.h"

#define SCHEMAS "/usr/share/libvirt/schemas/"

typedef np_lab fixture;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fixture, fixture_free)

static void quiet(void *data, const char *format, ...)
{
	(void)data;
	(void)format;
}

static void check_schema(const char *schema, const char *xml)
{
	g_autofree char *file = g_strconcat(SCHEMAS, schema, NULL);
	if (!g_file_test(file, G_FILE_TEST_EXISTS))
		return;
	xmlRelaxNGParserCtxtPtr parser = xmlRelaxNGNewParserCtxt(file);
	xmlRelaxNGSetParserErrors(parser, quiet, quiet, NULL);
	xmlRelaxNGPtr grammar = xmlRelaxNGParse(parser);
	g_assert_nonnull(grammar);
	xmlRelaxNGValidCtxtPtr valid = xmlRelaxNGNewValidCtxt(grammar);
	xmlRelaxNGSetValidErrors(valid, quiet, quiet, NULL);
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, schema, NULL);
	int result = xmlRelaxNGValidateDoc(valid, doc);
	if (result != 0)
		g_test_message("not valid against %s:\n%s", file, xml);
	g_assert_cmpint(result, ==, 0);
	xmlRelaxNGFreeValidCtxt(valid);
	xmlRelaxNGFree(grammar);
	xmlRelaxNGFreeParserCtxt(parser);
}

static void check_golden(const char *name, const char *schema, const char *xml)
{
	g_autofree char *folder = g_path_get_dirname(__FILE__);
	g_autofree char *path = g_build_filename(folder, "libvirt", name, NULL);
	g_autofree char *text = g_strconcat(xml, "\n", NULL);
	g_autofree char *golden = NULL;
	check_schema(schema, xml);
	if (g_getenv("NP_TEST_REGENERATE"))
		g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_true(g_file_get_contents(path, &golden, NULL, NULL));
	g_assert_cmpstr(text, ==, golden);
}

static void check_domain(const char *golden, np_domain_spec spec)
{
	g_autofree char *xml = np_domain_xml(&spec);
	check_golden(golden, "domain.rng", xml);
}

static void test_domain_xml(void)
{
	g_autoptr(fixture) lab = fixture_lab("devstack");
	const np_node *compute = np_lab_node(lab, "compute-1"), *leaf = np_lab_node(lab, "leaf");
	check_domain("hypervisor-kvm.xml", (np_domain_spec){.lab = "devstack",
	                                                    .node = compute,
	                                                    .kvm = true,
	                                                    .flag = "svm",
	                                                    .image_id = "sha256-123",
	                                                    .share = "share.raw"});
	check_domain("hypervisor-emulated.xml", (np_domain_spec){.lab = "devstack", .node = compute, .flag = "svm"});
	check_domain("leaf-kvm.xml", (np_domain_spec){.lab = "devstack", .node = leaf, .kvm = true, .flag = "vmx"});
	check_domain("leaf-emulated.xml", (np_domain_spec){.lab = "devstack", .node = leaf});
}

/* What the lab's file says of a feature is not said a second time. */
static void test_feature_once(void)
{
	g_autoptr(fixture) lab = fixture_lab("devstack");
	np_node *leaf = np_lab_node(lab, "leaf");
	fixture_feature(leaf, "svm", NP_POLICY_OPTIONAL);
	g_autofree char *xml =
	        np_domain_xml(&(np_domain_spec){.lab = "devstack", .node = leaf, .kvm = true, .flag = "svm"});
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "domain", NULL);
	g_autoptr(GPtrArray) found = np_xml_find(xmlDocGetRootElement(doc), "cpu/feature[@name='svm']");
	g_assert_cmpuint(found->len, ==, 1);
}

static void test_host_passthrough_emulated(void)
{
	g_autoptr(fixture) lab = fixture_lab("devstack");
	np_node *compute = np_lab_node(lab, "compute-1");
	compute->cpu.mode = NP_CPU_HOST_PASSTHROUGH;
	g_autofree char *xml = np_domain_xml(&(np_domain_spec){.lab = "devstack", .node = compute, .flag = "svm"});
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "domain", NULL);
	g_autofree char *mode = np_xml_get(xmlDocGetRootElement(doc), "cpu/@mode");
	g_assert_cmpstr(mode, ==, "maximum");
}

/* See write_cpu: QEMU's emulator does not stand it. */
static void test_emulated_leaf_keeps_svm(void)
{
	g_autoptr(fixture) lab = fixture_empty("devstack");
	const np_node *leaf = fixture_node(lab, "leaf", GIB, 1);
	for (int kvm = 0; kvm < 2; kvm++) {
		g_autofree char *xml = np_domain_xml(&(np_domain_spec){.lab = "devstack", .node = leaf, .kvm = kvm, .flag = "svm"});
		g_autoptr(xmlDoc) doc = np_xml_parse(xml, "domain", NULL);
		g_assert_cmpint(np_xml_has(xmlDocGetRootElement(doc), "cpu/feature[@name='svm' and @policy='disable']"), ==, kvm);
	}
}

static void test_many_disks(void)
{
	g_autoptr(fixture) lab = fixture_empty("devstack");
	np_node *node = fixture_node(lab, "store", GIB, 1);
	for (unsigned i = 0; i < 28; i++) {
		g_autofree char *name = g_strdup_printf("disk-%u", i);
		fixture_disk(node, name, NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	}
	g_autofree char *xml = np_domain_xml(&(np_domain_spec){.lab = "devstack", .node = node});
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "domain", NULL);
	g_autofree char *z = np_xml_get(xmlDocGetRootElement(doc), "devices/disk[26]/target/@dev");
	g_autofree char *aa = np_xml_get(xmlDocGetRootElement(doc), "devices/disk[27]/target/@dev");
	g_autofree char *ab = np_xml_get(xmlDocGetRootElement(doc), "devices/disk[28]/target/@dev");
	g_assert_cmpstr(z, ==, "vdz");
	g_assert_cmpstr(aa, ==, "vdaa");
	g_assert_cmpstr(ab, ==, "vdab");
}

static void test_network_xml(void)
{
	g_autoptr(fixture) lab = fixture_lab("devstack");
	static const char *const names[] = {"mgmt", "tunnel", "office"};
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *xml = np_network_xml(lab, np_map_find(lab->site.networks, names[i]), NULL);
		g_autofree char *golden = g_strdup_printf("network-%s.xml", names[i]);
		check_golden(golden, "network.rng", xml);
	}
}

/* Names and texts of the lab end up as values, whatever they contain. */
static void test_escaping(void)
{
	g_autoptr(fixture) lab = fixture_lab("devstack");
	np_node *node = np_lab_node(lab, "compute-1");
	g_free(node->inject_id);
	node->inject_id = g_strdup("<'&amp;\">");
	g_autofree char *xml = np_domain_xml(&(np_domain_spec){.lab = "devstack", .node = node, .image_id = "a&b"});
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "domain", NULL);
	g_auto(np_mark) mark = {0};
	g_assert_true(np_mark_read(xmlDocGetRootElement(doc), &mark));
	g_assert_cmpstr(mark.inject, ==, "<'&amp;\">");
	g_assert_cmpstr(mark.image, ==, "a&b");
}

static void test_read_odd(void)
{
	static const char foreign[] = "<network><name>n</name><forward dev='eth0' mode='hostdev'/>"
	                              "<ip family='ipv6' address='fd00::1' prefix='64'/>"
	                              "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp/></ip></network>";
	g_autoptr(xmlDoc) doc = np_xml_parse(foreign, "network", NULL);
	g_autoptr(np_seen_network) seen = np_network_read(xmlDocGetRootElement(doc), NULL);
	g_autofree char *cidr = np_cidr_format(seen->network->cidr);
	g_assert_cmpstr(cidr, ==, "192.168.122.0/24");
	g_assert_true(seen->network->dhcp);
	g_assert_null(seen->network->dhcp_range);
	g_auto(np_mark) mark = {0};
	g_assert_false(np_mark_read(xmlDocGetRootElement(doc), &mark));
	g_autoptr(GError) error = NULL;
	g_assert_null(np_xml_parse("<domain>", "domain 'x'", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
}

/* What cannot be seen must not differ for ever. */
static void test_read_bridge(void)
{
	static const char xml[] = "<network><name>n</name><forward mode='bridge'/><bridge name='br0'/></network>";
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "network", NULL);
	g_autoptr(np_seen_network) seen = np_network_read(xmlDocGetRootElement(doc), NULL);
	g_assert_cmpint(seen->network->mode, ==, NP_NET_BRIDGE);
	g_assert_true(np_object_has(&np_network_kind, &seen->network->base, "mode"));
	g_assert_false(np_object_has(&np_network_kind, &seen->network->base, "mtu"));
}

/* Of somebody else's network every range counts, also those that it only routes. */
static void test_read_ranges(void)
{
	static const char xml[] = "<network><name>office</name><bridge name='virbr3'/><ip address='10.1.2.1' prefix='24'/>"
	                          "<ip family='ipv6' address='fd00::1' prefix='64'/><ip family='ipv4' address='10.9.0.1' "
	                          "netmask='255.255.128.0'/><route address='10.40.0.0' prefix='16' gateway='10.1.2.9'/></network>";
	static const char *const wanted[] = {"10.1.2.0/24", "10.9.0.0/17", "10.40.0.0/16"};
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "network", NULL);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	np_network_read_ranges(xmlDocGetRootElement(doc), true, site->ranges);
	g_assert_cmpuint(site->ranges->len, ==, G_N_ELEMENTS(wanted));
	for (guint i = 0; i < site->ranges->len; i++) {
		const np_foreign_range *foreign = g_ptr_array_index(site->ranges, i);
		g_autofree char *range = np_cidr_format(foreign->range);
		g_assert_cmpstr(range, ==, wanted[i]);
		g_assert_cmpstr(foreign->network, ==, "office");
		g_assert_cmpstr(foreign->device, ==, "virbr3");
		g_assert_true(foreign->active);
	}
}

/* ── the test driver ──────────────────────────────────────────────────── */

static np_conn *open_test(void)
{
	g_autoptr(GError) error = NULL;
	np_conn *conn = np_libvirt.open("test:///default", &error);
	g_assert_no_error(error);
	g_assert_nonnull(conn);
	return conn;
}

static void test_facts(void)
{
	np_conn *conn = open_test();
	g_auto(np_host_facts) facts = {0};
	g_autoptr(GError) error = NULL;
	g_assert_true(np_libvirt.facts(conn, &facts, &error));
	g_autofree char *uri = np_libvirt.uri(conn);
	g_assert_cmpstr(uri, ==, "test:///default");
	g_assert_true(np_libvirt.alive(conn));
	/* Its machine does not exist, and may carry anything. */
	g_assert_cmpuint(facts.memory, ==, 0);
	g_assert_cmpuint(facts.cpus, ==, 0);
	g_assert_cmpstr(facts.flag, ==, "svm");
	g_assert_false(facts.local);
	np_libvirt.close(conn);
	np_libvirt.close(NULL);
}

static void test_unreachable(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(np_libvirt.open("test:///no/such/file.xml", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
}

static void check_seen_node(const np_seen_node *seen, const np_node *wanted)
{
	const np_node *node = seen->node;
	g_assert_cmpstr(node->base.name, ==, wanted->base.name);
	g_assert_cmpstr(node->libvirt_name, ==, wanted->libvirt_name);
	g_assert_cmpstr(node->address, ==, wanted->address);
	g_assert_cmpstr(node->uuid, ==, wanted->uuid);
	g_assert_cmpstr(node->description, ==, wanted->description);
	g_assert_cmpuint(node->memory, ==, wanted->memory);
	g_assert_cmpuint(node->vcpus, ==, wanted->vcpus);
	g_assert_cmpuint(node->disks->len, ==, wanted->disks->len);
	for (guint i = 0; i < wanted->disks->len; i++) {
		const np_disk *is = g_ptr_array_index(node->disks, i), *be = g_ptr_array_index(wanted->disks, i);
		g_assert_false(is->lost); /* without a pool nothing is known to be */
		g_assert_cmpstr(is->base.name, ==, be->base.name);
		g_assert_cmpint(is->bus, ==, be->bus);
		g_assert_cmpint(is->cache, ==, be->cache);
	}
	g_assert_cmpuint(node->nics->len, ==, wanted->nics->len);
	for (guint i = 0; i < wanted->nics->len; i++) {
		const np_nic *is = g_ptr_array_index(node->nics, i), *be = g_ptr_array_index(wanted->nics, i);
		g_assert_cmpstr(is->base.name, ==, be->base.name);
		g_assert_cmpstr(is->network, ==, be->network ? be->network : be->base.name);
		g_assert_cmpstr(is->mac, ==, be->mac);
		g_assert_cmpuint(is->address, ==, be->address);
	}
	g_assert_true(np_object_has(&np_node_kind, &node->base, "memory"));
}

static void expect_range(const char *ips, bool dhcp, const char *range)
{
	g_autofree char *xml = g_strdup_printf("<network><name>n</name>%s</network>", ips);
	g_autoptr(xmlDoc) doc = np_xml_parse(xml, "network", NULL);
	g_autoptr(np_seen_network) seen = np_network_read(xmlDocGetRootElement(doc), NULL);
	g_assert_cmpint(seen->network->dhcp, ==, dhcp);
	g_assert_cmpstr(seen->network->dhcp_range, ==, range);
	g_assert_cmpuint(g_hash_table_size(seen->hosts), ==, 0);
}

/* A lab has no IPv6, so what is there of it is nobody's. */
static void test_read_range(void)
{
	static const char six[] = "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::10' end='fd00::20'/>"
	                          "<host name='a' ip='fd00::10'/></dhcp></ip>";
	expect_range(six, false, "none");
	g_autofree char *both = g_strconcat(six, "<ip address='10.0.0.5' netmask='255.255.255.0'><dhcp>"
	                                    "<range start='10.0.0.10' end='10.0.0.20'/><range start='10.0.0.30' end='10.0.0.30'>"
	                                    "<lease expiry='0'/></range></dhcp></ip>", NULL);
	expect_range(both, true, "10.0.0.10-10.0.0.20 10.0.0.30-10.0.0.30");
	expect_range("<ip address='10.0.0.5' netmask='255.255.255.0'/>", false, "none");
}

static void check_seen_network(const np_seen_network *seen, const np_network *wanted)
{
	const np_network *network = seen->network;
	g_assert_cmpstr(network->base.name, ==, wanted->base.name);
	g_assert_cmpstr(network->address, ==, wanted->address);
	g_assert_cmpstr(network->bridge, ==, wanted->bridge);
	g_assert_cmpint(network->mode, ==, wanted->mode);
	g_assert_cmpuint(network->cidr.base, ==, wanted->cidr.base);
	g_assert_cmpuint(network->cidr.prefix, ==, wanted->cidr.prefix);
	g_assert_cmpint(network->dhcp, ==, wanted->dhcp);
	g_assert_cmpuint(network->mtu, ==, wanted->mtu);
	g_assert_true(seen->active);
}

static void apply_lab(np_conn *conn, const np_lab *lab)
{
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < lab->site.networks->len; i++) {
		np_libvirt.network_ensure(conn, lab, g_ptr_array_index(lab->site.networks, i), NULL, &error);
		g_assert_no_error(error);
	}
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		np_domain_spec spec = {.lab = lab->name,
		                       .node = node,
		                       .kvm = i == 0,
		                       .flag = "svm",
		                       .image_id = "sha256-1",
		                       .share = i == 0 ? "share.raw" : NULL};
		np_libvirt.domain_define(conn, &spec, &error);
		g_assert_no_error(error);
	}
}

static void remove_lab(np_conn *conn, const np_lab *lab)
{
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		np_libvirt.domain_stop(conn, lab->name, node->libvirt_name, 0, NULL, &error);
		g_assert_no_error(error);
		np_libvirt.domain_undefine(conn, lab->name, node->libvirt_name, &error);
		g_assert_no_error(error);
	}
	for (guint i = 0; i < lab->site.networks->len; i++) {
		const np_network *network = g_ptr_array_index(lab->site.networks, i);
		np_libvirt.network_delete(conn, lab->name, network->libvirt_name, &error);
		g_assert_no_error(error);
	}
}

static void test_round_trip(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_lab("devstack");
	np_lab_node(lab, "leaf")->description = g_strdup("cloud & <build>\nof May");
	apply_lab(conn, lab);
	apply_lab(conn, lab);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_autoptr(GError) error = NULL;
	g_assert_true(np_libvirt.observe(conn, "devstack", site, &error));
	g_assert_cmpuint(site->nodes->len, ==, 2);
	g_assert_cmpuint(site->networks->len, ==, 3);
	const np_seen_node *compute = np_seen_site_node(site, "compute-1"), *leaf = np_seen_site_node(site, "leaf");
	check_seen_node(compute, np_lab_node(lab, "compute-1"));
	check_seen_node(leaf, np_lab_node(lab, "leaf"));
	for (guint i = 0; i < lab->site.networks->len; i++) {
		const np_network *network = g_ptr_array_index(lab->site.networks, i);
		check_seen_network(np_seen_site_network(site, network->base.name), network);
	}
	g_assert_true(compute->hypervisor);
	g_assert_false(leaf->hypervisor);
	g_assert_cmpint(compute->node->accel, ==, NP_ACCEL_KVM);
	g_assert_cmpint(leaf->node->accel, ==, NP_ACCEL_EMULATE);
	g_assert_cmpstr(compute->inject_id, ==, "sha256-abc");
	g_assert_cmpstr(compute->image_id, ==, "sha256-1");
	g_assert_cmpstr(leaf->want_accel, ==, "auto");
	g_assert_cmpuint(compute->ip, ==, fixture_ip("10.20.0.11"));
	g_assert_cmpint(compute->power, ==, NP_POWER_OFF);
	g_assert_cmpint(compute->node->cpu.mode, ==, NP_CPU_HOST_PASSTHROUGH);
	g_assert_cmpstr(leaf->node->cpu.model, ==, "EPYC");
	const np_feature *svm = np_map_find(compute->node->cpu.features, "svm");
	g_assert_nonnull(svm);
	g_assert_cmpint(svm->policy, ==, NP_POLICY_REQUIRE);
	g_assert_true(g_hash_table_contains(site->foreign, "domain test"));
	g_assert_true(g_hash_table_contains(site->foreign, "network default"));
	g_assert_true(g_hash_table_contains(site->foreign, "device virbr0"));
	remove_lab(conn, lab);
	remove_lab(conn, lab);
	np_libvirt.close(conn);
}

/* A host that is added to a running network leaves it running. (That a network with another form is started anew is
 * shown in tests/virt: the test driver forgets the new definition.) */
static void test_network_update(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_lab("devstack");
	apply_lab(conn, lab);
	np_node *node = fixture_node(lab, "late", GIB, 1);
	fixture_nic(node, "mgmt", NULL, "10.20.0.77");
	np_network *mgmt = np_map_find(lab->site.networks, "mgmt");
	g_autoptr(GError) error = NULL;
	np_libvirt.network_ensure(conn, lab, mgmt, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, "devstack", site, &error));
	check_seen_network(np_seen_site_network(site, "mgmt"), mgmt);
	remove_lab(conn, lab);
	np_libvirt.close(conn);
}

/* A node with two NICs on one network: while that runs, DHCP comes and goes, and so does the second NIC. */
static void test_network_twice(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_lab("devstack");
	apply_lab(conn, lab);
	np_node *node = fixture_node(lab, "late", GIB, 1);
	np_network *mgmt = np_map_find(lab->site.networks, "mgmt");
	const np_nic *first = fixture_nic(node, "mgmt", NULL, "10.20.0.77"), *second = NULL;
	for (int i = 0; i < 5; i++) {
		g_autoptr(GError) error = NULL;
		if (i == 1)
			second = fixture_nic(node, "again", "mgmt", "10.20.0.78");
		if (i == 4)
			np_object_free(&np_nic_kind, g_ptr_array_steal_index(node->nics, 1));
		mgmt->dhcp = i != 2;
		np_libvirt.network_ensure(conn, lab, mgmt, NULL, &error);
		g_assert_no_error(error);
		g_autoptr(np_seen_site) site = np_seen_site_new("");
		g_assert_true(np_libvirt.observe(conn, "devstack", site, &error));
		const np_seen_network *seen = np_seen_site_network(site, "mgmt");
		g_autofree char *one = np_host_text("late", mgmt->dhcp ? first->mac : NULL);
		g_autofree char *two = second && i < 4 ? np_host_text("late", mgmt->dhcp ? second->mac : NULL) : NULL;
		g_assert_true(seen->active);
		g_assert_cmpstr(g_hash_table_lookup(seen->live_hosts, "10.20.0.77"), ==, one);
		g_assert_cmpstr(g_hash_table_lookup(seen->live_hosts, "10.20.0.78"), ==, two);
	}
	remove_lab(conn, lab);
	np_libvirt.close(conn);
}

static void test_foreign(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_empty("devstack");
	np_node *node = fixture_node(lab, "test", GIB, 1);
	g_free(node->libvirt_name);
	node->libvirt_name = g_strdup("test");
	g_autoptr(GError) error = NULL;
	g_assert_false(np_libvirt.domain_define(conn, &(np_domain_spec){.lab = "devstack", .node = node}, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_assert_cmpstr(error->message, ==,
	                "Domain 'test' exists at test:///default and does not carry the mark of lab 'devstack'; "
	                "rename the node or remove that domain.");
	g_clear_error(&error);
	g_assert_false(np_libvirt.domain_stop(conn, "devstack", "test", 0, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_assert_false(np_libvirt.domain_start(conn, "devstack", "test", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_assert_false(np_libvirt.domain_undefine(conn, "devstack", "test", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_assert_false(np_libvirt.network_delete(conn, "devstack", "default", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_assert_false(np_libvirt.pool_delete(conn, "default-pool", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_assert_false(np_libvirt.domain_start(conn, "devstack", "no-such", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	np_libvirt.close(conn);
}

/* Another lab's mark is as foreign as none. */
static void test_other_lab(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_lab("devstack");
	apply_lab(conn, lab);
	g_autoptr(GError) error = NULL;
	g_assert_false(np_libvirt.domain_undefine(conn, "other", "devstack.leaf", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, "other", site, &error));
	g_assert_cmpuint(site->nodes->len, ==, 0);
	g_assert_true(g_hash_table_contains(site->foreign, "domain devstack.leaf"));
	g_autoptr(np_seen_site) all = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, NULL, all, &error));
	g_assert_cmpuint(all->nodes->len, ==, 2);
	g_autoptr(GPtrArray) labs = np_libvirt.labs(conn, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(labs->len, ==, 1);
	g_assert_cmpstr(g_ptr_array_index(labs, 0), ==, "devstack");
	remove_lab(conn, lab);
	np_libvirt.close(conn);
}

static void test_power(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_lab("devstack");
	apply_lab(conn, lab);
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 2; i++) {
		np_libvirt.domain_start(conn, "devstack", "devstack.compute-1", &error);
		g_assert_no_error(error);
	}
	g_assert_false(np_libvirt.domain_undefine(conn, "devstack", "devstack.compute-1", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
	g_clear_error(&error);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, "devstack", site, &error));
	g_assert_cmpint(np_seen_site_node(site, "compute-1")->power, ==, NP_POWER_RUNNING);
	np_libvirt.domain_stop(conn, "devstack", "devstack.compute-1", 60000, NULL, &error);
	g_assert_no_error(error);
	remove_lab(conn, lab);
	np_libvirt.close(conn);
}

static void test_cancelled_stop(void)
{
	np_conn *conn = open_test();
	g_autoptr(fixture) lab = fixture_lab("devstack");
	apply_lab(conn, lab);
	g_autoptr(GError) error = NULL;
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	np_libvirt.domain_start(conn, "devstack", "devstack.leaf", &error);
	g_assert_no_error(error);
	g_cancellable_cancel(cancel);
	g_assert_false(np_libvirt.domain_stop(conn, "devstack", "devstack.leaf", 60000, cancel, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	remove_lab(conn, lab);
	np_libvirt.close(conn);
}

static void test_storage(void)
{
	np_conn *conn = open_test();
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 2; i++) {
		np_libvirt.pool_ensure(conn, "nestplan-devstack", "/nestplan/devstack", &error);
		g_assert_no_error(error);
	}
	g_assert_false(np_libvirt.pool_ensure(conn, "nestplan-devstack", "/elsewhere", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	np_libvirt.volume_create(conn, "nestplan-devstack", "leaf.root.qcow2", "qcow2", GIB, &error);
	g_assert_no_error(error);
	g_assert_false(np_libvirt.volume_create(conn, "nestplan-devstack", "leaf.root.qcow2", "qcow2", GIB, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_clear_error(&error);
	g_assert_false(np_libvirt.volume_create(conn, "nestplan-none", "x", "raw", GIB, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	g_clear_error(&error);

	g_autoptr(fixture) lab = fixture_lab("devstack");
	apply_lab(conn, lab);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, "devstack", site, &error));
	g_assert_true(site->pool);
	g_assert_true(g_hash_table_contains(site->volumes, "leaf.root.qcow2"));
	const np_seen_node *leaf = np_seen_site_node(site, "leaf");
	g_assert_cmpuint(((np_disk *)np_map_find(leaf->node->disks, "root"))->size, ==, GIB);
	g_assert_false(((np_disk *)np_map_find(leaf->node->disks, "root"))->lost);
	g_assert_cmpuint(((np_disk *)np_map_find(leaf->node->disks, "data"))->size, ==, 0);
	g_assert_true(((np_disk *)np_map_find(leaf->node->disks, "data"))->lost);
	remove_lab(conn, lab);

	for (int i = 0; i < 2; i++) {
		np_libvirt.volume_delete(conn, "nestplan-devstack", "leaf.root.qcow2", &error);
		g_assert_no_error(error);
	}
	for (int i = 0; i < 2; i++) {
		np_libvirt.pool_delete(conn, "nestplan-devstack", &error);
		g_assert_no_error(error);
	}
	g_autoptr(GPtrArray) none = np_volumes_read(conn, "nestplan-devstack", NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(none->len, ==, 0);
	g_autoptr(GPtrArray) no_names = np_libvirt.volumes(conn, "nestplan-devstack", &error);
	g_assert_no_error(error);
	g_assert_cmpuint(no_names->len, ==, 0);
	np_libvirt.close(conn);
}

/* An interrupted upload leaves its marker; the volume is not listed, and uploaded anew. */
static void test_interrupted_upload(void)
{
	np_conn *conn = open_test();
	g_autoptr(GError) error = NULL;
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("nestplan-XXXXXX", &path, &error);
	g_assert_no_error(error);
	close(fd);
	g_assert_true(g_file_set_contents(path, "some bytes", -1, NULL));
	g_assert_true(np_libvirt.pool_ensure(conn, "nestplan-devstack", "/nestplan/devstack", &error));
	g_assert_true(np_libvirt.volume_create(conn, "nestplan-devstack", "a.raw", "raw", 1, &error));
	g_assert_true(
	        np_libvirt.volume_create(conn, "nestplan-devstack", "a.raw.0123abcd.uploading", "raw", 0, &error));
	g_autoptr(GPtrArray) before = np_volumes_read(conn, "nestplan-devstack", NULL, &error);
	g_assert_cmpuint(before->len, ==, 0);
	g_autoptr(GPtrArray) complete = np_libvirt.volumes(conn, "nestplan-devstack", &error);
	g_assert_cmpuint(complete->len, ==, 0);
	np_libvirt.volume_upload(conn, "nestplan-devstack", "a.raw", "raw", path, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GPtrArray) after = np_volumes_read(conn, "nestplan-devstack", NULL, &error);
	g_assert_cmpuint(after->len, ==, 1);
	g_assert_cmpuint(((np_volume_info *)g_ptr_array_index(after, 0))->capacity, ==, 10);
	g_autoptr(GPtrArray) names = np_libvirt.volumes(conn, "nestplan-devstack", &error);
	g_assert_cmpuint(names->len, ==, 1);
	g_assert_cmpstr(g_ptr_array_index(names, 0), ==, "a.raw");
	g_assert_true(np_libvirt.volume_delete(conn, "nestplan-devstack", "a.raw", &error));
	g_assert_true(np_libvirt.pool_delete(conn, "nestplan-devstack", &error));
	g_unlink(path);
	np_libvirt.close(conn);
}

/* An image that is there is the one: its name is its content's hash. */
static void test_image_twice(void)
{
	np_conn *conn = open_test();
	g_autoptr(GError) error = NULL;
	g_assert_true(np_libvirt.pool_ensure(conn, NP_POOL_IMAGES, "/nestplan/images", &error));
	for (int i = 0; i < 2; i++) {
		np_libvirt.volume_upload(conn, NP_POOL_IMAGES, "sha256-1.raw", "raw", __FILE__, NULL, NULL, NULL,
		                         &error);
		g_assert_no_error(error);
	}
	g_autoptr(GPtrArray) volumes = np_volumes_read(conn, NP_POOL_IMAGES, NULL, &error);
	g_assert_cmpuint(volumes->len, ==, 1);
	g_assert_true(np_libvirt.volume_delete(conn, NP_POOL_IMAGES, "sha256-1.raw", &error));
	g_assert_true(np_libvirt.pool_delete(conn, NP_POOL_IMAGES, &error));
	np_libvirt.close(conn);
}

static void test_no_secrets(void)
{
	np_conn *conn = open_test();
	g_autoptr(GError) error = NULL;
	g_assert_null(np_libvirt.secret_get(conn, "nestplan/x/key", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	g_assert_false(np_libvirt.secret_create(conn, "nestplan/x/key", "d", NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	g_assert_null(np_libvirt.secrets(conn, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	g_assert_null(np_libvirt.console_open(conn, "test", NULL, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	np_libvirt.close(conn);
}

typedef struct {
	GMutex lock;
	GCond cond;
	unsigned told;
	bool off;
	char *how;
} stops;

static void on_stopped(bool off, const char *how, gpointer data)
{
	stops *s = data;
	g_mutex_lock(&s->lock);
	s->told++;
	s->off = off;
	g_free(s->how);
	s->how = g_strdup(how);
	g_cond_signal(&s->cond);
	g_mutex_unlock(&s->lock);
}

static void expect_told(stops *s, unsigned times, bool off, const char *how)
{
	gint64 until = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
	g_mutex_lock(&s->lock);
	while (s->told < times && g_cond_wait_until(&s->cond, &s->lock, until))
		;
	g_assert_cmpuint(s->told, ==, times);
	g_assert_true(s->off == off);
	g_assert_cmpstr(s->how, ==, how);
	g_mutex_unlock(&s->lock);
}

/* virsh's calls change the domain; the driver's own would not be an outside witness. */
static void test_watch(void)
{
	np_conn *conn = open_test();
	g_autoptr(GError) error = NULL;
	stops s = {0};
	g_assert_null(np_libvirt.domain_watch(conn, "nobody", on_stopped, &s, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, "test");
	gpointer watch = np_libvirt.domain_watch(conn, "test", on_stopped, &s, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(s.told, ==, 0);
	g_assert_cmpint(virDomainSuspend(domain), ==, 0);
	expect_told(&s, 1, false, "somebody or its hypervisor paused it; `virsh domstate --reason` tells which");
	np_libvirt.domain_unwatch(watch);
	watch = np_libvirt.domain_watch(conn, "test", on_stopped, &s, &error); /* one that has stopped before */
	expect_told(&s, 2, false, "somebody suspended it");
	g_assert_cmpint(virDomainResume(domain), ==, 0);
	g_assert_cmpint(virDomainDestroy(domain), ==, 0);
	expect_told(&s, 3, true, "somebody cut its power");
	np_libvirt.domain_unwatch(watch);
	np_libvirt.domain_unwatch(NULL);
	g_free(s.how);
	np_libvirt.close(conn);
}

static gpointer apply_thread(gpointer conn)
{
	g_autofree char *name = g_strdup_printf("lab%p", (void *)g_thread_self());
	for (char *c = name; *c; c++)
		if (!g_ascii_isalnum(*c))
			*c = 'x';
	g_autoptr(fixture) lab = fixture_empty(name);
	np_node *node = fixture_node(lab, "node", 64 * MIB, 1);
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 20; i++) {
		np_libvirt.domain_define(conn, &(np_domain_spec){.lab = name, .node = node}, &error);
		g_assert_no_error(error);
		np_libvirt.domain_start(conn, name, node->libvirt_name, &error);
		g_assert_no_error(error);
		np_libvirt.domain_stop(conn, name, node->libvirt_name, 10000, NULL, &error);
		g_assert_no_error(error);
		np_libvirt.domain_undefine(conn, name, node->libvirt_name, &error);
		g_assert_no_error(error);
	}
	return NULL;
}

static void test_threads(void)
{
	np_conn *conn = open_test();
	GThread *threads[8];
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("apply", apply_thread, conn);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	np_libvirt.close(conn);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/libvirt/xml/domain", test_domain_xml);
	g_test_add_func("/libvirt/xml/feature-once", test_feature_once);
	g_test_add_func("/libvirt/xml/host-passthrough-emulated", test_host_passthrough_emulated);
	g_test_add_func("/libvirt/xml/emulated-leaf", test_emulated_leaf_keeps_svm);
	g_test_add_func("/libvirt/xml/many-disks", test_many_disks);
	g_test_add_func("/libvirt/xml/network", test_network_xml);
	g_test_add_func("/libvirt/xml/escaping", test_escaping);
	g_test_add_func("/libvirt/xml/read-odd", test_read_odd);
	g_test_add_func("/libvirt/xml/read-range", test_read_range);
	g_test_add_func("/libvirt/xml/read-bridge", test_read_bridge);
	g_test_add_func("/libvirt/xml/read-ranges", test_read_ranges);
	g_test_add_func("/libvirt/test/facts", test_facts);
	g_test_add_func("/libvirt/test/unreachable", test_unreachable);
	g_test_add_func("/libvirt/test/round-trip", test_round_trip);
	g_test_add_func("/libvirt/test/network-update", test_network_update);
	g_test_add_func("/libvirt/test/network-twice", test_network_twice);
	g_test_add_func("/libvirt/test/foreign", test_foreign);
	g_test_add_func("/libvirt/test/other-lab", test_other_lab);
	g_test_add_func("/libvirt/test/power", test_power);
	g_test_add_func("/libvirt/test/cancelled-stop", test_cancelled_stop);
	g_test_add_func("/libvirt/test/storage", test_storage);
	g_test_add_func("/libvirt/test/interrupted-upload", test_interrupted_upload);
	g_test_add_func("/libvirt/test/image-twice", test_image_twice);
	g_test_add_func("/libvirt/test/no-secrets", test_no_secrets);
	g_test_add_func("/libvirt/watch", test_watch);
	g_test_add_func("/libvirt/test/threads", test_threads);
	return g_test_run();
}
