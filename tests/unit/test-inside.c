/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts for running guests, executed by the shells that guests have, in a folder that looks like a guest's /sys, /proc
 * and /etc, with programs that write down how they were called. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/driver.h"
#include "lab/lab.h"
#include "run/inside.h"

typedef struct {
	char *root;
	char *errors;
	int status;
} guest;

static void put(const guest *g, const char *path, const char *text)
{
	g_autofree char *file = g_strconcat(g->root, path, NULL);
	g_autofree char *folder = g_path_get_dirname(file);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(file, text, -1, NULL));
	if (g_str_has_prefix(path, "/bin/"))
		g_assert_cmpint(g_chmod(file, 0755), ==, 0);
}

static char *get(const guest *g, const char *path)
{
	g_autofree char *file = g_strconcat(g->root, path, NULL);
	char *text = NULL;
	if (!g_file_get_contents(file, &text, NULL, NULL))
		return g_strdup("");
	return text;
}

static void expect_file(const guest *g, const char *path, const char *wanted)
{
	g_autofree char *text = get(g, path);
	g_assert_cmpstr(text, ==, wanted);
}

/* A program that writes down its words, and then does `then`. */
static void program(const guest *g, const char *name, const char *then)
{
	g_autofree char *path = g_strconcat("/bin/", name, NULL);
	g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"%s $*\" >>%s/calls\n%s\n", name, g->root, then);
	put(g, path, text);
}

static void set_up(guest *g, gconstpointer shell)
{
	(void)shell;
	g->root = g_dir_make_tmp("np-inside-XXXXXX", NULL);
	put(g, "/proc/self/mountinfo", "");
	put(g, "/proc/swaps", "");
}

static void tear_down(guest *g, gconstpointer shell)
{
	(void)shell;
	const char *argv[] = {"rm", "-rf", g->root, NULL};
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
	g_free(g->root);
	g_free(g->errors);
}

/* As functions too: a busybox prefers its own programs to those of the path. */
static void prepend_programs(const guest *g, GString *text)
{
	g_autofree char *folder = g_strconcat(g->root, "/bin", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
		g_autofree char *function = g_strdup_printf("%s() { %s/%s \"$@\"; }\n", name, folder, name);
		if (!strchr(name, '.'))
			g_string_prepend(text, function);
	}
	g_autofree char *start = g_strdup_printf("export LC_ALL=C PATH=%s:/usr/bin:/bin\n", folder);
	g_string_prepend(text, start);
}

static void run(guest *g, const char *shell, char *script)
{
	static const char *const folders[] = {"/sys/", "/proc/", "/etc/", "/usr/", "/lib/systemd", "/root/"};
	g_autoptr(GString) text = g_string_new(script);
	g_free(script);
	g_string_replace(text, "export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C\n", "", 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_strconcat(g->root, folders[i], NULL);
		g_string_replace(text, folders[i], path, 0);
	}
	prepend_programs(g, text);
	g_auto(GStrv) argv = g_strsplit(shell, " ", -1);
	g_autofree char *file = g_build_filename(g->root, "script", NULL);
	g_assert_true(g_file_set_contents(file, text->str, -1, NULL));
	const char *words[] = {argv[0], argv[1] ? argv[1] : file, argv[1] ? file : NULL, NULL};
	int status = 0;
	g_autoptr(GError) error = NULL;
	g_free(g->errors);
	g->errors = NULL;
	g_spawn_sync(NULL, (char **)words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &g->errors, &status, &error);
	g_assert_no_error(error);
	g->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (g->status)
		g_test_message("%d: %s", g->status, g->errors);
}

/* ── disks ── */

#define SECTORS_1G "2097152\n"
#define SECTORS_2G "4194304\n"

/* A disk of 2 GiB; its second partition of 1 GiB is the last. */
static void partitioned(const guest *g)
{
	put(g, "/sys/block/vda/serial", "root");
	put(g, "/sys/block/vda/size", SECTORS_2G);
	put(g, "/sys/block/vda/vda1/start", "2048\n");
	put(g, "/sys/block/vda/vda2/start", "8192\n");
	put(g, "/sys/block/vdb/serial", "");
	put(g, "/sys/class/block/vda1/dev", "254:1\n");
	put(g, "/sys/class/block/vda2/dev", "254:2\n");
	put(g, "/sys/class/block/vda2/start", "8192\n");
	put(g, "/sys/class/block/vda2/size", SECTORS_1G);
	put(g, "/sys/class/block/vda2/partition", "2\n");
}

