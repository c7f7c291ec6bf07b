/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a lab names: are they there, and what they are said to be. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/check.h"
#include "lab/lab.h"

#define HEADER       32
#define TEMPLATE_MAX (16 * 1024 * 1024)

/* What the first bytes of an image say. */
typedef struct {
	int format;   /* np_format; RAW for everything that is not qcow2 */
	guint64 size; /* as a guest sees it */
} image_head;

static guint64 big_endian(const guint8 *bytes, unsigned n)
{
	guint64 value = 0;
	for (unsigned i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* 0, or why the file cannot be read. */
static int image_read(const char *path, image_head *ret)
{
	guint8 head[HEADER] = {0};
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int code = fd < 0 || fstat(fd, &info) != 0 ? errno : 0;
	if (code == 0 && !S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
		code = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
	if (code == 0 && read(fd, head, sizeof head) < 0)
		code = errno;
	if (fd >= 0)
		(void)close(fd);
	if (code != 0)
		return code;
	gboolean is_qcow2 = memcmp(head, "QFI\xfb", 4) == 0;
	ret->format = is_qcow2 ? NP_FORMAT_QCOW2 : NP_FORMAT_RAW;
	ret->size = is_qcow2 ? big_endian(head + 24, 8) : (guint64)info.st_size;
	return 0;
}

static void image_check(np_checker *c, const np_image *image, GHashTable *heads)
{
	image_head head = {0};
	np_pos pos = np_object_at(&np_image_kind, &image->base, "source");
	if (image->source == NULL || strstr(image->source, "://") != NULL)
		return;
	int code = image_read(image->source, &head);
	if (code != 0) {
		np_check_warning(c, NP_CODE_IMAGE_MISSING, pos, "build or fetch it before apply",
		                 "the file '%s' of image '%s' cannot be read: %s", image->source, image->base.name,
		                 g_strerror(code));
		return;
	}
	if (image->format != NP_FORMAT_AUTO && image->format != head.format)
		np_check_error(c, NP_CODE_IMAGE_FORMAT, np_object_at(&np_image_kind, &image->base, "format"),
		               "remove the key, or name the right file",
		               "image '%s' is said to be %s, but its file is %s", image->base.name,
		               np_format_names[image->format], np_format_names[head.format]);
	g_hash_table_insert(heads, image->base.name, g_memdup2(&head, sizeof head));
}

static void root_check(np_checker *c, const np_node *node, GHashTable *heads)
{
	const np_disk *root = np_map_find(node->disks, "root");
	const image_head *head = node->image ? g_hash_table_lookup(heads, node->image) : NULL;
	if (root == NULL || head == NULL || root->size == 0 || root->size >= head->size)
		return;
	g_autofree char *size = np_size_human(root->size);
	g_autofree char *needed = np_size_human(head->size);
	g_autofree char *nearest = np_size_format((head->size + (1 << 30) - 1) >> 30 << 30);
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
	int code = stat(file->source, &info) != 0 || access(file->source, R_OK) != 0 ? errno : 0;
	if (code == 0 && !S_ISREG(info.st_mode))
		code = EINVAL;
	if (code != 0) {
		np_check_error(c, NP_CODE_SOURCE_MISSING, pos, NULL, "the file '%s' cannot be read: %s", file->source,
		               g_strerror(code));
		return;
	}
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
	GHashTable *heads; /* name of image → image_head */
} files_checker;

static void node_files_check(np_node *node, gpointer data)
{
	files_checker *f = data;
	f->c->origin->node = node;
	root_check(f->c, node, f->heads);
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
	g_autoptr(GHashTable) heads = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	np_checker c = {lab, diags, origin, seen};
	files_checker f = {&c, heads};
	origin->node = NULL;
	for (guint i = 0; i < lab->images->len; i++)
		image_check(&c, lab->images->pdata[i], heads);
	keys_check(&c, lab->access.authorized_keys,
	           np_object_at(&np_access_kind, &lab->access.base, "authorized_keys"));
	np_lab_foreach_node(&lab->site, node_files_check, &f);
}
