/* SPDX-License-Identifier: Apache-2.0 */
/* Import and adoption through libvirt's in-process test driver. (What is written of many kinds of domains is in
 * import.sh.) */
#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/xml.h"
#include "lab/lab.h"
#include "plan/plan.h"
#include "run/adopt.h"

static np_conn *open_test(void)
{
	g_autoptr(GError) error = NULL;
	np_conn *conn = np_libvirt.open("test:///default", &error);
	g_assert_no_error(error);
	return conn;
}

static np_lab *parse(const char *text)
{
	g_autoptr(np_diags) diags = NULL;
	np_lab *lab = np_lab_parse(text, strlen(text), NULL, &diags);
	g_autofree char *rendered = np_diags_render(diags, FALSE);
	if (!lab)
		g_error("%s\n%s", text, rendered);
	return lab;
}

static np_import *import(np_conn *conn, const char *name, const char *const *domains, bool adopt)
{
	g_autoptr(GError) error = NULL;
	np_import_request request = {.name = name, .domains = domains, .adopt = adopt};
	np_import *found = np_libvirt.import(conn, &request, &error);
	g_assert_no_error(error);
	return found;
}

static void define(np_conn *conn, const char *xml)
{
	g_autoptr(virDomain) domain = virDomainDefineXML(conn->vir, xml);
	g_assert_nonnull(domain);
}

/* ── a lab that nestplan made itself comes back as it was ── */

static const char lab_text[] = "version: 1\n"
                               "name: roundtrip\n"
                               "networks:\n"
                               "  mgmt: {cidr: 10.20.0.0/24}\n"
                               "  tunnel: {cidr: 10.20.1.0/24, mode: isolated, mtu: 9000, dhcp: false}\n"
                               "  office: {mode: bridge, bridge: br0}\n"
                               "defaults: {image: no-image, memory: 512MiB, vcpus: 2}\n"
                               "nodes:\n"
                               "  leaf:\n"
                               "    accel: emulate\n"
                               "    cpu: {mode: custom, model: EPYC, features: {x2apic: require}}\n"
                               "    disks: {root: 4GiB, data: {size: 1GiB, bus: scsi, cache: none}}\n"
                               "    nics: {mgmt: {address: 10.20.0.77}, wire: {network: tunnel}, office: }\n"
                               "  small: {memory: 65000KiB, vcpus: 1, cpu: host-passthrough, nics: [mgmt]}\n";

static void make(np_conn *conn, const np_lab *lab)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *pool = np_pool_name(lab->name);
	np_libvirt.pool_ensure(conn, pool, "/roundtrip", &error);
	g_assert_no_error(error);
	for (guint i = 0; i < lab->site.networks->len; i++)
		np_libvirt.network_ensure(conn, lab, g_ptr_array_index(lab->site.networks, i), NULL, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		for (guint k = 0; k < node->disks->len; k++) {
			const np_disk *disk = g_ptr_array_index(node->disks, k);
			g_autofree char *volume = np_volume_name(node->base.name, disk->base.name);
			np_libvirt.volume_create(conn, pool, volume, "qcow2", disk->size, &error);
			g_assert_no_error(error);
		}
		np_domain_spec spec = {
		        .lab = lab->name, .node = node, .kvm = node->accel == NP_ACCEL_KVM, .flag = "svm"};
		np_libvirt.domain_define(conn, &spec, &error);
		g_assert_no_error(error);
	}
}

