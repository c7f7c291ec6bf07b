/* SPDX-License-Identifier: Apache-2.0 */
/* Real disks through a real appliance: small images are made with e2fsprogs and sfdisk, given to np_guestfs, and read
 * back with debugfs, which knows nothing of libguestfs. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/driver.h"
#include "lab/lab.h"

#define MIB  (1024ull * 1024)
#define SKIP 77

static char *work; /* STAGING: images/, demo/ */

static const char lab_text[] = "version: 1\n"
                               "name: demo\n"
                               "images: {ifup: {source: a}, networkd: {source: b}, bare: {source: c}}\n"
                               "networks: {mgmt: {cidr: 192.168.122.0/24}}\n"
                               "defaults: {memory: 256MiB, vcpus: 1}\n"
                               "nodes:\n"
                               "  one: {image: ifup, nics: [mgmt], inject: {files: [{path: /opt/new/folder/x, content: "
                               "\"${node.name}\", mode: \"0750\", owner: \"7:8\"}]}}\n"
                               "  two: {image: ifup, nics: [mgmt]}\n"
                               "  hyper:\n"
                               "    image: networkd\n"
                               "    nics: {mgmt: {address: 192.168.122.40, mac: \"52:54:00:00:00:09\"}}\n"
                               "    inject: {users: [{name: stack, sudo: true}]}\n"
                               "    networks: {int: {cidr: 10.30.0.0/24}}\n"
                               "    nodes: {guest: {image: ifup, nics: [int]}}\n"
                               "  naked: {image: bare, nics: [mgmt]}\n";

/* ── tools ── */
static char *run(const char *const *argv)
{
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	if (!np_process_run(argv, NULL, 120000, NULL, &result, &error))
		g_error("%s", error->message);
	if (result.status != 0)
		g_error("%s: %s%s", argv[0], result.output, result.errors);
	return g_steal_pointer(&result.output);
}
#define RUN(...) g_free(run((const char *[]){__VA_ARGS__, NULL}))

