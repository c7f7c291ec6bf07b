/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/image/local.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static const char *const programs[] = {"ssh", "mke2fs", "debugfs", "qemu-img"};

/* Supplementary groups of QEMU's user are not looked at: libvirt gives it none but kvm. */
static bool may_pass(const struct stat *st, int uid, int gid)
{
	if (uid == 0)
		return true;
	mode_t bit = st->st_uid == (uid_t)uid ? S_IXUSR : st->st_gid == (gid_t)gid ? S_IXGRP : S_IXOTH;
	return st->st_mode & bit;
}

/* Walks down the path: what does not exist yet is made by libvirt, below what does. */
static void walk(const char *path, int uid, int gid, np_local_facts *ret)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	g_autoptr(GString) at = g_string_new("/");
	ret->storage = g_strdup("/");
	for (char **part = parts; *part; part++) {
		if (**part == '\0')
			continue;
		if (at->len > 1)
			g_string_append_c(at, '/');
		g_string_append(at, *part);
		struct stat st;
		if (stat(at->str, &st) != 0 || !S_ISDIR(st.st_mode))
			return;
		g_free(ret->storage);
		ret->storage = g_strdup(at->str);
		if (uid >= 0 && !ret->denied && !may_pass(&st, uid, gid))
			ret->denied = g_strdup(at->str);
	}
}

static bool in_group(int uid, int gid, gid_t wanted)
{
	char buffer[4096];
	gid_t groups[64];
	int count = G_N_ELEMENTS(groups);
	struct passwd entry, *user = NULL;
	if (wanted == (gid_t)gid || getpwuid_r((uid_t)uid, &entry, buffer, sizeof buffer, &user) != 0 || user == NULL ||
	    getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		return wanted == (gid_t)gid;
	for (int i = 0; i < count; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

/* libvirt starts QEMU with all groups of its user. */
static bool may_use_kvm(int uid, int gid)
{
	struct stat st;
	if (uid <= 0 || stat("/dev/kvm", &st) != 0)
		return true;
	mode_t wanted = st.st_uid == (uid_t)uid         ? S_IRUSR | S_IWUSR
	                : in_group(uid, gid, st.st_gid) ? S_IRGRP | S_IWGRP
	                                                : S_IROTH | S_IWOTH;
	return (st.st_mode & wanted) == wanted;
}

/* Not what is kept for root: QEMU runs as another user. */
static guint64 bytes_free(const char *folder)
{
	struct statvfs fs;
	return statvfs(folder, &fs) == 0 ? (guint64)fs.f_bavail * fs.f_frsize : 0;
}

guint64 np_local_room(const char *storage)
{
	g_auto(np_local_facts) facts = {0};
	g_autofree char *path = g_canonicalize_filename(storage, NULL);
	walk(path, -1, -1, &facts);
	return bytes_free(facts.storage);
}

void np_local_look(const char *storage, int uid, int gid, np_local_facts *ret)
{
	*ret = (np_local_facts){.missing = g_ptr_array_new_with_free_func(g_free)};
	g_autofree char *path = g_canonicalize_filename(storage, NULL);
	walk(path, uid, gid, ret);
	ret->kvm_denied = !may_use_kvm(uid, gid);
	ret->free = bytes_free(ret->storage);
	for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
		g_autofree char *found = g_find_program_in_path(programs[i]);
		/* Debian keeps these where only root's PATH looks. */
		g_autofree char *sbin = g_build_filename("/usr/sbin", programs[i], NULL);
		if (!found && !g_file_test(sbin, G_FILE_TEST_IS_EXECUTABLE))
			g_ptr_array_add(ret->missing, g_strdup(programs[i]));
	}
}
