/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/netconf.h"

#include "base/error.h"
#include "drivers/guestfs/iface.h"

#define WRITTEN "# written by nestplan\n"

np_net_style np_net_style_detect(const np_guest_view *view)
{
	if (np_view_exists(view, "/etc/netplan") && np_view_exists(view, "/usr/sbin/netplan"))
		return NP_STYLE_NETPLAN;
	if (np_view_present(view, "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service") ||
	    np_view_present(view, "/etc/systemd/system/dbus-org.freedesktop.network1.service"))
		return NP_STYLE_NETWORKD;
	if (np_view_exists(view, "/etc/network/interfaces"))
		return NP_STYLE_IFUPDOWN;
	return NP_STYLE_NONE;
}

/* Type=ether leaves out bridges and VLANs, which take over the MAC of a NIC below them. */
static void render_link(np_seed *seed, const np_iface *iface)
{
	g_autofree char *path = g_strdup_printf("/etc/systemd/network/10-nestplan-%s.link", iface->name);
	g_autofree char *text = g_strdup_printf(WRITTEN "[Match]\nType=ether\nMACAddress=%s\n\n[Link]\nName=%s\n",
	                                        iface->mac, iface->name);
	np_seed_text(seed, path, 0644, text);
}

static void append_networkd_link(GString *text, const np_iface *iface)
{
	if (iface->mtu > 0)
		g_string_append_printf(text, "\n[Link]\nMTUBytes=%" G_GUINT64_FORMAT "\n", iface->mtu);
	/* Nobody need wait for an interface that nothing configures. */
	else if (iface->address == NULL && !iface->dhcp && iface->bridge == NULL)
		g_string_append(text, "\n[Link]\nRequiredForOnline=no\n");
}

static void append_networkd_address(GString *text, const np_iface *iface)
{
	g_string_append_printf(text, "DHCP=%s\nIPv6AcceptRA=no\n", iface->dhcp ? "ipv4" : "no");
	if (iface->address != NULL)
		g_string_append_printf(text, "Address=%s\n", iface->address);
	if (iface->gateway != NULL)
		g_string_append_printf(text, "Gateway=%s\nDNS=%s\n", iface->gateway, iface->gateway);
}

static void render_networkd_bridge(np_seed *seed, const np_iface *iface)
{
	g_autofree char *netdev = g_strdup_printf("/etc/systemd/network/10-nestplan-%s.netdev", iface->bridge);
	g_autofree char *network = g_strdup_printf("/etc/systemd/network/10-nestplan-%s.network", iface->bridge);
	g_autofree char *device =
	        g_strdup_printf(WRITTEN "[NetDev]\nName=%s\nKind=bridge\n\n[Bridge]\nSTP=no\n", iface->bridge);
	g_autoptr(GString) text = g_string_new(WRITTEN);
	g_string_append_printf(text, "[Match]\nName=%s\n", iface->bridge);
	append_networkd_link(text, iface);
	g_string_append(text, "\n[Network]\n");
	append_networkd_address(text, iface);
	np_seed_text(seed, netdev, 0644, device);
	np_seed_text(seed, network, 0644, text->str);
}

static void render_networkd(np_seed *seed, const GPtrArray *ifaces)
{
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = ifaces->pdata[i];
		g_autofree char *path = g_strdup_printf("/etc/systemd/network/10-nestplan-%s.network", iface->name);
		g_autoptr(GString) text = g_string_new(WRITTEN);
		g_string_append_printf(text, "[Match]\nName=%s\n", iface->name);
		append_networkd_link(text, iface);
		g_string_append(text, "\n[Network]\n");
		if (iface->bridge != NULL)
			g_string_append_printf(text, "Bridge=%s\n", iface->bridge);
		else
			append_networkd_address(text, iface);
		render_link(seed, iface);
		np_seed_text(seed, path, 0644, text->str);
		if (iface->bridge != NULL)
			render_networkd_bridge(seed, iface);
	}
}

static void append_netplan_address(GString *text, const np_iface *iface)
{
	g_string_append_printf(text, "      dhcp4: %s\n", iface->dhcp ? "true" : "false");
	if (iface->address != NULL)
		g_string_append_printf(text, "      addresses: [\"%s\"]\n", iface->address);
	if (iface->gateway != NULL)
		g_string_append_printf(
		        text, "      routes: [{to: 0.0.0.0/0, via: %s}]\n      nameservers: {addresses: [%s]}\n",
		        iface->gateway, iface->gateway);
}

static void append_netplan_mtu(GString *text, const np_iface *iface)
{
	if (iface->mtu > 0)
		g_string_append_printf(text, "      mtu: %" G_GUINT64_FORMAT "\n", iface->mtu);
}

