/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/guestdisk.h"

#include <stdlib.h>

#include "base/error.h"
#include "drivers/guestfs/guestview.h"
#include "drivers/guestfs/inject.h"

np_image_facts *np_image_facts_new(GBytes *head)
{
	np_image_facts *facts = g_new0(np_image_facts, 1);
	facts->head = g_bytes_ref(head);
	np_ptable_parse(g_bytes_get_data(head, NULL), g_bytes_get_size(head), &facts->table);
	facts->seen = np_guestview_cache_new();
	return facts;
}

void np_image_facts_free(np_image_facts *facts)
{
	g_bytes_unref(facts->head);
	np_ptable_clear(&facts->table);
	g_hash_table_unref(facts->seen);
	g_free(facts->fstype);
	g_free(facts->options);
	g_free(facts);
}

/* "/dev/sdb2"; the whole disk for 0. Caller frees. */
static char *partition_device(unsigned index, unsigned partition)
{
	g_autofree char *device = np_appliance_device(index);
	return partition == 0 ? g_steal_pointer(&device) : g_strdup_printf("%s%u", device, partition);
}

static bool mount_as(np_appliance *appliance, unsigned index, unsigned partition, const char *fstype,
                     const char *options)
{
	g_autofree char *device = partition_device(index, partition);
	return guestfs_mount_vfs(np_appliance_handle(appliance), options, fstype, device, "/") == 0;
}

/* Mounts it, and keeps it mounted when it is a root. */
static bool try_root(np_appliance *appliance, unsigned index, unsigned partition, const char *fstype,
                     const char *options, np_image_facts *facts)
{
	guestfs_h *g = np_appliance_handle(appliance);
	if (!mount_as(appliance, index, partition, fstype, options))
		return false;
	if (guestfs_is_dir(g, "/etc") != 1) {
		(void)guestfs_umount(g, "/");
		return false;
	}
	facts->found = true;
	facts->partition = partition;
	facts->fstype = g_strdup(fstype);
	facts->options = g_strdup(options);
	return true;
}

/* *special: "LVM" or "encrypted", when the partition holds that. */
static bool try_partition(np_appliance *appliance, unsigned index, unsigned partition, np_image_facts *facts,
                          const char **special)
{
	static const char *const known[] = {"ext4", "xfs", "btrfs", "ext3", "ext2", NULL};
	g_autofree char *device = partition_device(index, partition);
	char *raw = guestfs_vfs_type(np_appliance_handle(appliance), device);
	g_autofree char *fstype = g_strdup(raw ? raw : "");
	free(raw);
	if (g_str_equal(fstype, "LVM2_member"))
		*special = "LVM";
	else if (g_str_equal(fstype, "crypto_LUKS"))
		*special = "encrypted";
	if (!g_strv_contains(known, fstype))
		return false;
	/* XFS refuses a file system whose UUID it has seen on another disk, though one is mounted at a time. */
	const char *options = g_str_equal(fstype, "xfs") ? "nouuid" : "";
	if (try_root(appliance, index, partition, fstype, options, facts))
		return true;
	return g_str_equal(fstype, "btrfs") && (try_root(appliance, index, partition, fstype, "subvol=root", facts) ||
	                                        try_root(appliance, index, partition, fstype, "subvol=@", facts));
}

static gint compare_sizes(gconstpointer a, gconstpointer b)
{
	const np_partition *left = a, *right = b;
	return (left->sectors < right->sectors) - (left->sectors > right->sectors);
}

static bool find_root(np_appliance *appliance, unsigned index, np_image_facts *facts, GError **error)
{
	const char *special = NULL;
	g_autoptr(GArray) sorted = g_array_copy(facts->table.partitions);
	g_array_sort(sorted, compare_sizes);
	for (guint i = 0; i < sorted->len && !facts->found; i++)
		(void)try_partition(appliance, index, g_array_index(sorted, np_partition, i).number, facts, &special);
	if (sorted->len == 0)
		(void)try_partition(appliance, index, 0, facts, &special);
	if (facts->found)
		return true;
	if (special == NULL)
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "no root file system was found in its image: nestplan looks for ext4, xfs or btrfs with an "
		            "/etc, on "
		            "the disk itself or on one of its partitions");
	else
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "the root file system of its image is on %s, which is not supported yet: take an image "
		            "with a plain partition",
		            g_str_equal(special, "LVM") ? "LVM" : "an encrypted partition");
	return false;
}

bool np_guestdisk_mount(np_appliance *appliance, unsigned index, np_image_facts *facts, GError **error)
{
	if (!facts->found)
		return find_root(appliance, index, facts, error);
	return mount_as(appliance, index, facts->partition, facts->fstype, facts->options) ||
	       np_appliance_fail(appliance, error, "mounting its root file system");
}

/* Mounted: resize2fs grows it online then, without the e2fsck that libguestfs runs first otherwise. */
bool np_guestdisk_grow(np_appliance *appliance, unsigned index, const np_image_facts *facts, GError **error)
{
	guestfs_h *g = np_appliance_handle(appliance);
	g_autofree char *device = partition_device(index, facts->partition);
	int result;
	if (g_str_equal(facts->fstype, "xfs"))
		result = guestfs_xfs_growfs(g, "/", GUESTFS_XFS_GROWFS_DATASEC, 1, -1);
	else if (g_str_equal(facts->fstype, "btrfs"))
		result = guestfs_btrfs_filesystem_resize(g, "/", -1);
	else
		result = guestfs_resize2fs(g, device);
	return result == 0 || np_appliance_fail(appliance, error, "growing its root file system");
}

bool np_guestdisk_write(np_appliance *appliance, const np_disk_job *job, np_image_facts *facts, GError **error)
{
	np_guestview state = {.appliance = appliance, .seen = facts->seen};
	np_guest_view view = np_guestview_of(&state);
	g_autoptr(GPtrArray) seed = np_seed_render(job, &view, state.error ? NULL : error);
	if (seed != NULL && state.error == NULL && np_inject_apply(appliance, seed, &view, error) &&
	    state.error == NULL)
		return true;
	if (state.error != NULL) {
		g_clear_error(error);
		g_propagate_error(error, state.error);
	}
	return false;
}

bool np_guestdisk_umount(np_appliance *appliance, GError **error)
{
	return guestfs_umount(np_appliance_handle(appliance), "/") == 0 ||
	       np_appliance_fail(appliance, error, "unmounting its root file system");
}
