/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/network_xml.h"

#include "base/address.h"
#include "drivers/libvirt/mark.h"

static const np_site *site_of(const np_lab *lab, const np_network *network)
{
	g_autofree char *address = np_address_site(network->address);
	if (!*address)
		return &lab->site;
	const np_node *node = np_lab_node(lab, address);
	return node ? &node->site : NULL;
}

/* Appends one element a NIC that has an address on the network. */
static void each_nic(const np_lab *lab, const np_network *network, xmlNode *parent,
                     void (*write)(xmlNode *parent, const np_node *node, const np_nic *nic, const char *ip))
{
	const np_site *site = site_of(lab, network);
	for (guint i = 0; site && site->nodes && i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		for (guint j = 0; node->nics && j < node->nics->len; j++) {
			const np_nic *nic = g_ptr_array_index(node->nics, j);
			if (!nic->address || np_nic_network(node, nic) != network)
				continue;
			g_autofree char *ip = np_ip_format(nic->address);
			write(parent, node, nic, ip);
		}
	}
}

static void write_dns_host(xmlNode *dns, const np_node *node, const np_nic *nic, const char *ip)
{
	(void)nic;
	np_xml_add_text(np_xml_add(dns, "host", "ip", ip, NULL), "hostname", node->base.name);
}

static bool is_first_there(const np_node *node, const np_nic *nic)
{
	const np_network *network = np_nic_network(node, nic);
	for (guint i = 0; i < node->nics->len; i++) {
		const np_nic *other = g_ptr_array_index(node->nics, i);
		if (other->address && np_nic_network(node, other) == network)
			return other == nic;
	}
	return false;
}

/* To a network that runs libvirt adds no second one of a name, though it starts one that has it. */
static void write_dhcp_host(xmlNode *dhcp, const np_node *node, const np_nic *nic, const char *ip)
{
	xmlNode *host = np_xml_add(dhcp, "host", "mac", nic->mac, NULL);
	np_xml_attr(host, "name", is_first_there(node, nic) ? node->base.name : NULL);
	np_xml_attr(host, "ip", ip);
}

static void write_addresses(xmlNode *root, const np_lab *lab, const np_network *network)
{
	if (!np_cidr_is_set(network->cidr))
		return;
	np_xml_add(root, "domain", "name", lab->name, "localOnly", "yes", NULL);
	xmlNode *dns = np_xml_add(root, "dns", NULL);
	each_nic(lab, network, dns, write_dns_host);
	g_autofree char *gateway = np_ip_format(network->gateway);
	xmlNode *ip = np_xml_add(root, "ip", "family", "ipv4", "address", gateway, NULL);
	np_xml_attr_uint(ip, "prefix", network->cidr.prefix);
	if (!network->dhcp)
		return;
	xmlNode *dhcp = np_xml_add(ip, "dhcp", NULL);
	np_ip first, last;
	if (np_network_dhcp_range(network, &first, &last)) {
		g_autofree char *start = np_ip_format(first);
		g_autofree char *end = np_ip_format(last);
		np_xml_add(dhcp, "range", "start", start, "end", end, NULL);
	}
	each_nic(lab, network, dhcp, write_dhcp_host);
}

char *np_network_xml(const np_lab *lab, const np_network *network, const np_record *record)
{
	g_autoptr(xmlDoc) doc = np_xml_new("network");
	xmlNode *root = xmlDocGetRootElement(doc);
	np_xml_add_text(root, "name", network->libvirt_name);
	np_xml_add_text(root, "uuid", network->uuid);
	xmlNode *mark = np_mark_write(root, lab->name, network->address);
	np_xml_attr(mark, "nic", network->nic);
	np_mark_record(mark, record);
	if (network->mode != NP_NET_ISOLATED)
		np_xml_add(root, "forward", "mode", np_net_mode_names[network->mode], NULL);
	if (network->mode == NP_NET_BRIDGE) {
		np_xml_add(root, "bridge", "name", network->bridge ? network->bridge : network->device, NULL);
		return np_xml_format(doc);
	}
	np_xml_add(root, "bridge", "name", network->device, "stp", "on", "delay", "0", NULL);
	if (network->mtu)
		np_xml_attr_uint(np_xml_add(root, "mtu", NULL), "size", network->mtu);
	write_addresses(root, lab, network);
	return np_xml_format(doc);
}
