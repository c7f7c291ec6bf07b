/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/kmod: which line of modprobe.d or of the kernel command line sets nested, and which wins. */
#include "../kmod-fixture.h"

static void set_up_amd(fixture *f, gconstpointer data)
{
	set_up(f, data);
	put(f, "proc/cpuinfo", AMD);
	load_module(f, "kvm_amd", "1\n");
	install_module(f, "kvm_amd");
}

static void set_up_intel(fixture *f, gconstpointer data)
{
	set_up(f, data);
	put(f, "proc/cpuinfo", INTEL);
	load_module(f, "kvm_intel", "Y\n");
	install_module(f, "kvm_intel");
}

/* "/etc/modprobe.d/a.conf:3=1 /proc/cmdline:0=0" */
static char *sources(const fixture *f)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < f->facts.sources->len; i++) {
		const np_option_source *source = f->facts.sources->pdata[i];
		g_string_append_printf(text, "%s%s:%u=%s", i ? " " : "", source->file, source->line, source->value);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void expect(fixture *f, const char *wanted)
{
	look(f);
	g_autofree char *got = sources(f);
	g_assert_cmpstr(got, ==, wanted);
}

/* libkmod's own answer for the same folders: its options as one string, of which the kernel takes the last. */
static char *witness(const fixture *f, const char *name)
{
	g_autofree char *etc = below(f, "etc/modprobe.d"), *run = below(f, "run/modprobe.d");
	g_autofree char *local = below(f, "usr/local/lib/modprobe.d"), *lib = below(f, "lib/modprobe.d");
	const char *const paths[] = {etc, run, local, lib, NULL};
	struct utsname release;
	g_assert_cmpint(uname(&release), ==, 0);
	g_autofree char *folder = g_build_filename(f->root, "lib/modules", release.release, NULL);
	g_autoptr(kmod_ctx) ctx = kmod_new(folder, paths);
	g_autoptr(kmod_module) module = NULL;
	g_assert_cmpint(kmod_module_new_from_name_lookup(ctx, name, &module), ==, 0);
	g_assert_nonnull(module);
	const char *options = kmod_module_get_options(module);
	g_auto(GStrv) words = g_strsplit_set(options ? options : "", " \t", -1);
	g_autoptr(GString) values = g_string_new(NULL);
	for (char **word = words; *word != NULL; word++)
		if (g_str_has_prefix(*word, "nested="))
			g_string_append_printf(values, "%s ", *word);
	return g_string_free(g_steal_pointer(&values), FALSE);
}

/* What we found has the same values in the same order. */
static void agree(fixture *f)
{
	look(f);
	g_autofree char *wanted = witness(f, f->facts.module);
	g_autoptr(GString) values = g_string_new(NULL);
	for (guint i = 0; i < f->facts.sources->len; i++) {
		const np_option_source *source = f->facts.sources->pdata[i];
		if (source->line > 0)
			g_string_append_printf(values, "nested=%s ", source->value);
	}
	g_assert_cmpstr(values->str, ==, wanted);
}

static void test_none(fixture *f, gconstpointer data)
{
	(void)data;
	expect(f, "");
	g_assert_null(f->facts.bad);
	g_assert_null(f->facts.blacklist);
	g_assert_cmpint(np_options_effective(f->root, "kvm_amd"), ==, -1);
	put(f, "etc/modprobe.d/a.conf", "options kvm nested=0\noptions kvm_intel nested=0\noptions kvm_amd npt=1\n"
	    "options kvm_amd\nalias kvm_amd nested=0\noptions kvm_amdx nested=0\noptions kvm_amd xnested=0 nested_x=0\n");
	expect(f, "");
	agree(f);
}

/* Measured: nested=1 and then nested=0 in one or several lines are all handed over, in order. */
static void test_order(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "etc/modprobe.d/kvm.conf", "\n# first\noptions kvm_amd nested=1 npt=1\n  options\tkvm-amd  nested=0 nested=1\n");
	put(f, "lib/modprobe.d/zzz.conf", "options kvm_amd nested=0");
	put(f, "run/modprobe.d/aaa.conf", "options kvm_amd avic=1 nested=1\n");
	put(f, "usr/local/lib/modprobe.d/Zed.conf", "options kvm_amd nested=0\n");
	put(f, "lib/modprobe.d/m.alias", "options kvm_amd nested=1\n");
	expect(f, "/usr/local/lib/modprobe.d/Zed.conf:1=0 /run/modprobe.d/aaa.conf:1=1 /etc/modprobe.d/kvm.conf:3=1 "
	          "/etc/modprobe.d/kvm.conf:4=0 /etc/modprobe.d/kvm.conf:4=1 /lib/modprobe.d/m.alias:1=1 "
	          "/lib/modprobe.d/zzz.conf:1=0");
	agree(f);
	g_assert_cmpint(np_options_effective(f->root, "kvm_amd"), ==, 0);
}

