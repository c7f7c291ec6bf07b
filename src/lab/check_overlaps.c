/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that the same machine sees must not overlap, or its routes are ambiguous: those of a site among each other,
 * and with those of all sites around it. A lab may have thousands, all of one range or all on one wire. */
#include "lab/check.h"
#include "lab/complete.h"

#define LIBVIRT_BASE   0xc0a87a00 /* 192.168.122.0/24 */
#define LIBVIRT_PREFIX 24

/* A network and the wire it is on. */
typedef struct {
	const np_network *network, *wire;
} entry;

/* Of some networks the earliest in the file, and the earliest that is on another wire than that one. However many there
 * are, this tells for any network whether one of them is on another wire than it. */
typedef struct {
	entry first, other;
} heads;

typedef struct {
	np_ip base;
	entry of;
} start;

struct np_ranges {
	const np_site *site;
	GHashTable *ranges; /* range_key → heads */
	GArray *starts;     /* of start, sorted */
	heads *tree;        /* of the starts from [n] on; below that [i] is of what [2i] and [2i+1] are of */
	const np_ranges *outer;
};

static gint64 range_key(np_ip base, unsigned prefix)
{
	return (gint64)base << 8 | (gint64)prefix;
}

static int start_compare(gconstpointer a, gconstpointer b)
{
	np_ip x = ((const start *)a)->base, y = ((const start *)b)->base;
	return x < y ? -1 : x > y;
}

static gboolean is_earlier(const np_network *a, const np_network *b)
{
	return a->base.pos.line < b->base.pos.line ||
	       (a->base.pos.line == b->base.pos.line && a->base.pos.col < b->base.pos.col);
}

static void heads_add(heads *h, entry e)
{
	if (e.network == NULL)
		return;
	if (h->first.network == NULL || is_earlier(e.network, h->first.network)) {
		if (h->first.wire != e.wire)
			h->other = h->first;
		h->first = e;
	} else if (h->first.wire != e.wire && (h->other.network == NULL || is_earlier(e.network, h->other.network))) {
		h->other = e;
	}
}

static void heads_join(heads *h, const heads *more)
{
	heads_add(h, more->first);
	heads_add(h, more->other);
}

static void tree_make(np_ranges *l)
{
	guint n = l->starts->len;
	l->tree = g_new0(heads, 2 * (gsize)n);
	for (guint i = 0; i < n; i++)
		heads_add(&l->tree[n + i], g_array_index(l->starts, start, i).of);
	for (guint i = n; i-- > 1;) {
		heads_join(&l->tree[i], &l->tree[2 * i]);
		heads_join(&l->tree[i], &l->tree[2 * i + 1]);
	}
}

np_ranges *np_ranges_new(const np_site *site, const np_ranges *outer)
{
	np_ranges *l = g_new0(np_ranges, 1);
	*l = (np_ranges){.site = site, .outer = outer};
	l->ranges = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	l->starts = g_array_new(FALSE, FALSE, sizeof(start));
	for (guint i = 0; i < site->networks->len; i++) {
		const np_network *network = site->networks->pdata[i];
		start s = {network->cidr.base, {network, np_network_segment(network)}};
		gint64 key = range_key(network->cidr.base, network->cidr.prefix);
		if (!np_cidr_is_set(network->cidr))
			continue;
		heads *same = g_hash_table_lookup(l->ranges, &key);
		if (same == NULL) {
			same = g_new0(heads, 1);
			g_hash_table_insert(l->ranges, g_memdup2(&key, sizeof key), same);
		}
		heads_add(same, s.of);
		g_array_append_val(l->starts, s);
	}
	g_array_sort(l->starts, start_compare);
	tree_make(l);
	return l;
}

void np_ranges_free(np_ranges *l)
{
	g_hash_table_unref(l->ranges);
	g_array_unref(l->starts);
	g_free(l->tree);
	g_free(l);
}

/* Number of the starts below an address; as many as there are when that is beyond the last one. */
static guint starts_below(const np_ranges *l, guint64 ip)
{
	guint low = 0, high = l->starts->len;
	while (low < high) {
		guint middle = (low + high) / 2;
		if (g_array_index(l->starts, start, middle).base < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of the networks of a level on another wire whose ranges contain this one, or start inside, the earliest. */
static const np_network *level_find(const np_ranges *l, np_cidr cidr, const np_network *wire)
{
	heads found = {0};
	for (unsigned prefix = 1; prefix <= cidr.prefix; prefix++) {
		gint64 key = range_key(cidr.base & ~(np_ip)0 << (32 - prefix), prefix);
		const heads *same = g_hash_table_lookup(l->ranges, &key);
		if (same != NULL)
			heads_join(&found, same);
	}
	guint low = starts_below(l, cidr.base) + l->starts->len;
	guint high = starts_below(l, (guint64)np_cidr_broadcast(cidr) + 1) + l->starts->len;
	for (; low < high; low /= 2, high /= 2) {
		if (low % 2 == 1)
			heads_join(&found, &l->tree[low++]);
		if (high % 2 == 1)
			heads_join(&found, &l->tree[--high]);
	}
	return found.first.wire == wire ? found.other.network : found.first.network;
}

/* Of two networks of one site the later is reported. */
static gboolean level_check(np_checker *c, const np_site *site, const np_network *network, const np_ranges *l)
{
	const np_network *other = level_find(l, network->cidr, np_network_segment(network));
	if (other == NULL || (l->site == site && !is_earlier(other, network)))
		return FALSE;
	/* Several may have their range from one anchor: each has to get another, so each is told, by where it is itself. */
	np_pos pos = np_object_at(&np_network_kind, &network->base, "cidr");
	if (np_check_told(c, network->base.pos, "overlap"))
		return TRUE;
	g_autofree char *range = np_cidr_format(network->cidr);
	g_autofree char *other_range = np_cidr_format(other->cidr);
	np_diags_error(c->diags, NP_CODE_NETWORK_OVERLAP, pos, NULL,
	               "the range %s of '%s' overlaps with %s of '%s' (line %u)", range, network->address, other_range,
	               other->address, other->base.pos.line);
	return TRUE;
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
