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

#define TEMPLATE_MAX (16 * 1024 * 1024)

/* Why a file cannot be read as one, NULL: it can. *ret is filled unless there is none. */
static const char *file_fault(const char *path, struct stat *ret)
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

static void image_check(np_checker *c, const np_image *image, GHashTable *sizes)
{
	struct stat info;
	np_format format;
	guint64 size;
	g_autoptr(GError) error = NULL;
	np_pos pos = np_object_at(&np_image_kind, &image->base, "source");
	if (image->source == NULL || strstr(image->source, "://") != NULL ||
	    np_diags_has(c->diags, NP_CODE_PATH_OUTSIDE, pos))
		return;
	const char *fault = file_fault(image->source, &info);
	if (fault != NULL) {
		np_check_warning(c, NP_CODE_IMAGE_MISSING, pos, "build or fetch it before apply",
		                 "the file '%s' of image '%s' cannot be read: %s", image->source, image->base.name,
		                 fault);
		return;
	}
	if (!np_format_probe(image->source, (guint64)info.st_size, &format, &size, &error)) {
		np_check_error(c, NP_CODE_IMAGE_FORMAT, pos, NULL, "image '%s': %s", image->base.name, error->message);
		return;
	}
	if (image->format != NP_FORMAT_AUTO && image->format != (int)format)
		np_check_error(c, NP_CODE_IMAGE_FORMAT, np_object_at(&np_image_kind, &image->base, "format"),
		               "remove the key, or name the right file",
		               "image '%s' is said to be %s, but its file is %s", image->base.name,
		               np_format_names[image->format], np_format_names[format]);
	g_hash_table_insert(sizes, image->base.name, g_memdup2(&size, sizeof size));
}

static void root_check(np_checker *c, const np_node *node, GHashTable *sizes)
{
	const np_disk *root = np_map_find(node->disks, "root");
	const guint64 *needs = node->image ? g_hash_table_lookup(sizes, node->image) : NULL;
	if (root == NULL || needs == NULL || root->size == 0 || root->size >= *needs)
		return;
	g_autofree char *size = np_size_human(root->size);
	g_autofree char *needed = np_size_human(*needs);
	g_autofree char *nearest = np_size_format((*needs + (1 << 30) - 1) >> 30 << 30);
	g_autofree char *hint = g_strdup_printf("write %s or more", nearest);
	np_check_error(c, NP_CODE_IMAGE_SIZE, np_object_at(&np_disk_kind, &root->base, "size"), hint,
	               "the root disk of node '%s' has %s, and its image '%s' needs %s", node->address, size,
	               node->image, needed);
}

static void source_check(np_checker *c, const np_node *node, const np_file *file)
{
	g_autofree char *text = NULL, *expanded = NULL;
	g_autoptr(GError) error = NULL;
	gsize length = 0;
	struct stat info;
	np_pos pos = np_object_at(&np_file_kind, &file->base, "source");
	if (np_diags_has(c->diags, NP_CODE_PATH_OUTSIDE, pos))
		return;
	const char *fault = file_fault(file->source, &info);
	if (fault != NULL) {
		np_check_error(c, NP_CODE_SOURCE_MISSING, pos, NULL, "the file '%s' cannot be read: %s", file->source,
		               fault);
		return;
	}
	g_autofree char *target = np_lab_link_target(c->lab, file->source);
	if (target != NULL)
		np_check_error(c, NP_CODE_PATH_OUTSIDE, pos, "copy the file into the lab's folder, or write the absolute path",
		               "the file '%s' is a link that leaves the folder of the lab file, to '%s'", file->source, target);
	if (!file->expand || info.st_size > TEMPLATE_MAX || !g_file_get_contents(file->source, &text, &length, NULL))
		return;
	expanded = np_lab_expand(c->lab, node, text, &error);
	if (expanded == NULL)
		np_check_error(c, NP_CODE_TEMPLATE_TEXT, pos, NULL, "template '%s' does not expand: %s", file->source,
		               error->message);
}

static void keys_check(np_checker *c, const GPtrArray *keys, np_pos pos)
{
	for (guint i = 0; i < keys->len; i++)
		if (((const char *)keys->pdata[i])[0] == '/' && access(keys->pdata[i], R_OK) != 0)
			np_check_warning(c, NP_CODE_KEY_FILE, pos, "make a key with ssh-keygen, or name another file",
			                 "the key file '%s' cannot be read: %s", (const char *)keys->pdata[i],
			                 g_strerror(errno));
}

typedef struct {
	np_checker *c;
	GHashTable *sizes; /* name of image → guint64: bytes that a guest sees */
} files_checker;

static void node_files_check(np_node *node, gpointer data)
{
	files_checker *f = data;
	f->c->origin->node = node;
	root_check(f->c, node, f->sizes);
	for (guint i = 0; i < node->inject.files->len; i++) {
		const np_file *file = node->inject.files->pdata[i];
		if (file->source != NULL)
			source_check(f->c, node, file);
	}
	for (guint i = 0; i < node->inject.users->len; i++) {
		const np_user *user = node->inject.users->pdata[i];
		keys_check(f->c, user->authorized_keys, np_object_at(&np_user_kind, &user->base, "authorized_keys"));
	}
}

void np_lab_check_files(np_lab *lab, np_diags *diags, np_origin *origin)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) sizes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	np_checker c = {lab, diags, origin, seen};
	files_checker f = {&c, sizes};
	origin->node = NULL;
	for (guint i = 0; i < lab->images->len; i++)
		image_check(&c, lab->images->pdata[i], sizes);
	keys_check(&c, lab->access.authorized_keys,
	           np_object_at(&np_access_kind, &lab->access.base, "authorized_keys"));
	np_lab_foreach_node(&lab->site, node_files_check, &f);
}
