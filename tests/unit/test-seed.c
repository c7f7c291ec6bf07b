/* SPDX-License-Identifier: Apache-2.0 */
/* What is written into a node's disk, without a disk. */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "drivers/guestfs/files.h"
#include "drivers/guestfs/guestlog.h"
#include "drivers/guestfs/netconf.h"
#include "drivers/guestfs/ptable.h"
#include "drivers/guestfs/seed.h"
#include "drivers/guestfs/units.h"
#include "lab/lab.h"

static const char lab_text[] =
        "version: 1\n"
        "name: demo\n"
        "images: {hv: {source: hv.qcow2}, tiny: {source: tiny.qcow2}}\n"
        "networks:\n"
        "  mgmt: {cidr: 192.168.122.0/24, mode: nat}\n"
        "  tunnel: {cidr: 10.20.1.0/24, mode: isolated, mtu: 9000}\n"
        "  office: {mode: bridge, bridge: br0}\n"
        "defaults: {memory: 1GiB, vcpus: 1, image: hv}\n"
        "types:\n"
        "  compute: {inject: {files: [{path: /etc/motd, content: \"${node.name} of ${lab.name}\\n\"}]}}\n"
        "nodes:\n"
        "  compute-1:\n"
        "    type: compute\n"
        "    nics: {mgmt: {address: 192.168.122.30, mac: \"52:54:00:00:00:01\"}, tunnel: {mac: "
        "\"52:54:00:00:00:02\"}}\n"
        "    networks: {int: {cidr: 10.30.0.0/24}, prov: {mode: bridge, nic: tunnel}}\n"
        "    nodes:\n"
        "      guest: {image: tiny, memory: 256MiB, nics: {int: {address: 10.30.0.9}}}\n"
        "  compute-2: {type: compute, nics: {mgmt: {address: 192.168.122.31}}}\n"
        "  plain:\n"
        "    nics: {mgmt: {address: 192.168.122.50, mac: \"52:54:00:00:00:03\"}, office: {mac: "
        "\"52:54:00:00:00:04\"}}\n"
        "%s";

/* ── a guest made of a table ── */
static bool table_exists(gpointer data, const char *path)
{
	return g_hash_table_contains(data, path);
}

/* Values that start with "->" are symbolic links. */
static char *table_link(gpointer data, const char *path)
{
	const char *value = g_hash_table_lookup(data, path);
	return value != NULL && g_str_has_prefix(value, "->") ? g_strdup(value + 2) : NULL;
}

static char *table_read(gpointer data, const char *path)
{
	return g_strdup(g_hash_table_lookup(data, path));
}

typedef struct {
	np_lab *lab;
	GHashTable *files;
	np_guest_view view;
} fixture;

static np_lab *lab_parse(const char *more)
{
	g_autofree char *text = g_strdup_printf(lab_text, more);
	g_autoptr(np_diags) diags = NULL;
	np_lab *lab =
	        np_lab_parse(text, strlen(text), &(np_load_options){.file = "lab.yaml", .folder = "/lab"}, &diags);
	if (lab == NULL) {
		g_autofree char *problems = np_diags_render(diags, false);
		g_error("%s", problems);
	}
	return lab;
}

static void setup(fixture *f, gconstpointer data)
{
	(void)data;
	f->lab = lab_parse("");
	f->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	f->view = (np_guest_view){f->files, table_exists, table_link, table_read};
}

static void teardown(fixture *f, gconstpointer data)
{
	(void)data;
	np_lab_free(f->lab);
	g_hash_table_unref(f->files);
}

static void put(fixture *f, const char *path, const char *text)
{
	g_hash_table_insert(f->files, g_strdup(path), g_strdup(text));
}

static void put_networkd(fixture *f)
{
	put(f, "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
	    "->/lib/systemd/system/systemd-networkd.service");
	put(f, "/lib/systemd/system", "");
	put(f, "/usr/lib/systemd/system", "");
}

static void put_libvirtd(fixture *f)
{
	put(f, "/lib/systemd/system/libvirtd.service",
	    "[Unit]\nAlso=no\n[Service]\nType=notify\n[Install]\nWantedBy=multi-user.target\nAlso=libvirtd.socket\n");
	put(f, "/lib/systemd/system/libvirtd.socket", "[Install]\nWantedBy=sockets.target\nAlso=libvirtd.service\n");
}

