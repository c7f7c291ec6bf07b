/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of NICs. They depend on names alone as far as they do not collide, so nodes that come and go move no
 * others. */
#include <string.h>

#include "base/ident.h"
#include "lab/complete.h"

/* A network without an address left: the first NIC that has none, and how many there are. */
typedef struct {
	const np_node *node;
	const np_nic *nic;
	const np_network *network;
	guint64 missing;
} full_network;

struct np_addresses {
	const np_lab *lab;
	np_diags *diags;
	GHashTable *segments; /* const np_network* → GHashTable of np_ip → const np_node* */
	GHashTable *macs;     /* MAC → const np_node*; keys borrowed */
	GHashTable *told;     /* set of places of taken addresses that were reported */
	GHashTable *full;     /* const np_network* → full_network; those in */
	GPtrArray *full_order;
};

np_addresses *np_addresses_new(const np_lab *lab, np_diags *diags)
{
	np_addresses *a = g_new0(np_addresses, 1);
	a->lab = lab;
	a->diags = diags;
	a->segments = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_hash_table_unref);
	a->macs = g_hash_table_new(g_str_hash, g_str_equal);
	a->told = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	a->full = g_hash_table_new(NULL, NULL);
	a->full_order = g_ptr_array_new_with_free_func(g_free);
	return a;
}

void np_addresses_free(np_addresses *a)
{
	if (a == NULL)
		return;
	g_hash_table_unref(a->segments);
	g_hash_table_unref(a->macs);
	g_hash_table_unref(a->told);
	g_hash_table_unref(a->full);
	g_ptr_array_unref(a->full_order);
	g_free(a);
}

const np_network *np_network_segment(const np_network *network)
{
	while (network->outer != NULL)
		network = network->outer;
	return network;
}

/* Of a network by itself. */
static gboolean own_range(const np_network *network, np_ip *ret_first, np_ip *ret_last)
{
	np_ip first, last;
	if (network->cidr.prefix < 2 || network->cidr.prefix > 30)
		return FALSE;
	*ret_first = network->cidr.base + 2;
	*ret_last = np_network_dhcp_range(network, &first, &last) ? first - 1 : np_cidr_broadcast(network->cidr) - 1;
	return TRUE;
}

gboolean np_network_static_range(const np_network *network, np_ip *ret_first, np_ip *ret_last)
{
	const np_network *segment = np_network_segment(network);
	np_ip first, last;
	if (!own_range(network, ret_first, ret_last))
		return FALSE;
	/* On a shared wire the segment's gateway and DHCP server are to be kept clear of. */
	if (np_cidr_contains(segment->cidr, network->cidr.base) && own_range(segment, &first, &last)) {
		*ret_first = MAX(*ret_first, first);
		*ret_last = MIN(*ret_last, last);
	}
	return *ret_first <= *ret_last;
}

static GHashTable *segment_taken(np_addresses *a, const np_network *segment)
{
	GHashTable *taken = g_hash_table_lookup(a->segments, segment);
	if (taken == NULL) {
		taken = g_hash_table_new(NULL, NULL);
		g_hash_table_insert(a->segments, (gpointer)segment, taken);
	}
	return taken;
}

/* With count, one address written for all is that of the first node; the others follow it. An address made with
 * ${node.index} differs already. */
static void counted_shift(np_node *node, guint position, np_nic *nic)
{
	if (nic->address == 0 || node->index < 2 || position + 1 < node->index)
		return;
	const np_node *first = node->parent->nodes->pdata[position + 1 - node->index];
	const np_nic *first_nic = np_map_find(first->nics, nic->base.name);
	if (first_nic != NULL && nic->address != 0 && first_nic->address == nic->address)
		nic->address += node->index - 1;
}

/* A mistake written once is reported once, however many nodes a count makes. */
static gboolean is_told(np_addresses *a, np_pos pos)
{
	gint64 key = (gint64)pos.line << 32 | pos.col;
	return !g_hash_table_add(a->told, g_memdup2(&key, sizeof key));
}

static void mac_reserve(np_addresses *a, np_node *node, np_nic *nic)
{
	np_pos pos = np_object_at(&np_nic_kind, &nic->base, "mac");
	const np_node *other = g_hash_table_lookup(a->macs, nic->mac);
	if (other == NULL)
		g_hash_table_insert(a->macs, nic->mac, node);
	else if (!is_told(a, pos))
		np_diags_error(a->diags, NP_CODE_MAC_TWICE, pos,
		               node->base.pos.line == other->base.pos.line && node->base.pos.col == other->base.pos.col
		                       ? "with count, use ${node.index} in it, or leave it out"
		                       : "leave it out, and one is derived",
		               "MAC address %s of node '%s' is already that of node '%s'", nic->mac, node->address,
		               other->address);
}

static void explicit_reserve(np_addresses *a, np_node *node, np_nic *nic)
{
	if (nic->mac != NULL)
		mac_reserve(a, node, nic);
	const np_network *network = np_nic_network(node, nic);
	if (nic->address == 0 || network == NULL)
		return;
	GHashTable *taken = segment_taken(a, np_network_segment(network));
	const np_node *other = g_hash_table_lookup(taken, GUINT_TO_POINTER(nic->address));
	np_pos pos = np_object_at(&np_nic_kind, &nic->base, "address");
	if (other == NULL)
		g_hash_table_insert(taken, GUINT_TO_POINTER(nic->address), node);
	if (other == NULL || is_told(a, pos))
		return;
	g_autofree char *address = np_ip_format(nic->address);
	np_diags_error(a->diags, NP_CODE_ADDRESS_TWICE, pos, "leave it out, and one is derived",
	               "address %s of node '%s' is already that of node '%s'", address, node->address, other->address);
}