static GPtrArray *names(const char *name)
{
	GPtrArray *serials = g_ptr_array_new();
	g_ptr_array_add(serials, (gpointer)name);
	return serials;
}

static char *grow(const char *serial)
{
	g_autoptr(GPtrArray) serials = names(serial);
	return np_inside_grow(serials);
}

#define SFDISK "cat >>$0.in; echo 4186112 >${0%/bin/*}/sys/class/block/vda2/size"

static void test_grow_root(guest *g, gconstpointer shell)
{
	partitioned(g);
	put(g, "/proc/self/mountinfo",
	    "22 1 0:20 / /proc rw - proc proc rw\n"
	    "25 1 254:2 /var /srv rw,relatime shared:1 - ext4 /dev/root rw\n"
	    "23 1 254:2 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro\n");
	program(g, "sfdisk", SFDISK);
	program(g, "resize2fs", "");
	run(g, shell, grow("root"));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, "/calls", "sfdisk --force --no-reread -N 2 /dev/vda\nresize2fs /dev/vda2\n");
	expect_file(g, "/bin/sfdisk.in", ", +\n");
	/* Once more: the partition is as large as it can be. */
	put(g, "/calls", "");
	run(g, shell, grow("root"));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, "/calls", "resize2fs /dev/vda2\n");
}

static void test_no_tools(guest *g, gconstpointer shell)
{
	partitioned(g);
	run(g, shell, grow("root"));
	g_assert_cmpint(g->status, ==, NP_INSIDE_BY_HAND);
	g_assert_nonnull(strstr(g->errors, "no program to grow partition /dev/vda2"));
	put(g, "/proc/self/mountinfo", "23 1 254:2 / / rw - ext4 /dev/vda2 rw\n");
	program(g, "growpart", SFDISK);
	run(g, shell, grow("root"));
	g_assert_cmpint(g->status, ==, NP_INSIDE_BY_HAND);
	g_assert_nonnull(strstr(g->errors, "resize2fs is missing"));
}

static void test_tool_fails(guest *g, gconstpointer shell)
{
	partitioned(g);
	program(g, "sfdisk", "echo one >&2; echo 'no room' >&2; exit 1");
	run(g, shell, grow("root"));
	g_assert_cmpint(g->status, ==, 1);
	g_assert_cmpstr(g->errors, ==, "disk 'root': partition /dev/vda2 cannot be grown: no room\n");
	/* The table is written, the kernel keeps to the old one. */
	program(g, "sfdisk", "");
	program(g, "partx", "exit 1");
	run(g, shell, grow("root"));
	g_assert_cmpint(g->status, ==, NP_INSIDE_BY_HAND);
	g_assert_nonnull(strstr(g->errors, "restart the node"));
}

static void test_grow_kinds(guest *g, gconstpointer shell)
{
	put(g, "/sys/block/sda/device/vpd_pg80", "xxxx  data ");
	put(g, "/sys/block/sda/device/rescan", "");
	put(g, "/sys/class/block/sda/dev", "8:0\n");
	program(g, "btrfs", "");
	program(g, "xfs_growfs", "");
	put(g, "/proc/self/mountinfo", "30 1 0:33 /sub /a\\040b rw - btrfs /dev/sda rw\n");
	run(g, shell, grow("data"));
	g_assert_cmpint(g->status, ==, 0);
	put(g, "/proc/self/mountinfo", "30 1 8:0 / /data rw - xfs /dev/sda rw\n");
	run(g, shell, grow("data"));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, "/calls", "btrfs filesystem resize max /a b\nxfs_growfs /data\n");
	expect_file(g, "/sys/block/sda/device/rescan", "1\n");
}

static void test_grow_unmounted(guest *g, gconstpointer shell)
{
	put(g, "/sys/block/vdb/serial", "data");
	put(g, "/sys/class/block/vdb/dev", "254:16\n");
	program(g, "blkid", "echo \"$1: UUID=\\\"1-2\\\" BLOCK_SIZE=\\\"4096\\\" TYPE=\\\"ext4\\\"\"");
	program(g, "e2fsck", "exit 1");
	program(g, "resize2fs", "");
	run(g, shell, grow("data"));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, "/calls", "blkid /dev/vdb\ne2fsck -f -p /dev/vdb\nresize2fs /dev/vdb\n");
	program(g, "blkid", "echo \"$1: TYPE=\\\"LVM2_member\\\"\"");
	run(g, shell, grow("data"));
	g_assert_cmpint(g->status, ==, NP_INSIDE_BY_HAND);
	/* A disk with nothing on it needs nothing. */
	program(g, "blkid", "exit 2");
	run(g, shell, grow("data"));
	g_assert_cmpint(g->status, ==, 0);
	run(g, shell, grow("nowhere"));
	g_assert_cmpint(g->status, ==, NP_INSIDE_BY_HAND);
}

