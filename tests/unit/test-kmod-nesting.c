/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/kmod: nesting switched on and off, and what is refused before anything is touched. */
#include "../kmod-kernel.h"

#define RELOAD "remove kvm_amd, insert kvm_amd configured, "

static void test_on(machine *m, gconstpointer data)
{
	(void)data;
	mode_t mask = umask(077);
	nesting(m, "one", true, RELOAD);
	umask(mask);
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_amd nested=1\n");
	assert_text(m, "etc/modprobe.d/admin.conf", "options kvm_amd nested=0\n");
	assert_nested(m, "1\n");
	g_autofree char *path = below(&m->f, FILE_NAME);
	GStatBuf status;
	g_assert_cmpint(g_stat(path, &status), ==, 0);
	g_assert_cmpint(status.st_mode & 07777, ==, 0644);
	/* Nothing else is left in that folder. */
	g_autofree char *folder = below(&m->f, "etc/modprobe.d");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	unsigned count = 0;
	while (g_dir_read_name(dir) != NULL)
		count++;
	g_assert_cmpuint(count, ==, 2);
	/* Once more: nothing to do. */
	remember(m);
	nesting(m, "one", true, "");
	assert_unchanged(m);
}

static void test_labs_come_and_go(machine *m, gconstpointer data)
{
	(void)data;
	nesting(m, "one", true, RELOAD);
	nesting(m, "one two", true, "");
	assert_text(m, FILE_NAME, FIRST "# labs: one two\n# before: nested=0\noptions kvm_amd nested=1\n");
	nesting(m, "two", false, "");
	assert_text(m, FILE_NAME, FIRST "# labs: two\n# before: nested=0\noptions kvm_amd nested=1\n");
	look(&m->f);
	g_assert_cmpint(m->f.facts.before, ==, 0);
	g_assert_cmpstr(m->f.facts.labs->pdata[0], ==, "two");
	g_assert_cmpint(m->f.facts.nested, ==, 1);
	nesting(m, "", true, RELOAD);
	assert_text(m, FILE_NAME, NULL);
	assert_nested(m, "0\n");
	remember(m);
	nesting(m, "", true, "");
	assert_unchanged(m);
}

/* Without a file that says nested=0 the former value is given by hand. */
static void test_off_by_hand(machine *m, gconstpointer data)
{
	(void)data;
	nesting(m, "one", true, RELOAD);
	drop(&m->f, "etc/modprobe.d/admin.conf");
	nesting(m, "", true, "remove kvm_amd, insert kvm_amd configured nested=0, ");
	assert_nested(m, "0\n");
	assert_text(m, FILE_NAME, NULL);
}

static void test_file_only(machine *m, gconstpointer data)
{
	(void)data;
	remember(m);
	put(&m->f, "sys/module/kvm_amd/refcnt", "3\n");
	nesting(m, "one", false, "");
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_amd nested=1\n");
	assert_nested(m, "0\n");
	nesting(m, "", false, "");
	put(&m->f, "sys/module/kvm_amd/refcnt", "0\n");
	assert_unchanged(m);
}

/* Switched off behind our back: the value from before is not the one of now. */
static void test_drift(machine *m, gconstpointer data)
{
	(void)data;
	put(&m->f, FILE_NAME, FIRST "# labs: one\n# before: nested=1\noptions kvm_amd nested=1\n");
	nesting(m, "one", true, RELOAD);
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=1\noptions kvm_amd nested=1\n");
	assert_nested(m, "1\n");
	nesting(m, "", true, "");
	assert_nested(m, "1\n");
	assert_text(m, FILE_NAME, NULL);
}

static void test_already_on(machine *m, gconstpointer data)
{
	(void)data;
	load_module(&m->f, "kvm_amd", "1\n");
	put(&m->f, "sys/module/kvm_amd/refcnt", "2\n");
	nesting(m, "one", true, "");
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=1\noptions kvm_amd nested=1\n");
	nesting(m, "", true, "");
	assert_text(m, FILE_NAME, NULL);
	assert_nested(m, "1\n");
}

