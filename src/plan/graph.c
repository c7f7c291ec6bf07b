/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over the boxes of a picture. */
#include "plan/graph.h"

#include "base/address.h"
#include "plan/graph_box.h"

const char *const np_graph_ink = "#1c2530";
const char *const np_graph_levels[4] = {"#f4f6f9", "#e6ebf2", "#d6dee9", "#e6ebf2"};
const np_mark_style np_mark_styles[NP_MARK_COUNT] = {
        [NP_ACTION_NONE] = {"unchanged", "#64707f", "#ffffff", false},
        [NP_ACTION_CREATE] = {"create", "#00704f", "#d9f2e8", false},
        [NP_ACTION_UPDATE] = {"update", "#8a5a00", "#fdeec9", false},
        [NP_ACTION_REPLACE] = {"replace", "#8c3a6e", "#f6deec", false},
        [NP_ACTION_DELETE] = {"delete", "#a83c00", "#fde1d3", true},
        [NP_MARK_LATER] = {"known later", "#1b6a99", "#dff0fa", true},
};
const char *const np_graph_hues[1 + NP_GRAPH_HUES] = {"#64707f", "#0072b2", "#009e73", "#d55e00",
                                                      "#cc79a7", "#e69f00", "#56b4e9"};

typedef struct {
	const np_graph_writer *writer;
	GString *out;
	GHashTable *networks; /* address → np_box* */
	GHashTable *hues;     /* name of networks → index in np_graph_hues */
	bool planned;
	unsigned numbered, counts[NP_MARK_COUNT];
} walk;

const char *np_mark_sign(unsigned mark)
{
	if (mark == NP_MARK_LATER)
		return "?";
	return mark == NP_ACTION_NONE ? "" : np_action_signs[mark];
}

/* The NIC that a network inside `site` is a bridge over, with its index; NULL: none. */
static const np_port *bridged_port(const np_box *site, const np_box *network, guint *ret_index)
{
	for (guint i = 0; network->over && i < site->ports->len; i++) {
		const np_port *port = g_ptr_array_index(site->ports, i);
		*ret_index = i;
		if (g_str_equal(port->name, network->over))
			return port;
	}
	return NULL;
}

/* A bridge over a NIC is the network that the NIC is on, going on inside. Others share a colour when they share a name,
 * as those of compute-1 and compute-2 do. */
static unsigned choose_hue(walk *w, const np_box *site, const np_box *network)
{
	guint index;
	const np_port *port = bridged_port(site, network, &index);
	const np_box *outside = port ? g_hash_table_lookup(w->networks, port->network) : NULL;
	if (outside)
		return outside->hue;
	const char *name = np_address_leaf(network->address);
	unsigned hue = GPOINTER_TO_UINT(g_hash_table_lookup(w->hues, name));
	if (hue == 0) {
		hue = 1 + g_hash_table_size(w->hues) % NP_GRAPH_HUES;
		g_hash_table_insert(w->hues, (gpointer)name, GUINT_TO_POINTER(hue));
	}
	return hue;
}

/* times: how many boxes this one stands for, with those that it is inside of. */
static void number(walk *w, const np_box *site, np_box *box, unsigned times)
{
	box->number = w->numbered++;
	if (box->kind != NP_BOX_HOST)
		w->counts[box->mark] += times;
	if (box->kind == NP_BOX_NETWORK) {
		g_hash_table_insert(w->networks, box->address, box);
		box->hue = w->planned ? 0 : choose_hue(w, site, box);
	}
	for (guint i = 0; i < box->inside->len; i++) {
		np_box *inner = g_ptr_array_index(box->inside, i);
		number(w, box, inner, times * inner->members);
	}
}

/* The i-th as the writer wants them. */
static gconstpointer pick(const walk *w, const GPtrArray *array, guint i)
{
	return g_ptr_array_index(array, w->writer->backwards ? array->len - 1 - i : i);
}

static void draw(const walk *w, const np_box *box)
{
	if (!np_box_is_site(box)) {
		w->writer->leaf(w->out, box);
		return;
	}
	w->writer->site_begin(w->out, box);
	for (guint i = 0; i < box->inside->len; i++)
		draw(w, pick(w, box->inside, i));
	w->writer->site_end(w->out, box);
}

static void wire_one(const walk *w, np_wire wire)
{
	wire.gone = wire.node->mark == NP_ACTION_DELETE || wire.network->mark == NP_ACTION_DELETE;
	w->writer->wire(w->out, &wire);
}

static void wire_ports(const walk *w, const np_box *node)
{
	for (guint i = 0; i < node->ports->len; i++) {
		const np_port *port = g_ptr_array_index(node->ports, i);
		const np_box *network = g_hash_table_lookup(w->networks, port->network);
		if (network)
			wire_one(w, (np_wire){NP_WIRE_ATTACHED, node, network, .port = i});
	}
}

static void wire_network(const walk *w, const np_box *site, const np_box *network)
{
	guint i = 0;
	if (bridged_port(site, network, &i))
		wire_one(w, (np_wire){NP_WIRE_BRIDGED, site, network, .port = i});
	else if (site->ports->len > 0)
		wire_one(w, (np_wire){NP_WIRE_INSIDE, site, network});
}

static void wire(const walk *w, const np_box *box)
{
	wire_ports(w, box);
	for (guint i = 0; i < box->inside->len; i++) {
		const np_box *inner = pick(w, box->inside, i);
		if (inner->kind == NP_BOX_NETWORK)
			wire_network(w, box, inner);
		else
			wire(w, inner);
	}
}

char *np_graph_render(const np_lab *lab, const np_plan *plan, np_graph_language language, bool unfold)
{
	g_autoptr(np_box) host = np_box_build(lab, plan);
	if (!unfold)
		np_box_fold(host);
	g_autoptr(GHashTable) networks = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) hues = g_hash_table_new(g_str_hash, g_str_equal);
	walk w = {.writer = language == NP_GRAPH_DOT ? &np_graph_dot : &np_graph_mermaid,
	          .out = g_string_new(NULL),
	          .networks = networks,
	          .hues = hues,
	          .planned = plan != NULL};
	number(&w, NULL, host, 1);
	w.writer->begin(w.out, lab->name);
	draw(&w, host);
	wire(&w, host);
	w.writer->end(w.out, plan ? w.counts : NULL);
	return g_string_free(w.out, FALSE);
}
