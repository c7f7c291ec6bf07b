/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/guestview.h"

#include <stdlib.h>

#define READ_MAX (1024 * 1024)

GHashTable *np_guestview_cache_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/* The answer that is known for `kind` and path. */
static bool recall(const np_guestview *state, char kind, const char *path, char **ret)
{
	g_autofree char *key = g_strdup_printf("%c%s", kind, path);
	gpointer value = NULL;
	if (!g_hash_table_lookup_extended(state->seen, key, NULL, &value))
		return false;
	*ret = g_strdup(value);
	return true;
}

static char *remember(const np_guestview *state, char kind, const char *path, char *answer)
{
	g_hash_table_insert(state->seen, g_strdup_printf("%c%s", kind, path), g_strdup(answer));
	return answer;
}

static void fail(np_guestview *state, const char *path)
{
	if (state->error == NULL)
		(void)np_appliance_fail(state->appliance, &state->error, "looking at %s in its disk", path);
}

static bool view_exists(gpointer data, const char *path)
{
	np_guestview *state = data;
	g_autofree char *answer = NULL;
	if (recall(state, 'e', path, &answer))
		return answer != NULL;
	int result = guestfs_exists(np_appliance_handle(state->appliance), path);
	if (result == -1)
		fail(state, path);
	answer = remember(state, 'e', path, result == 1 ? g_strdup("") : NULL);
	return answer != NULL;
}

static char *view_link(gpointer data, const char *path)
{
	np_guestview *state = data;
	guestfs_h *g = np_appliance_handle(state->appliance);
	char *answer = NULL;
	if (recall(state, 'l', path, &answer))
		return answer;
	int result = guestfs_is_symlink(g, path);
	if (result == 1) {
		char *target = guestfs_readlink(g, path);
		answer = g_strdup(target);
		free(target);
	}
	if (result == -1 || (result == 1 && answer == NULL))
		fail(state, path);
	return remember(state, 'l', path, answer);
}

/* By pread: the calls that stream run a program in the appliance, which costs a hundred times as much. */
static char *view_read(gpointer data, const char *path)
{
	np_guestview *state = data;
	guestfs_h *g = np_appliance_handle(state->appliance);
	char *answer = NULL;
	if (recall(state, 'r', path, &answer))
		return answer;
	int result = guestfs_is_file_opts(g, path, GUESTFS_IS_FILE_OPTS_FOLLOWSYMLINKS, 1, -1);
	if (result == 1) {
		size_t length = 0;
		char *text = guestfs_pread(g, path, READ_MAX, 0, &length);
		answer = text ? g_strndup(text, length) : NULL;
		free(text);
	}
	if (result == -1 || (result == 1 && answer == NULL))
		fail(state, path);
	return remember(state, 'r', path, answer);
}

np_guest_view np_guestview_of(np_guestview *state)
{
	return (np_guest_view){.data = state, .exists = view_exists, .link = view_link, .read = view_read};
}