static void test_release(guest *g, gconstpointer shell)
{
	g_autoptr(GPtrArray) serials = names("data");
	put(g, "/sys/block/vdb/serial", "data");
	put(g, "/sys/block/vdb/dev", "254:16\n");
	put(g, "/sys/block/vdb/vdb1/dev", "254:17\n");
	put(g, "/sys/class/block/vdb/dev", "254:16\n");
	put(g, "/sys/class/block/vdb1/dev", "254:17\n");
	put(g, "/proc/self/mountinfo", "30 1 254:17 / /data rw - ext4 /dev/vdb1 rw\n");
	put(g, "/proc/swaps", "/dev/vdb partition 1 0 -2\n");
	program(g, "umount", ": >${0%/bin/*}/proc/self/mountinfo");
	program(g, "swapoff", "");
	run(g, shell, np_inside_release(serials));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, "/calls", "swapoff /dev/vdb\numount /data\n");
	put(g, "/proc/self/mountinfo", "30 1 254:17 / /data rw - ext4 /dev/vdb1 rw\n");
	program(g, "umount", "exit 1");
	run(g, shell, np_inside_release(serials));
	g_assert_cmpint(g->status, ==, 1);
	g_assert_cmpstr(g->errors, ==, "disk 'data' is in use: /data cannot be unmounted\n");
}

/* ── vCPUs ── */

static void test_vcpus(guest *g, gconstpointer shell)
{
	put(g, "/sys/devices/system/cpu/cpu0/uevent", "");
	put(g, "/sys/devices/system/cpu/cpu1/online", "0\n");
	put(g, "/sys/devices/system/cpu/cpufreq/x", "");
	put(g, "/proc/cpuinfo", "processor\t: 0\nprocessor\t: 1\n");
	run(g, shell, np_inside_vcpus(2));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, "/sys/devices/system/cpu/cpu1/online", "1\n");
	put(g, "/proc/cpuinfo", "processor\t: 0\n");
	run(g, shell, np_inside_vcpus(2));
	g_assert_cmpint(g->status, ==, 1);
	g_assert_cmpstr(g->errors, ==, "only 1 of 2 vCPUs are online\n");
}

/* ── keys ── */

#define ANN "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne ann"
#define BOB "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITwo bob"
#define OWN "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILab it's \\n the lab's $HOME `own`"
#define ANN_ID "be595cf5600c" /* as sha256sum says */

static void test_keys(guest *g, gconstpointer shell)
{
	static const char *const bob[] = {BOB, NULL}, *const both[] = {BOB, ANN, BOB, NULL}, *const none[] = {NULL};
	static const char file[] = "/root/.ssh/authorized_keys";
	put(g, file, OWN "\n" ANN "\n# by hand\n\n" ANN " too");
	run(g, shell, np_inside_keys(ANN_ID, bob));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, file, OWN "\n# by hand\n\n" ANN " too\n" BOB "\n");
	run(g, shell, np_inside_keys("b4ef8256d897", none));
	expect_file(g, file, OWN "\n# by hand\n\n" ANN " too\n");
	put(g, file, OWN "\n" BOB "\n");
	for (int i = 0; i < 2; i++) {
		run(g, shell, np_inside_keys("none", (const char *const[]){BOB, ANN, NULL}));
		expect_file(g, file, OWN "\n" BOB "\n" ANN "\n");
	}
	g_autofree char *path = g_strconcat(g->root, file, NULL);
	g_assert_cmpint(g_unlink(path), ==, 0);
	run(g, shell, np_inside_keys("none", both + 1));
	g_assert_cmpint(g->status, ==, 0);
	expect_file(g, file, ANN "\n" BOB "\n");
	GStatBuf is;
	g_assert_cmpint(g_stat(path, &is), ==, 0);
	g_assert_cmpint(is.st_mode & 0777, ==, 0600);
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
	run(g, shell, np_inside_keys("none", bob));
	g_assert_cmpint(g->status, ==, 1);
}

