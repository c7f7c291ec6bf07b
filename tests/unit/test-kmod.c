/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/kmod against folders that stand for the root of a machine. */
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/driver.h"

typedef struct {
	char *root;
	np_kernel_facts facts;
} fixture;

static void remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		remove_tree(inner);
	}
	(void)g_remove(path);
}

static void set_up(fixture *f, gconstpointer data)
{
	(void)data;
	f->root = g_dir_make_tmp("nestplan-kmod-XXXXXX", NULL);
	g_assert_nonnull(f->root);
}

static void tear_down(fixture *f, gconstpointer data)
{
	(void)data;
	np_kernel_facts_clear(&f->facts);
	remove_tree(f->root);
	g_free(f->root);
}

static void put(const fixture *f, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void look(fixture *f)
{
	g_autoptr(GError) error = NULL;
	np_kernel_facts_clear(&f->facts);
	bool good = np_kmod.facts(f->root, &f->facts, &error);
	g_assert_no_error(error);
	g_assert_true(good);
}

#define AMD   "processor\t: 0\nflags\t\t: fpu lm svm npt\nbugs\t\t:\n"
#define INTEL "processor\t: 0\nflags\t\t: fpu lm vmx ept\nvmx flags\t: vnmi\n"
#define NONE  "processor\t: 0\nflags\t\t: fpu lm svm_lock vmx2\n"

static void test_amd(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cpuinfo", AMD);
	put(f, "sys/module/kvm_amd/initstate", "live\n");
	put(f, "sys/module/kvm_amd/parameters/nested", "1\n");
	put(f, "dev/kvm", "");
	look(f);
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
	g_assert_nonnull(strstr(f->facts.device_error, "modprobe kvm_amd"));
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

#define ADD(name, fn) g_test_add("/kmod/" name, fixture, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("amd", test_amd);
	ADD("intel", test_intel);
	ADD("builtin", test_builtin);
	ADD("absent", test_absent);
	ADD("no-flag", test_no_flag);
	ADD("device-refused", test_device_refused);
	ADD("no-cpuinfo", test_no_cpuinfo);
	ADD("real", test_real);
	return g_test_run();
}
