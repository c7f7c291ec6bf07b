/* SPDX-License-Identifier: Apache-2.0 */
/* Many equal siblings as one box, and what that is called. */
#include <string.h>

#include "base/address.h"
#include "plan/graph_box.h"

#define RUN_MIN 5 /* as many are folded; fewer are drawn one by one */

guint64 np_box_number(const char *address, size_t *ret_stem)
{
	size_t length = strlen(address), stem = length;
	while (stem > 0 && g_ascii_isdigit(address[stem - 1]))
		stem--;
	bool numbered = stem > 0 && stem < length && address[stem - 1] == '-' && address[stem] != '0';
	*ret_stem = numbered ? stem : length;
	return numbered ? g_ascii_strtoull(address + stem, NULL, 10) : 0;
}

/* Whether b has the name that comes after a's. */
static bool follows(const np_box *a, const np_box *b)
{
	size_t stem_a, stem_b;
	guint64 number_a = np_box_number(a->address, &stem_a), number_b = np_box_number(b->address, &stem_b);
	return number_a && number_b == number_a + 1 && stem_a == stem_b && strncmp(a->address, b->address, stem_a) == 0;
}

static bool same_lines(const GPtrArray *a, const GPtrArray *b)
{
	bool same = a->len == b->len;
	for (guint i = 0; same && i < a->len; i++)
		same = g_str_equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i));
	return same;
}

/* Addresses apart. Networks have the same name, but lie in different sites when what they are in is compared. */
static bool same_ports(const GPtrArray *a, const GPtrArray *b)
{
	bool same = a->len == b->len;
	for (guint i = 0; same && i < a->len; i++) {
		const np_port *one = g_ptr_array_index(a, i), *other = g_ptr_array_index(b, i);
		same = g_str_equal(one->name, other->name) && !one->first == !other->first &&
		       g_str_equal(np_address_leaf(one->network), np_address_leaf(other->network));
	}
	return same;
}

/* Whether two boxes are the same in all but names, addresses, ranges and descriptions. */
static bool same(const np_box *a, const np_box *b)
{
	bool alike = a->kind == b->kind && a->mark == b->mark && a->members == b->members && !a->range == !b->range &&
	             g_strcmp0(a->over, b->over) == 0 && same_lines(a->lines, b->lines) &&
	             same_ports(a->ports, b->ports) && a->inside->len == b->inside->len;
	for (guint i = 0; alike && i < a->inside->len; i++) {
		const np_box *one = g_ptr_array_index(a->inside, i), *other = g_ptr_array_index(b->inside, i);
		alike = g_str_equal(np_address_leaf(one->address), np_address_leaf(other->address)) && same(one, other);
	}
	return alike;
}

/* Lets `box` stand for `other` too. next: it is the next of its siblings, so that addresses may go on as well. */
static void absorb(np_box *box, const np_box *other, bool next)
{
	if (g_strcmp0(box->range, other->range) != 0)
		box->varies = true;
	if (!same_lines(box->note, other->note))
		g_ptr_array_set_size(box->note, 0);
	for (guint i = 0; i < box->ports->len; i++) {
		np_port *port = g_ptr_array_index(box->ports, i);
		const np_port *more = g_ptr_array_index(other->ports, i);
		if (next ? more->first != port->last + 1 : more->first != port->first)
			port->scattered = true;
		if (next)
			port->last = more->last;
	}
	for (guint i = 0; i < box->inside->len; i++)
		absorb(g_ptr_array_index(box->inside, i), g_ptr_array_index(other->inside, i), false);
}

/* How many boxes from `first` on can be one. */
static guint run_length(const GPtrArray *boxes, guint first)
{
	guint n = 1;
	while (first + n < boxes->len &&
	       follows(g_ptr_array_index(boxes, first + n - 1), g_ptr_array_index(boxes, first + n)) &&
	       same(g_ptr_array_index(boxes, first), g_ptr_array_index(boxes, first + n)))
		n++;
	return n;
}

static void fold_run(GPtrArray *boxes, guint first, guint n)
{
	np_box *box = g_ptr_array_index(boxes, first);
	for (guint i = 1; i < n; i++)
		absorb(box, g_ptr_array_index(boxes, first + i), true);
	box->last = g_strdup(((np_box *)g_ptr_array_index(boxes, first + n - 1))->address);
	box->members = n;
}

void np_box_fold(np_box *site)
{
	g_autoptr(GPtrArray) all = g_steal_pointer(&site->inside);
	site->inside = g_ptr_array_new_with_free_func((GDestroyNotify)np_box_free);
	for (guint i = 0; i < all->len; i++)
		np_box_fold(g_ptr_array_index(all, i));
	for (guint i = 0, n; i < all->len; i += n) {
		n = run_length(all, i);
		if (n < RUN_MIN)
			n = 1;
		else
			fold_run(all, i, n);
		g_ptr_array_add(site->inside, g_steal_pointer(&g_ptr_array_index(all, i)));
	}
}

/* ── what they are called ── */

bool np_box_is_site(const np_box *box)
{
	return box->kind == NP_BOX_HOST || box->inside->len > 0;
}

char *np_box_title(const np_box *box)
{
	const char *name = np_address_leaf(box->address);
	if (box->kind == NP_BOX_HOST)
		return g_strdup("host");
	if (box->kind == NP_BOX_NETWORK)
		return g_strdup(name + strlen("network."));
	if (!box->last)
		return g_strdup(name);
	return g_strdup_printf("%s … %s (%u)", name, np_address_leaf(box->last), box->members);
}

char *np_box_range(const np_box *box)
{
	return box->range && box->varies ? g_strconcat(box->range, ", …", NULL) : g_strdup(box->range);
}

char *np_port_address(const np_port *port)
{
	if (!port->first)
		return NULL;
	g_autofree char *first = np_ip_format(port->first), *last = np_ip_format(port->last);
	if (port->scattered)
		return g_strconcat(first, ", …", NULL);
	return port->first == port->last ? g_strdup(first) : g_strconcat(first, " … ", last, NULL);
}
