/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/iface.h"

static void iface_free(gpointer data)
{
	np_iface *iface = data;
	g_free(iface->address);
	g_free(iface->ip);
	g_free(iface->netmask);
	g_free(iface->gateway);
	g_free(iface);
}

/* A network inside the node may be a bridge over one of its NICs. */
static const char *bridge_over(const np_node *node, const np_nic *nic)
{
	const GPtrArray *networks = node->site.networks;
	for (guint i = 0; networks != NULL && i < networks->len; i++) {
		const np_network *network = networks->pdata[i];
		if (network->mode == NP_NET_BRIDGE && g_strcmp0(network->nic, nic->base.name) == 0)
			return network->bridge ? network->bridge : network->device;
	}
	return NULL;
}

static gboolean routes(const np_network *network)
{
	return network->gateway != 0 &&
	       (network->mode == NP_NET_NAT || network->mode == NP_NET_ROUTE || network->mode == NP_NET_OPEN);
}

static np_iface *iface_of(const np_node *node, const np_nic *nic, gboolean *routed)
{
	const np_network *network = np_nic_network(node, nic);
	np_iface *iface = g_new0(np_iface, 1);
	iface->name = nic->base.name;
	iface->mac = nic->mac;
	iface->bridge = bridge_over(node, nic);
	iface->mtu = network ? network->mtu : 0;
	if (nic->address == 0 || network == NULL || !np_cidr_is_set(network->cidr)) {
		/* A bridge that the site had before leads to a network of others, who mostly hand out addresses there.
		 */
		iface->dhcp = network != NULL &&
		              (network->dhcp || (network->mode == NP_NET_BRIDGE && network->bridge != NULL));
		return iface;
	}
	iface->ip = np_ip_format(nic->address);
	iface->address = g_strdup_printf("%s/%u", iface->ip, network->cidr.prefix);
	iface->netmask = np_ip_format(np_cidr_netmask(network->cidr));
	if (!*routed && routes(network)) {
		iface->gateway = np_ip_format(network->gateway);
		*routed = TRUE;
	}
	return iface;
}

GPtrArray *np_ifaces_of(const np_node *node)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(iface_free);
	gboolean routed = FALSE;
	for (guint i = 0; node->nics != NULL && i < node->nics->len; i++)
		g_ptr_array_add(list, iface_of(node, node->nics->pdata[i], &routed));
	return list;
}

const char *np_iface_device(const np_iface *iface)
{
	return iface->bridge ? iface->bridge : iface->name;
}
