/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/model.h"

#include <string.h>

void np_lab_free(np_lab *lab)
{
	if (lab != NULL)
		np_object_free(&np_lab_kind, lab);
}

void np_node_free(np_node *node)
{
	if (node != NULL)
		np_object_free(&np_node_kind, node);
}

void np_network_free(np_network *network)
{
	if (network != NULL)
		np_object_free(&np_network_kind, network);
}

gboolean np_node_is_site(const np_node *node)
{
	return node->site.nodes->len > 0 || node->site.networks->len > 0;
}

static np_node *site_node(const np_site *site, const char *name, size_t length)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		np_node *node = site->nodes->pdata[i];
		if (strncmp(node->base.name, name, length) == 0 && node->base.name[length] == '\0')
			return node;
	}
	return NULL;
}

np_node *np_lab_node(const np_lab *lab, const char *address)
{
	const np_site *site = &lab->site;
	np_node *node = NULL;
	for (;;) {
		size_t length = strcspn(address, "/");
		node = length > 0 ? site_node(site, address, length) : NULL;
		if (node == NULL || address[length] == '\0')
			return node;
		address += length + 1;
		site = &node->site;
	}
}

np_site *np_lab_site(np_lab *lab, const char *address)
{
	if (address[0] == '\0')
		return &lab->site;
	np_node *node = np_lab_node(lab, address);
	return node ? &node->site : NULL;
}

void np_lab_foreach_node(const np_site *site, void (*fn)(np_node *node, gpointer data), gpointer data)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		np_node *node = site->nodes->pdata[i];
		fn(node, data);
		np_lab_foreach_node(&node->site, fn, data);
	}
}

gboolean np_network_dhcp_range(const np_network *network, np_ip *ret_first, np_ip *ret_last)
{
	if (!network->dhcp || network->mode == NP_NET_BRIDGE || network->cidr.prefix < 2 || network->cidr.prefix > 29)
		return FALSE;
	np_ip quarter = (np_ip)1 << (30 - network->cidr.prefix);
	*ret_first = network->cidr.base + 3 * quarter;
	*ret_last = np_cidr_broadcast(network->cidr) - 1;
	return TRUE;
}

const np_nic *np_node_access_nic(const np_node *node)
{
	for (guint i = 0; i < node->nics->len; i++) {
		const np_nic *nic = node->nics->pdata[i];
		if (nic->address != 0)
			return nic;
	}
	return NULL;
}

const np_network *np_nic_network(const np_node *node, const np_nic *nic)
{
	const char *name = nic->network ? nic->network : nic->base.name;
	return node->parent ? np_map_find(node->parent->networks, name) : NULL;
}
