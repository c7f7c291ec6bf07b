/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/kmod: what it says of a machine. */
#include "../kmod-fixture.h"

static void test_amd(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	put(f, "sys/module/kvm_amd/initstate", "live\n");
	put(f, "sys/module/kvm_amd/parameters/nested", "1\n");
	put(f, "dev/kvm", "");
	look(f);
	g_assert_cmpstr(f->facts.vendor, ==, "AuthenticAMD");
	g_assert_cmpstr(f->facts.flag, ==, "svm");
	g_assert_cmpstr(f->facts.module, ==, "kvm_amd");
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_LIVE);
	g_assert_cmpint(f->facts.nested, ==, 1);
	g_assert_true(f->facts.device);
	g_assert_null(f->facts.device_error);
	put(f, "sys/module/kvm_amd/parameters/nested", "0\n");
	look(f);
	g_assert_cmpint(f->facts.nested, ==, 0);
}

static void test_intel(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", INTEL);
	put(f, "sys/module/kvm_intel/initstate", "live\n");
	put(f, "sys/module/kvm_intel/parameters/nested", "Y\n");
	look(f);
	g_assert_cmpstr(f->facts.vendor, ==, "GenuineIntel");
	g_assert_cmpstr(f->facts.flag, ==, "vmx");
	g_assert_cmpstr(f->facts.module, ==, "kvm_intel");
	g_assert_cmpint(f->facts.nested, ==, 1);
	put(f, "sys/module/kvm_intel/parameters/nested", "N\n");
	put(f, "sys/module/kvm_intel/initstate", "coming\n");
	look(f);
	g_assert_cmpint(f->facts.nested, ==, 0);
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_OTHER);
	put(f, "sys/module/kvm_intel/parameters/nested", "?\n");
	look(f);
	g_assert_cmpint(f->facts.nested, ==, -1);
}

static void test_builtin(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	put(f, "sys/module/kvm_amd/parameters/nested", "1\n");
	look(f);
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_BUILTIN);
	g_assert_cmpint(f->facts.nested, ==, 1);
	g_assert_false(f->facts.device);
	g_assert_nonnull(strstr(f->facts.device_error, "kvm_amd is there"));
}

/* The module of the other vendor, loaded, says nothing about this processor. */
static void test_absent(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	put(f, "sys/module/kvm_intel/initstate", "live\n");
	look(f);
	g_assert_cmpstr(f->facts.module, ==, "kvm_amd");
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_ABSENT);
	g_assert_cmpint(f->facts.nested, ==, -1);
	g_assert_false(f->facts.loadable);
	g_assert_contains(f->facts.device_error, "neither loaded nor installed");
	install_module(f, "kvm_amd");
	look(f);
	g_assert_true(f->facts.loadable);
	g_assert_contains(f->facts.device_error, "modprobe kvm_amd");
	install_module(f, "kvm_intel"); /* the index has that one only now */
	look(f);
	g_assert_false(f->facts.loadable);
}

static void test_no_flag(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", NONE);
	look(f);
	g_assert_null(f->facts.flag);
	g_assert_null(f->facts.module);
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_ABSENT);
	g_assert_nonnull(strstr(f->facts.device_error, "neither vmx nor svm"));
	put(f, "sys/module/kvm_amd/initstate", "live\n");
	look(f);
	g_assert_cmpstr(f->facts.module, ==, "kvm_amd");
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_LIVE);
}

/* As the kernel writes it: addresses are hexadecimal numbers in its own byte order. */
static void test_routes(fixture *f, gconstpointer data)
{
	static const char *const table[] = {
	        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   ",
	        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0   ", /* the default route */
	        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0   ",
	        "eth0\t0000000A\t010200C0\t0003\t0\t0\t100\t000000FF\t0\t0\t0   ",
	        "wg0\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0   ",
	        "eth1\t0000A8C0\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0   ", /* down */
	        "*\t000064C0\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0   ", /* unreachable */
	        "short 1 2", "", NULL};
	static const struct {
		const char *range, *device;
		bool link;
	} wanted[] = {{"192.0.2.0/24", "eth0", true}, {"10.0.0.0/8", "eth0", false}, {"172.16.0.0/12", "wg0", false}};
	g_autofree char *text = g_strjoinv("\n", (char **)table);
	(void)data;
	if (G_BYTE_ORDER != G_LITTLE_ENDIAN) {
		g_test_skip("the table is that of a little-endian machine");
		return;
	}
	put(f, "proc/cpuinfo", AMD);
	put(f, "proc/net/route", text);
	put(f, "sys/class/net/eth0/flags", "0x1003\n");
	put(f, "sys/class/net/wg0/flags", "0x10091\n");
	look(f);
	g_assert_cmpuint(f->facts.routes->len, ==, G_N_ELEMENTS(wanted));
	for (guint i = 0; i < f->facts.routes->len; i++) {
		const np_route *route = f->facts.routes->pdata[i];
		g_autofree char *range = np_cidr_format(route->range);
		g_assert_cmpstr(range, ==, wanted[i].range);
		g_assert_cmpstr(route->device, ==, wanted[i].device);
		g_assert_true(route->link == wanted[i].link);
	}
}

