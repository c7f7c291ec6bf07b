/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of networks: their fields, what follows from their ranges, and their entries for hosts. */
#include <string.h>

#include "plan/diff.h"
#include "plan/rows.h"

/* What follows from the range of addresses: libvirt's own one, and those that its DHCP hands out. */
static void add_derived(np_record *rows, const np_network *network, const char *dhcp_range)
{
	char ip[NP_IP_TEXT];
	if (network->mode == NP_NET_BRIDGE || !network->gateway)
		return;
	np_record_add(rows, "gateway", np_record_keep(rows, np_ip_text(network->gateway, ip)));
	if (dhcp_range)
		np_record_add(rows, "dhcp_range", np_record_keep(rows, dhcp_range));
}

static void add_derived_wanted(np_record *rows, const np_network *network)
{
	np_ip first, last;
	char from[NP_IP_TEXT], to[NP_IP_TEXT];
	if (np_network_dhcp_range(network, &first, &last))
		add_derived(rows, network, np_record_join(rows, np_ip_text(first, from), "-", np_ip_text(last, to), NULL));
	else
		add_derived(rows, network, NP_DHCP_RANGE_NONE);
}

/* libvirt keeps no range for a bridge that is not its own. */
static void keep_seen(np_record *rows, const np_network *want)
{
	if (want->mode == NP_NET_BRIDGE)
		np_record_remove(rows, "cidr");
}

static void add_host(np_record *rows, const np_network *network, const np_node *node, const np_nic *nic)
{
	g_autofree char *ip = np_ip_format(nic->address);
	np_record_take(rows, np_record_join(rows, "hosts.", ip, NULL), np_host_text(node->base.name, network->dhcp ? nic->mac : NULL));
}

/* The site that a network is declared in. */
static const np_site *site_of(const np_lab *lab, const np_network *network)
{
	const char *slash = strrchr(network->address, '/');
	if (!slash)
		return &lab->site;
	g_autofree char *address = g_strndup(network->address, (gsize)(slash - network->address));
	const np_node *node = np_lab_node(lab, address);
	return node ? &node->site : NULL;
}

static void add_wanted_hosts(np_record *rows, const np_lab *lab, const np_network *network)
{
	const np_site *site = np_cidr_is_set(network->cidr) ? site_of(lab, network) : NULL;
	for (guint i = 0; site && i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		for (guint j = 0; node->nics && j < node->nics->len; j++) {
			const np_nic *nic = g_ptr_array_index(node->nics, j);
			if (nic->address && np_nic_network(node, nic) == network)
				add_host(rows, network, node, nic);
		}
	}
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp((*(const np_row *const *)a)->name, (*(const np_row *const *)b)->name);
}

char *np_rows_hosts_digest(const np_record *rows)
{
	g_autoptr(GPtrArray) hosts = g_ptr_array_new();
	for (guint i = 0; i < np_record_length(rows); i++)
		if (g_str_has_prefix(np_record_row(rows, i)->name, "hosts."))
			g_ptr_array_add(hosts, (gpointer)np_record_row(rows, i));
	g_ptr_array_sort(hosts, compare_names);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	for (guint i = 0; i < hosts->len; i++) {
		const np_row *row = g_ptr_array_index(hosts, i);
		g_checksum_update(sum, (const guchar *)row->name, (gssize)strlen(row->name) + 1);
		g_checksum_update(sum, (const guchar *)row->value, (gssize)strlen(row->value) + 1);
	}
	return g_strdup_printf("%u, sha256 %.16s", hosts->len, g_checksum_get_string(sum));
}

/* Takes the rows of the hosts, NULL: unknown. A record with each of them would be as large as the lab. */
static void add_hosts_digest(np_record *rows, np_record *hosts)
{
	g_autoptr(np_record) own = hosts;
	if (own)
		np_record_take(rows, NP_ROW_HOSTS, np_rows_hosts_digest(own));
}

static np_record *rows_of_network(const np_network *network)
{
	np_record *rows = np_record_new();
	np_rows_add_scalars(rows, &np_network_kind, network, true);
	add_derived_wanted(rows, network);
	np_record_add(rows, "autostart", "true");
	keep_seen(rows, network);
	return rows;
}

np_record *np_network_record(const np_lab *lab, const np_network *network)
{
	np_record *rows = rows_of_network(network);
	np_record *hosts = network->mode != NP_NET_BRIDGE ? np_record_new() : NULL;
	if (hosts)
		add_wanted_hosts(hosts, lab, network);
	add_hosts_digest(rows, hosts);
	return rows;
}

/* Of a network whose mark is older it is not known that the gateway and the range were nestplan's. */
static void keep_recorded(np_record *rows, GHashTable *applied)
{
	static const char *const names[] = {"gateway", "dhcp_range"};
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		if (!applied || !g_hash_table_contains(applied, names[i]))
			np_record_remove(rows, names[i]);
}

np_record *np_rows_wanted_network(const np_lab *lab, const np_network *want, const np_seen_network *have)
{
	np_record *rows = rows_of_network(want);
	keep_recorded(rows, have->applied);
	if (have->hosts && want->mode != NP_NET_BRIDGE)
		add_wanted_hosts(rows, lab, want);
	return rows;
}

static np_record *rows_of_seen(const np_network *network, bool autostart)
{
	np_record *rows = np_record_new();
	np_ip first, last;
	const np_network with = {.dhcp = true, .mode = network->mode, .cidr = network->cidr};
	np_rows_add_scalars(rows, &np_network_kind, network, false);
	/* libvirt keeps no DHCP that has nothing to hand out, and a range of four addresses leaves it none. */
	if (!network->dhcp && np_cidr_is_set(network->cidr) && !np_network_dhcp_range(&with, &first, &last))
		np_record_remove(rows, "dhcp");
	add_derived(rows, network, network->dhcp_range);
	np_record_add(rows, "autostart", autostart ? "true" : "false");
	keep_seen(rows, network);
	return rows;
}

static void add_seen_hosts(np_record *rows, GHashTable *hosts)
{
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(hosts), (GCompareFunc)(void (*)(void))strcmp);
	for (GList *key = keys; key; key = key->next)
		np_record_add(rows, np_record_join(rows, "hosts.", key->data, NULL),
		              np_record_keep(rows, g_hash_table_lookup(hosts, key->data)));
}

np_record *np_rows_seen_network(const np_network *network, GHashTable *hosts, bool autostart)
{
	np_record *rows = rows_of_seen(network, autostart);
	np_record *of_hosts = hosts && network->mode != NP_NET_BRIDGE ? np_record_new() : NULL;
	if (of_hosts)
		add_seen_hosts(of_hosts, hosts);
	add_hosts_digest(rows, of_hosts);
	return rows;
}

np_record *np_rows_stored_network(const np_seen_network *have, const np_network *want)
{
	np_record *rows = rows_of_seen(have->network, have->autostart);
	if (have->hosts)
		add_seen_hosts(rows, have->hosts);
	keep_seen(rows, want);
	return rows;
}

np_record *np_rows_live_network(const np_seen_network *have, const np_network *want)
{
	if (!have->live)
		return NULL;
	np_record *rows = rows_of_seen(have->live, have->autostart);
	if (have->live_hosts)
		add_seen_hosts(rows, have->live_hosts);
	keep_seen(rows, want);
	return rows;
}
