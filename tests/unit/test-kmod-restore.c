/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/kmod: a switch of nesting that fails halfway, and the way back. */
#include "../kmod-kernel.h"

#define OURS FIRST "# labs: one\n# before: nested=0\noptions kvm_amd nested=1\n"

static void set_up_on(machine *m, gconstpointer data)
{
	machine_set_up(m, data);
	put(&m->f, FILE_NAME, OURS);
	g_autofree char *path = below(&m->f, FILE_NAME);
	g_assert_cmpint(g_chmod(path, 0644), ==, 0);
	load_module(&m->f, "kvm_amd", "1\n");
}

static void test_load_fails(machine *m, gconstpointer data)
{
	(void)data;
	static const struct {
		int code;
		const char *part;
	} rows[] = {
		{-EINVAL, "refuses the value of a parameter"}, {-EOPNOTSUPP, "firmware"}, {-EIO, "firmware"},
		{-EEXIST, "the other vendor"}, {-EPERM, "does not allow it"}, {-EKEYREJECTED, "signed"},
		{-ENOMEM, "Cannot allocate memory"}, {0x20000, "blacklist"},
	};
	remember(m);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		m->inserts = 0;
		m->insert_codes[0] = rows[i].code;
		nesting_fails(m, "one", NP_ERROR_FAILED,
		              PARTS("module kvm_amd cannot be loaded", rows[i].part, "the former state is back"));
		g_assert_cmpstr(m->calls->str, ==,
		                "remove kvm_amd, insert kvm_amd configured, insert kvm_amd configured, ");
		assert_unchanged(m);
	}
}

/* nested=0 was given by hand when it was loaded; no file says so. */
static void test_former_by_hand(machine *m, gconstpointer data)
{
	(void)data;
	drop(&m->f, "etc/modprobe.d/admin.conf");
	m->insert_codes[0] = -EINVAL;
	remember(m);
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("the former state is back"));
	g_assert_cmpstr(m->calls->str, ==,
	                "remove kvm_amd, insert kvm_amd configured, insert kvm_amd configured nested=0, ");
	assert_unchanged(m);
}

static void test_first_restore_fails(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = m->insert_codes[1] = -EINVAL;
	remember(m);
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("the former state is back"));
	g_assert_cmpstr(m->calls->str, ==,
	                "remove kvm_amd, insert kvm_amd configured, insert kvm_amd configured, insert kvm_amd nested=0, ");
	assert_unchanged(m);
}

/* The first way back loads it, but not as it was. */
static void test_first_restore_differs(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = -EINVAL;
	m->values[1] = "1\n";
	remember(m);
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("the former state is back"));
	g_assert_cmpstr(m->calls->str, ==, "remove kvm_amd, insert kvm_amd configured, insert kvm_amd configured, "
	                                   "remove kvm_amd, insert kvm_amd nested=0, ");
	assert_unchanged(m);
}

static void test_no_way_back(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = m->insert_codes[1] = m->insert_codes[2] = -EINVAL;
	nesting_fails(m, "one", NP_ERROR_FAILED,
	              PARTS("the former state could not be put back", "module kvm_amd is not loaded",
	                    "run: modprobe kvm_amd nested=0"));
	assert_text(m, FILE_NAME, NULL);
	assert_nested(m, NULL);
}

static void test_wrong_way_back(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = -EINVAL;
	m->values[1] = m->values[2] = "1\n";
	nesting_fails(m, "one", NP_ERROR_FAILED,
	              PARTS("module kvm_amd is loaded with nested=1 instead of nested=0",
	                    "run: modprobe -r kvm_amd && modprobe kvm_amd nested=0"));
	assert_text(m, FILE_NAME, NULL);
}

/* It loads, but does not do as told; that happens to be the former state. */
static void test_no_effect(machine *m, gconstpointer data)
{
	(void)data;
	m->values[0] = "0\n";
	remember(m);
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("nested is 0, not 1", "the former state is back"));
	g_assert_cmpstr(m->calls->str, ==, "remove kvm_amd, insert kvm_amd configured, ");
	assert_unchanged(m);
}

static void load_by_other(machine *m)
{
	if (m->inserts == 0) {
		m->insert_codes[0] = -EEXIST;
		m->before_insert = NULL;
	}
}

/* Somebody loads the module between our unload and load: with our file it is as wanted. */
static int insert_late(const np_loader *loader, const char *root, const char *module, bool configured, const char *options)
{
	int code = pretend_insert(loader, root, module, configured, options);
	return code == 0 ? -EEXIST : code;
}

static void test_loaded_by_other(machine *m, gconstpointer data)
{
	(void)data;
	m->loader.insert = insert_late;
	nesting(m, "one", true, "remove kvm_amd, insert kvm_amd configured, ");
	assert_nested(m, "1\n");
	nesting(m, "", true, "remove kvm_amd, insert kvm_amd configured, ");
	assert_nested(m, "0\n");
	m->loader.insert = pretend_insert;
	m->inserts = 0;
	m->before_insert = load_by_other;
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("the other vendor", "the former state is back"));
}

static void start_guest(machine *m)
{
	static const char web[] = "qemu-system-x86_64\0-name\0guest=web";
	add_process(&m->f, 123, "qemu-system-x86", "anon_inode:kvm-vm");
	put_bytes(&m->f, "proc/123/cmdline", web, sizeof web);
}

