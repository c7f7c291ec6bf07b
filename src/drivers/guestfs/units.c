/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/units.h"

#include "base/error.h"

#define UNIT_DEPTH 8 /* of Also= */
#define SYSTEM     "/etc/systemd/system"

char *np_unit_name(const char *name)
{
	static const char *const suffixes[] = {".service", ".socket", ".timer",     ".target",
	                                       ".path",    ".mount",  ".automount", ".swap"};
	for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++)
		if (g_str_has_suffix(name, suffixes[i]))
			return g_strdup(name);
	return g_strconcat(name, ".service", NULL);
}

/* "getty@tty2.service" is made from "getty@.service". */
static char *unit_file_name(const char *unit)
{
	const char *at = strchr(unit, '@');
	const char *dot = strrchr(unit, '.');
	if (at == NULL || dot == NULL || dot <= at + 1)
		return g_strdup(unit);
	return g_strdup_printf("%.*s%s", (int)(at + 1 - unit), unit, dot);
}

/* Path of the unit's file, NULL when there is none. Caller frees. */
static char *unit_path(const np_guest_view *view, const char *unit)
{
	static const char *const folders[] = {SYSTEM, "/usr/local/lib/systemd/system", "/lib/systemd/system",
	                                      "/usr/lib/systemd/system"};
	g_autofree char *file = unit_file_name(unit);
	for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_build_filename(folders[i], file, NULL);
		if (np_view_exists(view, path))
			return g_steal_pointer(&path);
	}
	return NULL;
}

bool np_unit_exists(const np_guest_view *view, const char *unit)
{
	g_autofree char *path = unit_path(view, unit);
	return path != NULL;
}

/* Appends the words of `key` in the [Install] section. */
static void install_words(const char *text, const char *key, GPtrArray *words)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	gboolean install = FALSE;
	for (unsigned i = 0; lines[i] != NULL; i++) {
		char *line = g_strstrip(lines[i]);
		if (*line == '[')
			install = g_str_equal(line, "[Install]");
		g_auto(GStrv) pair = g_strsplit(line, "=", 2);
		if (!install || pair[0] == NULL || pair[1] == NULL || !g_str_equal(g_strchomp(pair[0]), key))
			continue;
		g_auto(GStrv) list = g_strsplit_set(pair[1], " \t", -1);
		for (unsigned k = 0; list[k] != NULL; k++)
			if (*list[k] != '\0')
				g_ptr_array_add(words, g_strdup(list[k]));
	}
}

/* All links that enabling makes, of the unit alone: of char*. */
static GPtrArray *unit_links(const char *text, const char *unit)
{
	static const char *const keys[][2] = {{"WantedBy", "wants"}, {"RequiredBy", "requires"}};
	GPtrArray *links = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
		install_words(text, keys[i][0], words);
		for (guint k = 0; k < words->len; k++)
			g_ptr_array_add(links,
			                g_strdup_printf(SYSTEM "/%s.%s/%s", (char *)words->pdata[k], keys[i][1], unit));
	}
	g_autoptr(GPtrArray) aliases = g_ptr_array_new_with_free_func(g_free);
	install_words(text, "Alias", aliases);
	for (guint k = 0; k < aliases->len; k++)
		if (!g_str_equal(aliases->pdata[k], unit))
			g_ptr_array_add(links, g_strdup_printf(SYSTEM "/%s", (char *)aliases->pdata[k]));
	return links;
}

static bool masked(const np_guest_view *view, const char *unit)
{
	g_autofree char *path = g_strconcat(SYSTEM "/", unit, NULL);
	g_autofree char *target = np_view_link(view, path);
	return g_strcmp0(target, "/dev/null") == 0;
}

static bool unit_enable(const np_guest_view *view, const char *unit, np_seed *seed, unsigned depth, GError **error)
{
	if (masked(view, unit)) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "unit %s is masked in the image and cannot be enabled",
		            unit);
		return false;
	}
	g_autofree char *path = unit_path(view, unit);
	g_autofree char *text = path ? np_view_read(view, path) : NULL;
	if (text == NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "the image has no systemd unit %s to enable", unit);
		return false;
	}
	g_autoptr(GPtrArray) links = unit_links(text, unit);
	for (guint i = 0; i < links->len; i++)
		if (!np_view_present(view, links->pdata[i]))
			np_seed_link(seed, links->pdata[i], path);
	g_autoptr(GPtrArray) also = g_ptr_array_new_with_free_func(g_free);
	install_words(text, "Also", also);
	for (guint i = 0; depth > 0 && i < also->len; i++)
		if (!g_str_equal(also->pdata[i], unit) && np_unit_exists(view, also->pdata[i]) &&
		    !masked(view, also->pdata[i]) && !unit_enable(view, also->pdata[i], seed, depth / 2, error))
			return false;
	return true;
}

bool np_unit_enable(const np_guest_view *view, const char *unit, np_seed *seed, GError **error)
{
	return unit_enable(view, unit, seed, UNIT_DEPTH, error);
}

void np_unit_disable(const np_guest_view *view, const char *unit, np_seed *seed)
{
	g_autofree char *path = unit_path(view, unit);
	g_autofree char *text = path ? np_view_read(view, path) : NULL;
	if (text == NULL)
		return;
	g_autoptr(GPtrArray) links = unit_links(text, unit);
	for (guint i = 0; i < links->len; i++)
		if (np_view_present(view, links->pdata[i]))
			np_seed_remove(seed, links->pdata[i]);
}

bool np_services_render(const np_services *services, bool later, const np_guest_view *view, np_seed *seed,
                        GError **error)
{
	guint enable = services->enable ? services->enable->len : 0,
	      disable = services->disable ? services->disable->len : 0;
	if (enable + disable == 0)
		return true;
	if (!np_view_exists(view, "/usr/lib/systemd/system") && !np_view_exists(view, "/lib/systemd/system")) {
		g_set_error(
		        error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		        "inject.services needs systemd, which its image has not: remove the key or take another image");
		return false;
	}
	for (guint i = 0; i < disable; i++) {
		g_autofree char *unit = np_unit_name(services->disable->pdata[i]);
		np_unit_disable(view, unit, seed);
	}
	for (guint i = 0; i < enable; i++) {
		g_autofree char *unit = np_unit_name(services->enable->pdata[i]);
		if (later && !np_unit_exists(view, unit))
			continue;
		if (!np_unit_enable(view, unit, seed, error))
			return false;
	}
	return true;
}