/* Who can no longer log in cannot put it right: what is not whole is not put in place. */
static void test_keys_fail(guest *g, gconstpointer shell)
{
	static const char *const none[] = {NULL};
	static const char file[] = "/root/.ssh/authorized_keys", full[] = "case $1 in *n) exit 1 ;; esac\n/usr/bin/printf \"$@\"";
	g_autofree char *path = g_strconcat(g->root, "/bin/printf", NULL), *left = g_strconcat(g->root, file, ".new", NULL);
	put(g, file, OWN "\n" ANN "\n");
	program(g, "printf", full); /* as where no room is left */
	run(g, shell, np_inside_keys(ANN_ID, none));
	g_assert_cmpint(g->status, ==, 1);
	g_assert_nonnull(strstr(g->errors, "authorized_keys cannot be written\n"));
	expect_file(g, file, OWN "\n" ANN "\n");
	g_assert_cmpint(g_unlink(path), ==, 0);
	program(g, "sha256sum", "exit 1");
	run(g, shell, np_inside_keys("   e", none));
	g_assert_cmpint(g->status, ==, 1);
	expect_file(g, file, OWN "\n" ANN "\n");
	g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
}

/* ── network ── */

/* part: further keys of the node. */
static np_lab *network_lab(const char *part)
{
	static const char head[] =
		"version: 1\nname: demo\nimages: {tiny: {source: tiny.qcow2}}\n"
		"networks: {mgmt: {cidr: 10.20.0.0/24}, extra: {cidr: 10.20.1.0/24, mode: isolated}}\n"
		"nodes:\n  one:\n    image: tiny\n    memory: 1GiB\n    vcpus: 1\n"
		"    nics: {mgmt: {address: 10.20.0.11, mac: '52:54:00:00:00:01'}, extra: {address: 10.20.1.11, mac: '52:54:00:00:00:02'}}\n";
	g_autofree char *text = g_strconcat(head, part, NULL);
	np_diags *diags = NULL;
	np_lab *lab = np_lab_parse(text, strlen(text), &(np_load_options){.file = "lab.yaml"}, &diags);
	np_diags_free(diags);
	g_assert_nonnull(lab);
	return lab;
}

static char *network_script(void)
{
	g_autoptr(np_lab) lab = network_lab("");
	g_autoptr(GError) error = NULL;
	char *script = np_guestfs.network_script(np_lab_node(lab, "one"), &error);
	g_assert_no_error(error);
	return script;
}

/* mgmt is up, and the new one has the kernel's name. */
static void new_nic(const guest *g)
{
	put(g, "/sys/class/net/mgmt/address", "52:54:00:00:00:01\n");
	put(g, "/sys/class/net/mgmt/device", "");
	put(g, "/sys/class/net/enp7s0/address", "52:54:00:00:00:02\n");
	put(g, "/sys/class/net/enp7s0/device", "");
	put(g, "/sys/class/net/bridge/address", "52:54:00:00:00:02\n");
	put(g, "/up/mgmt", "1: mgmt: <BROADCAST,UP,LOWER_UP> mtu 1500\n inet 10.20.0.11/24 brd\n");
	program(g, "ip",
	        "root=${0%/bin/*}\n"
	        "case \"$*\" in\n"
	        "  *' show dev '*) cat \"$root/up/${*##* }\" ;;\n"
	        "  *' name '*) mv \"$root/sys/class/net/$4\" \"$root/sys/class/net/$6\" ;;\n"
	        "esac");
}

#define COMES_UP "echo '2: extra: <BROADCAST,UP> inet 10.20.1.11/24 brd' >${0%/bin/*}/up/extra"

static bool called(const guest *g, const char *call)
{
	g_autofree char *calls = get(g, "/calls");
	return strstr(calls, call) != NULL;
}

