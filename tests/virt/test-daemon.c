/* SPDX-License-Identifier: Apache-2.0 */
/* The libvirt driver against a real daemon, with a lab of its own, "nptest-virt", that is removed before and after.
 * Skipped where qemu:///system does not answer. */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../libvirt-fixture.h"
#include "base/error.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/update.h"
#include "drivers/libvirt/upload.h"

#define LAB         "nptest-virt"
#define POOL        "nestplan-" LAB
#define URI         "qemu:///system"
#define NAME_PREFIX LAB "."

typedef np_lab fixture;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fixture, fixture_free)

typedef struct {
	np_conn *conn;
	char *folder; /* for local files */
	char *storage;
} context;

/* Every test starts from and leaves nothing. Errors are not hidden: what cannot be removed fails the next test. */
static void clean(np_conn *conn)
{
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_autoptr(GError) error = NULL;
	np_libvirt.observe(conn, LAB, site, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < site->nodes->len; i++) {
		const char *name = ((np_seen_node *)g_ptr_array_index(site->nodes, i))->node->libvirt_name;
		np_libvirt.domain_stop(conn, LAB, name, 0, NULL, &error);
		g_assert_no_error(error);
		np_libvirt.domain_undefine(conn, LAB, name, &error);
		g_assert_no_error(error);
	}
	for (guint i = 0; i < site->networks->len; i++) {
		np_libvirt.network_delete(
		        conn, LAB, ((np_seen_network *)g_ptr_array_index(site->networks, i))->network->libvirt_name,
		        &error);
		g_assert_no_error(error);
	}
	g_autoptr(GPtrArray) volumes = np_volumes_read(conn, POOL, NULL, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < volumes->len; i++)
		np_libvirt.volume_delete(conn, POOL, ((np_volume_info *)g_ptr_array_index(volumes, i))->name, NULL);
	np_libvirt.volume_delete(conn, POOL, "cut.root.qcow2", NULL);
	np_libvirt.pool_delete(conn, POOL, &error);
	g_assert_no_error(error);
	np_libvirt.secret_delete(conn, "nestplan/" LAB "/lock", NULL, &error);
	g_assert_no_error(error);
}

static void set_up(context *test, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	test->conn = np_libvirt.open(URI, &error);
	if (!test->conn) {
		g_test_skip(error->message);
		return;
	}
	test->folder = g_dir_make_tmp(LAB "-XXXXXX", &error);
	g_assert_no_error(error);
	test->storage = g_build_filename(test->folder, "pool", NULL);
	g_assert_cmpint(g_chmod(test->folder, 0755), ==, 0);
	clean(test->conn);
}

static void tear_down(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	clean(test->conn);
	np_libvirt.close(test->conn);
	g_rmdir(test->storage);
	g_rmdir(test->folder);
	g_free(test->storage);
	g_free(test->folder);
}

static char *run_tool(const char *const *argv)
{
	char *output = NULL;
	int status = 0;
	g_autoptr(GError) error = NULL;
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, &status, &error);
	g_assert_no_error(error);
	g_assert_true(g_spawn_check_wait_status(status, NULL));
	return output;
}

/* MemTotal of this machine's kernel, in bytes. */
static guint64 memory_total(void)
{
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents("/proc/meminfo", &text, NULL, NULL));
	const char *at = strstr(text, "MemTotal:");
	g_assert_nonnull(at);
	return g_ascii_strtoull(at + strlen("MemTotal:"), NULL, 10) * 1024;
}

static void test_facts(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_auto(np_host_facts) facts = {0};
	g_autoptr(GError) error = NULL;
	np_libvirt.facts(test->conn, &facts, &error);
	g_assert_no_error(error);
	g_assert_true(facts.local);
	g_assert_true(facts.offers_qemu);
	g_assert_true(g_uuid_string_is_valid(facts.uuid));
	g_assert_cmpuint(facts.memory, ==, memory_total());
	g_assert_cmpuint(facts.cpus, >, 0);
	g_assert_cmpuint(facts.modes_qemu, ==, 0);
	np_libvirt.cpus(test->conn, &facts);
	g_assert_true(facts.modes_qemu & 1u << NP_CPU_MAXIMUM);
	g_assert_cmpstr(g_hash_table_lookup(facts.models_qemu, "qemu64"), ==, "yes");
	g_assert_false(facts.modes_qemu & 1u << NP_CPU_HOST_PASSTHROUGH);
	g_test_message("%s %s, flag %s, kvm %d, modes %x %x", facts.version, facts.arch, facts.flag, facts.offers_kvm,
	               facts.modes_kvm, facts.modes_qemu);
}

static const np_volume_info *find_volume(GPtrArray *volumes, const char *name)
{
	for (guint i = 0; i < volumes->len; i++) {
		const np_volume_info *info = g_ptr_array_index(volumes, i);
		if (strcmp(info->name, name) == 0)
			return info;
	}
	return NULL;
}

static void count_progress(guint64 done, guint64 total, gpointer data)
{
	g_assert_cmpuint(done, <=, total);
	*(guint64 *)data = done;
}