static np_seed *render(fixture *f, const char *address, GError **error)
{
	static const char *const keys[] = {"ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two", NULL};
	static np_keypair pair = {.private_openssh = (char *)(guintptr) "PRIVATE\n",
	                          .public_line = (char *)(guintptr) "ssh-ed25519 CCCC host"};
	np_disk_job job = {.lab = f->lab,
	                   .node = np_lab_node(f->lab, address),
	                   .host_key = &pair,
	                   .authorized = keys,
	                   .has_share = true};
	g_assert_nonnull(job.node);
	return np_seed_render(&job, &f->view, error);
}

static char *text_of(const np_seed *seed, const char *path)
{
	const np_seed_item *item = np_seed_find(seed, path);
	if (item == NULL || item->kind != NP_SEED_FILE)
		g_error("nothing is written to %s", path);
	gsize length = 0;
	const char *data = g_bytes_get_data(item->content, &length);
	return g_strndup(data ? data : "", length);
}

#define assert_text(seed, path, want)                                                                                  \
	do {                                                                                                           \
		g_autofree char *text_ = text_of(seed, path);                                                          \
		g_assert_cmpstr(text_, ==, want);                                                                      \
	} while (0)

#define assert_contains(seed, path, want)                                                                              \
	do {                                                                                                           \
		g_autofree char *text_ = text_of(seed, path);                                                          \
		if (strstr(text_, want) == NULL)                                                                       \
			g_error("%s lacks '%s':\n%s", path, want, text_);                                              \
	} while (0)

static void test_basics(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	put_networkd(f);
	put(f, "/etc/machine-id", "0123\n");
	put(f, "/var/lib/dbus/machine-id", "0123\n");
	put(f, "/etc/ssh/ssh_host_rsa_key", "x");
	put(f, "/etc/cloud", "");
	put(f, "/etc/selinux/config", "SELINUX=enforcing\n");
	g_autoptr(GPtrArray) seed = render(f, "plain", &error);
	g_assert_no_error(error);
	assert_text(seed, "/etc/hostname", "plain\n");
	assert_text(seed, "/etc/machine-id", "");
	assert_text(seed, "/root/.ssh/authorized_keys", "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n");
	g_assert_cmpuint(np_seed_find(seed, "/root/.ssh/authorized_keys")->mode, ==, 0600);
	g_assert_cmpuint(np_seed_find(seed, "/root/.ssh")->mode, ==, 0700);
	g_assert_cmpuint(np_seed_find(seed, "/etc/ssh/ssh_host_ed25519_key")->mode, ==, 0600);
	assert_text(seed, "/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 CCCC host\n");
	g_assert_cmpint(np_seed_find(seed, "/etc/ssh/ssh_host_rsa_key")->kind, ==, NP_SEED_REMOVE);
	g_assert_cmpint(np_seed_find(seed, "/var/lib/dbus/machine-id")->kind, ==, NP_SEED_REMOVE);
	assert_contains(seed, "/etc/cloud/cloud.cfg.d/99-nestplan.cfg", "network: {config: disabled}");
	assert_text(seed, "/.autorelabel", "");
	g_assert_null(np_seed_find(seed, "/etc/modprobe.d/nestplan.conf"));
}

static void test_hosts(fixture *f, gconstpointer data)
{
	(void)data;
	put_networkd(f);
	g_autoptr(GPtrArray) seed = render(f, "compute-1/guest", NULL);
	assert_text(seed, "/etc/hosts",
	            "# lab demo, written by nestplan\n"
	            "127.0.0.1 localhost\n"
	            "::1 localhost ip6-localhost ip6-loopback\n"
	            "10.30.0.9 guest compute-1.guest\n"
	            "192.168.122.30 compute-1\n"
	            "192.168.122.31 compute-2\n"
	            "192.168.122.50 plain\n");
}