static void check_same_node(const np_node *is, const np_node *be)
{
	g_assert_cmpstr(is->base.name, ==, be->base.name);
	g_assert_cmpuint(is->memory, ==, be->memory);
	g_assert_cmpuint(is->vcpus, ==, be->vcpus);
	g_assert_cmpint(is->accel, ==, be->accel);
	g_assert_cmpint(is->cpu.mode, ==, be->cpu.mode);
	g_assert_cmpstr(is->cpu.model, ==, be->cpu.model);
	for (guint i = 0; i < be->cpu.features->len; i++) {
		const np_feature *wanted = g_ptr_array_index(be->cpu.features, i);
		const np_feature *feature = np_map_find(is->cpu.features, wanted->base.name);
		g_assert_nonnull(feature);
		g_assert_cmpint(feature->policy, ==, wanted->policy);
	}
	g_assert_cmpuint(is->disks->len, ==, be->disks->len);
	for (guint i = 0; i < be->disks->len; i++) {
		const np_disk *x = g_ptr_array_index(is->disks, i), *y = g_ptr_array_index(be->disks, i);
		g_assert_cmpstr(x->base.name, ==, y->base.name);
		g_assert_cmpuint(x->size, ==, y->size);
		g_assert_cmpint(x->bus, ==, y->bus);
		g_assert_cmpint(x->cache, ==, y->cache);
	}
	g_assert_cmpuint(is->nics->len, ==, be->nics->len);
	for (guint i = 0; i < be->nics->len; i++) {
		const np_nic *x = g_ptr_array_index(is->nics, i), *y = g_ptr_array_index(be->nics, i);
		g_assert_cmpstr(x->base.name, ==, y->base.name);
		g_assert_cmpstr(x->network, ==, y->network);
		g_assert_cmpstr(x->mac, ==, y->mac);
		g_assert_cmpuint(x->address, ==, y->address);
	}
}

static void check_same_network(const np_network *is, const np_network *be)
{
	g_assert_cmpstr(is->base.name, ==, be->base.name);
	g_assert_cmpint(is->mode, ==, be->mode);
	g_assert_cmpuint(is->cidr.base, ==, be->cidr.base);
	g_assert_cmpuint(is->cidr.prefix, ==, be->cidr.prefix);
	g_assert_cmpint(is->dhcp, ==, be->dhcp);
	g_assert_cmpuint(is->mtu, ==, be->mtu);
	g_assert_cmpstr(is->bridge, ==, be->bridge);
}

static char *written(const np_import *found)
{
	g_autoptr(np_comments) comments = np_comments_new();
	for (guint i = 0; i < found->remarks->len; i++) {
		const np_remark *remark = g_ptr_array_index(found->remarks, i);
		np_comments_add(comments, remark->object, remark->text);
	}
	return np_lab_write(found->lab, comments);
}

static void test_round_trip(void)
{
	np_conn *conn = open_test();
	g_autoptr(np_lab) lab = parse(lab_text);
	make(conn, lab);
	g_autoptr(np_import) found =
	        import(conn, "roundtrip", (const char *const[]){"roundtrip.leaf", "roundtrip.small", NULL}, false);
	g_autofree char *text = written(found);
	g_autoptr(np_lab) again = parse(text);
	g_assert_cmpuint(again->site.nodes->len, ==, 2);
	g_assert_cmpuint(again->site.networks->len, ==, 3);
	for (guint i = 0; i < again->site.nodes->len; i++)
		check_same_node(g_ptr_array_index(again->site.nodes, i), g_ptr_array_index(lab->site.nodes, i));
	for (guint i = 0; i < again->site.networks->len; i++) {
		const np_network *network = g_ptr_array_index(again->site.networks, i);
		check_same_network(network, np_site_network(&lab->site, network->base.name));
	}
	/* Written again, the file is the same. */
	g_autofree char *printed = np_lab_print(again);
	g_autoptr(np_lab) third = parse(printed);
	g_autofree char *once_more = np_lab_print(third);
	g_assert_cmpstr(printed, ==, once_more);
	np_libvirt.close(conn);
}

/* What carries a mark is a lab's: left out, unless it is named. */
static void test_marked(void)
{
	np_conn *conn = open_test();
	g_autoptr(np_lab) lab = parse(lab_text);
	make(conn, lab);
	g_autoptr(np_import) found = import(conn, "other", NULL, false);
	g_assert_cmpuint(found->origins->len, ==, 1);
	g_assert_cmpstr(g_ptr_array_index(found->origins, 0), ==, "test");
	g_autoptr(np_import) named = import(conn, "other", (const char *const[]){"roundtrip.small", NULL}, true);
	bool refused = false;
	for (guint i = 0; i < named->remarks->len; i++) {
		const np_remark *remark = g_ptr_array_index(named->remarks, i);
		refused = refused ||
		          (remark->obstacle && strstr(remark->text, "it is node 'small' of lab 'roundtrip' already"));
	}
	g_assert_true(refused);
	np_libvirt.close(conn);
}

