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

static GHashTable *map_index(const GPtrArray *map)
{
	if (map->len <= NP_INDEX_MIN)
		return NULL;
	GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = map->len; i-- > 0;) /* the first of two wins, as when searching */
		g_hash_table_insert(index, ((np_object *)map->pdata[i])->name, map->pdata[i]);
	return index;
}

void np_site_index(np_site *site)
{
	np_site_clear(site);
	site->nodes_by_name = map_index(site->nodes);
	site->networks_by_name = map_index(site->networks);
}

void np_site_clear(np_site *site)
{
	g_clear_pointer(&site->nodes_by_name, g_hash_table_unref);
	g_clear_pointer(&site->networks_by_name, g_hash_table_unref);
}

np_node *np_site_node(const np_site *site, const char *name)
{
	return site->nodes_by_name ? g_hash_table_lookup(site->nodes_by_name, name) : np_map_find(site->nodes, name);
}

np_network *np_site_network(const np_site *site, const char *name)
{
	return site->networks_by_name ? g_hash_table_lookup(site->networks_by_name, name)
	                              : np_map_find(site->networks, name);
}

void np_lab_index(np_lab *lab)
{
	g_clear_pointer(&lab->variables_by_name, g_hash_table_unref);
	lab->variables_by_name = map_index(lab->variables);
}

np_variable *np_lab_variable(const np_lab *lab, const char *name)
{
	return lab->variables_by_name ? g_hash_table_lookup(lab->variables_by_name, name)
	                              : np_map_find(lab->variables, name);
}

np_node *np_site_find(const np_site *site, const char *address)
{
	np_node *node = NULL;
	for (;;) {
		size_t length = strcspn(address, "/");
		g_autofree char *name = g_strndup(address, length);
		node = np_site_node(site, name);
		if (node == NULL || address[length] == '\0')
			return node;
		address += length + 1;
		site = &node->site;
	}
}

np_node *np_lab_node(const np_lab *lab, const char *address)
{
	return np_site_find(&lab->site, address);
}

const np_site *np_lab_site(const np_lab *lab, const char *address)
{
	if (address[0] == '\0')
		return &lab->site;
	const np_node *node = np_lab_node(lab, address);
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

guint64 np_disk_bytes(const np_node *node, const np_disk *disk)
{
	return disk->size == 0 && node->root_image != NULL ? node->root_image->virtual_size : disk->size;
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
	return node->parent ? np_site_network(node->parent, name) : NULL;
}