void np_addresses_reserve(np_addresses *a, np_node *node, guint position)
{
	for (guint i = 0; i < node->nics->len; i++) {
		counted_shift(node, position, node->nics->pdata[i]);
		explicit_reserve(a, node, node->nics->pdata[i]);
	}
}

static void mac_derive(np_addresses *a, const np_node *node, np_nic *nic)
{
	const char *lab = a->lab->name, *name = nic->base.name;
	nic->mac = np_ident_mac(lab, "mac", node->address, name, NULL);
	/* 24 bits: in a lab of thousands of nodes some do collide. */
	for (unsigned i = 1; g_hash_table_contains(a->macs, nic->mac); i++) {
		g_autofree char *attempt = g_strdup_printf("%u", i);
		g_free(nic->mac);
		nic->mac = np_ident_mac(lab, "mac", node->address, name, attempt, NULL);
	}
	g_hash_table_insert(a->macs, nic->mac, (gpointer)node);
}

static void full_note(np_addresses *a, const np_node *node, const np_nic *nic, const np_network *network)
{
	full_network *full = g_hash_table_lookup(a->full, network);
	if (full == NULL) {
		full = g_new(full_network, 1);
		*full = (full_network){node, nic, network, 0};
		g_hash_table_insert(a->full, (gpointer)network, full);
		g_ptr_array_add(a->full_order, full);
	}
	full->missing++;
}

/* The range around the network's that has as many addresses for NICs, FALSE when no network's range can have them. */
static gboolean range_for(const np_network *network, guint64 nics, np_cidr *ret)
{
	np_network larger = *network;
	np_ip first, last;
	while (larger.cidr.prefix > NP_PREFIX_MIN) {
		larger.cidr.prefix--;
		larger.cidr.base &= np_cidr_netmask(larger.cidr);
		*ret = larger.cidr;
		if (own_range(&larger, &first, &last) && (guint64)last - first + 1 >= nics)
			return TRUE;
	}
	return FALSE;
}

static void full_report(np_addresses *a, const full_network *full)
{
	const np_network *network = full->network;
	const np_network *segment = np_network_segment(network);
	/* On a wire of the same range that network has the DHCP server, and has to grow with the bridge's. */
	gboolean is_same = segment->cidr.base == network->cidr.base && segment->cidr.prefix == network->cidr.prefix;
	guint64 nics = g_hash_table_size(segment_taken(a, segment)) + full->missing;
	np_cidr enough;
	g_autofree char *range = np_cidr_format(network->cidr), *larger = NULL, *hint = NULL;
	if (range_for(is_same ? segment : network, nics, &enough)) {
		larger = np_cidr_format(enough);
		hint = g_strdup_printf("make the network's range larger: %" G_GUINT64_FORMAT " NICs fit into %s", nics,
		                       larger);
	} else {
		hint = g_strdup_printf("spread the %" G_GUINT64_FORMAT " NICs over several networks", nics);
	}
	np_diags_error(a->diags, NP_CODE_NETWORK_FULL, full->nic->base.pos, hint,
	               "%s (%s) has no address left for node '%s'", network->address, range, full->node->address);
}

void np_addresses_report(np_addresses *a)
{
	for (guint i = 0; i < a->full_order->len; i++)
		full_report(a, a->full_order->pdata[i]);
}

static void address_derive(np_addresses *a, const np_node *node, np_nic *nic)
{
	const np_network *network = np_nic_network(node, nic);
	np_ip first, last;
	if (network == NULL || !np_cidr_is_set(network->cidr))
		return;
	if (g_hash_table_contains(a->full, network) || !np_network_static_range(network, &first, &last)) {
		full_note(a, node, nic, network);
		return;
	}
	GHashTable *taken = segment_taken(a, np_network_segment(network));
	g_autofree char *digits = np_ident_short(8, a->lab->name, "address", node->address, nic->base.name, NULL);
	guint32 n = last - first + 1, start = (guint32)g_ascii_strtoull(digits, NULL, 16) % n;
	for (guint32 i = 0; i < n; i++) {
		np_ip ip = first + (start + i) % n;
		if (g_hash_table_contains(taken, GUINT_TO_POINTER(ip)))
			continue;
		g_hash_table_insert(taken, GUINT_TO_POINTER(ip), (gpointer)node);
		nic->address = ip;
		return;
	}
	full_note(a, node, nic, network);
}

void np_addresses_derive(np_addresses *a, np_node *node)
{
	for (guint i = 0; i < node->nics->len; i++) {
		np_nic *nic = node->nics->pdata[i];
		if (nic->mac == NULL)
			mac_derive(a, node, nic);
		/* A written address that is wrong stays an error; it is not replaced. */
		if (nic->address == 0 && !np_object_has(&np_nic_kind, &nic->base, "address"))
			address_derive(a, node, nic);
	}
}