static void test_device_refused(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	g_autofree char *path = g_build_filename(f->root, "dev", "kvm", NULL);
	g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
	look(f);
	g_assert_false(f->facts.device);
	g_assert_nonnull(f->facts.device_error);
}

static void test_no_cpuinfo(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	g_assert_false(np_kmod.facts(f->root, &f->facts, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
}

/* Whatever this machine is, its facts agree with its files. */
static void test_real(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	g_assert_true(np_kmod.facts("", &f->facts, &error));
	g_assert_no_error(error);
	g_assert_true(f->facts.device == (f->facts.device_error == NULL));
	if (f->facts.flag != NULL)
		g_assert_nonnull(f->facts.module);
	if (f->facts.module != NULL) {
		g_autofree char *path = g_build_filename("/sys/module", f->facts.module, NULL);
		g_assert_true((access(path, F_OK) == 0) == (f->facts.state != NP_MODULE_ABSENT));
	}
}

/* ppc and s390x: read only. */
static void test_other_machines(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", "vendor_id       : IBM/S390\nfeatures\t: esan3 zarch sie\n");
	put(f, "sys/module/kvm/parameters/nested", "1\n");
	look(f);
	g_assert_cmpstr(f->facts.vendor, ==, "IBM/S390");
	g_assert_cmpstr(f->facts.module, ==, "kvm");
	g_assert_cmpint(f->facts.state, ==, NP_MODULE_BUILTIN);
	g_assert_cmpint(f->facts.nested, ==, 1);
	put(f, "proc/cpuinfo", "processor\t: 0\ncpu\t\t: POWER9\n");
	put(f, "sys/module/kvm_hv/initstate", "live\n");
	put(f, "sys/module/kvm_hv/parameters/nested", "N\n");
	look(f);
	g_assert_null(f->facts.vendor);
	g_assert_cmpstr(f->facts.module, ==, "kvm_hv");
	g_assert_cmpint(f->facts.nested, ==, 0);
}

static void test_holders(fixture *f, gconstpointer data)
{
	(void)data;
	static const char plain[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-S";
	static const char comma[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=a,,b,process=x";
	static const char probe[] = "/usr/bin/qemu-system-x86_64\0-machine\0none";
	put(f, "proc/cpuinfo", AMD);
	add_process(f, 1200, "qemu-system-x86", "anon_inode:kvm-vm");
	put_bytes(f, "proc/1200/cmdline", plain, sizeof plain);
	add_process(f, 77, "qemu-system-x86", "anon_inode:kvm-vcpu:0");
	put_bytes(f, "proc/77/cmdline", comma, sizeof comma);
	add_process(f, 300, "crosvm", "/dev/kvm");
	add_process(f, 400, "qemu-system-x86", "/dev/kvm");
	put_bytes(f, "proc/400/cmdline", probe, sizeof probe);
	add_process(f, 500, "sh", "/dev/kvmfr0");
	add_process(f, getpid(), "nestplan", "/dev/kvm");
	look(f);
	static const struct {
		int pid;
		const char *command, *domain;
	} wanted[] = {{77, "qemu-system-x86", "a,b"}, {300, "crosvm", NULL}, {400, "qemu-system-x86", NULL},
	              {1200, "qemu-system-x86", "web"}};
	g_assert_cmpuint(f->facts.holders->len, ==, G_N_ELEMENTS(wanted));
	for (guint i = 0; i < f->facts.holders->len; i++) {
		const np_holder *holder = f->facts.holders->pdata[i];
		g_assert_cmpint(holder->pid, ==, wanted[i].pid);
		g_assert_cmpstr(holder->command, ==, wanted[i].command);
		g_assert_cmpstr(holder->domain, ==, wanted[i].domain);
	}
}

static void test_slow_intel(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", INTEL);
	load_module(f, "kvm_intel", "Y\n");
	put(f, "sys/module/kvm_intel/parameters/ept", "Y\n");
	put(f, "sys/module/kvm_intel/parameters/enable_apicv", "Y\n");
	put(f, "sys/module/kvm_intel/parameters/unrestricted_guest", "Y\n");
	put(f, "sys/module/kvm_intel/parameters/enable_shadow_vmcs", "Y\n");
	put(f, "sys/module/kvm_intel/parameters/pml", "N\n");
	look(f);
	g_assert_cmpuint(f->facts.slow->len, ==, 0);
	put(f, "sys/module/kvm_intel/parameters/ept", "N\n");
	put(f, "sys/module/kvm_intel/parameters/enable_apicv", "N\n");
	put(f, "sys/module/kvm_intel/parameters/unrestricted_guest", "N\n");
	put(f, "sys/module/kvm_intel/parameters/enable_shadow_vmcs", "N\n");
	put(f, "etc/modprobe.d/slow.conf", "# x\noptions kvm-intel ept=0\n");
	look(f);
	g_assert_cmpuint(f->facts.slow->len, ==, 4);
	g_assert_contains(f->facts.slow->pdata[0], "parameter ept of module kvm_intel is off");
	g_assert_contains(f->facts.slow->pdata[0], "/etc/modprobe.d/slow.conf:2 sets it");
	g_assert_contains(f->facts.slow->pdata[1], "enable_shadow_vmcs");
	g_assert_contains(f->facts.slow->pdata[1], "no file sets it");
	g_assert_contains(f->facts.slow->pdata[2], "enable_apicv");
	g_assert_contains(f->facts.slow->pdata[3], "unrestricted_guest");
}

static void test_slow_amd(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	load_module(f, "kvm_amd", "1\n");
	put(f, "sys/module/kvm_amd/parameters/npt", "Y\n");
	put(f, "sys/module/kvm_amd/parameters/avic", "N\n");
	put(f, "sys/module/kvm_amd/parameters/vgif", "0\n");
	look(f);
	g_assert_cmpuint(f->facts.slow->len, ==, 0);
	put(f, "sys/module/kvm_amd/parameters/npt", "0\n");
	look(f);
	g_assert_cmpuint(f->facts.slow->len, ==, 1);
	g_assert_contains(f->facts.slow->pdata[0], "parameter npt of module kvm_amd is off");
	put(f, "sys/module/kvm_amd/parameters/npt", "N\n");
	look(f);
	g_assert_cmpuint(f->facts.slow->len, ==, 1);
}

/* CAP_SYS_MODULE is capability 16. */
static void test_forbidden(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	put(f, "proc/self/status", "Name:\tx\nCapEff:\t0000000000010000\nCapBnd:\t0\n");
	put(f, "proc/sys/kernel/modules_disabled", "0\n");
	look(f);
	g_assert_null(f->facts.forbidden);
	put(f, "proc/self/status", "Name:\tx\nCapEff:\t000001fffffeffff\nCapBnd:\t000001ffffffffff\n");
	look(f);
	g_assert_contains(f->facts.forbidden, "CAP_SYS_MODULE");
	put(f, "proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
	look(f);
	g_assert_null(f->facts.forbidden);
	put(f, "proc/sys/kernel/modules_disabled", "1\n");
	look(f);
	g_assert_contains(f->facts.forbidden, "modules_disabled");
}

/* Facts are read into what is already full. */
static void test_again(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", INTEL);
	put(f, "etc/modprobe.d/a.conf", "options kvm_intel nested=0\nblacklist kvm_intel\n");
	look(f);
	look(f);
	g_assert_cmpuint(f->facts.sources->len, ==, 1);
	drop(f, "etc");
	look(f);
	g_assert_cmpuint(f->facts.sources->len, ==, 0);
	g_assert_null(f->facts.blacklist);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("amd", test_amd);
	ADD("intel", test_intel);
	ADD("builtin", test_builtin);
	ADD("absent", test_absent);
	ADD("no-flag", test_no_flag);
	ADD("device-refused", test_device_refused);
	ADD("routes", test_routes);
	ADD("no-cpuinfo", test_no_cpuinfo);
	ADD("real", test_real);
	ADD("other-machines", test_other_machines);
	ADD("holders", test_holders);
	ADD("slow-intel", test_slow_intel);
	ADD("slow-amd", test_slow_amd);
	ADD("forbidden", test_forbidden);
	ADD("again", test_again);
	return g_test_run();
}
