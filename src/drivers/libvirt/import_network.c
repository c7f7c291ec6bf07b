/* SPDX-License-Identifier: Apache-2.0 */
/* A foreign network as one of the lab's. To be adopted, a lab uses the network's bridge: the network itself may have
 * other users, and stays whose it is. */
#include <string.h>

#include "drivers/libvirt/import.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/network_read.h"

#define NAME_MAX_LENGTH 31

typedef struct {
	np_importer *importer;
	xmlNode *root;
	np_network *network;
	const char *about; /* "network 'default'" */
} reader;

static void mark(np_network *network, const char *field)
{
	np_object_mark(&np_network_kind, &network->base, field);
}

static np_network *network_new(np_importer *importer, const char *name)
{
	g_autofree char *ours = np_import_name(importer->names, "network", name, NAME_MAX_LENGTH);
	np_network *network = np_object_new(&np_network_kind, ours);
	if (strcmp(ours, name) != 0)
		np_remark_add(importer, network, NULL, "was named '%s'", name);
	return network;
}

static void bridge_set(np_network *network, const char *bridge)
{
	network->mode = NP_NET_BRIDGE;
	network->bridge = g_strdup(bridge);
	mark(network, "mode");
	mark(network, "bridge");
}

static bool is_bridge_name(const char *device)
{
	return device && g_regex_match_simple(np_kind_field(&np_network_kind, "bridge")->pattern, device, 0, 0);
}

/* libvirt lets two networks have one range as long as they do not run at the same time; a lab does not. */
static bool overlaps(const np_importer *importer, np_cidr cidr)
{
	const GPtrArray *networks = importer->import->lab->site.networks;
	bool found = false;
	for (guint i = 0; i < networks->len; i++)
		found = found || np_cidr_overlaps(((const np_network *)g_ptr_array_index(networks, i))->cidr, cidr);
	return found;
}

/* Why the lab's language has no such network; NULL: it has. */
static const char *cannot_be(const np_importer *importer, xmlNode *root, const np_network *seen)
{
	bool adopt = importer->request->adopt;
	g_autofree char *mode = np_xml_get(root, "forward/@mode");
	bool bridged = g_strcmp0(mode, "bridge") == 0;
	np_cidr of;
	if (mode && !g_strv_contains(np_net_mode_names, mode))
		return "its forward mode is none of a lab's";
	if ((bridged || adopt) && !is_bridge_name(seen->device))
		return bridged ? "it is over no bridge" : "it has no bridge";
	if (bridged || adopt)
		return NULL;
	if (!np_cidr_is_set(seen->cidr))
		return "it has no IPv4 range, which a lab's network needs";
	if (seen->cidr.prefix < 8 || seen->cidr.prefix > 30)
		return "its prefix length is not from 8 to 30";
	if (np_cidr_reserved(seen->cidr, &of))
		return "its range is loopback, link-local, multicast or reserved";
	return overlaps(importer, seen->cidr) ? "its range overlaps that of another" : NULL;
}

static void copy_own(const reader *r, const np_network *seen)
{
	np_network *network = r->network;
	network->mode = seen->mode;
	mark(network, "mode");
	network->dhcp = seen->dhcp;
	mark(network, "dhcp");
	const np_field *mtu = np_kind_field(&np_network_kind, "mtu");
	if (seen->mtu >= mtu->min && seen->mtu <= mtu->max) {
		network->mtu = seen->mtu;
		mark(network, "mtu");
	} else if (seen->mtu) {
		np_remark_add(r->importer, network, r->about, "not expressed: MTU %" G_GUINT64_FORMAT, seen->mtu);
	}
	if (seen->gateway == seen->cidr.base + 1)
		return;
	g_autofree char *gateway = np_ip_format(seen->gateway);
	np_remark_add(r->importer, network, r->about,
	              "not expressed: its own address %s (a lab's network has the first of its range)", gateway);
}

