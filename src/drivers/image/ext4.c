/* SPDX-License-Identifier: Apache-2.0 */
/* mke2fs makes the file system and debugfs writes the files into it. `mke2fs -d` would need a folder of links, which
 * takes the owners, modes and extended attributes of the user's images along. */
#include "drivers/image/ext4.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"

enum { BLOCK = 4096 };
#define MIB ((guint64)1 << 20)

/* Users' PATH often lacks the sbin folders. */
static char *find_program(const char *name, GError **error)
{
	static const char *const folders[] = {"/usr/sbin", "/sbin", "/usr/local/sbin"};
	char *path = g_find_program_in_path(name);
	for (gsize i = 0; path == NULL && i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *full = g_build_filename(folders[i], name, NULL);
		path = g_find_program_in_path(full);
	}
	if (path == NULL)
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED, "the program '%s' is missing: install e2fsprogs",
		            name);
	return path;
}

/* Room for the files and, generously, for what ext4 needs: the file is sparse. */
static guint64 room(const np_ext4_file *files, gsize n_files)
{
	guint64 bytes = 0;
	for (gsize i = 0; i < n_files; i++)
		bytes += (files[i].bytes + BLOCK - 1) / BLOCK * BLOCK;
	bytes += bytes / 128 + 8 * MIB;
	return (bytes + MIB - 1) / MIB * MIB;
}

static bool run(const char *const *argv, const char *input, GCancellable *cancel, np_process_result *ret,
                GError **error)
{
	if (!np_process_run(argv, input, 0, cancel, ret, error))
		return false;
	if (ret->status == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "%s failed with code %d: %s", argv[2], ret->status,
	            g_strstrip(ret->errors));
	return false;
}

/* The features are named one by one, so that mke2fs.conf has no say, and all guests' kernels know them. */
static bool format(const char *path, const char *label, const char *uuid, gsize n_files, GCancellable *cancel,
                   GError **error)
{
	g_autofree char *program = find_program("mke2fs", error);
	if (program == NULL)
		return false;
	g_autofree char *inodes = g_strdup_printf("%" G_GSIZE_FORMAT, n_files + 32);
	g_autofree char *options = g_strdup_printf("root_owner=0:0,lazy_itable_init=0,nodiscard,hash_seed=%s", uuid);
	const char *argv[] = {"env",
	                      "E2FSPROGS_FAKE_TIME=1",
	                      program,
	                      "-q",
	                      "-F",
	                      "-t",
	                      "ext4",
	                      "-O",
	                      "none,dir_index,extent,filetype,flex_bg,large_file,sparse_super",
	                      "-b",
	                      "4096",
	                      "-I",
	                      "256",
	                      "-N",
	                      inodes,
	                      "-m",
	                      "0",
	                      "-L",
	                      label,
	                      "-U",
	                      uuid,
	                      "-E",
	                      options,
	                      path,
	                      NULL};
	g_auto(np_process_result) result = {0};
	return run(argv, NULL, cancel, &result, error);
}

/* debugfs reads "…" with "" for a quote inside. */
static bool append_quoted(GString *text, const char *path, GError **error)
{
	for (const char *at = path; *at != '\0'; at++) {
		if (g_ascii_iscntrl(*at)) {
			g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
			            "the file name '%s' has control characters: rename it", path);
			return false;
		}
	}
	g_auto(GStrv) parts = g_strsplit(path, "\"", -1);
	g_autofree char *escaped = g_strjoinv("\"\"", parts);
	g_string_append_printf(text, "\"%s\"", escaped);
	return true;
}

static bool append_file(GString *script, const np_ext4_file *file, GError **error)
{
	static const char *const fields[] = {"mode 0100644", "uid 0",    "gid 0",    "atime @1",
	                                     "ctime @1",     "mtime @1", "crtime @1"};
	g_string_append(script, "write ");
	if (!append_quoted(script, file->path, error))
		return false;
	g_string_append_printf(script, " %s\n", file->name);
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
		g_string_append_printf(script, "set_inode_field %s %s\n", file->name, fields[i]);
	return true;
}

/* debugfs reports no failure by its exit code: what it says after its version line is one. */
static bool check_errors(const char *errors, GError **error)
{
	const char *rest = strchr(errors, '\n');
	g_autofree char *text = g_strstrip(g_strdup(rest && g_str_has_prefix(errors, "debugfs ") ? rest : errors));
	if (*text == '\0')
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "debugfs failed: %s", text);
	return false;
}

static bool fill(const char *path, const np_ext4_file *files, gsize n_files, GCancellable *cancel, GError **error)
{
	g_autofree char *program = find_program("debugfs", error);
	if (program == NULL)
		return false;
	/* nothing is ever recovered into it, and to a storage pool it would be one more volume */
	g_autoptr(GString) script = g_string_new("rmdir lost+found\n");
	for (gsize i = 0; i < n_files; i++) {
		if (!append_file(script, &files[i], error))
			return false;
	}
	const char *argv[] = {"env", "E2FSPROGS_FAKE_TIME=1", program, "-w", "-f", "-", path, NULL};
	g_auto(np_process_result) result = {0};
	return run(argv, script->str, cancel, &result, error) && check_errors(result.errors, error);
}

bool np_ext4_make(const char *path, const char *label, const char *uuid, const np_ext4_file *files, gsize n_files,
                  GCancellable *cancel, GError **error)
{
	if (truncate(path, (off_t)room(files, n_files)) < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be made: %s", path, g_strerror(errno));
		return false;
	}
	return format(path, label, uuid, n_files, cancel, error) && fill(path, files, n_files, cancel, error);
}