/* A text that is none of our making comes out as it went in, whatever it looks like. */
static void test_description(void)
{
	static const char *const texts[] = {
	        "",
	        " ",
	        "yes",
	        "0x10",
	        "- a",
	        "a: b # c",
	        "'",
	        "\"",
	        "\\n",
	        "line\nanother\n",
	        "\ttab",
	        "\xc2\x85 \xe2\x80\xa8 \xf0\x9f\x98\x80",
	        "${lab.name}",
	        "$${lab.name}",
	        "$$${ and ${",
	        "|",
	        ">",
	        "@x",
	        "%x",
	        "&x *x",
	        "{}",
	        "[]",
	        "~",
	        "null",
	        "---",
	        "...",
	};
	np_conn *conn = open_test();
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *escaped = g_markup_escape_text(texts[i], -1);
		g_autofree char *xml = g_strdup_printf(
		        "<domain type='qemu'><name>d</name><uuid>4a64cc71-19c4-2fd0-2323-3050941e2000</uuid>"
		        "<description>%s</description><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
		        "<os><type arch='x86_64'>hvm</type></os></domain>",
		        escaped);
		define(conn, xml);
		g_autoptr(np_import) found = import(conn, "x", (const char *const[]){"d", NULL}, false);
		g_autofree char *text = written(found);
		g_autoptr(np_lab) lab = parse(text);
		const np_node *node = np_lab_node(lab, "d");
		const char *seen = ((const np_node *)g_ptr_array_index(found->lab->site.nodes, 0))->description;
		g_assert_cmpstr(node->description, ==, seen);
		if (seen) /* libvirt drops one that is empty */
			g_assert_cmpstr(seen, ==, texts[i]);
		else
			g_assert_cmpuint(strlen(texts[i]), <, 2);
	}
	np_libvirt.close(conn);
}

/* ── adoption ── */

#define DOMAIN(name, uuid, mac)                                                                                        \
	"<domain type='qemu'><name>" name "</name><uuid>4a64cc71-19c4-2fd0-2323-3050941e" uuid "</uuid>"               \
	"<metadata><o:os xmlns:o='http://example.org/os'>debian</o:os></metadata>"                                     \
	"<memory unit='KiB'>131073</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>"           \
	"<cpu mode='custom' match='exact'><model>EPYC</model></cpu>"                                                   \
	"<devices><interface type='network'><mac address='52:54:00:00:00:" mac "'/><source network='default'/>"        \
	"<model type='virtio'/></interface><graphics type='vnc' port='-1' passwd='secret'/></devices></domain>"

static const char *const strangers[] = {"Alpha", "beta", NULL};

static void define_strangers(np_conn *conn)
{
	define(conn, DOMAIN("Alpha", "1001", "01"));
	define(conn, DOMAIN("beta", "1002", "02"));
}

static char *definition(np_conn *conn, const char *name)
{
	g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, name);
	char *text = domain ? virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE) : NULL;
	char *copy = g_strdup(text);
	free(text);
	return copy;
}

static unsigned count_obstacles(const np_import *found)
{
	unsigned count = 0;
	for (guint i = 0; i < found->remarks->len; i++) {
		const np_remark *remark = g_ptr_array_index(found->remarks, i);
		count += remark->obstacle;
		if (remark->obstacle)
			g_test_message("%s: %s", remark->about, remark->text);
	}
	return count;
}

static np_plan *plan_of(np_conn *conn, const np_lab *lab)
{
	g_autoptr(np_world) world = np_world_new(lab->name);
	g_autoptr(GError) error = NULL;
	np_libvirt.facts(conn, &world->root->facts, &error);
	g_assert_no_error(error);
	np_libvirt.observe(conn, lab->name, world->root, &error);
	g_assert_no_error(error);
	world->root->reachable = true;
	np_accel_decide(&world->root->facts, NULL, &world->accel);
	return np_plan_make(lab, world, NULL);
}

