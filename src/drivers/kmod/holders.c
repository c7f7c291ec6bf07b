/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds the module: processes that have /dev/kvm or something made from it open. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/kmod/kmod.h"

static bool is_kvm(const char *target)
{
	return strcmp(target, "/dev/kvm") == 0 || strcmp(target, "/dev/kvm (deleted)") == 0 ||
	       g_str_has_prefix(target, "anon_inode:kvm-");
}

static bool holds_kvm(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "fd", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *link = g_build_filename(path, name, NULL);
		g_autofree char *target = g_file_read_link(link, NULL);
		if (target != NULL && is_kvm(target))
			return true;
	}
	return false;
}

/* From QEMU's "guest=NAME,debug-threads=on"; a comma of the name is doubled. */
static char *guest_name(const char *value)
{
	if (!g_str_has_prefix(value, "guest="))
		return NULL;
	g_autoptr(GString) name = g_string_new(NULL);
	for (const char *at = value + strlen("guest="); *at != '\0'; at++) {
		if (*at == ',' && *++at != ',')
			break;
		g_string_append_c(name, *at);
	}
	return g_strdup(name->str);
}

static char *read_domain(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "cmdline", NULL);
	g_autofree char *text = NULL;
	gsize length = 0;
	if (!g_file_get_contents(path, &text, &length, NULL))
		return NULL;
	/* The arguments each end with NUL, and GLib adds one more. */
	bool named = false;
	for (const char *word = text; word < text + length; word += strlen(word) + 1) {
		if (named)
			return guest_name(word);
		named = strcmp(word, "-name") == 0;
	}
	return NULL;
}

static char *read_command(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "comm", NULL);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : g_strdup("?");
}

static int by_pid(gconstpointer a, gconstpointer b)
{
	const np_holder *one = *(const np_holder *const *)a, *other = *(const np_holder *const *)b;
	return one->pid - other->pid;
}

void np_holders_find(const char *root, GPtrArray *ret)
{
	g_autofree char *proc = g_strconcat(root, "/proc", NULL);
	g_autoptr(GDir) dir = g_dir_open(proc, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		int pid = g_ascii_isdigit(*name) ? atoi(name) : 0;
		g_autofree char *folder = g_build_filename(proc, name, NULL);
		if (pid <= 0 || pid == getpid() || !holds_kvm(folder))
			continue;
		np_holder *holder = g_new0(np_holder, 1);
		holder->pid = pid;
		holder->command = read_command(folder);
		holder->domain = read_domain(folder);
		g_ptr_array_add(ret, holder);
	}
	g_ptr_array_sort(ret, by_pid);
}
