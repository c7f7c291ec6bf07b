/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/ident.h"
#include "drivers/driver.h"
#include "drivers/image/cache.h"
#include "drivers/image/ext4.h"
#include "drivers/image/image.h"

/* Part of every share's name: to be counted up when the same contents shall become another file system. */
#define SHARE_FORMAT "1"
#define UNFINISHED   ".unfinished-"
enum { NAME_DIGITS = 32, LABEL_DIGITS = 12, OLD_SECONDS = 24 * 3600 };

/* One file of a share: an image, or the share of a site in it. */
typedef struct {
	char *name;
	const np_image *image; /* one of both */
	const np_site *site;
} entry;

static void entry_free(gpointer data)
{
	entry *e = data;
	g_free(e->name);
	g_free(e);
}

static int entry_compare(gconstpointer a, gconstpointer b)
{
	return strcmp((*(entry *const *)a)->name, (*(entry *const *)b)->name);
}

void np_share_clear(np_share *share)
{
	g_clear_pointer(&share->volume, g_free);
	g_clear_pointer(&share->label, g_free);
	g_clear_pointer(&share->path, g_free);
}

/* Takes the name. */
static void entries_add(GPtrArray *entries, char *name, const np_image *image, const np_site *site)
{
	for (guint i = 0; i < entries->len; i++) {
		const entry *e = entries->pdata[i];
		if (strcmp(e->name, name) == 0) {
			g_free(name);
			return;
		}
	}
	entry *e = g_new0(entry, 1);
	*e = (entry){.name = name, .image = image, .site = site};
	g_ptr_array_add(entries, e);
}

/* What the nodes of a site need there, sorted by name, each once. */
static GPtrArray *entries_new(const np_lab *lab, const np_site *site)
{
	GPtrArray *entries = g_ptr_array_new_with_free_func(entry_free);
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = site->nodes->pdata[i];
		const np_image *image = node->image ? np_map_find(lab->images, node->image) : NULL;
		if (image != NULL && image->id != NULL)
			entries_add(entries, np_image_volume(image), image, NULL);
		np_share inner = {NULL};
		if (np_share_name(lab, &node->site, &inner))
			entries_add(entries, g_steal_pointer(&inner.volume), NULL, &node->site);
		np_share_clear(&inner);
	}
	g_ptr_array_sort(entries, entry_compare);
	return entries;
}

static void share_name(const GPtrArray *entries, np_share *ret)
{
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < entries->len; i++) {
		const entry *e = entries->pdata[i];
		g_string_append_printf(names, "%s\n", e->name);
	}
	g_autofree char *hash = np_ident_short(NAME_DIGITS, "share", SHARE_FORMAT, names->str, NULL);
	ret->volume = g_strdup_printf("share-%s.raw", hash);
	ret->label = g_strdup_printf("np-%.*s", LABEL_DIGITS, hash);
	g_autofree char *name = g_build_filename("shares", ret->volume, NULL);
	ret->path = np_cache_path(name);
}

bool np_share_name(const np_lab *lab, const np_site *site, np_share *ret)
{
	g_autoptr(GPtrArray) entries = entries_new(lab, site);
	if (entries->len == 0)
		return false;
	share_name(entries, ret);
	return true;
}

/* What was left by a process that was killed. */
static void sweep(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		struct stat st;
		if (g_str_has_prefix(name, UNFINISHED) && lstat(path, &st) == 0 &&
		    st.st_mtim.tv_sec < g_get_real_time() / G_USEC_PER_SEC - OLD_SECONDS)
			(void)g_unlink(path);
	}
}

static bool file_add(GArray *files, const char *name, char *path, GPtrArray *paths, GError **error)
{
	struct stat st;
	g_ptr_array_add(paths, path);
	if (stat(path, &st) < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND, "the file '%s' cannot be used: %s", path,
		            g_strerror(errno));
		return false;
	}
	np_ext4_file file = {.name = name, .path = path, .bytes = (guint64)st.st_size};
	g_array_append_val(files, file);
	return true;
}

/* Inner shares first; their files lie in the cache. */
static bool files_collect(const np_lab *lab, const GPtrArray *entries, GArray *files, GPtrArray *paths,
                          GCancellable *cancel, GError **error)
{
	for (guint i = 0; i < entries->len; i++) {
		const entry *e = entries->pdata[i];
		g_auto(np_share) inner = {NULL};
		if (e->site != NULL && !np_share_build(lab, e->site, &inner, cancel, error))
			return false;
		if (!file_add(files, e->name, e->site ? g_steal_pointer(&inner.path) : g_strdup(e->image->path), paths,
		              error))
			return false;
	}
	return true;
}

/* An image that changed since it was looked at must not stay in the cache under the old name. */
static bool still_same(const GPtrArray *entries, GError **error)
{
	for (guint i = 0; i < entries->len; i++) {
		const entry *e = entries->pdata[i];
		if (e->image == NULL)
			continue;
		g_autofree char *hash = np_cache_sha256(e->image->path, error);
		if (hash == NULL)
			return false;
		if (!g_str_has_suffix(e->image->id, hash)) {
			g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
			            "the file '%s' of image '%s' changed meanwhile: run the command again",
			            e->image->path, e->image->base.name);
			return false;
		}
	}
	return true;
}

/* Under its name it is complete, and on the disk. */
static bool publish(int fd, const char *from, const char *to, GError **error)
{
	if (fdatasync(fd) == 0 && g_rename(from, to) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be written: %s", to, g_strerror(errno));
	return false;
}

static bool build(const np_share *share, const GPtrArray *entries, const GArray *files, GCancellable *cancel,
                  GError **error)
{
	g_autofree char *folder = g_path_get_dirname(share->path);
	g_autofree char *path = g_strdup_printf("%s/" UNFINISHED "XXXXXX", folder);
	g_autofree char *uuid = np_ident_uuid("share", share->volume, NULL);
	if (!np_cache_ensure(share->path, error))
		return false;
	sweep(folder);
	int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "no file can be made in '%s': %s", folder,
		            g_strerror(errno));
		return false;
	}
	bool good = np_ext4_make(path, share->label, uuid, &g_array_index(files, np_ext4_file, 0), files->len, cancel,
	                         error) &&
	            still_same(entries, error) && publish(fd, path, share->path, error);
	if (!good)
		(void)g_unlink(path);
	(void)close(fd);
	return good;
}

bool np_share_build(const np_lab *lab, const np_site *site, np_share *ret, GCancellable *cancel, GError **error)
{
	g_autoptr(GPtrArray) entries = entries_new(lab, site);
	if (entries->len == 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND,
		            "no node in '%s' has an image: nothing is to be shared",
		            site->address ? site->address : "");
		return false;
	}
	g_auto(np_share) share = {NULL};
	share_name(entries, &share);
	if (access(share.path, R_OK) != 0) {
		g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(np_ext4_file));
		g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
		if (!files_collect(lab, entries, files, paths, cancel, error) ||
		    !build(&share, entries, files, cancel, error)) {
			g_prefix_error(error, "the images for '%s': ", site->address ? site->address : "");
			return false;
		}
	}
	*ret = share;
	share = (np_share){NULL};
	return true;
}
