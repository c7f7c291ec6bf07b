/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's main routing table, which is also where libvirt looks before it starts a network. */
#include <stdio.h>
#include <stdlib.h>

#include "drivers/kmod/kmod.h"

/* Of the kernel's interface: <linux/route.h>, <linux/if.h>. */
#define ROUTE_UP              0x1
#define DEVICE_POINT_TO_POINT 0x10

static bool is_tunnel(const char *root, const char *device)
{
	g_autofree char *path = g_strdup_printf("/sys/class/net/%s/flags", device);
	g_autofree char *text = np_kmod_read(root, path);
	return text && (strtoul(text, NULL, 16) & DEVICE_POINT_TO_POINT);
}

/* One line of /proc/net/route: addresses are hexadecimal numbers as they lie in memory. */
static void read_line(const char *root, const char *line, GPtrArray *ret)
{
	char device[32];
	unsigned to, gateway, flags, mask;
	if (sscanf(line, "%31s %x %x %x %*d %*d %*d %x", device, &to, &gateway, &flags, &mask) != 5)
		return;
	np_cidr range = {g_ntohl(to), (unsigned)__builtin_popcount(mask)};
	/* "*" is no way at all: a range that is to be refused. */
	if ((flags & ROUTE_UP) && range.prefix > 0 && device[0] != '*')
		g_ptr_array_add(ret, np_route_new(range, g_strdup(device), !gateway && !is_tunnel(root, device)));
}

void np_routes_read(const char *root, GPtrArray *ret)
{
	g_autofree char *text = np_kmod_read(root, "/proc/net/route");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (char **line = lines; *line; line++)
		read_line(root, *line, ret);
}
