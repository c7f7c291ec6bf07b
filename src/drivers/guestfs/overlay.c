/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/overlay.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"

#define PATIENCE_MS 120000

typedef int owned_fd;
static void owned_fd_close(int fd)
{
	(void)close(fd);
}
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(owned_fd, owned_fd_close, -1)

static bool tool_run(const char *const *argv, GCancellable *cancel, GError **error)
{
	g_auto(np_process_result) result = {0};
	if (!np_process_run(argv, NULL, PATIENCE_MS, cancel, &result, error))
		return false;
	if (result.status == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' failed with status %d: %s", argv[0], result.status,
	            g_strchomp(result.errors));
	return false;
}

/* Memory that other programs open by name: nothing on disk to clean up, and no spaces in the name. */
static int memory_file(const void *data, gsize length, char **ret_name, GError **error)
{
	int fd = memfd_create("nestplan-overlay", MFD_CLOEXEC);
	if (fd < 0 || (length > 0 && write(fd, data, length) != (ssize_t)length)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "memory for a partition table is not to be had: %s",
		            g_strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	*ret_name = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
	return fd;
}

GBytes *np_overlay_head(const char *path, GCancellable *cancel, GError **error)
{
	g_autofree char *name = NULL;
	g_auto(owned_fd) fd = memory_file(NULL, 0, &name, error);
	if (fd < 0)
		return NULL;
	g_autofree char *from = g_strconcat("if=", path, NULL);
	g_autofree char *to = g_strconcat("of=", name, NULL);
	g_autofree char *count = g_strdup_printf("count=%u", NP_PTABLE_SECTORS);
	const char *argv[] = {"qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=512", count, from, to, NULL};
	if (!tool_run(argv, cancel, error))
		return NULL;
	guint8 *head = g_malloc0(NP_PTABLE_SECTORS * NP_SECTOR);
	ssize_t got = pread(fd, head, NP_PTABLE_SECTORS * NP_SECTOR, 0);
	return g_bytes_new_take(head, got > 0 ? (gsize)got : 0);
}

static bool size_check(const np_disk_job *job, GError **error)
{
	guint64 least = job->image->virtual_size;
	if (job->size >= least)
		return true;
	g_autofree char *has = np_size_format(job->size);
	g_autofree char *needs = np_size_format(least);
	g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
	            "its root disk of %s is smaller than image '%s', which has %s: set disks.root to at least that",
	            has, job->node->image, needs);
	return false;
}

/* guestfs_disk_create takes no size together with a backing file, so qemu-img it is. */
bool np_overlay_create(const np_disk_job *job, GCancellable *cancel, GError **error)
{
	if (!size_check(job, error))
		return false;
	g_autofree char *folder = g_path_get_dirname(job->path);
	if (g_mkdir_with_parents(folder, 0700) < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "the folder '%s' cannot be made: %s", folder,
		            g_strerror(errno));
		return false;
	}
	(void)unlink(job->path);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, job->size);
	const char *format = job->image->format == NP_FORMAT_RAW ? "raw" : "qcow2";
	const char *argv[] = {"qemu-img",   "create", "-q",   "-f", "qcow2",   "-o", "compat=1.1", "-b",
	                      job->backing, "-F",     format, "--", job->path, size, NULL};
	if (tool_run(argv, cancel, error))
		return true;
	g_prefix_error(error, "its overlay '%s' cannot be made: ", job->path);
	return false;
}

static bool patch_write(const char *path, const np_patch *patch, GCancellable *cancel, GError **error)
{
	gsize length = 0;
	const void *data = g_bytes_get_data(patch->bytes, &length);
	g_autofree char *name = NULL;
	g_auto(owned_fd) fd = memory_file(data, length, &name, error);
	if (fd < 0)
		return false;
	g_autofree char *command =
	        g_strdup_printf("write -q -s %s %" G_GUINT64_FORMAT " %" G_GSIZE_FORMAT, name, patch->offset, length);
	const char *argv[] = {"qemu-io", "-f", "qcow2", "-t", "unsafe", "-c", command, path, NULL};
	return tool_run(argv, cancel, error);
}

bool np_overlay_grow(const np_disk_job *job, GBytes *head, bool *grown, GCancellable *cancel, GError **error)
{
	gsize length = 0;
	const guint8 *data = g_bytes_get_data(head, &length);
	const char *why = NULL;
	*grown = job->size > job->image->virtual_size;
	if (!*grown)
		return true;
	g_autoptr(GPtrArray) patches = np_ptable_grow(data, length, job->size / NP_SECTOR, &why);
	if (patches == NULL) {
		g_set_error(
		        error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		        "the disk of image '%s' cannot be grown: %s; leave disks.root out to keep the image's own size",
		        job->node->image, why);
		return false;
	}
	for (guint i = 0; i < patches->len; i++)
		if (!patch_write(job->path, patches->pdata[i], cancel, error)) {
			g_prefix_error(error, "growing the partition in its overlay '%s' failed: ", job->path);
			return false;
		}
	return true;
}
