/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/names.h"

#include <string.h>

#include "drivers/driver.h"

#define POOL_PREFIX   "nestplan-"
#define MARKER_ENDING ".uploading"
#define MARKER_DIGITS 8

const char *np_name_in_lab(const char *lab, const char *name)
{
	size_t length = strlen(lab);
	return strncmp(name, lab, length) == 0 && name[length] == '.' ? name + length + 1 : name;
}

char *np_disk_of_volume(const char *node, const char *volume)
{
	static const char ending[] = ".qcow2";
	size_t prefix = strlen(node);
	if (!volume || strncmp(volume, node, prefix) != 0 || volume[prefix] != '.' || !g_str_has_suffix(volume, ending))
		return NULL;
	size_t length = strlen(volume) - prefix - 1;
	return length >= sizeof(ending) ? g_strndup(volume + prefix + 1, length - strlen(ending)) : NULL;
}

char *np_foreign_disk_name(const char *target)
{
	return g_strconcat(target ? target : "disk", "*", NULL);
}

char *np_marker_name(const char *volume)
{
	g_autofree char *uuid = g_uuid_string_random();
	return g_strdup_printf("%s.%.*s" MARKER_ENDING, volume, MARKER_DIGITS, uuid);
}

char *np_volume_of_marker(const char *marker)
{
	size_t ending = 1 + MARKER_DIGITS + strlen(MARKER_ENDING), length = strlen(marker);
	if (!g_str_has_suffix(marker, MARKER_ENDING) || length <= ending || marker[length - ending] != '.')
		return NULL;
	return g_strndup(marker, length - ending);
}

bool np_pool_is_ours(const char *pool)
{
	return g_str_has_prefix(pool, POOL_PREFIX);
}

const char *np_lab_of_pool(const char *pool)
{
	return np_pool_is_ours(pool) && strcmp(pool, NP_POOL_IMAGES) != 0 ? pool + strlen(POOL_PREFIX) : NULL;
}