static void test_masks(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "lib/modprobe.d/kvm.conf", "options kvm_amd nested=0\nblacklist kvm_amd\n");
	put(f, "run/modprobe.d/kvm.conf", "options kvm_amd nested=0\n");
	put(f, "etc/modprobe.d/kvm.conf", "# nothing\n");
	put(f, "run/modprobe.d/b.conf", "options kvm_amd nested=1\n");
	put(f, "usr/local/lib/modprobe.d/b.conf", "options kvm_amd nested=0\n");
	expect(f, "/run/modprobe.d/b.conf:1=1");
	g_assert_null(f->facts.blacklist);
	agree(f);
}

static void test_not_configuration(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "etc/modprobe.d/.hidden.conf", "options kvm_amd nested=0\n");
	put(f, "etc/modprobe.d/.conf", "options kvm_amd nested=0\n");
	put(f, "etc/modprobe.d/kvm.conf.dpkg-old", "options kvm_amd nested=0\n");
	put(f, "etc/modprobe.d/kvm", "options kvm_amd nested=0\n");
	put(f, "etc/modprobe.d/folder.conf/kvm.conf", "options kvm_amd nested=0\n");
	expect(f, "");
	agree(f);
}

static void test_lines(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "etc/modprobe.d/kvm.conf",
	    "# a comment goes on \\\noptions kvm_amd nested=0\n"
	    "#options kvm_amd nested=0\n"
	    "options \\\n   kvm_amd \\\n nested=1 \\\n\tnpt=1\n"
	    "   # not a command\n"
	    "options kvm_amd nes\\\nted=0\n"
	    "options kvm_amd npt=1 # nested=1 nested=1\n"
	    "options kvm_amd nested=0\\");
	expect(f, "/etc/modprobe.d/kvm.conf:4=1 /etc/modprobe.d/kvm.conf:9=0 /etc/modprobe.d/kvm.conf:11=1 "
	          "/etc/modprobe.d/kvm.conf:11=1 /etc/modprobe.d/kvm.conf:12=0\\");
	put(f, "etc/modprobe.d/kvm.conf",
	    "# a comment goes on \\\noptions kvm_amd nested=0\n"
	    "options \\\n   kvm_amd \\\n nested=1 \\\n\tnpt=1\n"
	    "options kvm_amd nes\\\nted=0\n"
	    "options kvm_amd npt=1 # nested=1 nested=1\n");
	agree(f);
}

static void test_quotes(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "etc/modprobe.d/kvm.conf", "options kvm_amd nested=\"1\" x=\"a nested=0 b\"\noptions kvm_amd nested=1\r\n");
	expect(f, "/etc/modprobe.d/kvm.conf:1=1 /etc/modprobe.d/kvm.conf:2=1");
	g_assert_null(f->facts.bad);
}

