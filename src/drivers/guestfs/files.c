/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/files.h"

#include "base/error.h"
#include "lab/lab.h"

static GBytes *source_read(const np_lab *lab, const np_node *node, const np_file *file, GError **error)
{
	g_autofree char *text = NULL;
	gsize length = 0;
	g_autoptr(GError) local = NULL;
	if (!g_file_get_contents(file->source, &text, &length, &local)) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
		            "the source '%s' of the injected file %s cannot be read: %s", file->source, file->path,
		            local->message);
		return NULL;
	}
	if (!file->expand)
		return g_bytes_new_take(g_steal_pointer(&text), length);
	if (memchr(text, '\0', length) != NULL || !g_utf8_validate_len(text, length, NULL)) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
		            "the source '%s' of the injected file %s is not text: remove 'template: true' to copy it "
		            "as it is",
		            file->source, file->path);
		return NULL;
	}
	char *expanded = np_lab_expand(lab, node, text, error);
	if (expanded == NULL) {
		g_prefix_error(error, "%s, the source of the injected file %s: ", file->source, file->path);
		return NULL;
	}
	return g_bytes_new_take(expanded, strlen(expanded));
}

GBytes *np_file_bytes(const np_lab *lab, const np_node *node, const np_file *file, GError **error)
{
	if (file->source != NULL)
		return source_read(lab, node, file, error);
	char *content = np_lab_expand(lab, node, file->content ? file->content : "", error);
	if (content == NULL) {
		g_prefix_error(error, "the content of the injected file %s: ", file->path);
		return NULL;
	}
	return g_bytes_new_take(content, strlen(content));
}

static void owner_parse(const char *owner, guint32 *uid, guint32 *gid)
{
	char *end = NULL;
	*uid = *gid = 0;
	if (owner == NULL)
		return;
	*uid = (guint32)g_ascii_strtoull(owner, &end, 10);
	if (*end == ':')
		*gid = (guint32)g_ascii_strtoull(end + 1, NULL, 10);
}

bool np_files_render(const np_lab *lab, const np_node *node, np_seed *seed, GError **error)
{
	const GPtrArray *files = node->inject.files;
	for (guint i = 0; files != NULL && i < files->len; i++) {
		const np_file *file = files->pdata[i];
		guint32 uid, gid;
		g_autoptr(GBytes) bytes = np_file_bytes(lab, node, file, error);
		if (bytes == NULL)
			return false;
		owner_parse(file->owner, &uid, &gid);
		np_seed_bytes(seed, file->path, bytes, file->mode, uid, gid);
	}
	return true;
}

char *np_keys_read(const char *entry, GError **error)
{
	if (g_regex_match_simple("^(ssh-|ecdsa-|sk-)\\S+ \\S+", entry, 0, 0))
		return g_strdup(entry);
	char *text = NULL;
	g_autoptr(GError) local = NULL;
	if (!g_file_get_contents(entry, &text, NULL, &local)) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "the public key file '%s' cannot be read: %s", entry,
		            local->message);
		return NULL;
	}
	return g_strchomp(text);
}

/* Every value with its length before it: no two different lists have the same text. */
static void hash_value(GChecksum *sum, const void *data, gsize length)
{
	g_autofree char *prefix = g_strdup_printf("%" G_GSIZE_FORMAT ":", length);
	g_checksum_update(sum, (const guchar *)prefix, -1);
	g_checksum_update(sum, data, (gssize)length);
}

static void hash_text(GChecksum *sum, const char *text)
{
	hash_value(sum, text ? text : "", text ? strlen(text) : 0);
}

static void hash_count(GChecksum *sum, const char *name, const GPtrArray *list)
{
	g_autofree char *text = g_strdup_printf("%s %u", name, list ? list->len : 0);
	hash_text(sum, text);
}

static void hash_strings(GChecksum *sum, const char *name, const GPtrArray *list)
{
	hash_count(sum, name, list);
	for (guint i = 0; list != NULL && i < list->len; i++)
		hash_text(sum, list->pdata[i]);
}

static bool hash_files(GChecksum *sum, const np_lab *lab, const np_node *node, GError **error)
{
	const GPtrArray *files = node->inject.files;
	hash_count(sum, "files", files);
	for (guint i = 0; files != NULL && i < files->len; i++) {
		const np_file *file = files->pdata[i];
		guint32 uid, gid;
		g_autoptr(GBytes) bytes = np_file_bytes(lab, node, file, error);
		if (bytes == NULL)
			return false;
		owner_parse(file->owner, &uid, &gid);
		g_autofree char *rights = g_strdup_printf("%o %u:%u", file->mode, uid, gid);
		hash_text(sum, file->path);
		hash_text(sum, rights);
		hash_value(sum, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	}
	return true;
}

static bool hash_users(GChecksum *sum, const GPtrArray *users, GError **error)
{
	hash_count(sum, "users", users);
	for (guint i = 0; users != NULL && i < users->len; i++) {
		const np_user *user = users->pdata[i];
		hash_text(sum, user->user);
		hash_text(sum, user->sudo ? "sudo" : "");
		hash_count(sum, "keys", user->authorized_keys);
		for (guint k = 0; user->authorized_keys != NULL && k < user->authorized_keys->len; k++) {
			g_autofree char *key = np_keys_read(user->authorized_keys->pdata[k], error);
			if (key == NULL)
				return false;
			hash_text(sum, key);
		}
	}
	return true;
}

static bool hash_run(GChecksum *sum, const np_lab *lab, const np_node *node, GError **error)
{
	const GPtrArray *run = node->inject.run;
	hash_count(sum, "run", run);
	for (guint i = 0; run != NULL && i < run->len; i++) {
		g_autofree char *text = np_lab_expand(lab, node, run->pdata[i], error);
		if (text == NULL)
			return false;
		hash_text(sum, text);
	}
	return true;
}

char *np_inject_id(const np_lab *lab, const np_node *node, GError **error)
{
	const np_inject *inject = &node->inject;
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	hash_text(sum, "nestplan inject 1");
	hash_strings(sum, "enable", inject->services.enable);
	hash_strings(sum, "disable", inject->services.disable);
	hash_strings(sum, "packages", inject->packages);
	if (!hash_files(sum, lab, node, error) || !hash_users(sum, inject->users, error) ||
	    !hash_run(sum, lab, node, error)) {
		g_prefix_error(error, "node '%s': ", node->address);
		return NULL;
	}
	return g_strdup(g_checksum_get_string(sum));
}