static void test_adopt(void)
{
	np_conn *conn = open_test();
	define_strangers(conn);
	g_autoptr(np_import) found = import(conn, "adopted", strangers, true);
	g_assert_cmpuint(count_obstacles(found), ==, 0);
	g_autofree char *text = written(found);
	g_autoptr(np_lab) lab = parse(text);
	g_autoptr(GError) error = NULL;
	np_run_adopt(&np_libvirt, conn, lab, found->origins, &error);
	g_assert_no_error(error);
	static const char *const names[] = {"adopted.alpha", "adopted.beta"};
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		np_libvirt.domain_start(conn, "adopted", names[i], &error);
		g_assert_no_error(error);
	}
	g_autoptr(np_plan) plan = plan_of(conn, lab);
	g_autofree char *shown = np_plan_render(plan, false);
	g_test_message("%s", shown);
	g_assert_cmpuint(plan->problems->len, ==, 0);
	g_assert_true(np_plan_is_empty(plan));
	/* What changes from now on is told apart by where it did. */
	np_node *node = g_ptr_array_index(lab->site.nodes, 0);
	node->vcpus++;
	g_autoptr(np_plan) later = plan_of(conn, lab);
	const np_change *change = np_plan_find(later, node->address);
	g_assert_nonnull(change);
	g_assert_cmpint(change->moved, ==, NP_MOVED_LAB);
	/* What the lab file cannot say is still there, and the machine is the same. */
	g_autofree char *alpha = definition(conn, "adopted.alpha");
	g_assert_nonnull(strstr(alpha, "<uuid>4a64cc71-19c4-2fd0-2323-3050941e1001</uuid>"));
	g_assert_nonnull(strstr(alpha, "http://example.org/os"));
	g_assert_nonnull(strstr(alpha, "passwd='secret'"));
	g_assert_null(strstr(text, "secret"));
	g_autofree char *former = definition(conn, "Alpha");
	g_assert_null(former);
	/* The network that they were on is nobody's still. */
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, "adopted", site, &error));
	g_assert_true(g_hash_table_contains(site->foreign, "network default"));
	np_libvirt.close(conn);
}

/* Fails with `cause` after `change`, and leaves all as it was. */
static void check_back(void (*change)(np_conn *conn), const char *cause)
{
	np_conn *conn = open_test();
	define_strangers(conn);
	g_autofree char *alpha = definition(conn, "Alpha"), *beta = definition(conn, "beta");
	g_autoptr(np_import) found = import(conn, "adopted", strangers, true);
	g_autofree char *text = written(found);
	g_autoptr(np_lab) lab = parse(text);
	change(conn);
	g_autoptr(GError) error = NULL;
	g_assert_false(np_run_adopt(&np_libvirt, conn, lab, found->origins, &error));
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, cause));
	g_assert_true(g_str_has_suffix(error->message, "All is as it was before."));
	g_autofree char *alpha_now = definition(conn, "Alpha"), *beta_now = definition(conn, "beta");
	g_assert_cmpstr(alpha_now, ==, alpha);
	g_assert_cmpstr(beta_now, ==, beta);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_clear_error(&error);
	g_assert_true(np_libvirt.observe(conn, "adopted", site, &error));
	g_assert_cmpuint(site->nodes->len, ==, 0);
	g_assert_cmpuint(site->networks->len, ==, 0);
	np_libvirt.close(conn);
}

static void take_last_name(np_conn *conn)
{
	define(conn, DOMAIN("adopted.beta", "1003", "03"));
}

static void start_last(np_conn *conn)
{
	g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, "beta");
	g_assert_cmpint(virDomainCreate(domain), ==, 0);
}

static void take_network_name(np_conn *conn)
{
	g_autoptr(virNetwork) network = virNetworkDefineXML(
	        conn->vir, "<network><name>adopted.default</name><forward mode='bridge'/><bridge name='x'/></network>");
	g_assert_nonnull(network);
}

static void test_back(void)
{
	check_back(take_last_name, "'beta' cannot be renamed to 'adopted.beta'");
	check_back(start_last, "'beta' cannot be renamed to 'adopted.beta'");
	check_back(take_network_name, "Network 'adopted.default' exists");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/import/round-trip", test_round_trip);
	g_test_add_func("/import/marked", test_marked);
	g_test_add_func("/import/description", test_description);
	g_test_add_func("/import/adopt", test_adopt);
	g_test_add_func("/import/back", test_back);
	return g_test_run();
}
