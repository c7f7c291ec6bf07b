/* SPDX-License-Identifier: Apache-2.0 */
/* world/: the proof script, for real in a shell, and what facts mean. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/process.h"
#include "world/doctor.h"
#include "world/proof.h"
#include "world/record.h"

#define KVM_CREATE_VM 0xAE01

/* What this process sees for itself: NULL when KVM makes a VM, else why not. */
static const char *kvm_trouble(void)
{
	int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return g_strerror(errno);
	int vm = ioctl(device, KVM_CREATE_VM, 0);
	const char *why = vm < 0 ? g_strerror(errno) : NULL;
	if (vm >= 0)
		close(vm);
	close(device);
	return why;
}

static void run_script(const char *const *argv, np_proof *proof)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GSubprocess) shell = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
	g_assert_no_error(error);
	g_autofree char *out = NULL;
	g_assert_true(g_subprocess_communicate_utf8(shell, np_proof_script, NULL, &out, NULL, &error));
	g_assert_no_error(error);
	g_assert_true(g_subprocess_get_successful(shell));
	np_proof_read(proof, out);
}

/* Shells and interpreters differ; the answer must not. */
static void test_proof_script(gconstpointer data)
{
	const char *const *argv = data;
	g_autofree char *found = g_find_program_in_path(argv[0]);
	if (!found) {
		g_test_message("there is no %s here", argv[0]);
		return;
	}
	g_auto(np_proof) proof = {0};
	run_script(argv, &proof);
	g_assert_true(proof.gathered);
	g_autofree char *cpuinfo = NULL;
	g_assert_true(g_file_get_contents("/proc/cpuinfo", &cpuinfo, NULL, NULL));
	g_assert_cmpint(proof.ok[NP_CHECK_FLAG], ==, g_regex_match_simple("^flags.*\\b(svm|vmx)\\b", cpuinfo, G_REGEX_MULTILINE, 0));
	const char *trouble = kvm_trouble();
	g_assert_cmpint(proof.ok[NP_CHECK_VM], ==, trouble == NULL);
	if (trouble)
		g_assert_nonnull(strstr(proof.detail[NP_CHECK_VM], trouble));
	else
		g_assert_cmpstr(proof.detail[NP_CHECK_VM], ==, "KVM created a VM");
}

static void read_output(np_proof *proof, const char *output)
{
	np_proof_clear(proof);
	np_proof_read(proof, output);
	np_proof_finish(proof, &(np_host_facts){.offers_kvm = true});
}

