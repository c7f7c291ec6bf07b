/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <string.h>

char *np_address_join(const char *site, const char *name)
{
	return site[0] == '\0' ? g_strdup(name) : g_strconcat(site, "/", name, NULL);
}

char *np_address_site(const char *address)
{
	const char *slash = strrchr(address, '/');
	return slash ? g_strndup(address, (gsize)(slash - address)) : g_strdup("");
}

const char *np_address_leaf(const char *address)
{
	const char *slash = strrchr(address, '/');
	return slash ? slash + 1 : address;
}

unsigned np_address_level(const char *address)
{
	unsigned level = address[0] == '\0' ? 0 : 1;
	for (const char *c = address; *c != '\0'; c++)
		level += *c == '/';
	return level;
}

bool np_address_within(const char *address, const char *ancestor)
{
	size_t length = strlen(ancestor);
	if (length == 0)
		return true;
	return strncmp(address, ancestor, length) == 0 && (address[length] == '\0' || address[length] == '/');
}