static void test_intel(machine *m, gconstpointer data)
{
	(void)data;
	put(&m->f, "proc/cpuinfo", INTEL);
	install_module(&m->f, "kvm_intel");
	drop(&m->f, "sys/module/kvm_amd");
	load_module(&m->f, "kvm_intel", "N\n");
	np_nesting_request request = {.module = "kvm_intel", .labs = PARTS("one"), .reload = true};
	g_autoptr(GError) error = NULL;
	g_assert_true(np_switch_run(m->f.root, &request, &m->loader, &error));
	g_assert_cmpstr(m->calls->str, ==, "remove kvm_intel, insert kvm_intel configured, ");
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_intel nested=1\n");
	assert_text(m, "sys/module/kvm_intel/parameters/nested", "Y\n");
	request.labs = NULL;
	g_assert_true(np_switch_run(m->f.root, &request, &m->loader, &error));
	assert_text(m, "sys/module/kvm_intel/parameters/nested", "N\n");
	assert_text(m, FILE_NAME, NULL);
}

/* Not loaded before: there is no value to go back to, and what remains decides. */
static void test_absent(machine *m, gconstpointer data)
{
	(void)data;
	drop(&m->f, "sys/module/kvm_amd");
	nesting(m, "one", true, "insert kvm_amd configured, ");
	assert_text(m, FILE_NAME, FIRST "# labs: one\noptions kvm_amd nested=1\n");
	assert_nested(m, "1\n");
	nesting(m, "", true, RELOAD);
	assert_nested(m, "0\n");
	assert_text(m, FILE_NAME, NULL);
}

