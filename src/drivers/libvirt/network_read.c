/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/network_read.h"

#include <string.h>

#include "drivers/libvirt/names.h"

static int read_mode(xmlNode *root)
{
	g_autofree char *mode = np_xml_get(root, "forward/@mode");
	if (!mode)
		return np_xml_has(root, "forward") ? NP_NET_NAT : NP_NET_ISOLATED;
	for (int i = 0; np_net_mode_names[i]; i++)
		if (strcmp(np_net_mode_names[i], mode) == 0)
			return i;
	return NP_NET_BRIDGE;
}

/* Of an element <ip> or <route>: its address, and the range that it lies in. */
static bool read_range(xmlNode *element, np_ip *ret_address, np_cidr *ret)
{
	g_autofree char *address = np_xml_get(element, "@address");
	g_autofree char *netmask = np_xml_get(element, "@netmask");
	np_ip mask = 0;
	if (!address || !np_ip_parse(address, ret_address))
		return false;
	ret->prefix = (unsigned)np_xml_get_uint(element, "@prefix");
	if (netmask && np_ip_parse(netmask, &mask))
		ret->prefix = (unsigned)__builtin_popcount(mask);
	ret->base = *ret_address & np_cidr_netmask(*ret);
	return true;
}

static void read_cidr(xmlNode *root, np_network *network)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "ip[not(@family='ipv6')]");
	if (found->len)
		(void)read_range(g_ptr_array_index(found, 0), &network->gateway, &network->cidr);
}

/* Of a bridge that is not its own libvirt has none to tell. */
static char *read_dhcp_range(xmlNode *root, const np_network *network)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "ip[not(@family='ipv6')]/dhcp/range");
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < found->len; i++) {
		g_autofree char *start = np_xml_get(g_ptr_array_index(found, i), "@start");
		g_autofree char *end = np_xml_get(g_ptr_array_index(found, i), "@end");
		g_string_append_printf(text, "%s%s-%s", i ? " " : "", start ? start : "?", end ? end : "?");
	}
	return network->mode == NP_NET_BRIDGE ? NULL : g_strdup(text->len ? text->str : NP_DHCP_RANGE_NONE);
}

void np_network_read_ranges(xmlNode *root, bool active, GPtrArray *ret)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "*[(self::ip or self::route) and not(@family='ipv6')]");
	for (guint i = 0; i < found->len; i++) {
		np_ip address;
		np_cidr range;
		if (read_range(g_ptr_array_index(found, i), &address, &range) && range.prefix > 0)
			g_ptr_array_add(ret, np_foreign_range_new(range, np_xml_get(root, "name"),
			                                          np_xml_get(root, "bridge/@name"), active));
	}
}

static void read_bridge(xmlNode *root, const np_mark *mark, np_network *network)
{
	network->device = np_xml_get(root, "bridge/@name");
	if (network->mode != NP_NET_BRIDGE)
		return;
	/* A bridge over a NIC was made for the network; without one the lab file names it. */
	if (mark && mark->nic) {
		network->nic = g_strdup(mark->nic);
		np_object_mark(&np_network_kind, &network->base, "nic");
	} else {
		network->bridge = g_strdup(network->device);
		np_object_mark(&np_network_kind, &network->base, "bridge");
	}
}

/* DNS names and DHCP reservations by IP. */
static GHashTable *read_hosts(xmlNode *root)
{
	GHashTable *hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) names = np_xml_find(root, "dns/host[@ip]");
	for (guint i = 0; i < names->len; i++) {
		xmlNode *host = g_ptr_array_index(names, i);
		g_autofree char *name = np_xml_get(host, "hostname");
		g_hash_table_insert(hosts, np_xml_get(host, "@ip"), np_host_text(name, NULL));
	}
	g_autoptr(GPtrArray) leases = np_xml_find(root, "ip[not(@family='ipv6')]/dhcp/host[@ip]");
	for (guint i = 0; i < leases->len; i++) {
		xmlNode *host = g_ptr_array_index(leases, i);
		g_autofree char *ip = np_xml_get(host, "@ip"), *name = np_xml_get(host, "@name"), *mac = np_xml_get(host, "@mac");
		/* Of NICs of one node only the first has the name here. */
		const char *known = g_hash_table_lookup(hosts, ip);
		g_autofree char *text = np_host_text(!name || g_strcmp0(known, name) == 0 ? known : NULL, mac);
		g_hash_table_insert(hosts, g_steal_pointer(&ip), g_steal_pointer(&text));
	}
	return hosts;
}

np_seen_network *np_network_read(xmlNode *root, np_mark *mark)
{
	np_seen_network *seen = np_seen_network_new();
	np_network *network = seen->network;
	network->libvirt_name = np_xml_get(root, "name");
	g_free(network->base.name);
	network->base.name = g_strdup(mark ? np_name_in_lab(mark->lab, network->libvirt_name) : network->libvirt_name);
	network->uuid = np_xml_get(root, "uuid");
	network->address = g_strdup(mark ? mark->address : NULL);
	network->mode = read_mode(root);
	read_cidr(root, network);
	network->dhcp = np_xml_has(root, "ip[not(@family='ipv6')]/dhcp");
	network->dhcp_range = read_dhcp_range(root, network);
	network->mtu = np_xml_get_uint(root, "mtu/@size");
	read_bridge(root, mark, network);
	seen->hosts = read_hosts(root);
	seen->applied = mark ? g_steal_pointer(&mark->applied) : NULL;
	/* Of a bridge that is not its own libvirt knows no MTU: the guests' NICs have it. */
	static const char *const observed[] = {"cidr", "mode", "dhcp", "mtu"};
	for (unsigned i = 0; i < G_N_ELEMENTS(observed) - (network->mode == NP_NET_BRIDGE); i++)
		np_object_mark(&np_network_kind, &network->base, observed[i]);
	return seen;
}