static void test_networkd(fixture *f, gconstpointer data)
{
	(void)data;
	put_networkd(f);
	put_libvirtd(f);
	g_autoptr(GPtrArray) seed = render(f, "compute-1", NULL);
	assert_text(seed, "/etc/systemd/network/10-nestplan-mgmt.link",
	            "# written by nestplan\n[Match]\nType=ether\nMACAddress=52:54:00:00:00:01\n\n[Link]\nName=mgmt\n");
	assert_text(seed, "/etc/systemd/network/10-nestplan-mgmt.network",
	            "# written by nestplan\n[Match]\nName=mgmt\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\n"
	            "Address=192.168.122.30/24\nGateway=192.168.122.1\nDNS=192.168.122.1\n");
	const np_network *prov = np_map_find(np_lab_node(f->lab, "compute-1")->site.networks, "prov");
	g_autofree char *bridge = g_strdup_printf("/etc/systemd/network/10-nestplan-%s.network", prov->device);
	g_autofree char *netdev = g_strdup_printf("/etc/systemd/network/10-nestplan-%s.netdev", prov->device);
	g_autofree char *member = g_strdup_printf("[Link]\nMTUBytes=9000\n\n[Network]\nBridge=%s\n", prov->device);
	assert_contains(seed, "/etc/systemd/network/10-nestplan-tunnel.network", member);
	assert_contains(seed, netdev, "Kind=bridge");
	assert_contains(seed, bridge, "MTUBytes=9000");
	assert_contains(seed, bridge, "Address=10.20.1.");
	assert_text(seed, "/etc/resolv.conf", "# written by nestplan\nnameserver 192.168.122.1\n");
}

static void test_resolved(fixture *f, gconstpointer data)
{
	(void)data;
	put_networkd(f);
	put(f, "/etc/resolv.conf", "->../run/systemd/resolve/stub-resolv.conf");
	g_autoptr(GPtrArray) seed = render(f, "plain", NULL);
	g_assert_null(np_seed_find(seed, "/etc/resolv.conf"));
	/* A bridge that was there before is a network of others. */
	assert_contains(seed, "/etc/systemd/network/10-nestplan-office.network", "DHCP=ipv4");
}

static void test_ifupdown(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "/etc/network/interfaces", "auto lo\n");
	g_autoptr(GPtrArray) seed = render(f, "plain", NULL);
	assert_text(seed, "/etc/network/interfaces",
	            "# written by nestplan\nauto lo\niface lo inet loopback\n"
	            "\nauto mgmt\niface mgmt inet static\n    address 192.168.122.50\n    netmask 255.255.255.0\n"
	            "    gateway 192.168.122.1\n    dns-nameservers 192.168.122.1\n"
	            "\nauto office\niface office inet dhcp\n");
	assert_text(seed, "/etc/mactab", "mgmt 52:54:00:00:00:03\noffice 52:54:00:00:00:04\n");
	g_assert_null(np_seed_find(seed, "/etc/systemd/network/10-nestplan-mgmt.link"));
	put(f, "/lib/systemd", "");
	g_autoptr(GPtrArray) with_udev = render(f, "plain", NULL);
	g_assert_nonnull(np_seed_find(with_udev, "/etc/systemd/network/10-nestplan-mgmt.link"));
}

static void test_netplan(fixture *f, gconstpointer data)
{
	(void)data;
	put_networkd(f);
	put_libvirtd(f);
	put(f, "/etc/netplan", "");
	put(f, "/usr/sbin/netplan", "");
	g_autoptr(GPtrArray) seed = render(f, "compute-1", NULL);
	const char *path = "/etc/netplan/60-nestplan.yaml";
	assert_contains(
	        seed, path,
	        "network:\n  version: 2\n  ethernets:\n    mgmt:\n      match: {macaddress: \"52:54:00:00:00:01\"}\n"
	        "      set-name: mgmt\n      dhcp4: false\n      addresses: [\"192.168.122.30/24\"]\n"
	        "      routes: [{to: 0.0.0.0/0, via: 192.168.122.1}]\n      nameservers: {addresses: [192.168.122.1]}\n"
	        "    tunnel:\n");
	assert_contains(seed, path, "      mtu: 9000\n      dhcp4: false\n  bridges:\n    np");
	assert_contains(seed, path, "      interfaces: [tunnel]\n");
	g_assert_cmpuint(np_seed_find(seed, path)->mode, ==, 0600);
	g_assert_null(np_seed_find(seed, "/etc/systemd/network/10-nestplan-mgmt.link"));
}