/* A base and an overlay with a relative backing path, as nestplan makes them. */
static void test_upload(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *base = g_build_filename(test->folder, "base.qcow2", NULL);
	g_autofree char *overlay = g_build_filename(test->folder, "overlay.qcow2", NULL);
	g_free(run_tool((const char *const[]){"qemu-img", "create", "-q", "-f", "qcow2", base, "64M", NULL}));
	g_free(run_tool((const char *const[]){"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b",
	                                      "base.qcow2", overlay, "1G", NULL}));
	for (int i = 0; i < 2; i++) {
		np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error);
		g_assert_no_error(error);
	}
	guint64 done = 0;
	np_libvirt.volume_upload(test->conn, POOL, "base.qcow2", "qcow2", base, count_progress, &done, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(done, >, 1000);
	np_libvirt.volume_upload(test->conn, POOL, "node.root.qcow2", "qcow2", overlay, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	np_libvirt.volume_create(test->conn, POOL, "node.data.qcow2", "qcow2", 3 * GIB, &error);
	g_assert_no_error(error);

	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(volumes->len, ==, 3);
	const np_volume_info *root = find_volume(volumes, "node.root.qcow2");
	g_assert_cmpuint(root->capacity, ==, GIB);
	g_autofree char *backing = g_build_filename(test->storage, "base.qcow2", NULL);
	g_assert_cmpstr(root->backing, ==, backing);
	g_assert_cmpuint(find_volume(volumes, "node.data.qcow2")->capacity, ==, 3 * GIB);

	g_autofree char *uploaded = g_build_filename(test->storage, "base.qcow2", NULL);
	g_autofree char *a = NULL, *b = NULL;
	gsize a_size, b_size;
	g_assert_true(g_file_get_contents(base, &a, &a_size, NULL));
	g_assert_true(g_file_get_contents(uploaded, &b, &b_size, NULL));
	g_assert_cmpuint(a_size, ==, b_size);
	g_assert_true(memcmp(a, b, a_size) == 0);

	/* A disk is never overwritten. */
	g_assert_false(np_libvirt.volume_upload(test->conn, POOL, "node.root.qcow2", "qcow2", overlay, NULL, NULL, NULL,
	                                        &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_unlink(base);
	g_unlink(overlay);
}

/* Holes stay holes, and one at the end keeps the size. */
static void test_sparse(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "sparse.raw", NULL);
	FILE *file = g_fopen(path, "w");
	g_assert_nonnull(file);
	g_assert_cmpint(fseek(file, 300 << 20, SEEK_SET), ==, 0);
	g_assert_cmpint(fputs("in the middle", file), >=, 0);
	g_assert_cmpint(fflush(file), ==, 0);
	g_assert_cmpint(ftruncate(fileno(file), 1 << 30), ==, 0);
	fclose(file);
	g_assert_true(np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error));
	guint64 done = 0;
	np_libvirt.volume_upload(test->conn, POOL, "sparse.raw", "raw", path, count_progress, &done, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(done, ==, GIB);
	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	const np_volume_info *info = find_volume(volumes, "sparse.raw");
	g_assert_cmpuint(info->capacity, ==, GIB);
	g_assert_cmpuint(info->allocation, <, 4 * MIB);
	g_unlink(path);
}

static void test_wrong_format(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "not.qcow2", NULL);
	g_assert_true(g_file_set_contents(path, "<html>404</html>", -1, NULL));
	g_assert_true(np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error));
	g_assert_false(
	        np_libvirt.volume_upload(test->conn, POOL, "not.qcow2", "qcow2", path, NULL, NULL, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
	g_test_message("%s", error->message);
	g_clear_error(&error);
	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(volumes->len, ==, 0);
	g_unlink(path);
}

static void cancel_at_once(guint64 done, guint64 total, gpointer data)
{
	(void)total;
	if (done > 4 * MIB)
		g_cancellable_cancel(data);
}

static void make_random(const char *path, gsize size)
{
	g_autofree guint32 *bytes = g_malloc(size);
	for (gsize i = 0; i < size / 4; i++)
		bytes[i] = g_random_int();
	g_assert_true(g_file_set_contents(path, (char *)bytes, (gssize)size, NULL));
}

static void test_cancelled_upload(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	g_autofree char *path = g_build_filename(test->folder, "big.raw", NULL);
	make_random(path, 32 << 20);
	g_assert_true(np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error));
	g_assert_false(np_libvirt.volume_upload(test->conn, POOL, "big.raw", "raw", path, cancel_at_once, cancel,
	                                        cancel, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	g_clear_error(&error);
	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(volumes->len, ==, 0);
	np_libvirt.volume_upload(test->conn, POOL, "big.raw", "raw", path, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	g_unlink(path);
}

static void die(guint64 done, guint64 total, gpointer data)
{
	(void)total;
	(void)data;
	if (done > 4 * MIB)
		kill(getpid(), SIGKILL);
}

/* In the child: an upload that ends with kill -9. */
static void child_upload(const char *path)
{
	np_conn *conn = np_libvirt.open(URI, NULL);
	if (conn)
		np_libvirt.volume_upload(conn, POOL, "cut.root.qcow2", "raw", path, die, NULL, NULL, NULL);
}

static void test_killed_upload(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "cut.raw", NULL);
	make_random(path, 32 << 20);
	g_assert_true(np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error));
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	int status = 0;
	g_spawn_sync(NULL, (char *[]){self, (char *)"--upload", path, NULL}, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL,
	             NULL, &status, &error);
	g_assert_no_error(error);
	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	g_autofree char *file = g_build_filename(test->storage, "cut.root.qcow2", NULL);
	g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
	g_autoptr(GPtrArray) before = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(before->len, ==, 0);
	np_libvirt.volume_upload(test->conn, POOL, "cut.root.qcow2", "raw", path, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GPtrArray) after = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(after->len, ==, 1);
	g_unlink(path);
}

static gpointer upload_thread(gpointer data)
{
	context *test = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "small.raw", NULL);
	for (int i = 0; i < 5; i++) {
		g_autofree char *name = g_strdup_printf("v%p-%d.raw", (void *)g_thread_self(), i);
		np_libvirt.volume_upload(test->conn, POOL, name, "raw", path, NULL, NULL, NULL, &error);
		g_assert_no_error(error);
		np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error);
		g_assert_no_error(error);
	}
	return NULL;
}

