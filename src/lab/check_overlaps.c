/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that the same machine sees must not overlap, or its routes are ambiguous: those of a site among each other,
 * and with those of all sites around it. Ranges are found by hash, as a lab may have thousands. */
#include "lab/check.h"
#include "lab/complete.h"

#define LIBVIRT_BASE   0xc0a87a00 /* 192.168.122.0/24 */
#define LIBVIRT_PREFIX 24

struct np_ranges {
	const np_site *site;
	GHashTable *ranges;  /* range_key → GPtrArray of const np_network*, in file order */
	GArray *bases;       /* of np_ip, sorted, each once */
	GHashTable *by_base; /* np_ip → GPtrArray of const np_network* */
	const np_ranges *outer;
};

static gint64 range_key(np_ip base, unsigned prefix)
{
	return (gint64)base << 8 | (gint64)prefix;
}

static int ip_compare(gconstpointer a, gconstpointer b)
{
	np_ip x = *(const np_ip *)a, y = *(const np_ip *)b;
	return x < y ? -1 : x > y;
}

static GPtrArray *bucket(GHashTable *table, gint64 key)
{
	GPtrArray *found = g_hash_table_lookup(table, &key);
	if (found == NULL) {
		found = g_ptr_array_new();
		g_hash_table_insert(table, g_memdup2(&key, sizeof key), found);
	}
	return found;
}

static GHashTable *table_new(void)
{
	return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
}

np_ranges *np_ranges_new(const np_site *site, const np_ranges *outer)
{
	np_ranges *l = g_new0(np_ranges, 1);
	*l = (np_ranges){site, table_new(), g_array_new(FALSE, FALSE, sizeof(np_ip)), table_new(), outer};
	for (guint i = 0; i < site->networks->len; i++) {
		np_network *network = site->networks->pdata[i];
		np_cidr cidr = network->cidr;
		if (!np_cidr_is_set(cidr))
			continue;
		g_ptr_array_add(bucket(l->ranges, range_key(cidr.base, cidr.prefix)), network);
		GPtrArray *same = bucket(l->by_base, cidr.base);
		if (same->len == 0)
			g_array_append_val(l->bases, cidr.base);
		g_ptr_array_add(same, network);
	}
	g_array_sort(l->bases, ip_compare);
	return l;
}

void np_ranges_free(np_ranges *l)
{
	g_hash_table_unref(l->ranges);
	g_hash_table_unref(l->by_base);
	g_array_unref(l->bases);
	g_free(l);
}

/* Of two networks of one site the later is reported. */
static gboolean is_earlier(const np_network *a, const np_network *b)
{
	return a->base.pos.line < b->base.pos.line ||
	       (a->base.pos.line == b->base.pos.line && a->base.pos.col < b->base.pos.col);
}

static gboolean pair_check(np_checker *c, const np_site *site, const np_network *network, const np_ranges *l,
                           const np_network *other)
{
	if (network == other || (l->site == site && !is_earlier(other, network)))
		return FALSE;
	if (np_network_segment(site, network) == np_network_segment(l->site, other))
		return FALSE;
	g_autofree char *range = np_cidr_format(network->cidr);
	g_autofree char *other_range = np_cidr_format(other->cidr);
	np_check_error(c, NP_CODE_NETWORK_OVERLAP, np_object_at(&np_network_kind, &network->base, "cidr"), NULL,
	               "the range %s of '%s' overlaps with %s of '%s' (line %u)", range, network->address, other_range,
	               other->address, other->base.pos.line);
	return TRUE;
}

static gboolean pairs_check(np_checker *c, const np_site *site, const np_network *network, const np_ranges *l,
                            const GPtrArray *others)
{
	for (guint i = 0; others != NULL && i < others->len; i++)
		if (pair_check(c, site, network, l, others->pdata[i]))
			return TRUE;
	return FALSE;
}

/* The first network of a level whose range starts inside, or one that contains the network's. */
static gboolean level_check(np_checker *c, const np_site *site, const np_network *network, const np_ranges *l)
{
	np_cidr cidr = network->cidr;
	np_ip last = np_cidr_broadcast(cidr);
	for (unsigned prefix = 1; prefix <= cidr.prefix; prefix++) {
		gint64 key = range_key(cidr.base & ~(np_ip)0 << (32 - prefix), prefix);
		if (pairs_check(c, site, network, l, g_hash_table_lookup(l->ranges, &key)))
			return TRUE;
	}
	guint low = 0, high = l->bases->len;
	while (low < high) {
		guint middle = (low + high) / 2;
		if (g_array_index(l->bases, np_ip, middle) < cidr.base)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < l->bases->len && g_array_index(l->bases, np_ip, low) <= last; low++) {
		gint64 key = g_array_index(l->bases, np_ip, low);
		if (pairs_check(c, site, network, l, g_hash_table_lookup(l->by_base, &key)))
			return TRUE;
	}
	return FALSE;
}

static void libvirt_check(np_checker *c, const np_network *network)
{
	np_cidr default_range = {LIBVIRT_BASE, LIBVIRT_PREFIX};
	if (network->mode == NP_NET_BRIDGE || !np_cidr_is_set(network->cidr) ||
	    !np_cidr_overlaps(network->cidr, default_range))
		return;
	np_check_warning(c, NP_CODE_NETWORK_LIBVIRT, np_object_at(&np_network_kind, &network->base, "cidr"),
	                 "use another range, such as 10.20.0.0/24",
	                 "the range of '%s' is that of libvirt's own network 'default'", network->address);
}

void np_check_overlaps(np_checker *c, const np_network *network, const np_ranges *ranges)
{
	libvirt_check(c, network);
	for (const np_ranges *l = ranges; l != NULL && np_cidr_is_set(network->cidr); l = l->outer)
		if (level_check(c, ranges->site, network, l))
			return;
}