/* A guest starts between the look and the unloading. */
static void test_busy_late(machine *m, gconstpointer data)
{
	(void)data;
	m->before_remove = start_guest;
	m->remove_codes[0] = -EAGAIN;
	remember(m);
	nesting_fails(m, "one", NP_ERROR_BUSY,
	              PARTS("domain 'web', pid 123 (qemu-system-x86)", "the former state is back"));
	g_assert_cmpstr(m->calls->str, ==, "remove kvm_amd, ");
	drop(&m->f, "proc/123");
	assert_unchanged(m);
}

static void test_busy_unseen(machine *m, gconstpointer data)
{
	(void)data;
	m->remove_codes[0] = -EAGAIN;
	remember(m);
	nesting_fails(m, "one", NP_ERROR_BUSY, PARTS("was in use a moment ago", "the former state is back"));
	assert_unchanged(m);
}

static void test_unload_fails(machine *m, gconstpointer data)
{
	(void)data;
	m->remove_codes[0] = -EPERM;
	remember(m);
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("module kvm_amd cannot be unloaded", "the former state is back"));
	g_assert_cmpstr(m->calls->str, ==, "remove kvm_amd, ");
	assert_unchanged(m);
}

static void test_no_folder(machine *m, gconstpointer data)
{
	(void)data;
	drop(&m->f, "etc/modprobe.d");
	put(&m->f, "etc/modprobe.d", "not a folder");
	remember(m);
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("/etc/modprobe.d/zz-nestplan.conf cannot be written"));
	g_assert_cmpstr(m->calls->str, ==, "");
	assert_unchanged(m);
}

static void block_file(machine *m)
{
	drop(&m->f, FILE_NAME);
	put(&m->f, FILE_NAME "/x", "");
}

static void test_file_stays(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = -EINVAL;
	m->before_insert = block_file;
	nesting_fails(m, "one", NP_ERROR_FAILED,
	              PARTS("the former state could not be put back", "cannot be removed",
	                    "run: rm /etc/modprobe.d/zz-nestplan.conf"));
	assert_nested(m, "0\n");
}

static void test_absent(machine *m, gconstpointer data)
{
	(void)data;
	drop(&m->f, "sys/module/kvm_amd");
	remember(m);
	m->values[0] = "0\n";
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("nested is 0, not 1", "the former state is back"));
	g_assert_cmpstr(m->calls->str, ==, "insert kvm_amd configured, remove kvm_amd, ");
	assert_unchanged(m);
	m->values[1] = "0\n";
	m->remove_codes[1] = -EAGAIN;
	nesting_fails(m, "one", NP_ERROR_FAILED, PARTS("module kvm_amd is still loaded", "run: modprobe -r kvm_amd"));
}

static void test_off_load_fails(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = -EINVAL;
	remember(m);
	nesting_fails(m, "", NP_ERROR_FAILED, PARTS("cannot be loaded", "the former state is back"));
	g_assert_cmpstr(m->calls->str, ==,
	                "remove kvm_amd, insert kvm_amd configured, insert kvm_amd configured, ");
	assert_unchanged(m);
}

static void test_off_no_effect(machine *m, gconstpointer data)
{
	(void)data;
	m->values[0] = "1\n";
	remember(m);
	nesting_fails(m, "", NP_ERROR_FAILED, PARTS("nested is 1, not 0", "the former state is back"));
	assert_unchanged(m);
}

static void test_off_unload_fails(machine *m, gconstpointer data)
{
	(void)data;
	m->remove_codes[0] = -EAGAIN;
	remember(m);
	nesting_fails(m, "", NP_ERROR_BUSY, PARTS("was in use a moment ago", "nothing was changed"));
	g_assert_cmpstr(m->calls->str, ==, "remove kvm_amd, ");
	assert_unchanged(m);
}

static void test_off_file_lost(machine *m, gconstpointer data)
{
	(void)data;
	m->insert_codes[0] = -EINVAL;
	m->before_insert = block_file;
	nesting_fails(m, "", NP_ERROR_FAILED,
	              PARTS("the former state could not be put back", "run: printf '# Written by nestplan",
	                    "# labs: one\\n# before: nested=0\\noptions kvm_amd nested=1\\n' > "
	                    "/etc/modprobe.d/zz-nestplan.conf"));
	assert_nested(m, "1\n");
}

#undef ADD
#define ADD(name, fn) g_test_add("/kmod-restore/" name, machine, NULL, machine_set_up, fn, machine_tear_down)
#define ADD_ON(name, fn) g_test_add("/kmod-restore/" name, machine, NULL, set_up_on, fn, machine_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("load-fails", test_load_fails);
	ADD("former-by-hand", test_former_by_hand);
	ADD("first-restore-fails", test_first_restore_fails);
	ADD("first-restore-differs", test_first_restore_differs);
	ADD("no-way-back", test_no_way_back);
	ADD("wrong-way-back", test_wrong_way_back);
	ADD("no-effect", test_no_effect);
	ADD("loaded-by-other", test_loaded_by_other);
	ADD("busy-late", test_busy_late);
	ADD("busy-unseen", test_busy_unseen);
	ADD("unload-fails", test_unload_fails);
	ADD("no-folder", test_no_folder);
	ADD("file-stays", test_file_stays);
	ADD("absent", test_absent);
	ADD_ON("off-load-fails", test_off_load_fails);
	ADD_ON("off-no-effect", test_off_no_effect);
	ADD_ON("off-unload-fails", test_off_unload_fails);
	ADD_ON("off-file-lost", test_off_file_lost);
	return g_test_run();
}