static void test_parallel_uploads(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "small.raw", NULL);
	make_random(path, 1 << 20);
	g_assert_true(np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error));
	context other = *test;
	other.conn = np_libvirt.open(URI, &error);
	g_assert_no_error(error);
	GThread *threads[4];
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("upload", upload_thread, i % 2 ? &other : test);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	np_libvirt.close(other.conn);
	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(volumes->len, ==, 20);
	g_unlink(path);
}

static np_lab *small_lab(void)
{
	np_lab *lab = fixture_empty(LAB);
	fixture_network(lab, "net", "10.97.41.0/24", NP_NET_ISOLATED);
	np_node *node = fixture_node(lab, "node", 128 * MIB, 1);
	node->accel = NP_ACCEL_EMULATE;
	fixture_nic(node, "eth0", "net", "10.97.41.10");
	np_node *inner = np_object_new(&np_node_kind, "guest");
	inner->parent = &node->site;
	g_ptr_array_add(np_objects_own(&node->site.nodes), inner);
	return lab;
}

static gpointer same_name_thread(gpointer data)
{
	const context *test = data;
	GError *error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "same.raw", NULL);
	np_conn *conn = np_libvirt.open(URI, &error);
	g_assert_no_error(error);
	np_volume_upload_patient(conn, POOL, "same.raw", "raw", path, 5 * G_USEC_PER_SEC, NULL, NULL, NULL, &error);
	np_libvirt.close(conn);
	return error;
}

/* Two connections, as of two processes: the later one waits and never clears the other's upload away. */
static void test_same_name(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(test->folder, "same.raw", NULL);
	make_random(path, 64 << 20);
	g_assert_true(np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error));
	GThread *first = g_thread_new("first", same_name_thread, test);
	g_autofree char *uploaded = g_build_filename(test->storage, "same.raw", NULL);
	while (!g_file_test(uploaded, G_FILE_TEST_EXISTS))
		g_usleep(1000);
	g_usleep(50 * 1000);
	GThread *second = g_thread_new("second", same_name_thread, test);
	g_autoptr(GError) of_first = g_thread_join(first);
	g_autoptr(GError) of_second = g_thread_join(second);
	g_assert_no_error(of_first);
	g_assert_error(of_second, NP_ERROR, NP_ERROR_CLASH);
	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(volumes->len, ==, 1);
	g_assert_cmpuint(((np_volume_info *)g_ptr_array_index(volumes, 0))->capacity, ==, 64 * MIB);
	g_unlink(path);
}

static void drop_nics(np_node *node)
{
	while (node->nics->len > 0)
		np_object_free(&np_nic_kind, g_ptr_array_steal_index(node->nics, 0));
}

static void test_network(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_network *network = np_map_find(lab->site.networks, "net");
	g_autoptr(GError) error = NULL;
	np_libvirt.network_ensure(test->conn, lab, network, NULL, &error);
	g_assert_no_error(error);
	/* One more host while it runs. */
	fixture_nic(fixture_node(lab, "late", 128 * MIB, 1), "net", NULL, "10.97.41.11");
	np_libvirt.network_ensure(test->conn, lab, network, NULL, &error);
	g_assert_no_error(error);
	g_autofree char *live =
	        run_tool((const char *const[]){"virsh", "-c", URI, "net-dumpxml", NAME_PREFIX "net", NULL});
	g_assert_nonnull(strstr(live, "ip='10.97.41.11'"));
	/* And one less. */
	np_node_free(g_ptr_array_steal_index(lab->site.nodes, 1));
	np_libvirt.network_ensure(test->conn, lab, network, NULL, &error);
	g_assert_no_error(error);
	g_autofree char *less =
	        run_tool((const char *const[]){"virsh", "-c", URI, "net-dumpxml", NAME_PREFIX "net", NULL});
	g_assert_null(strstr(less, "ip='10.97.41.11'"));
	/* Another form: started anew. */
	network->mtu = 1400;
	np_libvirt.network_ensure(test->conn, lab, network, NULL, &error);
	g_assert_no_error(error);
	g_autofree char *anew =
	        run_tool((const char *const[]){"virsh", "-c", URI, "net-dumpxml", NAME_PREFIX "net", NULL});
	g_assert_nonnull(strstr(anew, "<mtu size='1400'/>"));
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	np_libvirt.observe(test->conn, LAB, site, &error);
	g_assert_no_error(error);
	const np_seen_network *seen = np_seen_site_network(site, "net");
	g_assert_true(seen->active);
	g_assert_cmpint(seen->network->mode, ==, NP_NET_ISOLATED);
	g_assert_cmpuint(seen->network->cidr.base, ==, network->cidr.base);
	g_assert_true(seen->network->dhcp);
	g_assert_cmpstr(seen->network->device, ==, network->device);
}