/* A crash between unload and load, both ways: the next run completes it. */
static void test_after_crash(machine *m, gconstpointer data)
{
	(void)data;
	put(&m->f, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_amd nested=1\n");
	drop(&m->f, "sys/module/kvm_amd");
	nesting(m, "one", true, "insert kvm_amd configured, ");
	assert_nested(m, "1\n");
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_amd nested=1\n");
	drop(&m->f, "sys/module/kvm_amd");
	nesting(m, "", true, "insert kvm_amd configured, ");
	assert_nested(m, "0\n");
	assert_text(m, FILE_NAME, NULL);
}

/* What is read after our file may say what it says. */
static void test_later_but_on(machine *m, gconstpointer data)
{
	(void)data;
	put(&m->f, "lib/modprobe.d/zzz.conf", "options kvm_amd nested=0\noptions kvm_amd nested=1\n");
	nesting(m, "one", true, RELOAD);
	nesting(m, "", true, "remove kvm_amd, insert kvm_amd configured nested=0, ");
	put(&m->f, "lib/modprobe.d/zzz.conf", "options kvm_amd nested=0\n");
	put(&m->f, "proc/cmdline", "kvm-amd.nested=1\n");
	nesting(m, "one", false, "");
}

/* The file is of another machine: its value says nothing here. */
static void test_other_module(machine *m, gconstpointer data)
{
	(void)data;
	put(&m->f, FILE_NAME, FIRST "# labs: one\n# before: nested=1\noptions kvm_intel nested=1\n");
	nesting(m, "one", true, RELOAD);
	assert_text(m, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_amd nested=1\n");
	put(&m->f, FILE_NAME, FIRST "# labs: one\n# before: nested=0\noptions kvm_intel nested=1\n");
	nesting(m, "", true, "");
	assert_text(m, FILE_NAME, NULL);
}

typedef struct {
	const char *file, *text; /* text NULL: the file is not there */
	int code;
	const char *part;
} refusal;

static const refusal refusals[] = {
	{"sys/module/kvm_amd/initstate", NULL, NP_ERROR_UNSUPPORTED, "built into the kernel"},
	{"sys/module/kvm_amd/initstate", NULL, NP_ERROR_UNSUPPORTED, "kvm_amd.nested=1"},
	{"sys/module/kvm_amd/initstate", "coming\n", NP_ERROR_BUSY, "being loaded or unloaded"},
	{"proc/cpuinfo", INTEL, NP_ERROR_UNSUPPORTED, "works with module kvm_intel, not with kvm_amd"},
	{"proc/cpuinfo", NONE, NP_ERROR_UNSUPPORTED, "neither vmx nor svm"},
	{"proc/cpuinfo", NULL, NP_ERROR_FAILED, "cannot be read"},
	{"lib/modules", NULL, NP_ERROR_UNSUPPORTED, "no file of module kvm_amd is installed"},
	{"proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n", NP_ERROR_FAILED, "CAP_SYS_MODULE"},
	{"proc/sys/kernel/modules_disabled", "1\n", NP_ERROR_FAILED, "modules_disabled"},
	{"etc/modprobe.d/b.conf", "blacklist kvm-amd\n", NP_ERROR_FAILED, "/etc/modprobe.d/b.conf:1"},
	{"etc/modprobe.d/b.conf", "\ninstall kvm_amd /bin/false\n", NP_ERROR_FAILED, "/etc/modprobe.d/b.conf:2"},
	{"proc/cmdline", "modprobe.blacklist=kvm_amd\n", NP_ERROR_FAILED, "kernel command line"},
	{"etc/modprobe.d/b.conf", "options kvm-amd nested=Y\n", NP_ERROR_FAILED, "/etc/modprobe.d/b.conf:1 sets nested=Y"},
	{"etc/modprobe.d/a.conf", "options kvm_amd nested=y\n", NP_ERROR_FAILED, "integers only"},
	{"proc/cmdline", "kvm_amd.nested=on\n", NP_ERROR_FAILED, "the kernel command line sets nested=on"},
	{"proc/cmdline", "kvm-amd.nested=0 quiet\n", NP_ERROR_FAILED, "boot loader"},
	{"etc/modprobe.d/zzz.conf", "options kvm_amd nested=0\n", NP_ERROR_FAILED, "/etc/modprobe.d/zzz.conf:1 sets nested=0"},
	{"lib/modprobe.d/zz-o.conf", "options kvm_amd nested=0\n", NP_ERROR_FAILED, "/lib/modprobe.d/zz-o.conf:1"},
	{FILE_NAME, "options kvm_amd nested=1\n", NP_ERROR_CLASH, "was not written by nestplan"},
	{FILE_NAME, "", NP_ERROR_CLASH, "was not written by nestplan"},
	{FILE_NAME, FIRST "# labs: one\noptions kvm_amd nested=1\noptions kvm_amd npt=0\n", NP_ERROR_CLASH, "edited"},
	{"sys/module/kvm_amd/refcnt", "1\n", NP_ERROR_BUSY, "reference count is 1"},
	{"sys/module/kvm_amd/holders/kvmgt/x", "", NP_ERROR_BUSY, "module kvmgt"},
};

static void test_refusals(machine *m, gconstpointer data)
{
	(void)data;
	g_autofree char *aside = below(&m->f, "aside");
	for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++) {
		const refusal *row = &refusals[i];
		g_autofree char *path = below(&m->f, row->file);
		bool existed = g_rename(path, aside) == 0;
		if (row->text != NULL)
			put(&m->f, row->file, row->text);
		remember(m);
		nesting_fails(m, "one", row->code, PARTS(row->part, "nothing was changed"));
		g_assert_cmpstr(m->calls->str, ==, "");
		assert_unchanged(m);
		drop(&m->f, row->file);
		if (existed)
			g_assert_cmpint(g_rename(aside, path), ==, 0);
		drop(&m->f, "sys/module/kvm_amd/holders");
	}
}

/* What would keep the module from coming back is refused on the way back as well. */
static void test_refusals_off(machine *m, gconstpointer data)
{
	(void)data;
	static const refusal rows[] = {
		{"lib/modules", NULL, NP_ERROR_UNSUPPORTED, "no file of module kvm_amd is installed"},
		{"proc/sys/kernel/modules_disabled", "1\n", NP_ERROR_FAILED, "modules_disabled"},
		{"etc/modprobe.d/b.conf", "blacklist kvm-amd\n", NP_ERROR_FAILED, "/etc/modprobe.d/b.conf:1"},
		{"etc/modprobe.d/b.conf", "options kvm_amd nested=Y\n", NP_ERROR_FAILED, "/etc/modprobe.d/b.conf:1"},
		{"sys/module/kvm_amd/refcnt", "1\n", NP_ERROR_BUSY, "reference count is 1"},
	};
	nesting(m, "one", true, RELOAD);
	g_autofree char *aside = below(&m->f, "aside");
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = below(&m->f, rows[i].file);
		bool existed = g_rename(path, aside) == 0;
		if (rows[i].text != NULL)
			put(&m->f, rows[i].file, rows[i].text);
		remember(m);
		nesting_fails(m, "", rows[i].code, PARTS(rows[i].part, "nothing was changed"));
		g_assert_cmpstr(m->calls->str, ==, "");
		assert_unchanged(m);
		drop(&m->f, rows[i].file);
		if (existed)
			g_assert_cmpint(g_rename(aside, path), ==, 0);
	}
	put(&m->f, "proc/cmdline", "kvm_amd.nested=1\n");
	nesting(m, "", true, "remove kvm_amd, insert kvm_amd configured nested=0, ");
}

