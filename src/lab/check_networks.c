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

static void keys_check(np_checker *c, const np_site *site, const np_network *network)
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

static guint64 network_mtu(const np_network *network)
{
	return network->mtu > 0 ? network->mtu : 1500;
}

/* A bridge inside a node carries no more than the wire it is on. */
static void mtu_check(np_checker *c, const np_site *site, const np_network *network)
{
	const np_nic *nic = site->node && network->nic ? np_map_find(site->node->nics, network->nic) : NULL;
	const np_network *outer = nic ? np_nic_network(site->node, nic) : NULL;
	if (network->mode != NP_NET_BRIDGE || outer == NULL || network_mtu(network) <= network_mtu(outer))
		return;
	g_autofree char *hint = g_strdup_printf("write 'mtu: %" G_GUINT64_FORMAT "', or make the outer network's as large",
	                                        network_mtu(outer));
	np_check_error(c, NP_CODE_NETWORK_MTU, network->mtu > 0 ? at(network, "mtu") : network->base.pos, hint,
	               "the MTU %" G_GUINT64_FORMAT "%s of network '%s' is more than the %" G_GUINT64_FORMAT
	               " of network '%s', over which it goes",
	               network_mtu(network), network->mtu > 0 ? "" : " (the default)", network->address, network_mtu(outer),
	               outer->address);
}

void np_check_network(np_checker *c, const np_site *site, const np_network *network)
{
	keys_check(c, site, network);
	mtu_check(c, site, network);
}
