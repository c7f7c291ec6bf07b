/* SPDX-License-Identifier: Apache-2.0 */
/* The private folder. Its path must be short, because sockets lie in it (108 bytes with ssh's temporary ending), plain,
 * because ssh_config has no quoting for `${`, and on a file system where programs can be run, because libvirt starts
 * the wrapper: /run is often mounted noexec. */
#include "drivers/ssh/guests.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"

#define PREFIX "nestplan-"
enum { LONGEST = 56, OLD_SECONDS = 3600 };

void np_folder_remove(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		(void)g_unlink(path);
	}
	(void)g_rmdir(folder);
}

/* A folder whose process was killed, or became ssh by exec, lies there until somebody looks. */
static bool is_abandoned(const char *path, const char *name)
{
	char *end = NULL;
	guint64 pid = g_ascii_strtoull(name + strlen(PREFIX), &end, 10);
	if (*end != '-' || pid == 0 || pid > G_MAXINT)
		return false;
	struct stat st;
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return false;
	/* the age is for processes of other PID namespaces, which cannot be asked */
	bool old = st.st_mtim.tv_sec < g_get_real_time() / G_USEC_PER_SEC - OLD_SECONDS;
	return old && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static void sweep(const char *base)
{
	g_autoptr(GDir) dir = g_dir_open(base, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(base, name, NULL);
		if (g_str_has_prefix(name, PREFIX) && is_abandoned(path, name))
			np_folder_remove(path);
	}
}

static char *make_in(const char *base)
{
	static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._+@-";
	struct statvfs fs;
	struct stat st;
	if (*base != '/' || strspn(base, plain) != strlen(base) || stat(base, &st) < 0 || statvfs(base, &fs) < 0)
		return NULL;
	bool shared = (st.st_mode & S_ISVTX) != 0;
	if ((st.st_uid != geteuid() && !shared) || (fs.f_flag & (ST_NOEXEC | ST_RDONLY)) != 0)
		return NULL;
	g_autofree char *path = g_strdup_printf("%s/" PREFIX "%d-XXXXXX", base, (int)getpid());
	if (strlen(path) > LONGEST || g_mkdtemp_full(path, 0700) == NULL)
		return NULL;
	sweep(base);
	return g_steal_pointer(&path);
}

char *np_folder_new(GError **error)
{
	bool root = geteuid() == 0;
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");
	g_autofree char *cache = g_build_filename(g_get_user_cache_dir(), "nestplan", NULL);
	if (root)
		(void)g_mkdir("/run/nestplan", 0700);
	(void)g_mkdir_with_parents(cache, 0700);
	const char *bases[] = {runtime ? runtime : "", root ? "/run/nestplan" : "", "/tmp", cache, "/var/tmp"};
	for (gsize i = 0; i < G_N_ELEMENTS(bases); i++) {
		char *folder = make_in(bases[i]);
		if (folder != NULL)
			return folder;
	}
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
	            "no folder for the SSH configuration of the guests: $XDG_RUNTIME_DIR, /run/nestplan, "
	            "/tmp, %s and /var/tmp are missing, not writable, mounted noexec, or have long paths",
	            cache);
	return NULL;
}
