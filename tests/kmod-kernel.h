/* SPDX-License-Identifier: Apache-2.0 */
/* A pretended kernel for tests that switch nesting: it loads and unloads by editing the fixture's sysfs. What it makes of
 * modprobe.d it asks libkmod, not drivers/kmod. */
#pragma once
#include <errno.h>

#include "kmod-fixture.h"

#define FILE_NAME "etc/modprobe.d/zz-nestplan.conf"
#define FIRST     "# Written by nestplan, which removes it with the last lab that needs it. Do not edit.\n"
#define TRIES     4

typedef struct machine machine;
struct machine {
	fixture f;
	np_loader loader;
	GString *calls; /* "remove kvm_amd, insert kvm_amd configured nested=0, " */
	unsigned removes, inserts;
	int remove_codes[TRIES], insert_codes[TRIES]; /* of the first, second, … call; 0: what the kernel would say */
	const char *values[TRIES];                    /* of nested after an insert, whatever the options; NULL: theirs */
	void (*before_remove)(machine *m);
	void (*before_insert)(machine *m);
	char *snapshot;
};

/* Linux since 4.20: nested is on unless an option says otherwise; the last one wins. -EINVAL: kvm_amd and no integer. */
static inline int parse_options(const char *module, const char *options, bool *nested)
{
	g_auto(GStrv) words = g_strsplit(options, " ", -1);
	bool amd = strcmp(module, "kvm_amd") == 0;
	for (char **word = words; *word != NULL; word++) {
		if (!g_str_has_prefix(*word, "nested="))
			continue;
		char value = (*word)[strlen("nested=")];
		if (amd && !g_ascii_isdigit(value))
			return -EINVAL;
		*nested = strchr("1Yy", value) != NULL;
	}
	return 0;
}

static inline char *all_options(const machine *m, const char *name, bool configured, const char *extra)
{
	g_autofree char *etc = below(&m->f, "etc/modprobe.d"), *lib = below(&m->f, "lib/modprobe.d");
	const char *const paths[] = {configured ? etc : NULL, lib, NULL};
	g_autoptr(kmod_ctx) ctx = kmod_new(m->f.root, paths);
	g_autoptr(kmod_module) module = NULL;
	g_assert_cmpint(kmod_module_new_from_name(ctx, name, &module), ==, 0);
	const char *options = kmod_module_get_options(module);
	return g_strdup_printf("%s %s", options ? options : "", extra ? extra : "");
}

static inline int pretend_remove(const np_loader *loader, const char *root, const char *module)
{
	machine *m = (machine *)((char *)loader - offsetof(machine, loader));
	g_assert_cmpstr(root, ==, m->f.root);
	g_string_append_printf(m->calls, "remove %s, ", module);
	if (m->before_remove != NULL)
		m->before_remove(m);
	int code = m->removes < TRIES ? m->remove_codes[m->removes] : 0;
	m->removes++;
	g_autofree char *folder = g_strconcat("sys/module/", module, NULL);
	if (code == 0)
		drop(&m->f, folder);
	return code;
}

static inline int pretend_insert(const np_loader *loader, const char *root, const char *module, bool configured,
                                 const char *extra)
{
	machine *m = (machine *)((char *)loader - offsetof(machine, loader));
	g_assert_cmpstr(root, ==, m->f.root);
	g_string_append_printf(m->calls, "insert %s%s%s%s, ", module, configured ? " configured" : "", extra ? " " : "",
	                       extra ? extra : "");
	if (m->before_insert != NULL)
		m->before_insert(m);
	g_autofree char *state = g_strdup_printf("sys/module/%s/initstate", module);
	g_assert_false(np_kmod_exists(root, state));
	g_autofree char *options = all_options(m, module, configured, extra);
	bool nested = true, amd = strcmp(module, "kvm_amd") == 0;
	int code = parse_options(module, options, &nested);
	const char *value = m->inserts < TRIES ? m->values[m->inserts] : NULL;
	if (m->inserts < TRIES && m->insert_codes[m->inserts] != 0)
		code = m->insert_codes[m->inserts];
	m->inserts++;
	if (code == 0)
		load_module(&m->f, module, value ? value : amd ? (nested ? "1\n" : "0\n") : nested ? "Y\n" : "N\n");
	return code;
}

/* An AMD machine with kvm_amd loaded, nested=0 as admin.conf says. */
static inline void machine_set_up(machine *m, gconstpointer data)
{
	set_up(&m->f, data);
	m->loader = (np_loader){.remove = pretend_remove, .insert = pretend_insert};
	m->calls = g_string_new(NULL);
	put(&m->f, "proc/cpuinfo", AMD);
	put(&m->f, "proc/cmdline", "root=/dev/vda1 quiet\n");
	put(&m->f, "etc/modprobe.d/admin.conf", "options kvm_amd nested=0\n");
	install_module(&m->f, "kvm_amd");
	load_module(&m->f, "kvm_amd", "0\n");
}

static inline void machine_tear_down(machine *m, gconstpointer data)
{
	g_string_free(m->calls, TRUE);
	g_free(m->snapshot);
	tear_down(&m->f, data);
}

/* names: "one two", "": none. */
static inline bool try_nesting(machine *m, const char *names, bool reload, GError **error)
{
	g_auto(GStrv) labs = g_strsplit(names, " ", -1);
	np_nesting_request request = {.module = "kvm_amd", .labs = (const char *const *)labs, .reload = reload};
	g_string_truncate(m->calls, 0);
	return np_switch_run(m->f.root, &request, &m->loader, error);
}

static inline void nesting(machine *m, const char *names, bool reload, const char *calls)
{
	g_autoptr(GError) error = NULL;
	bool good = try_nesting(m, names, reload, &error);
	g_assert_no_error(error);
	g_assert_true(good);
	g_assert_cmpstr(m->calls->str, ==, calls);
}

static inline void remember(machine *m)
{
	g_free(m->snapshot);
	m->snapshot = snapshot(&m->f);
}

static inline void assert_unchanged(const machine *m)
{
	g_autofree char *now = snapshot(&m->f);
	g_assert_cmpstr(now, ==, m->snapshot);
}

static inline void assert_text(const machine *m, const char *name, const char *wanted)
{
	g_autofree char *text = get(&m->f, name);
	g_assert_cmpstr(text, ==, wanted);
}

static inline void assert_nested(const machine *m, const char *wanted)
{
	assert_text(m, "sys/module/kvm_amd/parameters/nested", wanted);
}

/* Fails with that code; the message has all of the parts (NULL-terminated). */
static inline void nesting_fails(machine *m, const char *names, int code, const char *const *parts)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(try_nesting(m, names, true, &error));
	g_assert_error(error, NP_ERROR, code);
	for (; *parts != NULL; parts++)
		g_assert_contains(error->message, *parts);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})
