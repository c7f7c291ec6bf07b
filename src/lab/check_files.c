/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a lab names: are they there, and what they are said to be. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/check.h"
#include "lab/image_format.h"
#include "lab/lab.h"

const char *np_file_fault(const char *path, struct stat *ret)
{
	if (stat(path, ret) != 0)
		return g_strerror(errno);
	if (S_ISDIR(ret->st_mode))
		return "it is a folder";
	if (!S_ISREG(ret->st_mode))
		return "it is no regular file";
	return access(path, R_OK) != 0 ? g_strerror(errno) : NULL;
}

static bool is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || (length > 0 && folder[length - 1] == '/'));
}

char *np_lab_link_target(const np_lab *lab, const char *path)
{
	if (lab->folder == NULL || !is_below(path, lab->folder))
		return NULL;
	char *folder = realpath(lab->folder, NULL), *target = realpath(path, NULL);
	char *out = folder != NULL && target != NULL && !is_below(target, folder) ? g_strdup(target) : NULL;
	free(folder);
	free(target);
	return out;
}

static void image_check(np_checker *c, np_image *image)
{
	struct stat info;
	np_format format;
	g_autoptr(GError) error = NULL;
	np_pos pos = np_object_at(&np_image_kind, &image->base, "source");
	if (image->source == NULL || np_text_is_url(image->source) ||
	    np_diags_has(c->diags, NP_CODE_FORMAT, pos) || np_diags_has(c->diags, NP_CODE_PATH_OUTSIDE, pos))
		return;
	const char *fault = np_file_fault(image->source, &info);
	if (fault != NULL) {
		np_check_warning(c, NP_CODE_IMAGE_MISSING, pos, "build or fetch it before apply",
		                 "the file '%s' of image '%s' cannot be read: %s", image->source, image->base.name,
		                 fault);
		return;
	}
	if (!np_format_probe(image->source, (guint64)info.st_size, &format, &image->virtual_size, &error)) {
		np_check_error(c, NP_CODE_IMAGE_FORMAT, pos, NULL, "image '%s': %s", image->base.name, error->message);
		return;
	}
	if (image->format != NP_FORMAT_AUTO && image->format != (int)format)
		np_check_error(c, NP_CODE_IMAGE_FORMAT, np_object_at(&np_image_kind, &image->base, "format"),
		               "remove the key, or name the right file",
		               "image '%s' is said to be %s, but its file is %s", image->base.name,
		               np_format_names[image->format], np_format_names[format]);
}

void np_lab_check_images(np_lab *lab, np_diags *diags, np_origin *origin)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	np_checker c = {lab, diags, origin, seen};
	origin->node = NULL;
	for (guint i = 0; i < lab->images->len; i++)
		image_check(&c, lab->images->pdata[i]);
}

static void root_check(np_checker *c, const np_node *node)
{
	const np_disk *root = np_map_find(node->disks, "root");
	guint64 needs = node->root_image ? node->root_image->virtual_size : 0;
	if (root == NULL || root->size == 0 || root->size >= needs)
		return;
	g_autofree char *size = np_size_human(root->size);
	g_autofree char *needed = np_size_human(needs);
	g_autofree char *nearest = np_size_format((needs + (1 << 30) - 1) >> 30 << 30);
	g_autofree char *hint = g_strdup_printf("write %s or more", nearest);
	np_check_error(c, NP_CODE_IMAGE_SIZE, np_object_at(&np_disk_kind, &root->base, "size"), hint,
	               "the root disk of node '%s' has %s, and its image '%s' needs %s", node->address, size,
	               node->image, needed);
}

static void link_check(np_checker *c, const char *path, np_pos pos)
{
	g_autofree char *target = np_lab_link_target(c->lab, path);
	if (target != NULL)
		np_check_error(c, NP_CODE_PATH_OUTSIDE, pos, "copy the file into the lab's folder, or write the absolute path",
		               "the file '%s' is a link that leaves the folder of the lab file, to '%s'", path, target);
}

static void keys_check(np_checker *c, const GPtrArray *keys, np_pos list)
{
	for (guint i = 0; i < keys->len; i++) {
		const char *key = keys->pdata[i];
		np_pos pos = np_lab_item_at(c->lab, keys, i, list);
		if (key[0] != '/' || np_diags_has(c->diags, NP_CODE_PATH_OUTSIDE, pos))
			continue;
		if (access(key, R_OK) != 0)
			np_check_warning(c, NP_CODE_KEY_FILE, pos, "make a key with ssh-keygen, or name another file",
			                 "the key file '%s' cannot be read: %s", key, g_strerror(errno));
		link_check(c, key, pos);
	}
}

typedef struct {
	np_checker *c;
	GHashTable *sources;
} files_checker;

static void node_files_check(np_node *node, gpointer data)
{
	const files_checker *f = data;
	np_checker *c = f->c;
	c->origin->node = node;
	root_check(c, node);
	for (guint i = 0; i < node->inject.files->len; i++) {
		const np_file *file = node->inject.files->pdata[i];
		if (file->source != NULL)
			np_check_source(c, f->sources, node, file);
	}
	for (guint i = 0; i < node->inject.users->len; i++) {
		const np_user *user = node->inject.users->pdata[i];
		keys_check(c, user->authorized_keys, np_object_at(&np_user_kind, &user->base, "authorized_keys"));
	}
}

void np_lab_check_files(np_lab *lab, np_diags *diags, np_origin *origin)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) sources = np_sources_new();
	np_checker c = {lab, diags, origin, seen};
	files_checker f = {&c, sources};
	origin->node = NULL;
	keys_check(&c, lab->access.authorized_keys,
	           np_object_at(&np_access_kind, &lab->access.base, "authorized_keys"));
	np_lab_foreach_node(&lab->site, node_files_check, &f);
}