static void test_command_line(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "etc/modprobe.d/kvm.conf", "options kvm_amd nested=1\n");
	put(f, "proc/cmdline", "root=/dev/vda1 kvm_amd.nested=0 kvm-intel.nested=1 x=kvm_amd.nested=1 quiet\n");
	expect(f, "/etc/modprobe.d/kvm.conf:1=1 /proc/cmdline:0=0");
	g_assert_cmpint(np_options_effective(f->root, "kvm_amd"), ==, 0);
	put(f, "proc/cmdline", "kvm-amd.nested=0 kvm_amd.npt=1 \"kvm_amd.nested=1\"\n");
	expect(f, "/etc/modprobe.d/kvm.conf:1=1 /proc/cmdline:0=0 /proc/cmdline:0=1");
	g_assert_cmpint(np_options_effective(f->root, "kvm_amd"), ==, 1);
}

/* Measured: kvm_amd: 'Y' invalid for parameter 'nested', the load fails with EINVAL. */
static void test_bad_amd(fixture *f, gconstpointer data)
{
	(void)data;
	static const char *const good[] = {"nested=1", "nested=0", "nested=0x1", "nested=01", "nested=-1", "nested=2"};
	static const char *const bad[] = {"nested=Y", "nested=y", "nested=on", "nested=1x", "nested=", "nested",
	                                  "nested=99999999999"};
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *text = g_strdup_printf("options kvm_amd %s\n", good[i]);
		put(f, "etc/modprobe.d/a.conf", text);
		look(f);
		g_assert_null(f->facts.bad);
	}
	put(f, "etc/modprobe.d/b.conf", "options kvm_amd nested=1\n");
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strdup_printf("\noptions kvm_amd %s\n", bad[i]);
		put(f, "etc/modprobe.d/a.conf", text);
		look(f);
		g_assert_nonnull(f->facts.bad);
		g_assert_true(f->facts.bad == f->facts.sources->pdata[0]);
		g_assert_cmpuint(f->facts.bad->line, ==, 2);
	}
}

/* kvm_intel has a bool: what kstrtobool takes. */
static void test_bad_intel(fixture *f, gconstpointer data)
{
	(void)data;
	static const char *const on[] = {"nested=1", "nested=Y", "nested=y", "nested=on", "nested", "nested=true"};
	static const char *const off[] = {"nested=0", "nested=N", "nested=n", "nested=off", "nested=false"};
	static const char *const bad[] = {"nested=2", "nested=", "nested=o", "nested=x", "nested=-1"};
	const struct {
		const char *const *words;
		gsize count;
		int wanted;
	} all[] = {{on, G_N_ELEMENTS(on), 1}, {off, G_N_ELEMENTS(off), 0}, {bad, G_N_ELEMENTS(bad), -1}};
	for (gsize kind = 0; kind < G_N_ELEMENTS(all); kind++)
		for (gsize i = 0; i < all[kind].count; i++) {
			g_autofree char *text = g_strdup_printf("options kvm_intel %s\n", all[kind].words[i]);
			put(f, "etc/modprobe.d/a.conf", text);
			look(f);
			g_assert_cmpuint(f->facts.sources->len, ==, 1);
			g_assert_true((f->facts.bad != NULL) == (all[kind].wanted < 0));
			g_assert_cmpint(np_options_effective(f->root, "kvm_intel"), ==, all[kind].wanted);
		}
}

static void test_bad_on_command_line(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "proc/cmdline", "kvm_amd.nested=Y kvm_amd.nested=1 kvm_amd.nested=N\n");
	look(f);
	g_assert_nonnull(f->facts.bad);
	g_assert_cmpstr(f->facts.bad->file, ==, "/proc/cmdline");
	g_assert_cmpstr(f->facts.bad->value, ==, "Y");
}