static void test_proof_links(void)
{
	g_auto(np_proof) proof = {0};
	read_output(&proof, "flag=svm\nwanted=kvm_amd\nmodule=kvm_amd\nnested=1\ndevice=ok\nvm=ok\n");
	g_assert_true(proof.kvm);
	g_assert_null(np_proof_missing(&proof));
	static const struct {
		const char *output, *missing;
	} broken[] = {
		{"flag=\nwanted=kvm_amd\nnested=\ndevice=ok\nvm=ok\n", "neither vmx nor svm"},
		{"flag=svm\nwanted=kvm_amd\nnested=\ndevice=/dev/kvm does not exist\nvm=x\nlog=kvm_amd: nested disabled\n", "nested disabled"},
		{"flag=svm\nwanted=kvm_amd\nmodule=kvm_amd\nnested=0\ndevice=ok\nvm=ok\n", "nested=0"},
		{"flag=vmx\nwanted=kvm_intel\nmodule=kvm_intel\nnested=Y\ndevice=Permission denied\nvm=ok\n", "Permission denied"},
		{"flag=vmx\nwanted=kvm_intel\nmodule=kvm_intel\nnested=Y\ndevice=ok\nvm=Device or resource busy\n", "busy"},
		{"flag=vmx\nwanted=kvm_intel\nmodule=kvm_intel\nnested=Y\ndevice=ok\n", "does not create a VM"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
		read_output(&proof, broken[i].output);
		g_assert_false(proof.kvm);
		g_autofree char *missing = np_proof_missing(&proof);
		g_assert_nonnull(strstr(missing, broken[i].missing));
	}
}

/* A remote host's kernel is not read; libvirt tells what it gives its guests. */
static void test_remote_accel(void)
{
	np_host_facts facts = {.arch = (char *)"x86_64", .flag = (char *)"vmx", .offers_kvm = true, .nested = 0};
	g_auto(np_accel_answer) off = {0}, on = {0}, unknown = {0};
	np_accel_decide(&facts, NULL, &off);
	g_assert_true(off.kvm && off.needs_switch && !off.nested);
	g_assert_nonnull(strstr(off.switch_commands, "kvm_intel nested=1"));
	facts.nested = 1;
	np_accel_decide(&facts, NULL, &on);
	g_assert_true(on.kvm && on.nested && !on.needs_switch);
	facts.nested = -1;
	np_accel_decide(&facts, NULL, &unknown);
	g_assert_true(unknown.kvm && unknown.nested && !unknown.needs_switch);
}

static const np_finding *find(const GPtrArray *findings, const char *name)
{
	for (guint i = 0; i < findings->len; i++) {
		const np_finding *finding = g_ptr_array_index(findings, i);
		if (g_str_equal(finding->name, name))
			return finding;
	}
	return NULL;
}

static np_world *healthy(void)
{
	np_world *world = np_world_new("");
	np_kernel_facts *kernel = &world->kernel;
	world->has_kernel = true;
	kernel->vendor = g_strdup("GenuineIntel");
	kernel->flag = g_strdup("vmx");
	kernel->module = g_strdup("kvm_intel");
	kernel->state = NP_MODULE_LIVE;
	kernel->nested = 1;
	kernel->device = kernel->loadable = true;
	np_host_facts *facts = &world->root->facts;
	*facts = (np_host_facts){.arch = g_strdup("x86_64"), .version = g_strdup("QEMU 8.0.0, libvirt 9.0.0"), .offers_kvm = true,
	                         .flag = g_strdup("vmx"), .local = true, .memory = (guint64)8 << 30, .cpus = 4, .qemu_uid = 64055};
	np_accel_decide(facts, kernel, &world->accel);
	world->root->reachable = true;
	return world;
}

static GPtrArray *examine(np_world *world, np_local_facts *local)
{
	np_accel_answer_clear(&world->accel);
	np_accel_decide(&world->root->facts, &world->kernel, &world->accel);
	return np_doctor_examine(NULL, world, local);
}

static void test_doctor(void)
{
	g_autoptr(np_world) world = healthy();
	g_auto(np_local_facts) local = {.guestfs = g_strdup("1.48.6"), .storage = g_strdup("/var/lib"), .free = (guint64)100 << 30,
	                                .missing = g_ptr_array_new_with_free_func(g_free)};
	g_autoptr(GPtrArray) good = examine(world, &local);
	for (guint i = 0; i < good->len; i++)
		g_assert_cmpint(((np_finding *)g_ptr_array_index(good, i))->verdict, ==, NP_VERDICT_GOOD);

	world->kernel.nested = 0;
	local.free = 1 << 20;
	local.denied = g_strdup("/var");
	local.kvm_denied = true;
	g_ptr_array_add(local.missing, g_strdup("debugfs"));
	g_ptr_array_add(world->kernel.slow, g_strdup("kvm_intel has ept=N."));
	g_autoptr(GPtrArray) ill = examine(world, &local);
	g_assert_cmpint(find(ill, "nesting")->verdict, ==, NP_VERDICT_WARNING); /* apply can help */
	g_assert_cmpint(find(ill, "storage")->verdict, ==, NP_VERDICT_BAD);
	g_assert_nonnull(strstr(find(ill, "storage")->fix, "chmod o+x /var"));
	g_assert_cmpint(find(ill, "kvm-user")->verdict, ==, NP_VERDICT_BAD);
	g_assert_cmpint(find(ill, "space")->verdict, ==, NP_VERDICT_WARNING);
	g_assert_nonnull(strstr(find(ill, "programs")->text, "debugfs"));
	g_assert_cmpint(find(ill, "parameters")->verdict, ==, NP_VERDICT_WARNING);

	world->kernel.vm_error = g_strdup("Device or resource busy");
	g_autoptr(GPtrArray) busy = examine(world, &local);
	g_assert_cmpint(find(busy, "device")->verdict, ==, NP_VERDICT_BAD);
	g_assert_nonnull(strstr(find(busy, "kvm")->text, "Device or resource busy"));
	g_clear_pointer(&world->kernel.vm_error, g_free);

	world->kernel.state = NP_MODULE_BUILTIN;
	g_autoptr(GPtrArray) stuck = examine(world, &local);
	g_assert_cmpint(find(stuck, "nesting")->verdict, ==, NP_VERDICT_BAD);
	g_assert_nonnull(strstr(find(stuck, "nesting")->fix, "kvm_intel.nested=1"));
}

static void add_option(np_world *world, const char *file, unsigned line, const char *value)
{
	np_option_source *source = g_new0(np_option_source, 1);
	*source = (np_option_source){g_strdup(file), line, g_strdup(value)};
	g_ptr_array_add(world->kernel.sources, source);
}

/* Who sets the option, in the order in which it is read; nestplan's own file where it sorts. */
static void test_doctor_options(void)
{
	g_autoptr(np_world) world = healthy();
	add_option(world, "/etc/modprobe.d/kvm.conf", 3, "0");
	g_autoptr(GPtrArray) one = examine(world, NULL);
	g_assert_true(g_str_has_suffix(find(one, "nesting")->text, "; set by /etc/modprobe.d/kvm.conf:3 (nested=0)"));
	g_ptr_array_add(world->kernel.labs, g_strdup("demo"));
	add_option(world, "/etc/modprobe.d/zzz.conf", 1, "Y");
	add_option(world, "/proc/cmdline", 0, "1");
	g_autoptr(GPtrArray) all = examine(world, NULL);
	g_assert_true(g_str_has_suffix(find(all, "nesting")->text, "; set by /etc/modprobe.d/kvm.conf:3 (nested=0), then " NP_NESTING_FILE
	                               " (nested=1), then /etc/modprobe.d/zzz.conf:1 (nested=Y), then /proc/cmdline (nested=1), which wins"));
}

/* Machines whose kernel is only read. */
static void test_doctor_elsewhere(void)
{
	g_autoptr(np_world) world = healthy();
	np_kernel_facts *kernel = &world->kernel;
	g_free(world->root->facts.arch);
	world->root->facts.arch = g_strdup("s390x");
	g_clear_pointer(&kernel->flag, g_free);
	g_free(kernel->module);
	kernel->module = g_strdup("kvm");
	kernel->state = NP_MODULE_BUILTIN;
	g_autoptr(GPtrArray) on = examine(world, NULL);
	g_assert_nonnull(strstr(find(on, "cpu")->text, "s390x"));
	g_assert_cmpint(find(on, "nesting")->verdict, ==, NP_VERDICT_GOOD);
	kernel->nested = 0;
	g_autoptr(GPtrArray) off = examine(world, NULL);
	g_assert_cmpint(find(off, "nesting")->verdict, ==, NP_VERDICT_BAD);
	g_assert_nonnull(strstr(find(off, "nesting")->fix, "does not switch it"));
}

/* Without libvirt the rest is still said. */
static void test_doctor_alone(void)
{
	g_autoptr(np_world) world = healthy();
	world->root->reachable = false;
	world->root->why = g_strdup("nobody answers");
	g_auto(np_local_facts) local = {.guestfs = g_strdup("1.48.6"), .missing = g_ptr_array_new_with_free_func(g_free)};
	g_autoptr(GPtrArray) findings = examine(world, &local);
	g_assert_cmpint(find(findings, "libvirt")->verdict, ==, NP_VERDICT_BAD);
	g_assert_cmpstr(find(findings, "libvirt")->text, ==, "nobody answers");
	g_assert_cmpint(find(findings, "nesting")->verdict, ==, NP_VERDICT_GOOD);
	g_assert_nonnull(find(findings, "guestfs"));
	world->has_kernel = false; /* another machine, of which nothing is known then */
	g_autoptr(GPtrArray) remote = examine(world, &local);
	g_assert_null(find(remote, "nesting"));
	world->has_kernel = world->root->reachable = true;
	local.uri = g_strdup("qemu:///session");
	g_autoptr(GPtrArray) session = examine(world, &local);
	g_assert_cmpint(find(session, "uri")->verdict, ==, NP_VERDICT_BAD);
}

/* The host is a level as well. */
static void test_proof_host(void)
{
	g_autoptr(np_world) world = healthy();
	g_auto(np_proof) proof = {0};
	np_proof_host(&proof, &world->kernel, &world->root->facts);
	g_assert_true(proof.kvm);
	g_assert_null(np_proof_missing(&proof));
	world->kernel.vm_error = g_strdup("Device or resource busy");
	np_proof_host(&proof, &world->kernel, &world->root->facts);
	g_assert_false(proof.kvm);
	g_autofree char *missing = np_proof_missing(&proof);
	g_assert_nonnull(strstr(missing, "Device or resource busy"));
}

/* Rows keep their texts and their order. */
static void test_record(void)
{
	g_autoptr(np_record) record = np_record_new();
	g_autofree char *large = g_strnfill(1000, 'x'), *expected = g_strconcat("disks.", large, ".bus", NULL);
	char passing[] = "2GiB";
	np_record_add(record, "memory", np_record_keep(record, passing));
	np_record_add(record, np_record_join(record, "disks.", large, ".bus", NULL), "virtio");
	np_record_take(record, "cpu", g_strdup("maximum"));
	np_record_add(record, "description", np_record_keep(record, NULL));
	passing[0] = large[0] = 'y';
	bool found;
	g_assert_cmpstr(np_record_get(record, "memory", NULL), ==, "2GiB");
	g_assert_cmpstr(np_record_row(record, 1)->name, ==, expected);
	g_assert_cmpstr(np_record_get(record, "cpu", &found), ==, "maximum");
	g_assert_true(found);
	g_assert_null(np_record_get(record, "description", &found));
	g_assert_true(found);
	np_record_remove(record, "cpu");
	g_assert_null(np_record_get(record, "cpu", &found));
	g_assert_false(found);
	g_assert_cmpuint(np_record_length(record), ==, 3);
	for (unsigned i = 0; i < 1000; i++) {
		char number[16];
		g_snprintf(number, sizeof(number), "%u", i);
		np_record_add(record, np_record_join(record, "hosts.", number, NULL), np_record_keep(record, number));
	}
	g_assert_cmpuint(np_record_length(record), ==, 1003);
	g_assert_cmpstr(np_record_get(record, "hosts.999", NULL), ==, "999");
	g_assert_cmpstr(np_record_get(record, "memory", NULL), ==, "2GiB");
	g_assert_cmpstr(np_record_row(record, 3)->name, ==, "hosts.0");
	g_assert_cmpuint(np_record_length(NULL), ==, 0);
	g_assert_null(np_record_get(NULL, "cpu", &found));
}

static const char *const dash[] = {"sh", NULL}, *const bash[] = {"bash", "--posix", NULL}, *const ash[] = {"busybox", "sh", NULL};

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/world/proof-script/sh", dash, test_proof_script);
	g_test_add_data_func("/world/proof-script/bash", bash, test_proof_script);
	g_test_add_data_func("/world/proof-script/busybox", ash, test_proof_script);
	g_test_add_func("/world/record", test_record);
	g_test_add_func("/world/proof-links", test_proof_links);
	g_test_add_func("/world/remote-accel", test_remote_accel);
	g_test_add_func("/world/proof-host", test_proof_host);
	g_test_add_func("/world/doctor", test_doctor);
	g_test_add_func("/world/doctor-options", test_doctor_options);
	g_test_add_func("/world/doctor-elsewhere", test_doctor_elsewhere);
	g_test_add_func("/world/doctor-alone", test_doctor_alone);
	return g_test_run();
}