static void test_networkd(guest *g, gconstpointer shell)
{
	new_nic(g);
	put(g, "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "");
	put(g, "/etc/systemd/network/10-nestplan-gone.network", "");
	put(g, "/etc/systemd/network/80-dhcp.network", "of others\n");
	program(g, "networkctl", COMES_UP);
	run(g, shell, network_script());
	g_assert_cmpint(g->status, ==, 0);
	g_assert_true(called(g, "ip link set dev enp7s0 name extra\n"));
	g_assert_true(called(g, "networkctl reload\nnetworkctl reconfigure extra\n"));
	g_assert_false(called(g, "reconfigure mgmt"));
	expect_file(g, "/etc/systemd/network/10-nestplan-extra.network",
	            "# written by nestplan\n[Match]\nName=extra\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nAddress=10.20.1.11/24\n");
	expect_file(g, "/etc/systemd/network/80-dhcp.network", "of others\n");
	g_autofree char *gone = g_strconcat(g->root, "/etc/systemd/network/10-nestplan-gone.network", NULL);
	g_assert_false(g_file_test(gone, G_FILE_TEST_EXISTS));
	/* Once more: nothing is to be done. */
	put(g, "/calls", "");
	run(g, shell, network_script());
	g_assert_cmpint(g->status, ==, 0);
	g_assert_false(called(g, "networkctl"));
	g_assert_false(called(g, "set"));
}

static void test_mactab(guest *g, gconstpointer shell)
{
	new_nic(g);
	put(g, "/etc/network/interfaces", "auto lo\n");
	program(g, "ifdown", "exit 1");
	program(g, "ifup", COMES_UP);
	run(g, shell, network_script());
	g_assert_cmpint(g->status, ==, 0);
	g_assert_true(called(g, "ifup extra\n"));
	g_assert_false(called(g, "ifup mgmt\n"));
	expect_file(g, "/etc/mactab", "mgmt 52:54:00:00:00:01\nextra 52:54:00:00:00:02\n");
}

static void test_netplan(guest *g, gconstpointer shell)
{
	new_nic(g);
	put(g, "/etc/netplan/50-cloud-init.yaml", "");
	put(g, "/usr/sbin/netplan", "");
	program(g, "netplan", COMES_UP);
	run(g, shell, network_script());
	g_assert_cmpint(g->status, ==, 0);
	g_assert_true(called(g, "netplan apply\n"));
	g_autofree char *text = get(g, "/etc/netplan/60-nestplan.yaml");
	g_assert_nonnull(strstr(text, "macaddress: \"52:54:00:00:00:02\""));
}

/* The bridge of a network inside was over mgmt; its guests' devices stay in it. */
static void test_bridge_moves(guest *g, gconstpointer shell)
{
	static const char part[] = "    networks: {prov: {mode: bridge, nic: extra}}\n";
	g_autoptr(np_lab) lab = network_lab(part);
	const np_node *node = np_lab_node(lab, "one");
	const char *device = ((np_network *)g_ptr_array_index(node->site.networks, 0))->device;
	g_autofree char *bridge = g_strconcat("/sys/class/net/", device, "/brif", NULL);
	g_autofree char *up = g_strconcat("/up/", device, NULL);
	g_autofree char *master = g_strconcat(g->root, "/sys/class/net/mgmt/master", NULL);
	g_autofree char *in = g_strdup_printf("ip link set dev extra master %s\nip link set dev extra up\n", device);
	new_nic(g);
	put(g, bridge, "");
	put(g, up, "2: <BROADCAST,UP> inet 10.20.1.11/24 brd\n");
	g_assert_cmpint(symlink(device, master), ==, 0);
	put(g, "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "");
	program(g, "networkctl", "");
	run(g, shell, np_guestfs.network_script(node, NULL));
	g_assert_cmpint(g->status, ==, 0);
	g_assert_true(called(g, "ip link set dev mgmt nomaster\n"));
	g_assert_true(called(g, in));
}

static void test_no_style(guest *g, gconstpointer shell)
{
	new_nic(g);
	run(g, shell, network_script());
	g_assert_cmpint(g->status, ==, 1);
	g_assert_cmpstr(g->errors, ==, "its network is configured in no way that nestplan knows\n");
}

static void add(const char *name, void (*fn)(guest *, gconstpointer))
{
	static const char *const shells[] = {"sh", "busybox sh"};
	for (unsigned i = 0; i < G_N_ELEMENTS(shells); i++) {
		g_auto(GStrv) words = g_strsplit(shells[i], " ", -1);
		g_autofree char *found = g_find_program_in_path(words[0]);
		g_autofree char *path = g_strdup_printf("/inside/%s/%s", name, words[0]);
		if (found)
			g_test_add(path, guest, shells[i], set_up, fn, tear_down);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("keys", test_keys);
	add("keys-fail", test_keys_fail);
	add("grow-root", test_grow_root);
	add("no-tools", test_no_tools);
	add("tool-fails", test_tool_fails);
	add("grow-kinds", test_grow_kinds);
	add("grow-unmounted", test_grow_unmounted);
	add("release", test_release);
	add("vcpus", test_vcpus);
	add("networkd", test_networkd);
	add("mactab", test_mactab);
	add("netplan", test_netplan);
	add("bridge-moves", test_bridge_moves);
	add("no-style", test_no_style);
	return g_test_run();
}