static void test_blacklist(fixture *f, gconstpointer data)
{
	(void)data;
	static const struct {
		const char *file, *text, *wanted;
	} rows[] = {
		{"etc/modprobe.d/a.conf", "# x\nblacklist kvm-amd\n", "/etc/modprobe.d/a.conf:2"},
		{"etc/modprobe.d/a.conf", "install kvm_amd /bin/false\n", "/etc/modprobe.d/a.conf:1"},
		{"etc/modprobe.d/a.conf", "install kvm-amd /bin/true\n", "/etc/modprobe.d/a.conf:1"},
		{"etc/modprobe.d/a.conf", "#blacklist kvm_amd\nblacklist kvm_intel\ninstall kvm /bin/false\n", NULL},
		{"lib/modprobe.d/z.conf", "blacklist x\n\nblacklist kvm_amd", "/lib/modprobe.d/z.conf:3"},
		{"proc/cmdline", "quiet modprobe.blacklist=nouveau,kvm_amd", "the kernel command line"},
		{"proc/cmdline", "module_blacklist=kvm-amd", "the kernel command line"},
		{"proc/cmdline", "modprobe.blacklist=kvm", NULL},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		put(f, rows[i].file, rows[i].text);
		look(f);
		g_assert_cmpstr(f->facts.blacklist, ==, rows[i].wanted);
		drop(f, rows[i].file);
	}
}

#define OURS(middle) "# Written by nestplan, which removes it with the last lab that needs it. Do not edit.\n" middle

static void test_own_file(fixture *f, gconstpointer data)
{
	(void)data;
	put(f, "etc/modprobe.d/a.conf", "options kvm_amd nested=0\n");
	put(f, "etc/modprobe.d/zz-nestplan.conf",
	    OURS("# labs: one two\n# before: nested=0\noptions kvm_amd nested=1\n"));
	expect(f, "/etc/modprobe.d/a.conf:1=0");
	g_assert_cmpuint(f->facts.labs->len, ==, 2);
	g_assert_cmpstr(f->facts.labs->pdata[0], ==, "one");
	g_assert_cmpstr(f->facts.labs->pdata[1], ==, "two");
	g_assert_cmpint(f->facts.before, ==, 0);
	g_assert_cmpint(np_options_effective(f->root, "kvm_amd"), ==, 1);
	put(f, "etc/modprobe.d/zz-nestplan.conf", OURS("# labs: one\noptions kvm_amd nested=1\n"));
	look(f);
	g_assert_cmpuint(f->facts.labs->len, ==, 1);
	g_assert_cmpint(f->facts.before, ==, -1);
}

static void test_foreign_file(fixture *f, gconstpointer data)
{
	(void)data;
	static const char *const texts[] = {
		"options kvm_amd nested=0\n",
		OURS("# labs: one\noptions kvm_amd nested=0\n"),
		OURS("# labs: one\noptions kvm_amd nested=1\noptions kvm_amd nested=0\n"),
		OURS("# labs: one\n# a remark\noptions kvm_amd nested=1\noptions kvm_amd nested=0\n"),
		OURS("# labs: one\noptions kvm_amd nested=0 nested=1\n"),
	};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		put(f, "etc/modprobe.d/zz-nestplan.conf", texts[i]);
		look(f);
		g_assert_cmpuint(f->facts.sources->len, >, 0);
		g_assert_cmpuint(f->facts.labs->len, ==, 0);
		g_assert_cmpint(f->facts.before, ==, -1);
	}
}

#define ADD_AMD(name, fn)   g_test_add("/kmod-options/" name, fixture, NULL, set_up_amd, fn, tear_down)
#define ADD_INTEL(name, fn) g_test_add("/kmod-options/" name, fixture, NULL, set_up_intel, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD_AMD("none", test_none);
	ADD_AMD("order", test_order);
	ADD_AMD("masks", test_masks);
	ADD_AMD("not-configuration", test_not_configuration);
	ADD_AMD("lines", test_lines);
	ADD_AMD("quotes", test_quotes);
	ADD_AMD("command-line", test_command_line);
	ADD_AMD("bad-amd", test_bad_amd);
	ADD_INTEL("bad-intel", test_bad_intel);
	ADD_AMD("bad-on-command-line", test_bad_on_command_line);
	ADD_AMD("blacklist", test_blacklist);
	ADD_AMD("own-file", test_own_file);
	ADD_AMD("foreign-file", test_foreign_file);
	return g_test_run();
}