static void remark_rest(const reader *r)
{
	static const char *const known[] = {"name", "uuid", "metadata", "forward", "bridge",      "mtu", "mac",
	                                    "ip",   "dns",  "domain",   "title",   "description", NULL};
	static const char *const ip_known[] = {"dhcp", NULL}, *const dhcp_known[] = {"range", "host", NULL};
	np_import_unknown(r->importer, r->network, r->about, r->root, "*", known);
	np_import_unknown(r->importer, r->network, r->about, r->root,
	                  "ip[@family='ipv6'] | ip[not(@family='ipv6')][position() > 1]", (const char *const[]){NULL});
	np_import_unknown(r->importer, r->network, r->about, r->root, "ip/*", ip_known);
	np_import_unknown(r->importer, r->network, r->about, r->root, "ip/dhcp/*", dhcp_known);
	np_import_unknown(r->importer, r->network, r->about, r->root,
	                  "forward/*[not(self::nat[port/@start='1024' and port/@end='65535'])]",
	                  (const char *const[]){NULL});
	np_import_unknown(r->importer, r->network, r->about, r->root, "dns/*", (const char *const[]){NULL});
}

/* What libvirt does for each port of the network it would not do for a port of the lab's. */
static void remark_use(const reader *r, const char *name)
{
	np_remark_add(r->importer, r->network, r->about,
	              "libvirt's network '%s', used through its bridge; it stays as it is", name);
	if (np_xml_has(r->root, "virtualport | vlan | portgroup[@default='yes']"))
		np_obstacle_add(r->importer, r->network, r->about, "not expressed: its virtual ports or VLANs");
}

static void reservations_read(np_importer *importer, xmlNode *root)
{
	g_autoptr(GPtrArray) hosts = np_xml_find(root, "ip/dhcp/host[@mac and @ip]");
	for (guint i = 0; i < hosts->len; i++) {
		g_autofree char *mac = np_xml_get(g_ptr_array_index(hosts, i), "@mac");
		g_autofree char *text = np_xml_get(g_ptr_array_index(hosts, i), "@ip");
		np_ip ip;
		if (np_ip_parse(text, &ip))
			g_hash_table_insert(importer->addresses, g_ascii_strdown(mac, -1), GUINT_TO_POINTER(ip));
	}
}

void np_import_network(np_importer *importer, const char *key, xmlNode *root)
{
	g_autofree char *name = np_xml_get(root, "name");
	g_autofree char *about = g_strdup_printf("network '%s'", name);
	g_autoptr(np_seen_network) seen = np_network_read(root, NULL);
	bool adopt = importer->request->adopt;
	const char *why = cannot_be(importer, root, seen->network);
	g_hash_table_insert(importer->networks, g_strdup(key), NULL);
	if (why) {
		np_obstacle_add(importer, importer->import->lab, about, "not expressed: network '%s': %s", name, why);
		return;
	}
	reader r = {importer, root, network_new(importer, np_name_in_lab(importer->request->name, name)), about};
	reservations_read(importer, root);
	np_cidr of;
	bool usable = seen->network->cidr.prefix >= 8 && seen->network->cidr.prefix <= 30 &&
	              !np_cidr_reserved(seen->network->cidr, &of);
	if (usable && !overlaps(importer, seen->network->cidr)) {
		r.network->cidr = seen->network->cidr;
		mark(r.network, "cidr");
	}
	if (adopt || seen->network->mode == NP_NET_BRIDGE)
		bridge_set(r.network, seen->network->device);
	else
		copy_own(&r, seen->network);
	if (adopt)
		remark_use(&r, name);
	else
		remark_rest(&r);
	g_ptr_array_add(np_objects_own(&importer->import->lab->site.networks), r.network);
	g_hash_table_insert(importer->networks, g_strdup(key), r.network);
}

void np_import_bridge(np_importer *importer, const char *key, const char *bridge)
{
	g_hash_table_insert(importer->networks, g_strdup(key), NULL);
	if (!is_bridge_name(bridge))
		return;
	np_network *network = network_new(importer, bridge);
	bridge_set(network, bridge);
	g_ptr_array_add(np_objects_own(&importer->import->lab->site.networks), network);
	g_hash_table_insert(importer->networks, g_strdup(key), network);
}
