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
		np_unknown unknown = {site->node->nics, network->nic, "add it to the node's nics"};
		np_check_name(c, NP_CODE_NETWORK_KEYS, at(network, "nic"), &unknown,
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
}

static void prefix_report(np_checker *c, const np_network *network)
{
	np_cidr near = {.prefix = CLAMP(network->cidr.prefix, NP_PREFIX_MIN, NP_PREFIX_MAX)}, of;
	near.base = network->cidr.base & np_cidr_netmask(near);
	if (np_cidr_reserved(near, &of) != NULL)
		near = (np_cidr){0x0a000000, NP_PREFIX_MIN};
	g_autofree char *range = np_cidr_format(near);
	g_autofree char *hint = g_strdup_printf("write %s, for example", range);
	np_check_error(c, NP_CODE_NETWORK_PREFIX, at(network, "cidr"), hint,
	               "the range of network '%s' must have a prefix length from %d to %d", network->address, NP_PREFIX_MIN,
	               NP_PREFIX_MAX);
}

static void range_check(np_checker *c, const np_network *network)
{
	np_cidr of;
	if (!np_cidr_is_set(network->cidr))
		return;
	if (network->cidr.prefix > NP_PREFIX_MAX || network->cidr.prefix < NP_PREFIX_MIN) {
		prefix_report(c, network);
		return;
	}
	const char *what = np_cidr_reserved(network->cidr, &of);
	if (what == NULL)
		return;
	g_autofree char *range = np_cidr_format(network->cidr);
	g_autofree char *of_range = np_cidr_format(of);
	np_check_error(c, NP_CODE_NETWORK_RESERVED, at(network, "cidr"), "use a private range, such as 10.20.0.0/24",
	               "the range %s of network '%s' overlaps with %s, %s", range, network->address, of_range, what);
}

static guint64 network_mtu(const np_network *network)
{
	return network->mtu > 0 ? network->mtu : 1500;
}

/* A bridge inside a node carries no more than the wire it is on. */
static void mtu_check(np_checker *c, const np_network *network)
{
	const np_network *outer = network->outer;
	if (outer == NULL || network_mtu(network) <= network_mtu(outer))
		return;
	g_autofree char *hint = g_strdup_printf("write 'mtu: %" G_GUINT64_FORMAT "', or make the outer network's as large",
	                                        network_mtu(outer));
	np_check_error(c, NP_CODE_NETWORK_MTU, network->mtu > 0 ? at(network, "mtu") : network->base.pos, hint,
	               "the MTU %" G_GUINT64_FORMAT "%s of network '%s' is more than the %" G_GUINT64_FORMAT
	               " of network '%s', over which it goes",
	               network_mtu(network), network->mtu > 0 ? "" : " (the default)", network->address, network_mtu(outer),
	               outer->address);
}

/* One wire may carry several ranges, and a bridge may use a part of one. But a machine that takes more for its neighbours than
 * those do themselves gets no answer from some of them, and the gateway is not where it looks for it. */
static void wire_check(np_checker *c, const np_network *network)
{
	const np_network *outer = network->outer;
	while (outer != NULL && !(np_cidr_contains(network->cidr, outer->cidr.base) && np_cidr_is_set(outer->cidr) &&
	                          network->cidr.prefix < outer->cidr.prefix))
		outer = outer->outer;
	if (outer == NULL)
		return;
	g_autofree char *range = np_cidr_format(network->cidr);
	g_autofree char *outer_range = np_cidr_format(outer->cidr);
	g_autofree char *hint = g_strdup_printf("write 'cidr: %s', or a part of it", outer_range);
	np_check_error(c, NP_CODE_NETWORK_WIDER, at(network, "cidr"), hint,
	               "the range %s of '%s' is wider than %s of '%s', whose wire it is on", range, network->address,
	               outer_range, outer->address);
}

void np_check_network(np_checker *c, const np_site *site, const np_network *network)
{
	keys_check(c, site, network);
	range_check(c, network);
	mtu_check(c, network);
	wire_check(c, network);
}
