/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that stand for the root of a machine, for tests of drivers/kmod. */
#pragma once
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/kmod/kmod.h"

typedef struct {
	char *root;
	np_kernel_facts facts;
} fixture;

#define AMD   "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu lm svm npt\nbugs\t\t:\n"
#define INTEL "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu lm vmx ept\nvmx flags\t: vnmi\n"
#define NONE  "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu lm svm_lock vmx2\n"

static inline void remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		remove_tree(inner);
	}
	(void)g_remove(path);
}

static inline void set_up(fixture *f, gconstpointer data)
{
	(void)data;
	f->root = g_dir_make_tmp("nestplan-kmod-XXXXXX", NULL);
	g_assert_nonnull(f->root);
}

static inline void tear_down(fixture *f, gconstpointer data)
{
	(void)data;
	np_kernel_facts_clear(&f->facts);
	remove_tree(f->root);
	g_free(f->root);
}

static inline char *below(const fixture *f, const char *name)
{
	return g_build_filename(f->root, name, NULL);
}

static inline void put_bytes(const fixture *f, const char *name, const char *bytes, gssize length)
{
	g_autofree char *path = below(f, name);
	g_autofree char *folder = g_path_get_dirname(path);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(path, bytes, length, NULL));
}

static inline void put(const fixture *f, const char *name, const char *text)
{
	put_bytes(f, name, text, -1);
}

static inline void put_link(const fixture *f, const char *name, const char *target)
{
	g_autofree char *path = below(f, name);
	g_autofree char *folder = g_path_get_dirname(path);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_cmpint(symlink(target, path), ==, 0);
}

static inline void drop(const fixture *f, const char *name)
{
	g_autofree char *path = below(f, name);
	remove_tree(path);
}

/* NULL when it does not exist. */
static inline char *get(const fixture *f, const char *name)
{
	g_autofree char *path = below(f, name);
	char *text = NULL;
	(void)g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

/* The module's file and the index that depmod would write: a trie of one node (kmod's libkmod-index.h, version 2.1). */
static inline void install_module(const fixture *f, const char *module)
{
	struct utsname name;
	g_assert_cmpint(uname(&name), ==, 0);
	g_autofree char *folder = g_strdup_printf("lib/modules/%s", name.release);
	g_autofree char *file = g_strdup_printf("%s/kernel/%s.ko", folder, module);
	g_autofree char *index = g_strdup_printf("%s/modules.dep.bin", folder);
	static const char head[] = "\xb0\x07\xf4\x57" "\x00\x02\x00\x01" "\xc0\x00\x00\x0c";
	static const char one_value[] = "\x00\x00\x00\x01" "\x00\x00\x00\x00";
	g_autoptr(GString) bytes = g_string_new_len(head, sizeof head - 1);
	g_string_append_len(bytes, module, (gssize)strlen(module) + 1);
	g_string_append_len(bytes, one_value, sizeof one_value - 1);
	g_string_append_printf(bytes, "kernel/%s.ko:", module);
	g_string_append_c(bytes, '\0');
	put_bytes(f, index, bytes->str, (gssize)bytes->len);
	put(f, file, "");
}

/* A loaded module as sysfs shows it. */
static inline void load_module(const fixture *f, const char *module, const char *nested)
{
	g_autofree char *state = g_strdup_printf("sys/module/%s/initstate", module);
	g_autofree char *count = g_strdup_printf("sys/module/%s/refcnt", module);
	g_autofree char *value = g_strdup_printf("sys/module/%s/parameters/nested", module);
	put(f, state, "live\n");
	put(f, count, "0\n");
	put(f, value, nested);
}

static inline void look(fixture *f)
{
	g_autoptr(GError) error = NULL;
	bool good = np_kmod.facts(f->root, &f->facts, &error);
	g_assert_no_error(error);
	g_assert_true(good);
}

/* A process with file descriptor 7 → target. */
static inline void add_process(const fixture *f, int pid, const char *command, const char *target)
{
	g_autofree char *comm = g_strdup_printf("proc/%d/comm", pid);
	g_autofree char *link = g_strdup_printf("proc/%d/fd/7", pid);
	g_autofree char *text = g_strconcat(command, "\n", NULL);
	put(f, comm, text);
	put_link(f, link, target);
}

/* Names, kinds, modes and contents of all that is there. */
static inline void take_snapshot(const char *path, GString *ret)
{
	GStatBuf status;
	g_assert_cmpint(g_lstat(path, &status), ==, 0);
	g_string_append_printf(ret, "%s %o", path, status.st_mode);
	g_autofree char *text = S_ISLNK(status.st_mode) ? g_file_read_link(path, NULL) : NULL;
	if (S_ISREG(status.st_mode))
		g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_string_append_printf(ret, " [%s]\n", text ? text : "");
	g_autoptr(GDir) dir = S_ISDIR(status.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
	GList *names = NULL;
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		names = g_list_insert_sorted(names, g_build_filename(path, name, NULL), (GCompareFunc)strcmp);
	for (GList *item = names; item != NULL; item = item->next)
		take_snapshot(item->data, ret);
	g_list_free_full(names, g_free);
}

static inline char *snapshot(const fixture *f)
{
	g_autoptr(GString) text = g_string_new(NULL);
	take_snapshot(f->root, text);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

#define g_assert_contains(text, part) \
	do { \
		if (strstr((text), (part)) == NULL) \
			g_error("'%s' is not in: %s", (const char *)(part), (const char *)(text)); \
	} while (0)

#define ADD(name, fn) g_test_add("/kmod/" name, fixture, NULL, set_up, fn, tear_down)
