/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/network.h"

#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/network_read.h"
#include "drivers/libvirt/network_xml.h"

/* Sections of a network that libvirt changes while it runs; its DHCP comes and goes with the first and the last entry. IPv6 is
 * nobody's here. */
static const struct {
	int section;
	const char *path;
} sections[] = {
	{VIR_NETWORK_SECTION_IP_DHCP_RANGE, "ip[not(@family='ipv6')]/dhcp/range"},
	{VIR_NETWORK_SECTION_IP_DHCP_HOST, "ip[not(@family='ipv6')]/dhcp/host"},
	{VIR_NETWORK_SECTION_DNS_HOST, "dns/host"},
};

static bool fail(np_conn *conn, virNetworkPtr vir, const char *what, GError **error)
{
	np_virt_error(error, NP_ERROR_FAILED, "Network '%s' cannot be %s at %s", virNetworkGetName(vir), what,
	              conn->uri);
	return false;
}

/* What identifies an entry, whatever the order of its attributes. */
static char *entry_key(xmlNode *entry)
{
	g_autofree char *mac = np_xml_get(entry, "@mac|@start");
	g_autofree char *ip = np_xml_get(entry, "@ip|@end");
	g_autofree char *name = np_xml_get(entry, "@name|hostname");
	return g_strjoin("|", mac ? mac : "", ip ? ip : "", name ? name : "", NULL);
}

static GHashTable *entry_keys(xmlNode *root, const char *path)
{
	GHashTable *keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) found = np_xml_find(root, path);
	for (guint i = 0; i < found->len; i++)
		g_hash_table_insert(keys, entry_key(g_ptr_array_index(found, i)), g_ptr_array_index(found, i));
	return keys;
}

/* Which <ip> of the live network libvirt is to look at: the one that the entry is in, or for a new one the first of IPv4. Left to
 * choose, it takes one with DHCP, which may be somebody's IPv6. */
static int ip_index(xmlNode *live, const xmlNode *entry)
{
	g_autoptr(GPtrArray) ips = np_xml_find(live, "ip");
	for (guint i = 0; i < ips->len; i++) {
		xmlNode *ip = g_ptr_array_index(ips, i);
		g_autofree char *family = np_xml_get(ip, "@family");
		bool ours = entry->doc == live->doc ? entry->parent->parent == ip : g_strcmp0(family, "ipv6") != 0;
		if (ours)
			return (int)i;
	}
	return -1;
}

/* What tells libvirt which entry goes. A name of two addresses would be two entries to it. Caller frees. */
static char *entry_text(int section, virNetworkUpdateCommand command, xmlNode *entry)
{
	if (section != VIR_NETWORK_SECTION_DNS_HOST || command != VIR_NETWORK_UPDATE_COMMAND_DELETE)
		return np_xml_format_node(entry);
	g_autofree char *ip = np_xml_get(entry, "@ip");
	g_autoptr(xmlDoc) doc = np_xml_new("host");
	np_xml_attr(xmlDocGetRootElement(doc), "ip", ip);
	return np_xml_format_node(xmlDocGetRootElement(doc));
}

/* Applies `command` to the live network for each entry that is in `these` and not in `those`. */
static bool update_entries(virNetworkPtr vir, xmlNode *live, int section, virNetworkUpdateCommand command, GHashTable *these,
                           GHashTable *those)
{
	GHashTableIter iter;
	gpointer key, element;
	g_hash_table_iter_init(&iter, these);
	while (g_hash_table_iter_next(&iter, &key, &element)) {
		if (g_hash_table_contains(those, key))
			continue;
		g_autofree char *xml = entry_text(section, command, element);
		if (virNetworkUpdate(vir, command, (unsigned)section, ip_index(live, element), xml, VIR_NETWORK_UPDATE_AFFECT_LIVE) < 0)
			return false;
	}
	return true;
}

static bool sync_entries(virNetworkPtr vir, xmlNode *live, xmlNode *wanted)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(sections); i++) {
		g_autoptr(GHashTable) is = entry_keys(live, sections[i].path);
		g_autoptr(GHashTable) be = entry_keys(wanted, sections[i].path);
		if (!update_entries(vir, live, sections[i].section, VIR_NETWORK_UPDATE_COMMAND_DELETE, is, be) ||
		    !update_entries(vir, live, sections[i].section, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, be, is))
			return false;
	}
	return true;
}

/* True when the two differ in more than these. */
static bool differs(xmlNode *live, xmlNode *wanted)
{
	g_autoptr(np_seen_network) a = np_network_read(live, NULL);
	g_autoptr(np_seen_network) b = np_network_read(wanted, NULL);
	const np_network *x = a->network, *y = b->network;
	return x->mode != y->mode || x->cidr.base != y->cidr.base || x->cidr.prefix != y->cidr.prefix ||
	       x->mtu != y->mtu || x->gateway != y->gateway ||
	       g_strcmp0(x->device, y->device) != 0;
}

/* A running network gets hosts and DHCP while it runs; for anything else it is started anew. */
static bool bring_up_to_date(np_conn *conn, virNetworkPtr vir, const char *wanted, GError **error)
{
	char *text = virNetworkGetXMLDesc(vir, 0);
	if (!text)
		return fail(conn, vir, "read", error);
	g_autoptr(xmlDoc) live = np_xml_parse(text, virNetworkGetName(vir), error);
	free(text);
	g_autoptr(xmlDoc) doc = live ? np_xml_parse(wanted, virNetworkGetName(vir), error) : NULL;
	if (!doc)
		return false;
	if (differs(xmlDocGetRootElement(live), xmlDocGetRootElement(doc)))
		return virNetworkDestroy(vir) == 0 || fail(conn, vir, "stopped", error);
	return sync_entries(vir, xmlDocGetRootElement(live), xmlDocGetRootElement(doc)) ||
	       fail(conn, vir, "given its hosts and DHCP range", error);
}

bool np_network_ensure(np_conn *conn, const np_lab *lab, const np_network *network, const np_record *record, GError **error)
{
	GError *local = NULL;
	g_autoptr(virNetwork) old = np_network_find(conn, lab->name, network->libvirt_name, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	g_autofree char *xml = np_network_xml(lab, network, record);
	g_autoptr(virNetwork) vir = virNetworkDefineXML(conn->vir, xml);
	if (!vir) {
		np_virt_error(error, NP_ERROR_FAILED, "Network '%s' cannot be defined at %s", network->libvirt_name,
		              conn->uri);
		return false;
	}
	if (virNetworkSetAutostart(vir, 1) < 0)
		return fail(conn, vir, "set to start by itself", error);
	if (old && virNetworkIsActive(vir) == 1 && !bring_up_to_date(conn, vir, xml, error))
		return false;
	if (virNetworkIsActive(vir) == 1 || virNetworkCreate(vir) == 0)
		return true;
	return fail(conn, vir, "started", error);
}

bool np_network_delete(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	GError *local = NULL;
	g_autoptr(virNetwork) vir = np_network_find(conn, lab, libvirt_name, &local);
	if (!vir) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	if (virNetworkIsActive(vir) == 1 && virNetworkDestroy(vir) < 0)
		return fail(conn, vir, "stopped", error);
	if (virNetworkUndefine(vir) < 0 && !np_virt_error_is(VIR_ERR_NO_NETWORK))
		return fail(conn, vir, "removed", error);
	return true;
}
