/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/inject.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

#define MESSAGE_MAX (2u * 1024 * 1024) /* a call carries 4 MiB; what is bigger is streamed */

static bool make_parent(np_appliance *appliance, const np_guest_view *view, const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	if (np_view_exists(view, folder))
		return true;
	return guestfs_mkdir_p(np_appliance_handle(appliance), folder) == 0 ||
	       np_appliance_fail(appliance, error, "making the folder %s in its disk", folder);
}

static bool write_all(int fd, const char *data, gsize length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);
		if (n < 0 && errno != EINTR)
			return false;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (gsize)n : 0;
	}
	return true;
}

static bool upload(np_appliance *appliance, const char *path, const char *data, gsize length, GError **error)
{
	int fd = memfd_create("nestplan-inject", MFD_CLOEXEC);
	if (fd < 0 || !write_all(fd, data, length)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "memory for %s is not to be had: %s", path,
		            g_strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
	bool good = guestfs_upload(np_appliance_handle(appliance), name, path) == 0 ||
	            np_appliance_fail(appliance, error, "writing %s into its disk", path);
	(void)close(fd);
	return good;
}

static bool set_rights(np_appliance *appliance, const np_seed_item *item, GError **error)
{
	guestfs_h *g = np_appliance_handle(appliance);
	if (guestfs_chmod(g, (int)item->mode, item->path) == 0 &&
	    guestfs_chown(g, (int)item->uid, (int)item->gid, item->path) == 0)
		return true;
	return np_appliance_fail(appliance, error, "setting mode and owner of %s in its disk", item->path);
}

static bool apply_file(np_appliance *appliance, const np_seed_item *item, const np_guest_view *view, GError **error)
{
	gsize length = 0;
	const char *data = g_bytes_get_data(item->content, &length);
	bool existed = np_view_exists(view, item->path);
	if (!make_parent(appliance, view, item->path, error))
		return false;
	if (length > MESSAGE_MAX) {
		if (!upload(appliance, item->path, data, length, error))
			return false;
	} else if (guestfs_write(np_appliance_handle(appliance), item->path, data ? data : "", length) == -1) {
		return np_appliance_fail(appliance, error, "writing %s into its disk", item->path);
	}
	bool plain = item->mode == 0644 && item->uid == 0 && item->gid == 0; /* what a new file is anyway */
	return (existed ? item->keep : plain) || set_rights(appliance, item, error);
}

static bool apply_folder(np_appliance *appliance, const np_seed_item *item, const np_guest_view *view, GError **error)
{
	if (!np_view_exists(view, item->path) && guestfs_mkdir_p(np_appliance_handle(appliance), item->path) == -1)
		return np_appliance_fail(appliance, error, "making the folder %s in its disk", item->path);
	return set_rights(appliance, item, error);
}

static bool apply_link(np_appliance *appliance, const np_seed_item *item, const np_guest_view *view, GError **error)
{
	if (!make_parent(appliance, view, item->path, error))
		return false;
	return guestfs_ln_sf(np_appliance_handle(appliance), item->target, item->path) == 0 ||
	       np_appliance_fail(appliance, error, "making the link %s in its disk", item->path);
}

static bool apply(np_appliance *appliance, const np_seed_item *item, const np_guest_view *view, GError **error)
{
	switch (item->kind) {
	case NP_SEED_FILE: return apply_file(appliance, item, view, error);
	case NP_SEED_FOLDER: return apply_folder(appliance, item, view, error);
	case NP_SEED_LINK: return apply_link(appliance, item, view, error);
	case NP_SEED_REMOVE:
		return guestfs_rm_f(np_appliance_handle(appliance), item->path) == 0 ||
		       np_appliance_fail(appliance, error, "removing %s from its disk", item->path);
	}
	return true;
}

bool np_inject_apply(np_appliance *appliance, const np_seed *seed, const np_guest_view *view, GError **error)
{
	for (guint i = 0; i < seed->len; i++)
		if (!apply(appliance, seed->pdata[i], view, error))
			return false;
	return true;
}
