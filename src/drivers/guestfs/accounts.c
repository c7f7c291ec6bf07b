/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/accounts.h"

#include "base/error.h"
#include "drivers/guestfs/files.h"

#define ID_FIRST 1000u
#define ID_LAST  59999u

typedef struct {
	guint32 uid, gid;
	char *home;
} account;

static void account_clear(account *who)
{
	g_clear_pointer(&who->home, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(account, account_clear)

/* Fields of the line of passwd or group that starts with "name:", NULL when there is none. */
static char **database_find(const char *text, const char *name)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], ":", -1);
		if (g_strcmp0(fields[0], name) == 0)
			return g_steal_pointer(&fields);
	}
	return NULL;
}

/* Adds to *used every number in the third field. */
static void database_ids(const char *text, GHashTable *used)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], ":", -1);
		if (g_strv_length(fields) > 2)
			g_hash_table_add(used, GUINT_TO_POINTER((guint)g_ascii_strtoull(fields[2], NULL, 10)));
	}
}

/* Free in both, so that a user's group may have the user's number. */
static guint32 free_id(const char *passwd, const char *group)
{
	g_autoptr(GHashTable) used = g_hash_table_new(g_direct_hash, g_direct_equal);
	database_ids(passwd, used);
	database_ids(group, used);
	guint32 id = ID_FIRST;
	while (id < ID_LAST && g_hash_table_contains(used, GUINT_TO_POINTER(id)))
		id++;
	return id;
}

static void append_line(np_seed *seed, const np_guest_view *view, const char *path, const char *line)
{
	g_autofree char *text = np_seed_current(seed, view, path);
	if (text == NULL)
		return;
	gboolean open_end = *text != '\0' && !g_str_has_suffix(text, "\n");
	g_autofree char *longer = g_strconcat(text, open_end ? "\n" : "", line, "\n", NULL);
	np_seed_edit(seed, path, longer);
}

static void account_add(const char *name, const np_guest_view *view, np_seed *seed, const char *passwd,
                        const char *group, account *ret)
{
	const char *shell = np_view_exists(view, "/bin/bash") ? "/bin/bash" : "/bin/sh";
	g_auto(GStrv) own_group = database_find(group, name);
	ret->uid = free_id(passwd, group);
	ret->gid = own_group && own_group[1] && own_group[2] ? (guint32)g_ascii_strtoull(own_group[2], NULL, 10)
	                                                     : ret->uid;
	ret->home = g_strconcat("/home/", name, NULL);
	g_autofree char *passwd_line = g_strdup_printf("%s:x:%u:%u::%s:%s", name, ret->uid, ret->gid, ret->home, shell);
	g_autofree char *group_line = g_strdup_printf("%s:x:%u:", name, ret->gid);
	/* "*" is no password; "!" would lock the account for keys too where PAM is strict. */
	g_autofree char *shadow_line = g_strdup_printf("%s:*::0:99999:7:::", name);
	g_autofree char *gshadow_line = g_strdup_printf("%s:!::", name);
	append_line(seed, view, "/etc/passwd", passwd_line);
	append_line(seed, view, "/etc/shadow", shadow_line);
	if (own_group == NULL) {
		append_line(seed, view, "/etc/group", group_line);
		append_line(seed, view, "/etc/gshadow", gshadow_line);
	}
}

static bool account_ensure(const char *name, const np_guest_view *view, np_seed *seed, account *ret, GError **error)
{
	g_autofree char *passwd = np_seed_current(seed, view, "/etc/passwd");
	g_autofree char *group = np_seed_current(seed, view, "/etc/group");
	if (passwd == NULL || group == NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "user '%s' cannot be made: its image has no /etc/passwd and /etc/group", name);
		return false;
	}
	g_auto(GStrv) found = database_find(passwd, name);
	if (found == NULL || g_strv_length(found) < 6) {
		account_add(name, view, seed, passwd, group, ret);
		return true;
	}
	ret->uid = (guint32)g_ascii_strtoull(found[2], NULL, 10);
	ret->gid = (guint32)g_ascii_strtoull(found[3], NULL, 10);
	ret->home = g_strdup(found[5]);
	return true;
}

static bool render_keys(const np_user *user, const account *who, np_seed *seed, GError **error)
{
	if (user->authorized_keys == NULL || user->authorized_keys->len == 0)
		return true;
	g_autofree char *folder = g_build_filename(who->home, ".ssh", NULL);
	g_autofree char *path = g_build_filename(folder, "authorized_keys", NULL);
	const np_seed_item *ours = np_seed_find(seed, path); /* root's: the lab's own key must stay */
	g_autoptr(GString) text = g_string_new(NULL);
	if (ours != NULL && ours->kind == NP_SEED_FILE)
		g_string_append_len(text, g_bytes_get_data(ours->content, NULL),
		                    (gssize)g_bytes_get_size(ours->content));
	for (guint i = 0; i < user->authorized_keys->len; i++) {
		g_autofree char *key = np_keys_read(user->authorized_keys->pdata[i], error);
		if (key == NULL)
			return false;
		g_string_append_printf(text, "%s\n", key);
	}
	g_autoptr(GBytes) bytes = g_bytes_new(text->str, text->len);
	np_seed_folder(seed, folder, 0700, who->uid, who->gid);
	np_seed_bytes(seed, path, bytes, 0600, who->uid, who->gid);
	return true;
}

static bool render_sudo(const np_user *user, const np_guest_view *view, np_seed *seed, GError **error)
{
	if (!user->sudo)
		return true;
	if (!np_view_exists(view, "/etc/sudoers.d")) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "user '%s' cannot have sudo: its image has no /etc/sudoers.d", user->user);
		return false;
	}
	g_autofree char *path = g_strconcat("/etc/sudoers.d/90-nestplan-", user->user, NULL);
	g_autofree char *text = g_strconcat(user->user, " ALL=(ALL) NOPASSWD:ALL\n", NULL);
	np_seed_text(seed, path, 0440, text);
	return true;
}

static bool render_user(const np_user *user, const np_guest_view *view, np_seed *seed, GError **error)
{
	g_auto(account) who = {0};
	if (!account_ensure(user->user, view, seed, &who, error))
		return false;
	if (!np_view_exists(view, who.home))
		np_seed_folder(seed, who.home, 0700, who.uid, who.gid);
	return render_keys(user, &who, seed, error) && render_sudo(user, view, seed, error);
}

bool np_accounts_render(const GPtrArray *users, const np_guest_view *view, np_seed *seed, GError **error)
{
	for (guint i = 0; users != NULL && i < users->len; i++)
		if (!render_user(users->pdata[i], view, seed, error))
			return false;
	return true;
}