static void render_netplan(np_seed *seed, const GPtrArray *ifaces)
{
	g_autoptr(GString) text = g_string_new(WRITTEN "network:\n  version: 2\n  ethernets:\n");
	g_autoptr(GString) bridges = g_string_new(NULL);
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = ifaces->pdata[i];
		g_string_append_printf(text, "    %s:\n      match: {macaddress: \"%s\"}\n      set-name: %s\n",
		                       iface->name, iface->mac, iface->name);
		append_netplan_mtu(text, iface);
		if (iface->bridge == NULL) {
			append_netplan_address(text, iface);
			continue;
		}
		g_string_append(text, "      dhcp4: false\n");
		g_string_append_printf(bridges, "    %s:\n      interfaces: [%s]\n      parameters: {stp: false}\n",
		                       iface->bridge, iface->name);
		append_netplan_mtu(bridges, iface);
		append_netplan_address(bridges, iface);
	}
	if (bridges->len > 0)
		g_string_append_printf(text, "  bridges:\n%s", bridges->str);
	np_seed_text(seed, "/etc/netplan/60-nestplan.yaml", 0600, text->str);
}

/* With iproute2 (busybox has it too) and not by bridge-utils, which may be missing. */
static void append_ifupdown_bridge(GString *text, const np_iface *iface)
{
	g_string_append_printf(text,
	                       "    pre-up ip link show dev %s >/dev/null 2>&1 || ip link add name %s type bridge\n"
	                       "    pre-up ip link set dev %s up\n"
	                       "    pre-up ip link set dev %s master %s\n",
	                       iface->bridge, iface->bridge, iface->name, iface->name, iface->bridge);
}

static void append_ifupdown(GString *text, const np_iface *iface)
{
	const char *device = np_iface_device(iface);
	const char *method = iface->address ? "static" : iface->dhcp ? "dhcp" : "manual";
	g_string_append_printf(text, "\nauto %s\niface %s inet %s\n", device, device, method);
	if (iface->bridge != NULL)
		append_ifupdown_bridge(text, iface);
	if (iface->mtu > 0 && iface->bridge != NULL)
		g_string_append_printf(text, "    pre-up ip link set dev %s mtu %" G_GUINT64_FORMAT "\n", iface->name,
		                       iface->mtu);
	if (iface->address != NULL)
		g_string_append_printf(text, "    address %s\n    netmask %s\n", iface->ip, iface->netmask);
	else if (!iface->dhcp)
		g_string_append_printf(text, "    up ip link set dev %s up\n", device);
	if (iface->gateway != NULL)
		g_string_append_printf(text, "    gateway %s\n    dns-nameservers %s\n", iface->gateway,
		                       iface->gateway);
	if (iface->mtu > 0)
		g_string_append_printf(text, "    pre-up ip link set dev %s mtu %" G_GUINT64_FORMAT "\n", device,
		                       iface->mtu);
}

/* Names come from udev where there is one, and from /etc/mactab (busybox nameif) where there is none. */
static void render_ifupdown(np_seed *seed, const GPtrArray *ifaces, const np_guest_view *view)
{
	g_autoptr(GString) text = g_string_new(WRITTEN "auto lo\niface lo inet loopback\n");
	g_autoptr(GString) mactab = g_string_new(NULL);
	gboolean udev = np_view_exists(view, "/usr/lib/systemd") || np_view_exists(view, "/lib/systemd");
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = ifaces->pdata[i];
		append_ifupdown(text, iface);
		g_string_append_printf(mactab, "%s %s\n", iface->name, iface->mac);
		if (udev)
			render_link(seed, iface);
	}
	np_seed_text(seed, "/etc/network/interfaces", 0644, text->str);
	np_seed_text(seed, "/etc/mactab", 0644, mactab->str);
}

/* Where nothing in the guest manages it. systemd-resolved and others make it a link into /run. */
static void render_resolv_conf(np_seed *seed, const GPtrArray *ifaces, const np_guest_view *view)
{
	g_autofree char *target = np_view_link(view, "/etc/resolv.conf");
	if (target != NULL && strstr(target, "run/") != NULL)
		return;
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = ifaces->pdata[i];
		if (iface->gateway == NULL)
			continue;
		g_autofree char *text = g_strdup_printf(WRITTEN "nameserver %s\n", iface->gateway);
		np_seed_text(seed, "/etc/resolv.conf", 0644, text);
	}
}

static gboolean needed(const GPtrArray *ifaces)
{
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = ifaces->pdata[i];
		if (iface->address != NULL || iface->dhcp || iface->bridge != NULL)
			return TRUE;
	}
	return FALSE;
}

bool np_netconf_render(const np_node *node, const np_guest_view *view, np_seed *seed, GError **error)
{
	g_autoptr(GPtrArray) ifaces = np_ifaces_of(node);
	switch (np_net_style_detect(view)) {
	case NP_STYLE_NETPLAN: render_netplan(seed, ifaces); break;
	case NP_STYLE_NETWORKD: render_networkd(seed, ifaces); break;
	case NP_STYLE_IFUPDOWN: render_ifupdown(seed, ifaces, view); break;
	case NP_STYLE_NONE:
		if (!needed(ifaces))
			return true;
		g_set_error(
		        error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		        "image '%s' configures its network in no way that nestplan knows: it has neither netplan, nor "
		        "systemd-networkd enabled, nor /etc/network/interfaces; add one of them to the image",
		        node->image);
		return false;
	}
	render_resolv_conf(seed, ifaces, view);
	return true;
}