static void test_busy(machine *m, gconstpointer data)
{
	(void)data;
	static const char web[] = "qemu-system-x86_64\0-name\0guest=web,debug-threads=on";
	add_process(&m->f, 123, "qemu-system-x86", "anon_inode:kvm-vm");
	put_bytes(&m->f, "proc/123/cmdline", web, sizeof web);
	add_process(&m->f, 45, "crosvm", "/dev/kvm");
	put(&m->f, "sys/module/kvm_amd/refcnt", "2\n");
	remember(m);
	nesting_fails(m, "one", NP_ERROR_BUSY,
	              PARTS("pid 45 (crosvm); domain 'web', pid 123 (qemu-system-x86)", "nothing was changed"));
	g_assert_cmpstr(m->calls->str, ==, "");
	assert_unchanged(m);
}

static void test_link(machine *m, gconstpointer data)
{
	(void)data;
	put(&m->f, "elsewhere.conf", FIRST "# labs: one\noptions kvm_amd nested=1\n");
	put_link(&m->f, FILE_NAME, "../../elsewhere.conf");
	remember(m);
	nesting_fails(m, "one", NP_ERROR_CLASH, PARTS("was not written by nestplan"));
	nesting_fails(m, "", NP_ERROR_CLASH, PARTS("was not written by nestplan"));
	assert_unchanged(m);
}

static void test_requests(machine *m, gconstpointer data)
{
	(void)data;
	static const struct {
		const char *module, *lab;
		int code;
	} rows[] = {{"kvm_hv", "one", NP_ERROR_UNSUPPORTED}, {"kvm", "one", NP_ERROR_UNSUPPORTED},
	            {"kvm_amd", "a b", NP_ERROR_INVALID}, {"kvm_amd", "a\noptions kvm_amd npt=0", NP_ERROR_INVALID},
	            {"kvm_amd", "", NP_ERROR_INVALID}, {NULL, "one", NP_ERROR_UNSUPPORTED}};
	remember(m);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		np_nesting_request request = {.module = rows[i].module, .labs = PARTS(rows[i].lab), .reload = true};
		g_autoptr(GError) error = NULL;
		g_assert_false(np_switch_run(m->f.root, &request, &m->loader, &error));
		g_assert_error(error, NP_ERROR, rows[i].code);
		assert_unchanged(m);
	}
}

/* The real kernel is never touched for a folder. */
static void test_real_loader(machine *m, gconstpointer data)
{
	(void)data;
	np_nesting_request request = {.module = "kvm_amd", .labs = PARTS("one"), .reload = true};
	g_autoptr(GError) error = NULL;
	remember(m);
	g_assert_false(np_kmod.nesting(m->f.root, &request, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED);
	g_assert_contains(error->message, "only stands for a system");
	assert_unchanged(m);
	g_assert_cmpint(np_loader_kernel.remove(&np_loader_kernel, m->f.root, "kvm_amd"), ==, -EOPNOTSUPP);
	g_assert_cmpint(np_loader_kernel.insert(&np_loader_kernel, m->f.root, "kvm_amd", true, NULL), ==, -EOPNOTSUPP);
	request.reload = false;
	g_clear_error(&error);
	g_assert_true(np_kmod.nesting(m->f.root, &request, &error));
	g_assert_no_error(error);
}

#undef ADD
#define ADD(name, fn) g_test_add("/kmod-nesting/" name, machine, NULL, machine_set_up, fn, machine_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("on", test_on);
	ADD("labs-come-and-go", test_labs_come_and_go);
	ADD("off-by-hand", test_off_by_hand);
	ADD("file-only", test_file_only);
	ADD("drift", test_drift);
	ADD("already-on", test_already_on);
	ADD("intel", test_intel);
	ADD("absent", test_absent);
	ADD("after-crash", test_after_crash);
	ADD("later-but-on", test_later_but_on);
	ADD("other-module", test_other_module);
	ADD("refusals", test_refusals);
	ADD("refusals-off", test_refusals_off);
	ADD("busy", test_busy);
	ADD("link", test_link);
	ADD("requests", test_requests);
	ADD("real-loader", test_real_loader);
	return g_test_run();
}