static char *network_text(const char *which)
{
	return run_tool((const char *const[]){"virsh", "-c", URI, "net-dumpxml", NAME_PREFIX "net", which, NULL});
}

/* What the running network says, what is stored, and, where we may read that, what its dnsmasq was told. */
static void expect_dhcp(context *test, bool on)
{
	static const char *const parts[] = {"<range start='10.97.41.192' end='10.97.41.254'", "mac='52:54:00:97:41:0a'"};
	g_autofree char *live = network_text(NULL), *stored = network_text("--inactive"), *conf = NULL, *hosts = NULL;
	for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_assert_cmpint(strstr(live, parts[i]) != NULL, ==, on);
		g_assert_cmpint(strstr(stored, parts[i]) != NULL, ==, on);
	}
	g_assert_cmpint(strstr(live, "<dhcp>") != NULL, ==, on);
	g_assert_cmpint(strstr(stored, "<dhcp>") != NULL, ==, on);
	g_assert_nonnull(strstr(live, "<hostname>node</hostname>"));
	g_assert_nonnull(strstr(stored, "<hostname>node</hostname>"));
	if (g_file_get_contents("/var/lib/libvirt/dnsmasq/" NAME_PREFIX "net.conf", &conf, NULL, NULL))
		g_assert_cmpint(strstr(conf, "\ndhcp-range=10.97.41.192,10.97.41.254") != NULL, ==, on);
	if (conf && g_file_get_contents("/var/lib/libvirt/dnsmasq/" NAME_PREFIX "net.hostsfile", &hosts, NULL, NULL))
		g_assert_cmpint(strstr(hosts, "52:54:00:97:41:0a,10.97.41.10,node") != NULL, ==, on);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(test->conn, LAB, site, NULL));
	const np_seen_network *seen = np_seen_site_network(site, "net");
	g_assert_cmpint(seen->network->dhcp, ==, on);
	g_assert_cmpint(seen->live->dhcp, ==, on);
	const char *host = on ? "node 52:54:00:97:41:0a" : "node";
	g_assert_cmpstr(g_hash_table_lookup(seen->hosts, "10.97.41.10"), ==, host);
	g_assert_cmpstr(g_hash_table_lookup(seen->live_hosts, "10.97.41.10"), ==, host);
}

/* The number of a device is another one when it was made anew. */
static char *device_number(const np_network *network)
{
	g_autofree char *path = g_build_filename("/sys/class/net", network->device, "ifindex", NULL);
	char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void test_network_dhcp(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_network *network = np_map_find(lab->site.networks, "net");
	np_nic *nic = g_ptr_array_index(np_lab_node(lab, "node")->nics, 0);
	g_free(nic->mac);
	nic->mac = g_strdup("52:54:00:97:41:0a");
	g_autofree char *number = NULL;
	for (int i = 0; i < 5; i++) {
		g_autoptr(GError) error = NULL;
		network->dhcp = i % 2 == 0;
		np_libvirt.network_ensure(test->conn, lab, network, NULL, &error);
		g_assert_no_error(error);
		expect_dhcp(test, network->dhcp);
		g_autofree char *now = device_number(network);
		number = number ? number : g_strdup(now);
		g_assert_cmpstr(now, ==, number);
	}
}

/* Somebody gives the network IPv6 of its own with DHCP, and another range. */
static void meddle(context *test)
{
	g_autofree char *text = network_text("--inactive"), *path = g_build_filename(test->folder, "net.xml", NULL);
	g_auto(GStrv) parts = g_strsplit(text, "<ip family='ipv4'", 2);
	g_autofree char *with = g_strjoinv("<ip family='ipv6' address='fd97:41::1' prefix='64'><dhcp><range start='fd97:41::10' "
	                                   "end='fd97:41::20'/></dhcp></ip><ip family='ipv4'", parts);
	g_auto(GStrv) ranges = g_strsplit(with, "<range start='10.97.41.192'", 2);
	g_autofree char *xml = g_strjoinv("<range start='10.97.41.100'", ranges);
	g_assert_true(g_file_set_contents(path, xml, -1, NULL));
	g_free(run_tool((const char *const[]){"virsh", "-c", URI, "net-define", path, NULL}));
	g_free(run_tool((const char *const[]){"virsh", "-c", URI, "net-destroy", NAME_PREFIX "net", NULL}));
	g_free(run_tool((const char *const[]){"virsh", "-c", URI, "net-start", NAME_PREFIX "net", NULL}));
	g_unlink(path);
}

static void test_network_range(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_network *network = np_map_find(lab->site.networks, "net");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 4; i++) {
		network->dhcp = i != 2;
		np_libvirt.network_ensure(test->conn, lab, network, NULL, &error);
		g_assert_no_error(error);
		g_autoptr(np_seen_site) site = np_seen_site_new("");
		g_assert_true(np_libvirt.observe(test->conn, LAB, site, NULL));
		const np_seen_network *seen = np_seen_site_network(site, "net");
		const char *range = network->dhcp ? "10.97.41.192-10.97.41.254" : "none";
		g_assert_cmpstr(seen->network->dhcp_range, ==, range);
		g_assert_cmpstr(seen->live->dhcp_range, ==, range);
		g_assert_cmpint(seen->live->dhcp, ==, network->dhcp);
		g_autofree char *live = network_text(NULL);
		g_assert_cmpint(strstr(live, "fd97:41::20") != NULL, ==, i > 0);
		if (i)
			continue;
		meddle(test);
		g_autoptr(np_seen_site) met = np_seen_site_new("");
		g_assert_true(np_libvirt.observe(test->conn, LAB, met, NULL));
		g_assert_cmpstr(np_seen_site_network(met, "net")->live->dhcp_range, ==, "10.97.41.100-10.97.41.254");
	}
}