static void test_no_style(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	g_assert_null(render(f, "plain", &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	g_assert_nonnull(strstr(error->message, "image 'hv' configures its network in no way that nestplan knows"));
}

static void test_hypervisor(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	put_networkd(f);
	g_assert_null(render(f, "compute-1", &error));
	g_assert_nonnull(strstr(error->message, "image 'hv' has no libvirt daemon"));
	g_clear_error(&error);

	put_libvirtd(f);
	put(f, "/etc/fstab", "/dev/vda1 / ext4 rw 0 1");
	put(f, "/etc/libvirt/qemu/networks/default.xml",
	    "<ip address='192.168.122.1'><range start='192.168.122.2'/></ip>");
	put(f, "/etc/libvirt/qemu/networks/autostart/default.xml", "->../default.xml");
	g_autoptr(GPtrArray) seed = render(f, "compute-1", &error);
	g_assert_no_error(error);
	assert_contains(seed, "/etc/modprobe.d/nestplan.conf", "options kvm_amd nested=1\n");
	assert_text(seed, "/etc/libvirt/qemu/networks/default.xml",
	            "<ip address='192.168.123.1'><range start='192.168.123.2'/></ip>");
	g_assert_cmpint(np_seed_find(seed, "/etc/libvirt/qemu/networks/autostart/default.xml")->kind, ==,
	                NP_SEED_REMOVE);
	g_assert_cmpstr(np_seed_find(seed, "/etc/systemd/system/multi-user.target.wants/libvirtd.service")->target, ==,
	                "/lib/systemd/system/libvirtd.service");
	g_assert_nonnull(np_seed_find(seed, "/etc/systemd/system/sockets.target.wants/libvirtd.socket"));
	g_assert_cmpuint(np_seed_find(seed, "/var/lib/nestplan")->mode, ==, 0711);
	assert_contains(seed, "/etc/fstab", "/dev/vda1 / ext4 rw 0 1\n#");
	assert_contains(seed, "/etc/fstab",
	                "/dev/disk/by-id/virtio-nestplan-images /var/lib/nestplan/images ext4 ro,nofail");
	assert_text(seed, "/etc/motd", "compute-1 of demo\n");
}

static void test_overridden(fixture *f, gconstpointer data)
{
	(void)data;
	np_lab_free(f->lab);
	f->lab = lab_parse("  other:\n    nics: [mgmt]\n    inject: {files: [{path: /etc/hostname, content: mine, "
	                   "mode: \"0600\", owner: \"5:6\"}]}\n");
	put_networkd(f);
	g_autoptr(GPtrArray) seed = render(f, "other", NULL);
	const np_seed_item *item = np_seed_find(seed, "/etc/hostname");
	assert_text(seed, "/etc/hostname", "mine");
	g_assert_cmpuint(item->mode, ==, 0600);
	g_assert_cmpuint(item->uid, ==, 5);
	g_assert_cmpuint(item->gid, ==, 6);
	g_assert_true(item == seed->pdata[seed->len - 1]);
}

static void test_accounts(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	np_lab_free(f->lab);
	f->lab = lab_parse(
	        "  other:\n    nics: [mgmt]\n    inject:\n      users:\n"
	        "        - {name: stack, sudo: true, authorized_keys: [\"ssh-ed25519 DDDD stack\"]}\n"
	        "        - {name: debian}\n        - {name: root, authorized_keys: [\"ssh-ed25519 EEEE me\"]}\n");
	put_networkd(f);
	put(f, "/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndebian:x:1000:1000::/home/debian:/bin/bash\n");
	put(f, "/etc/group", "root:x:0:\ndebian:x:1000:\nextra:x:1001:\n");
	put(f, "/etc/shadow", "root:*:1:0:99999:7:::\n");
	put(f, "/home/debian", "");
	g_assert_null(render(f, "other", &error));
	g_assert_nonnull(strstr(error->message, "no /etc/sudoers.d"));
	g_clear_error(&error);
	put(f, "/etc/sudoers.d", "");
	g_autoptr(GPtrArray) seed = render(f, "other", &error);
	g_assert_no_error(error);
	assert_contains(seed, "/etc/passwd", "\nstack:x:1002:1002::/home/stack:/bin/sh\n");
	assert_contains(seed, "/etc/group", "\nstack:x:1002:\n");
	assert_contains(seed, "/etc/shadow", "\nstack:*::0:99999:7:::\n");
	g_assert_true(np_seed_find(seed, "/etc/shadow")->keep);
	assert_text(seed, "/home/stack/.ssh/authorized_keys", "ssh-ed25519 DDDD stack\n");
	g_assert_cmpuint(np_seed_find(seed, "/home/stack/.ssh/authorized_keys")->uid, ==, 1002);
	assert_text(seed, "/etc/sudoers.d/90-nestplan-stack", "stack ALL=(ALL) NOPASSWD:ALL\n");
	g_assert_null(np_seed_find(seed, "/home/debian"));
	assert_text(seed, "/root/.ssh/authorized_keys",
	            "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\nssh-ed25519 EEEE me\n");
}

static void test_first_boot(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	np_lab_free(f->lab);
	f->lab = lab_parse("  other:\n    nics: [mgmt]\n    inject:\n      packages: [qemu-system-x86, htop]\n"
	                   "      services: {enable: [chrony, ssh], disable: [apt-daily.timer, missing]}\n"
	                   "      run: [\"echo ${node.name}\", \"#!/usr/bin/python3\\nprint(1)\"]\n");
	put_networkd(f);
	put(f, "/lib/systemd/system/ssh.service", "[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n");
	put(f, "/lib/systemd/system/apt-daily.timer", "[Install]\nWantedBy=timers.target\n");
	put(f, "/etc/systemd/system/timers.target.wants/apt-daily.timer", "->/lib/systemd/system/apt-daily.timer");
	g_assert_null(render(f, "other", &error));
	g_assert_nonnull(strstr(error->message, "inject.packages needs apt-get"));
	g_clear_error(&error);
	put(f, "/usr/bin/apt-get", "");
	g_autoptr(GPtrArray) seed = render(f, "other", &error);
	g_assert_no_error(error);
	assert_contains(seed, "/var/lib/nestplan/firstboot/000-packages", "install qemu-system-x86 htop\n");
	assert_contains(seed, "/var/lib/nestplan/firstboot/001-services", "systemctl enable --now 'chrony.service'");
	assert_text(seed, "/var/lib/nestplan/firstboot/002-run", "#!/bin/sh\necho other\n");
	assert_text(seed, "/var/lib/nestplan/firstboot/003-run", "#!/usr/bin/python3\nprint(1)\n");
	g_assert_nonnull(np_seed_find(seed, "/etc/systemd/system/multi-user.target.wants/nestplan-firstboot.service"));
	g_assert_nonnull(np_seed_find(seed, "/etc/systemd/system/multi-user.target.wants/ssh.service"));
	g_assert_nonnull(np_seed_find(seed, "/etc/systemd/system/sshd.service"));
	g_assert_cmpint(np_seed_find(seed, "/etc/systemd/system/timers.target.wants/apt-daily.timer")->kind, ==,
	                NP_SEED_REMOVE);
}

static char *id_of(const np_lab *lab, const char *address)
{
	g_autoptr(GError) error = NULL;
	char *id = np_inject_id(lab, np_lab_node(lab, address), &error);
	g_assert_no_error(error);
	g_assert_cmpuint(strlen(id), ==, 64);
	return id;
}

/* It is of what the user declared for the node, and of nothing else. */
static void test_inject_id(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(np_lab) more = lab_parse("  other: {nics: [mgmt]}\n");
	g_autofree char *one = id_of(f->lab, "compute-1"), *two = id_of(f->lab, "compute-2");
	g_autofree char *again = id_of(more, "compute-1"), *none = id_of(f->lab, "plain"),
	                *none_too = id_of(more, "other");
	g_assert_cmpstr(one, ==, again);
	g_assert_cmpstr(one, !=, two); /* ${node.name} */
	g_assert_cmpstr(none, ==, none_too);
	g_assert_cmpstr(none, !=, one);
}

static void test_missing_source(fixture *f, gconstpointer data)
{
	(void)f, (void)data;
	g_autoptr(GError) error = NULL;
	g_autoptr(np_lab) lab =
	        lab_parse("  other: {nics: [mgmt], inject: {files: [{path: /etc/x, source: nowhere/x.conf}]}}\n");
	g_assert_null(np_inject_id(lab, np_lab_node(lab, "other"), &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	g_assert_nonnull(strstr(error->message, "node 'other': "));
	g_assert_nonnull(strstr(error->message, "/lab/nowhere/x.conf"));
}

static void test_template(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *folder = g_dir_make_tmp("np-seed-XXXXXX", NULL), *path = g_build_filename(folder, "t", NULL);
	g_assert_true(g_file_set_contents(path, "ip ${node.nics.mgmt.address}\n", -1, NULL));
	np_file file = {.path = (char *)(guintptr) "/etc/x", .source = path};
	const np_node *node = np_lab_node(f->lab, "plain");
	g_autoptr(GBytes) raw = np_file_bytes(f->lab, node, &file, NULL);
	file.expand = TRUE;
	g_autoptr(GBytes) expanded = np_file_bytes(f->lab, node, &file, NULL);
	g_autoptr(GBytes) want_raw = g_bytes_new_static("ip ${node.nics.mgmt.address}\n", 29);
	g_autoptr(GBytes) want_expanded = g_bytes_new_static("ip 192.168.122.50\n", 18);
	g_assert_true(g_bytes_equal(raw, want_raw));
	g_assert_true(g_bytes_equal(expanded, want_expanded));
	(void)g_unlink(path);
	(void)g_rmdir(folder);
}

static void test_ptable_none(void)
{
	guint8 head[NP_PTABLE_SECTORS * NP_SECTOR] = {0};
	g_auto(np_ptable) table = {0};
	const char *why = NULL;
	np_ptable_parse(head, sizeof head, &table);
	g_assert_cmpint(table.kind, ==, NP_PTABLE_NONE);
	g_autoptr(GPtrArray) patches = np_ptable_grow(head, sizeof head, 1000, &why);
	g_assert_cmpuint(patches->len, ==, 0);
}

static void test_ptable_mbr(void)
{
	guint8 head[NP_SECTOR] = {0};
	static const guint8 entries[] = {0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0,
	                                 0x00, 0, 0, 0, 0x82, 0, 0, 0, 0, 4, 0, 0, 0, 4,    0, 0};
	memcpy(head + 446, entries, sizeof entries);
	head[510] = 0x55, head[511] = 0xaa;
	const char *why = NULL;
	g_autoptr(GPtrArray) patches = np_ptable_grow(head, sizeof head, 0x20000, &why);
	g_assert_cmpuint(patches->len, ==, 1);
	g_auto(np_ptable) grown = {0};
	const np_patch *patch = patches->pdata[0];
	np_ptable_parse(g_bytes_get_data(patch->bytes, NULL), g_bytes_get_size(patch->bytes), &grown);
	const np_partition *last = np_ptable_last(&grown);
	g_assert_cmpuint(last->number, ==, 1);
	g_assert_cmpuint(last->sectors, ==, 0x20000 - 0x800);
	g_assert_null(np_ptable_grow(head, sizeof head, 0x900, &why));
	g_assert_nonnull(strstr(why, "beyond the disk"));
}

static void test_log(void)
{
	np_guestlog log;
	np_guestlog_init(&log);
	np_guestlog_add(&log, "one\r\n\033[31mtw", 12);
	np_guestlog_add(&log, "o\n", 2);
	g_autofree char *text = np_guestlog_text(&log);
	g_assert_cmpstr(text, ==, "  one\n  [31mtwo");
	for (unsigned i = 0; i < 100; i++)
		np_guestlog_add(&log, "x\n", 2);
	g_assert_cmpuint(log.lines.length, ==, NP_GUESTLOG_LINES);
	np_guestlog_clear(&log);
	g_assert_null(np_guestlog_hint("all is well"));
	g_assert_nonnull(strstr(np_guestlog_hint("supermin: cp: cannot open '/boot/vmlinuz-6.1'"), "chmod"));
}

#define ADD(name, fn) g_test_add("/seed/" name, fixture, NULL, setup, fn, teardown)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("basics", test_basics);
	ADD("hosts", test_hosts);
	ADD("networkd", test_networkd);
	ADD("resolved", test_resolved);
	ADD("ifupdown", test_ifupdown);
	ADD("netplan", test_netplan);
	ADD("no-style", test_no_style);
	ADD("hypervisor", test_hypervisor);
	ADD("overridden", test_overridden);
	ADD("accounts", test_accounts);
	ADD("first-boot", test_first_boot);
	ADD("inject-id", test_inject_id);
	ADD("missing-source", test_missing_source);
	ADD("template", test_template);
	g_test_add_func("/seed/ptable-none", test_ptable_none);
	g_test_add_func("/seed/ptable-mbr", test_ptable_mbr);
	g_test_add_func("/seed/log", test_log);
	return g_test_run();
}