static char *path_of(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *path_of(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	g_autofree char *tail = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	return g_build_filename(work, tail, NULL);
}

static void put(const char *tree, const char *path, const char *text)
{
	g_autofree char *file = path_of("%s%s", tree, path), *folder = g_path_get_dirname(file);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

/* label: of sfdisk, or NULL for a file system on the whole disk. */
static void make_image(const char *name, const char *label, const char *format)
{
	g_autofree char *raw = path_of("%s.raw", name), *tree = path_of("%s", name),
	                *image = path_of("images/%s.%s", name, format);
	g_autofree char *folder = path_of("images");
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	int fd = g_open(raw, O_CREAT | O_RDWR | O_TRUNC, 0644);
	g_assert_cmpint(ftruncate(fd, 64 * (off_t)MIB), ==, 0);
	(void)close(fd);
	const char *extended = label ? "offset=1048576,root_owner=0:0" : "root_owner=0:0";
	RUN("mke2fs", "-q", "-F", "-t", "ext4", "-E", extended, "-d", tree, raw, label ? "62M" : "64M");
	if (label != NULL) {
		g_autofree char *script = g_strdup_printf("label: %s\nstart=2048, size=126976, type=linux\n", label);
		g_auto(np_process_result) result = {0};
		const char *argv[] = {"sfdisk", "-q", "--no-reread", "--no-tell-kernel", "--wipe", "never", raw, NULL};
		g_assert_true(np_process_run(argv, script, 10000, NULL, &result, NULL));
		g_assert_cmpint(result.status, ==, 0);
	}
	RUN("qemu-img", "convert", "-f", "raw", "-O", format, raw, image);
	(void)g_unlink(raw);
}

static void make_images(void)
{
	put("ifup", "/etc/network/interfaces", "auto lo\n");
	put("ifup", "/etc/hostname", "image\n");
	make_image("ifup", "dos", "qcow2");
	put("networkd", "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "x");
	put("networkd", "/usr/lib/systemd/system/libvirtd.service", "[Install]\nWantedBy=multi-user.target\n");
	put("networkd", "/etc/libvirt/qemu/networks/default.xml", "<ip address='192.168.122.1'/>\n");
	put("networkd", "/etc/libvirt/qemu/networks/autostart/default.xml", "x");
	put("networkd", "/etc/machine-id", "0123\n");
	put("networkd", "/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
	put("networkd", "/etc/group", "root:x:0:\n");
	put("networkd", "/etc/shadow", "root:*:1:0:99999:7:::\n");
	put("networkd", "/etc/sudoers.d/README", "x");
	g_autofree char *shadow = path_of("networkd/etc/shadow");
	g_assert_cmpint(g_chmod(shadow, 0640), ==, 0);
	make_image("networkd", "gpt", "raw");
	put("bare", "/etc/hostname", "image\n");
	make_image("bare", NULL, "raw");
}

static np_lab *lab_parse(void)
{
	g_autoptr(np_diags) diags = NULL;
	np_lab *lab = np_lab_parse(lab_text, strlen(lab_text), &(np_load_options){.file = "lab.yaml", .folder = "/lab"},
	                           &diags);
	if (lab == NULL) {
		g_autofree char *problems = np_diags_render(diags, false);
		g_error("%s", problems);
	}
	for (guint i = 0; i < lab->images->len; i++) {
		np_image *image = lab->images->pdata[i];
		image->format = g_str_equal(image->base.name, "ifup") ? NP_FORMAT_QCOW2 : NP_FORMAT_RAW;
		image->virtual_size = 64 * MIB;
		image->path = path_of("images/%s.%s", image->base.name, np_format_names[image->format]);
	}
	return lab;
}

static np_keypair host_key = {.private_openssh = (char *)(guintptr) "PRIVATE\n",
                              .public_line = (char *)(guintptr) "ssh-ed25519 PUB host"};
static const char *const authorized[] = {"ssh-ed25519 AAAA key", NULL};

/* path and backing of the result are the caller's to free (job_clear). */
static np_disk_job job_of(np_lab *lab, const char *name, guint64 size)
{
	const np_node *node = np_lab_node(lab, name);
	const np_image *image = np_map_find(lab->images, node->image);
	return (np_disk_job){
	        .lab = lab,
	        .node = node,
	        .image = image,
	        .size = size,
	        .host_key = &host_key,
	        .authorized = authorized,
	        .path = path_of("demo/%s.root.qcow2", name),
	        .has_share = true,
	        .backing = g_strdup_printf("../images/%s.%s", image->base.name, np_format_names[image->format])};
}

static void jobs_clear(np_disk_job *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g_free((gpointer)jobs[i].path);
		g_free((gpointer)jobs[i].backing);
	}
}

/* ── reading back ── */
typedef struct {
	char *raw;
	const char *options; /* of debugfs: where in the disk */
} disk;

static disk disk_open(const char *node, bool partitioned)
{
	g_autofree char *overlay = path_of("demo/%s.root.qcow2", node);
	disk d = {path_of("%s.check", node), partitioned ? "?offset=1048576" : ""};
	RUN("qemu-img", "convert", "-f", "qcow2", "-O", "raw", overlay, d.raw);
	return d;
}

static void disk_close(disk *d)
{
	(void)g_unlink(d->raw);
	g_clear_pointer(&d->raw, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(disk, disk_close)

static char *debugfs(const disk *d, const char *verb, const char *path)
{
	g_autofree char *request = g_strdup_printf("%s %s", verb, path),
	                *device = g_strconcat(d->raw, d->options, NULL);
	return run((const char *[]){"debugfs", "-R", request, device, NULL});
}

static void assert_text(const disk *d, const char *path, const char *want)
{
	g_autofree char *text = debugfs(d, "cat", path);
	g_assert_cmpstr(text, ==, want);
}

static void assert_contains(const disk *d, const char *verb, const char *path, const char *want)
{
	g_autofree char *text = debugfs(d, verb, path);
	if (strstr(text, want) == NULL)
		g_error("%s %s lacks '%s':\n%s", verb, path, want, text);
}

static void assert_rights(const disk *d, const char *path, const char *mode, unsigned uid, unsigned gid)
{
	g_autofree char *text = debugfs(d, "stat", path);
	g_autofree char *want_mode = g_strdup_printf("Mode:  %s ", mode);
	g_autofree char *want_owner = g_strdup_printf("User: %5u   Group: %5u ", uid, gid);
	if (strstr(text, want_mode) == NULL || strstr(text, want_owner) == NULL)
		g_error("%s is not %s, %u:%u:\n%s", path, mode, uid, gid, text);
}

/* The file system is whole, and as large as the disk allows. */
static void assert_grown(const disk *d, guint64 size, bool partitioned)
{
	g_autofree char *device = g_strconcat(d->raw, d->options, NULL);
	RUN("e2fsck", "-fn", device);
	g_autofree char *stats = run((const char *[]){"dumpe2fs", "-h", device, NULL});
	g_autoptr(GRegex) regex = g_regex_new("Block count: +(\\d+)[\\s\\S]*Block size: +(\\d+)", 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	g_assert_true(g_regex_match(regex, stats, 0, &match));
	g_autofree char *count = g_match_info_fetch(match, 1), *block = g_match_info_fetch(match, 2);
	guint64 got = g_ascii_strtoull(count, NULL, 10) * g_ascii_strtoull(block, NULL, 10);
	g_assert_cmpuint(got, <=, size);
	g_assert_cmpuint(got + 2 * MIB, >=, size);
	if (partitioned) {
		g_autofree char *verify = run((const char *[]){"sfdisk", "--verify", d->raw, NULL});
		g_assert_nonnull(strstr(verify, "No errors detected"));
	}
}

static void check_one(void)
{
	g_auto(disk) d = disk_open("one", true);
	assert_grown(&d, 512 * MIB, true);
	assert_text(&d, "/etc/hostname", "one\n");
	assert_contains(&d, "cat", "/etc/network/interfaces", "iface mgmt inet static");
	assert_contains(&d, "cat", "/etc/mactab", "mgmt 52:54:00:");
	assert_contains(&d, "cat", "/etc/hosts", " two\n");
	assert_text(&d, "/root/.ssh/authorized_keys", "ssh-ed25519 AAAA key\n");
	assert_rights(&d, "/root/.ssh/authorized_keys", "0600", 0, 0);
	assert_rights(&d, "/root/.ssh", "0700", 0, 0);
	assert_text(&d, "/etc/ssh/ssh_host_ed25519_key", "PRIVATE\n");
	assert_rights(&d, "/etc/ssh/ssh_host_ed25519_key", "0600", 0, 0);
	assert_rights(&d, "/etc/ssh/ssh_host_ed25519_key.pub", "0644", 0, 0);
	assert_text(&d, "/opt/new/folder/x", "one");
	assert_rights(&d, "/opt/new/folder/x", "0750", 7, 8);
	assert_rights(&d, "/opt/new/folder", "0755", 0, 0);
}

static void check_hyper(void)
{
	g_auto(disk) d = disk_open("hyper", true);
	assert_grown(&d, 2048 * MIB, true);
	assert_text(&d, "/etc/hostname", "hyper\n");
	assert_contains(&d, "cat", "/etc/systemd/network/10-nestplan-mgmt.link", "MACAddress=52:54:00:00:00:09");
	assert_contains(&d, "cat", "/etc/systemd/network/10-nestplan-mgmt.network", "Address=192.168.122.40/24");
	assert_text(&d, "/etc/machine-id", "");
	assert_contains(&d, "cat", "/etc/modprobe.d/nestplan.conf", "options kvm_amd nested=1");
	assert_text(&d, "/etc/libvirt/qemu/networks/default.xml", "<ip address='192.168.123.1'/>\n");
	assert_contains(&d, "stat", "/etc/systemd/system/multi-user.target.wants/libvirtd.service",
	                "Fast link dest: \"/usr/lib/systemd/system/libvirtd.service\"");
	assert_rights(&d, "/var/lib/nestplan/images", "0711", 0, 0);
	assert_contains(&d, "cat", "/etc/fstab",
	                "/dev/disk/by-id/virtio-nestplan-images /var/lib/nestplan/images ext4 ro,nofail");
	assert_contains(&d, "cat", "/etc/passwd", "\nstack:x:1000:1000::/home/stack:");
	assert_contains(&d, "cat", "/etc/shadow", "\nstack:*:");
	assert_contains(&d, "stat", "/etc/shadow", "Mode:  0640 ");
	assert_rights(&d, "/home/stack", "0700", 1000, 1000);
	assert_rights(&d, "/etc/sudoers.d/90-nestplan-stack", "0440", 0, 0);
	g_autofree char *autostart = debugfs(&d, "ls -p", "/etc/libvirt/qemu/networks/autostart");
	g_assert_null(strstr(autostart, "default.xml"));
}

static void count(guint64 done, guint64 total, gpointer data)
{
	guint64 *last = data;
	g_assert_cmpuint(done, ==, *last + 1);
	g_assert_cmpuint(done, <=, total);
	*last = done;
}

static void test_build(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_lab) lab = lab_parse();
	np_disk_job jobs[] = {job_of(lab, "one", 512 * MIB), job_of(lab, "two", 64 * MIB),
	                      job_of(lab, "hyper", 2048 * MIB)};
	guint64 done = 0;
	int failed = -2;
	np_guestfs.build(jobs, G_N_ELEMENTS(jobs), false, count, &done, NULL, &failed, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(done, ==, 3);
	g_assert_cmpint(failed, ==, -1);
	check_one();
	check_hyper();
	g_auto(disk) two = disk_open("two", true);
	assert_text(&two, "/etc/hostname", "two\n");
	assert_grown(&two, 64 * MIB, true);
	g_autofree char *info = run((const char *[]){"qemu-img", "info", "--output=json", jobs[0].path, NULL});
	g_assert_nonnull(strstr(info, "\"backing-filename\": \"../images/ifup.qcow2\""));
	g_assert_nonnull(strstr(info, "\"virtual-size\": 536870912"));
	jobs_clear(jobs, G_N_ELEMENTS(jobs));
}

static void test_too_small(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_lab) lab = lab_parse();
	np_disk_job jobs[] = {job_of(lab, "one", 64 * MIB), job_of(lab, "two", 63 * MIB)};
	int failed = -2;
	g_assert_false(np_guestfs.build(jobs, G_N_ELEMENTS(jobs), false, NULL, NULL, NULL, &failed, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	g_assert_cmpint(failed, ==, 1);
	g_assert_cmpstr(error->message, ==,
	                "node 'two': its root disk of 63MiB is smaller than image 'ifup', which has 64MiB: set "
	                "disks.root to at least that");
	jobs_clear(jobs, G_N_ELEMENTS(jobs));
}

static void test_no_style(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_lab) lab = lab_parse();
	np_disk_job jobs[] = {job_of(lab, "two", 64 * MIB), job_of(lab, "naked", 128 * MIB)};
	int failed = -2;
	g_assert_false(np_guestfs.build(jobs, G_N_ELEMENTS(jobs), false, NULL, NULL, NULL, &failed, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	g_assert_cmpint(failed, ==, 1);
	g_assert_true(g_str_has_prefix(error->message, "node 'naked': image 'bare' configures its network in no way"));
	jobs_clear(jobs, G_N_ELEMENTS(jobs));
}

static gpointer cancel_soon(gpointer cancel)
{
	g_usleep(2 * G_USEC_PER_SEC);
	g_cancellable_cancel(cancel);
	return NULL;
}

static void test_cancel(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_lab) lab = lab_parse();
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	np_disk_job jobs[] = {job_of(lab, "two", 64 * MIB)};
	GThread *thread = g_thread_new("cancel", cancel_soon, cancel);
	gint64 begin = g_get_monotonic_time();
	g_assert_false(np_guestfs.build(jobs, 1, false, NULL, NULL, cancel, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	g_test_message("ended after %.1f s", (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 5 * G_USEC_PER_SEC);
	g_thread_join(thread);
	jobs_clear(jobs, 1);
}

static bool have_tools(void)
{
	static const char *const needed[] = {"mke2fs", "debugfs",  "dumpe2fs", "e2fsck",
	                                     "sfdisk", "qemu-img", "qemu-io"};
	for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
		g_autofree char *found = g_find_program_in_path(needed[i]);
		if (found != NULL)
			continue;
		g_printerr("skipped: %s is not installed\n", needed[i]);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *path = g_strconcat(g_getenv("PATH"), ":/usr/sbin:/sbin", NULL);
	g_setenv("PATH", path, TRUE);
	if (!have_tools())
		return SKIP;
	work = g_dir_make_tmp("nestplan inject-XXXXXX", NULL); /* a space on purpose */
	make_images();
	g_test_add_func("/inject/too-small", test_too_small);
	g_test_add_func("/inject/build", test_build);
	g_test_add_func("/inject/no-style", test_no_style);
	/* Last: the first appliance of a machine is built by supermin, which cannot be told to stop. */
	g_test_add_func("/inject/cancel", test_cancel);
	int result = g_test_run();
	RUN("rm", "-r", work);
	g_free(work);
	return result;
}
