/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/hosts.h"

static void append_node(GString *text, GHashTable *taken, const np_node *node)
{
	const np_nic *nic = np_node_access_nic(node);
	if (nic == NULL || nic->address == 0)
		return;
	g_autofree char *ip = np_ip_format(nic->address);
	g_autofree char *dotted = g_strdelimit(g_strdup(node->address), "/", '.');
	gboolean has_short = g_hash_table_add(taken, g_strdup(node->base.name));
	gboolean has_dotted = !g_str_equal(dotted, node->base.name) && g_hash_table_add(taken, g_strdup(dotted));
	if (has_short || has_dotted)
		g_string_append_printf(text, "%s%s%s%s%s\n", ip, has_short ? " " : "", has_short ? node->base.name : "",
		                       has_dotted ? " " : "", has_dotted ? dotted : "");
}

static void append_site(GString *text, GHashTable *taken, const np_site *site)
{
	for (guint i = 0; site->nodes != NULL && i < site->nodes->len; i++)
		append_node(text, taken, site->nodes->pdata[i]);
}

char *np_hosts_render(const np_lab *lab, const np_node *node)
{
	g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GString *text = g_string_new(NULL);
	g_string_append_printf(text, "# lab %s, written by nestplan\n127.0.0.1 localhost\n", lab->name);
	g_string_append(text, "::1 localhost ip6-localhost ip6-loopback\n");
	const np_nic *own = np_node_access_nic(node);
	if (own == NULL || own->address == 0) {
		g_string_append_printf(text, "127.0.1.1 %s\n", node->base.name);
		g_hash_table_add(taken, g_strdup(node->base.name));
	}
	append_node(text, taken, node);
	append_site(text, taken, node->parent);
	append_site(text, taken, &node->site);
	for (const np_node *up = node->parent->node; up != NULL; up = up->parent->node)
		append_site(text, taken, up->parent);
	return g_string_free(text, FALSE);
}
