/* SPDX-License-Identifier: Apache-2.0 */
/* Which labs have anything at one site. */
#include <string.h>

#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/observe.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/secret.h"

static void add_marked(GHashTable *labs, xmlDoc *doc)
{
	g_auto(np_mark) mark = {0};
	if (doc && np_mark_read(xmlDocGetRootElement(doc), &mark))
		g_hash_table_add(labs, g_strdup(mark.lab));
}

static bool add_domains(np_conn *conn, GHashTable *labs, GError **error)
{
	g_autoptr(GPtrArray) domains = np_domain_list(conn, 0, error);
	for (guint i = 0; domains && i < domains->len; i++) {
		g_autoptr(xmlDoc) doc = np_domain_describe(g_ptr_array_index(domains, i), NULL);
		add_marked(labs, doc);
	}
	return domains != NULL;
}

static bool add_networks(np_conn *conn, GHashTable *labs, GError **error)
{
	g_autoptr(GPtrArray) networks = np_network_list(conn, error);
	for (guint i = 0; networks && i < networks->len; i++) {
		g_autoptr(xmlDoc) doc = np_network_describe(g_ptr_array_index(networks, i), NULL);
		add_marked(labs, doc);
	}
	return networks != NULL;
}

static bool add_pools(np_conn *conn, GHashTable *labs, GError **error)
{
	g_autoptr(GPtrArray) pools = np_pool_list(conn, error);
	for (guint i = 0; pools && i < pools->len; i++) {
		const char *lab = np_lab_of_pool(virStoragePoolGetName(g_ptr_array_index(pools, i)));
		if (lab)
			g_hash_table_add(labs, g_strdup(lab));
	}
	return pools != NULL;
}

/* A driver without secrets has no lab's secrets. */
static void add_secrets(np_conn *conn, GHashTable *labs)
{
	g_autoptr(GPtrArray) usages = np_secret_list(conn, NULL);
	for (guint i = 0; usages && i < usages->len; i++) {
		const char *lab = (const char *)g_ptr_array_index(usages, i) + strlen(NP_SECRET_PREFIX);
		const char *end = strchr(lab, '/');
		if (end && end != lab && *lab != '.') /* the lock of the images is no lab */
			g_hash_table_add(labs, g_strndup(lab, (gsize)(end - lab)));
	}
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

GPtrArray *np_labs_read(np_conn *conn, GError **error)
{
	g_autoptr(GHashTable) labs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!add_domains(conn, labs, error) || !add_networks(conn, labs, error) || !add_pools(conn, labs, error))
		return NULL;
	add_secrets(conn, labs);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, labs);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	return names;
}
