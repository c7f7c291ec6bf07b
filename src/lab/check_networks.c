/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/check.h"
#include "lab/complete.h"

static gboolean has(const np_network *network, const char *field)
{
	return np_object_has(&np_network_kind, &network->base, field);
}

static np_pos at(const np_network *network, const char *field)
{
	return np_object_at(&np_network_kind, &network->base, field);
}

static void bridge_check(np_checker *c, const np_site *site, const np_network *network)
{
	const char *name = network->address;
	if (has(network, "dhcp") && network->dhcp)
		np_check_error(c, NP_CODE_NETWORK_KEYS, at(network, "dhcp"), "remove dhcp",
		               "network '%s' is a bridge, where nestplan runs no DHCP server", name);
	if (has(network, "bridge") && has(network, "nic"))
		np_check_error(c, NP_CODE_NETWORK_KEYS, at(network, "nic"), NULL,
		               "network '%s' has both 'bridge' and 'nic'; only one can be its way out", name);
	if (!has(network, "bridge") && !has(network, "nic"))
		np_check_error(c, NP_CODE_NETWORK_KEYS, network->base.pos,
		               site->node ? "add 'nic: NAME' or 'bridge: NAME'" : "add 'bridge: NAME'",
		               "network '%s' is a bridge, but does not say over what", name);
	if (!has(network, "nic") || network->nic == NULL)
		return;
	if (site->node == NULL) {
		np_check_error(c, NP_CODE_NETWORK_KEYS, at(network, "nic"),
		               "name a bridge that the host has, by 'bridge'",
		               "network '%s' is the host's, which has no NIC in the lab", name);
	} else if (np_map_find(site->node->nics, network->nic) == NULL) {
		g_autofree char *hint = np_check_hint(site->node->nics, network->nic, "add it to the node's nics");
		np_check_error(c, NP_CODE_NETWORK_KEYS, at(network, "nic"), hint,
		               "network '%s' is over NIC '%s', which node '%s' has not", name, network->nic,
		               site->address);
	}
}

static void network_check(np_checker *c, const np_site *site, const np_network *network)
{
	const char *name = network->address;
	if (network->mode == NP_NET_BRIDGE) {
		bridge_check(c, site, network);
	} else if (!has(network, "mode") || np_object_at(&np_network_kind, &network->base, "mode").line > 0) {
		const char *odd = has(network, "bridge") ? "bridge" : has(network, "nic") ? "nic" : NULL;
		if (odd != NULL)
			np_check_error(c, NP_CODE_NETWORK_KEYS, at(network, odd), "add 'mode: bridge'",
			               "network '%s' has '%s', which is for mode bridge", name, odd);
		if (!has(network, "cidr"))
			np_check_error(c, NP_CODE_NETWORK_CIDR, network->base.pos, "as in 'cidr: 10.20.0.0/24'",
			               "network '%s' needs the key 'cidr'", name);
	}
	if (network->cidr.prefix > 30 || (network->cidr.prefix > 0 && network->cidr.prefix < 8))
		np_check_error(c, NP_CODE_NETWORK_PREFIX, at(network, "cidr"), NULL,
		               "the range of network '%s' must have a prefix length from 8 to 30", name);
}

/* Networks that the same machine sees must not overlap, or its routes are ambiguous. */
static void overlap_check(np_checker *c, const np_site *site, const np_network *network, const np_site *other_site,
                          const np_network *other)
{
	if (!np_cidr_overlaps(network->cidr, other->cidr))
		return;
	if (np_network_segment(site, network) == np_network_segment(other_site, other))
		return;
	g_autofree char *range = np_cidr_format(network->cidr);
	g_autofree char *other_range = np_cidr_format(other->cidr);
	np_check_error(c, NP_CODE_NETWORK_OVERLAP, at(network, "cidr"), NULL,
	               "the range %s of '%s' overlaps with %s of '%s' (line %u)", range, network->address, other_range,
	               other->address, other->base.pos.line);
}

static void network_overlaps_check(np_checker *c, const np_site *site, guint index)
{
	const np_network *network = site->networks->pdata[index];
	for (guint i = 0; i < index; i++)
		overlap_check(c, site, network, site, site->networks->pdata[i]);
	for (const np_site *outer = site; outer->node != NULL;) {
		outer = outer->node->parent;
		for (guint i = 0; i < outer->networks->len; i++)
			overlap_check(c, site, network, outer, outer->networks->pdata[i]);
	}
}

static void site_check(np_checker *c, const np_site *site)
{
	c->origin->node = site->node;
	for (guint i = 0; i < site->networks->len; i++) {
		network_check(c, site, site->networks->pdata[i]);
		network_overlaps_check(c, site, i);
	}
	for (guint i = 0; i < site->nodes->len; i++)
		site_check(c, &((const np_node *)site->nodes->pdata[i])->site);
}

void np_check_networks(np_checker *c)
{
	site_check(c, &c->lab->site);
}
