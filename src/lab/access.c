/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/access.h"

#include <string.h>

#include "base/error.h"

static gboolean is_key(const char *text)
{
	return g_str_has_prefix(text, "ssh-") || g_str_has_prefix(text, "ecdsa-") || g_str_has_prefix(text, "sk-");
}

static void add_keys(GPtrArray *keys, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (is_key(g_strstrip(*line)))
			g_ptr_array_add(keys, g_strdup(*line));
}

gboolean np_access_keys_read(GPtrArray *keys, const char *entry, GError **error)
{
	if (is_key(entry)) {
		add_keys(keys, entry);
		return TRUE;
	}
	g_autofree char *text = NULL;
	g_autoptr(GError) local = NULL;
	if (!g_file_get_contents(entry, &text, NULL, &local)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "the key file '%s' cannot be read: %s.", entry, local->message);
		return FALSE;
	}
	add_keys(keys, text);
	return TRUE;
}

static gint compare(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *np_access_keys_id(const char *const *keys)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	for (; *keys; keys++) {
		char *id = g_compute_checksum_for_string(G_CHECKSUM_SHA256, *keys, -1);
		id[NP_KEY_DIGITS] = '\0';
		if (g_ptr_array_find_with_equal_func(ids, id, g_str_equal, NULL))
			g_free(id);
		else
			g_ptr_array_add(ids, id);
	}
	if (ids->len == 0)
		return g_strdup("none");
	g_ptr_array_sort(ids, compare);
	g_ptr_array_add(ids, NULL);
	return g_strjoinv(" ", (char **)ids->pdata);
}