static void test_clash(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	g_autofree char *xml = g_build_filename(test->folder, "foreign.xml", NULL);
	g_assert_true(g_file_set_contents(xml, "<network><name>" NAME_PREFIX "net</name></network>", -1, NULL));
	g_free(run_tool((const char *const[]){"virsh", "-c", URI, "net-define", xml, NULL}));
	g_autoptr(GError) error = NULL;
	bool ensured = np_libvirt.network_ensure(test->conn, lab, np_map_find(lab->site.networks, "net"), NULL, &error);
	bool deleted = np_libvirt.network_delete(test->conn, LAB, NAME_PREFIX "net", NULL);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	np_libvirt.observe(test->conn, LAB, site, NULL);
	g_free(run_tool((const char *const[]){"virsh", "-c", URI, "net-undefine", NAME_PREFIX "net", NULL}));
	g_unlink(xml);
	g_assert_false(ensured);
	g_assert_false(deleted);
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_assert_true(g_hash_table_contains(site->foreign, "network " NAME_PREFIX "net"));
}

static void test_lock(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	static const char usage[] = "nestplan/" LAB "/lock";
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) value = g_bytes_new_static("v\0alue", 6);
	g_assert_null(np_libvirt.secret_get(test->conn, usage, &error));
	g_assert_no_error(error);
	g_assert_null(np_libvirt.secret_describe(test->conn, usage));
	np_libvirt.secret_create(test->conn, usage, "held by <me> & you", value, &error);
	g_assert_no_error(error);
	g_assert_false(np_libvirt.secret_create(test->conn, usage, "held by me", value, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_BUSY);
	g_test_message("%s", error->message);
	g_clear_error(&error);
	g_autoptr(GBytes) got = np_libvirt.secret_get(test->conn, usage, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(got, value));
	g_autofree char *description = np_libvirt.secret_describe(test->conn, usage);
	g_assert_cmpstr(description, ==, "held by <me> & you");
	g_autoptr(GPtrArray) all = np_libvirt.secrets(test->conn, &error);
	g_assert_true(g_ptr_array_find_with_equal_func(all, usage, g_str_equal, NULL));
	g_autoptr(GPtrArray) labs = np_libvirt.labs(test->conn, &error);
	g_assert_true(g_ptr_array_find_with_equal_func(labs, LAB, g_str_equal, NULL));
	for (int i = 0; i < 2; i++) {
		np_libvirt.secret_delete(test->conn, usage, NULL, &error);
		g_assert_no_error(error);
	}
}

static int n_holders;

static gpointer lock_thread(gpointer conn)
{
	if (np_libvirt.secret_create(conn, "nestplan/" LAB "/lock", "race", NULL, NULL))
		g_atomic_int_inc(&n_holders);
	return NULL;
}

static void test_lock_race(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	for (int round = 0; round < 10; round++) {
		GThread *threads[6];
		n_holders = 0;
		for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
			threads[i] = g_thread_new("lock", lock_thread, test->conn);
		for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
			g_thread_join(threads[i]);
		g_assert_cmpint(n_holders, ==, 1);
		g_assert_true(np_libvirt.secret_delete(test->conn, "nestplan/" LAB "/lock", NULL, NULL));
	}
}

/* Takes turns with others: either it has the lock or it is told that somebody has it, also when that one lets go meanwhile. */
static gpointer turns_thread(gpointer conn)
{
	g_autofree char *text = g_strdup_printf("turn of %p", (void *)g_thread_self());
	for (int i = 0; i < 40; i++) {
		g_autoptr(GError) error = NULL;
		if (np_libvirt.secret_create(conn, "nestplan/" LAB "/lock", text, NULL, &error)) {
			g_assert_cmpint(g_atomic_int_add(&n_holders, 1), ==, 0);
			g_atomic_int_add(&n_holders, -1);
			np_libvirt.secret_delete(conn, "nestplan/" LAB "/lock", text, &error);
			g_assert_no_error(error);
		} else {
			g_assert_error(error, NP_ERROR, NP_ERROR_BUSY);
		}
	}
	return NULL;
}

static void test_lock_turns(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	GThread *threads[4];
	n_holders = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("turns", turns_thread, test->conn);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
}

/* A boot sector that says its line on the serial port at every tick of the BIOS timer. */
static const guint8 talker[] = {
	0x31, 0xc0,       /*       xor ax, ax */
	0x8e, 0xd8,       /*       mov ds, ax */
	0xbe, 0x16, 0x7c, /* again: mov si, text */
	0xac,             /* next: lodsb */
	0x84, 0xc0,       /*       test al, al */
	0x74, 0x06,       /*       jz wait */
	0xba, 0xf8, 0x03, /*       mov dx, 0x3f8 */
	0xee,             /*       out dx, al */
	0xeb, 0xf5,       /*       jmp next */
	0xfb,             /* wait: sti */
	0xf4,             /*       hlt */
	0xeb, 0xee,       /*       jmp again */
	'n',  'e',  's',  't', 'p', 'l', 'a', 'n', '\r', '\n', 0,
};

/* Base and overlay with a relative backing path, uploaded as nestplan does it. */
static void upload_talker(context *test, const char *volume)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *raw = g_build_filename(test->folder, "talker.raw", NULL);
	g_autofree char *base = g_build_filename(test->folder, "talker.qcow2", NULL);
	g_autofree char *overlay = g_build_filename(test->folder, "overlay.qcow2", NULL);
	char sector[4096] = {0};
	memcpy(sector, talker, sizeof(talker));
	sector[510] = 0x55;
	sector[511] = (char)0xaa;
	g_assert_true(g_file_set_contents(raw, sector, sizeof(sector), NULL));
	g_free(run_tool((const char *const[]){"qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, base, NULL}));
	g_free(run_tool((const char *const[]){"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b",
	                                      "talker.qcow2", overlay, "64M", NULL}));
	np_libvirt.pool_ensure(test->conn, POOL, test->storage, &error);
	g_assert_no_error(error);
	np_libvirt.volume_upload(test->conn, POOL, "talker.qcow2", "qcow2", base, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	np_libvirt.volume_upload(test->conn, POOL, volume, "qcow2", overlay, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	g_unlink(raw);
	g_unlink(base);
	g_unlink(overlay);
}

typedef struct {
	GMutex lock;
	GCond cond;
	GString *text;
} screen;

static void on_console(const char *text, gsize length, gpointer data)
{
	screen *seen = data;
	g_mutex_lock(&seen->lock);
	g_string_append_len(seen->text, text, (gssize)length);
	g_cond_signal(&seen->cond);
	g_mutex_unlock(&seen->lock);
}

static void wait_for_text(screen *seen, const char *text)
{
	gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	g_mutex_lock(&seen->lock);
	while (!strstr(seen->text->str, text))
		g_assert_true(g_cond_wait_until(&seen->cond, &seen->lock, deadline));
	g_string_truncate(seen->text, 0);
	g_mutex_unlock(&seen->lock);
}

static void use_console(np_conn *conn, const char *name)
{
	screen seen = {.text = g_string_new(NULL)};
	g_autoptr(GError) error = NULL;
	g_mutex_init(&seen.lock);
	g_cond_init(&seen.cond);
	gpointer console = np_libvirt.console_open(conn, name, on_console, &seen, &error);
	g_assert_no_error(error);
	wait_for_text(&seen, "nestplan\r\n");
	/* A second reader does not throw out the first. */
	g_assert_null(np_libvirt.console_open(conn, name, on_console, &seen, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	wait_for_text(&seen, "nestplan\r\n");
	np_libvirt.console_close(console);
	console = np_libvirt.console_open(conn, name, on_console, &seen, &error);
	g_assert_no_error(error);
	wait_for_text(&seen, "nestplan\r\n");
	np_libvirt.console_close(console);
	np_libvirt.console_close(NULL);
	g_string_free(seen.text, TRUE);
	g_mutex_clear(&seen.lock);
	g_cond_clear(&seen.cond);
}

static bool is_ready(np_conn *conn)
{
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	g_assert_true(np_libvirt.observe(conn, LAB, site, NULL));
	return np_seen_site_node(site, "node")->ready;
}

/* As after a power cut of the machine that had not written it yet. */
static void lose_disk(context *test)
{
	g_autofree char *path = g_build_filename(test->storage, "node.root.qcow2", NULL);
	static const char zeros[65536];
	for (int i = 0; i < 2; i++) {
		g_autoptr(np_seen_site) site = np_seen_site_new("");
		g_assert_true(np_libvirt.observe(test->conn, LAB, site, NULL));
		g_assert_cmpstr(np_seen_site_node(site, "node")->damaged, ==, i ? "root" : NULL);
		g_assert_true(g_file_set_contents(path, zeros, sizeof(zeros), NULL));
		g_free(run_tool((const char *const[]){"virsh", "-c", URI, "pool-refresh", POOL, NULL}));
	}
}

static void test_domain(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_node *node = np_lab_node(lab, "node");
	np_domain_spec spec = {.lab = LAB, .node = node, .flag = "svm"};
	g_autoptr(GError) error = NULL;
	fixture_disk(node, "root", NP_BUS_VIRTIO, NP_CACHE_UNSAFE);
	upload_talker(test, "node.root.qcow2");
	np_libvirt.network_ensure(test->conn, lab, np_map_find(lab->site.networks, "net"), NULL, &error);
	g_assert_no_error(error);
	for (int i = 0; i < 2; i++) {
		np_libvirt.domain_define(test->conn, &spec, &error);
		g_assert_no_error(error);
	}
	np_libvirt.domain_start(test->conn, LAB, node->libvirt_name, &error);
	g_assert_no_error(error);
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	np_libvirt.observe(test->conn, LAB, site, &error);
	g_assert_no_error(error);
	const np_seen_node *seen = np_seen_site_node(site, "node");
	g_assert_cmpint(seen->power, ==, NP_POWER_RUNNING);
	g_assert_false(seen->ready);
	g_assert_cmpint(seen->node->accel, ==, NP_ACCEL_EMULATE);
	g_assert_cmpint(seen->node->cpu.mode, ==, NP_CPU_MAXIMUM);
	g_assert_cmpuint(seen->node->memory, ==, node->memory);
	g_assert_cmpuint(((np_disk *)np_map_find(seen->node->disks, "root"))->size, ==, 64 * MIB);
	const np_nic *nic = np_map_find(seen->node->nics, "eth0");
	g_assert_nonnull(nic);
	g_assert_cmpstr(nic->network, ==, "net");
	g_assert_cmpstr(nic->mac, ==, ((np_nic *)g_ptr_array_index(node->nics, 0))->mac);
	use_console(test->conn, node->libvirt_name);
	np_libvirt.domain_ready(test->conn, LAB, node->libvirt_name, &error);
	g_assert_no_error(error);
	g_assert_true(is_ready(test->conn));
	g_assert_false(np_libvirt.domain_undefine(test->conn, LAB, node->libvirt_name, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
	g_clear_error(&error);
	/* Nobody inside hears the button: the power is cut after the time. */
	gint64 begin = g_get_monotonic_time();
	np_libvirt.domain_stop(test->conn, LAB, node->libvirt_name, 2000, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(g_get_monotonic_time() - begin, >=, 2 * G_USEC_PER_SEC);
	g_assert_false(is_ready(test->conn));
	np_libvirt.domain_start(test->conn, LAB, node->libvirt_name, &error);
	g_assert_no_error(error);
	g_assert_false(is_ready(test->conn)); /* that was another start */
	np_libvirt.domain_stop(test->conn, LAB, node->libvirt_name, 0, NULL, &error);
	g_assert_no_error(error);
	lose_disk(test);
	for (int i = 0; i < 2; i++) {
		np_libvirt.domain_undefine(test->conn, LAB, node->libvirt_name, &error);
		g_assert_no_error(error);
	}
}

static char *dump(const char *what)
{
	return run_tool((const char *const[]){"virsh", "-c", URI, "dumpxml", NAME_PREFIX "node", what, NULL});
}

/* Nobody inside hears of anything: what needs the guest fails, says so, and leaves the definition alone; what does not is done. */
static void test_deaf_guest(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_node *node = np_lab_node(lab, "node");
	np_domain_spec spec = {.lab = LAB, .node = node, .flag = "svm"};
	g_autoptr(GError) error = NULL;
	node->memory_max = 256 * MIB;
	node->vcpus_max = 2;
	fixture_disk(node, "root", NP_BUS_VIRTIO, NP_CACHE_UNSAFE);
	upload_talker(test, "node.root.qcow2");
	np_libvirt.network_ensure(test->conn, lab, np_map_find(lab->site.networks, "net"), NULL, &error);
	g_assert_no_error(error);
	np_libvirt.domain_define(test->conn, &spec, &error);
	g_assert_no_error(error);
	np_libvirt.domain_start(test->conn, LAB, node->libvirt_name, &error);
	g_assert_no_error(error);
	g_autofree char *before = dump("--inactive");

	node->memory = 192 * MIB;
	g_assert_false(np_domain_update_patient(test->conn, &spec, 2 * G_USEC_PER_SEC, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
	g_test_message("%s", error->message);
	g_clear_error(&error);
	node->memory = 128 * MIB;

	np_nic *nic = g_ptr_array_steal_index(node->nics, 0);
	g_assert_false(np_domain_update_patient(test->conn, &spec, 2 * G_USEC_PER_SEC, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
	g_assert_nonnull(strstr(error->message, "NIC 'eth0'"));
	g_test_message("%s", error->message);
	g_clear_error(&error);
	g_ptr_array_add(np_objects_own(&node->nics), nic);
	g_autofree char *after = dump("--inactive");
	g_assert_cmpstr(before, ==, after);
	np_libvirt.domain_stop(test->conn, LAB, node->libvirt_name, 0, NULL, &error);
	g_assert_no_error(error);
}

static int compare_lines(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines in another order: libvirt sorts its controllers each time. */
static char *sorted_lines(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	qsort(lines, g_strv_length(lines), sizeof(*lines), compare_lines);
	return g_strjoinv("\n", lines);
}

static void expect_same(const char *a, const char *b)
{
	g_autofree char *x = sorted_lines(a);
	g_autofree char *y = sorted_lines(b);
	g_assert_cmpstr(x, ==, y);
}

/* While it is off everything can be done, and nothing that stays moves. */
static void test_update_off(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_node *node = np_lab_node(lab, "node");
	np_domain_spec spec = {.lab = LAB, .node = node, .flag = "svm"};
	g_autoptr(GError) error = NULL;
	fixture_disk(node, "root", NP_BUS_VIRTIO, NP_CACHE_UNSAFE);
	upload_talker(test, "node.root.qcow2");
	np_libvirt.domain_define(test->conn, &spec, &error);
	g_assert_no_error(error);
	g_autofree char *first = dump("--inactive");
	np_libvirt.domain_update(test->conn, &spec, &error);
	g_assert_no_error(error);
	g_autofree char *second = dump("--inactive");
	expect_same(first, second);

	((np_disk *)g_ptr_array_index(node->disks, 0))->size = 96 * MIB;
	node->memory = 64 * MIB;
	node->description = g_strdup("off");
	np_libvirt.domain_update(test->conn, &spec, &error);
	g_assert_no_error(error);
	g_autoptr(GPtrArray) volumes = np_volumes_read(test->conn, POOL, NULL, &error);
	g_assert_cmpuint(find_volume(volumes, "node.root.qcow2")->capacity, ==, 96 * MIB);
	g_autofree char *third = dump("--inactive");
	g_assert_nonnull(strstr(third, "<description>off</description>"));
	g_assert_nonnull(strstr(third, "<memory unit='KiB'>65536</memory>"));
	/* More devices than there were ports to spare. */
	for (unsigned i = 1; i < 8; i++) {
		g_autofree char *name = g_strdup_printf("eth%u", i);
		fixture_nic(node, name, "net", NULL);
	}
	np_libvirt.domain_update(test->conn, &spec, &error);
	g_assert_no_error(error);
	while (node->nics->len > 1)
		np_object_free(&np_nic_kind, g_ptr_array_steal_index(node->nics, 1));
	g_autofree char *before = strstr(third, "<interface") ? g_strdup(strstr(third, "<interface")) : NULL;
	g_autofree char *many = dump("--inactive");
	g_autofree char *address = g_strndup(strstr(before, "<address"), strcspn(strstr(before, "<address"), "\n"));
	g_assert_nonnull(strstr(strstr(many, "ua-nestplan-eth0'"), address));
	((np_disk *)g_ptr_array_index(node->disks, 0))->size = 64 * MIB;
	g_assert_false(np_libvirt.domain_update(test->conn, &spec, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
}

static gpointer end_it(gpointer data)
{
	g_usleep(G_USEC_PER_SEC);
	g_free(run_tool((const char *const[]){"virsh", "-c", URI, "destroy", data, NULL}));
	return NULL;
}

/* The wait ends with the event, not with its time. */
static void test_stop_event(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_node *node = np_lab_node(lab, "node");
	drop_nics(node);
	g_autoptr(GError) error = NULL;
	np_libvirt.domain_define(test->conn, &(np_domain_spec){.lab = LAB, .node = node, .flag = "svm"}, &error);
	g_assert_no_error(error);
	np_libvirt.domain_start(test->conn, LAB, node->libvirt_name, &error);
	g_assert_no_error(error);
	GThread *thread = g_thread_new("end", end_it, node->libvirt_name);
	gint64 begin = g_get_monotonic_time();
	np_libvirt.domain_stop(test->conn, LAB, node->libvirt_name, 60000, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
	g_thread_join(thread);
}

/* The emulator has no vmx: the guest starts without it, and that is an error, not a surprise inside. */
static void test_lost_flag(context *test, gconstpointer data)
{
	(void)data;
	if (!test->conn)
		return;
	g_autoptr(fixture) lab = small_lab();
	np_node *node = np_lab_node(lab, "node");
	drop_nics(node);
	node->cpu.mode = NP_CPU_CUSTOM;
	node->cpu.model = g_strdup("Haswell");
	g_autoptr(GError) error = NULL;
	np_libvirt.domain_define(test->conn, &(np_domain_spec){.lab = LAB, .node = node, .flag = "vmx"}, &error);
	g_assert_no_error(error);
	g_assert_false(np_libvirt.domain_start(test->conn, LAB, node->libvirt_name, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
	g_assert_nonnull(strstr(error->message, "vmx"));
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	np_libvirt.observe(test->conn, LAB, site, NULL);
	g_assert_cmpint(np_seen_site_node(site, "node")->power, ==, NP_POWER_OFF);
}

static void add(const char *path, void (*fn)(context *, gconstpointer))
{
	g_test_add(path, context, NULL, set_up, fn, tear_down);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--upload") == 0) {
		child_upload(argv[2]);
		return 1;
	}
	g_test_init(&argc, &argv, NULL);
	add("/daemon/facts", test_facts);
	add("/daemon/upload", test_upload);
	add("/daemon/sparse", test_sparse);
	add("/daemon/wrong-format", test_wrong_format);
	add("/daemon/cancelled-upload", test_cancelled_upload);
	add("/daemon/killed-upload", test_killed_upload);
	add("/daemon/parallel-uploads", test_parallel_uploads);
	add("/daemon/same-name", test_same_name);
	add("/daemon/network", test_network);
	add("/daemon/network-dhcp", test_network_dhcp);
	add("/daemon/network-range", test_network_range);
	add("/daemon/clash", test_clash);
	add("/daemon/lock", test_lock);
	add("/daemon/lock-race", test_lock_race);
	add("/daemon/lock-turns", test_lock_turns);
	add("/daemon/domain", test_domain);
	add("/daemon/deaf-guest", test_deaf_guest);
	add("/daemon/update-off", test_update_off);
	add("/daemon/stop-event", test_stop_event);
	add("/daemon/lost-flag", test_lost_flag);
	return g_test_run();
}
