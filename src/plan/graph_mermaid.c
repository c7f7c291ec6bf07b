/* SPDX-License-Identifier: Apache-2.0 */
/* A picture in Mermaid's language: a flowchart with subgraphs. Its identifiers may be few things and must not be its
 * words, so boxes are numbered. A box has no ports in it: the NIC of a frame is a box of its own, that of another node
 * is written at its wire. */
#include "plan/graph_box.h"

static const char *const mark_classes[NP_MARK_COUNT] = {"plain", "create", "update", "replace", "delete", "later"};

static void append_indent(GString *out, unsigned depth)
{
	for (unsigned i = 0; i < depth + 1; i++)
		g_string_append(out, "  ");
}

/* Text within quotes. Letters, digits and what cannot be taken for Markdown, HTML or Mermaid stay; the rest are
 * character codes. */
static void append_text(GString *out, const char *text)
{
	gunichar before = ' ';
	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text), after = g_utf8_get_char(g_utf8_next_char(text));
		bool inner = (c == '.' || c == '-') && g_unichar_isalnum(before) && g_unichar_isalnum(after);
		if (g_unichar_iscntrl(c))
			g_string_append_c(out, ' ');
		else if (c >= 0x80 || g_ascii_isalnum((char)c) || c == ' ' || c == ',' || c == '/' || inner)
			g_string_append_unichar(out, c);
		else
			g_string_append_printf(out, "#%u;", c);
		before = c;
	}
}

static void append_lines(GString *out, const char *separator, const GPtrArray *lines)
{
	for (guint i = 0; i < lines->len; i++) {
		g_string_append(out, separator);
		append_text(out, g_ptr_array_index(lines, i));
	}
}

/* Sign, name, and what the box is like, in quotes. Mermaid has room for one line above a frame. */
static void append_label(GString *out, const np_box *box)
{
	g_autofree char *title = np_box_title(box), *range = np_box_range(box);
	const char *separator = np_box_is_site(box) ? " · " : "<br/>";
	g_string_append_c(out, '"');
	if (box->mark) {
		append_text(out, np_mark_sign(box->mark));
		g_string_append_c(out, ' ');
	}
	append_text(out, title);
	if (range) {
		g_string_append(out, separator);
		append_text(out, range);
	}
	append_lines(out, separator, box->lines);
	append_lines(out, separator, box->note);
	g_string_append_c(out, '"');
}

static void append_port(GString *out, const np_port *port)
{
	g_autofree char *address = np_port_address(port);
	g_string_append_c(out, '"');
	append_text(out, port->name);
	if (address) {
		g_string_append_c(out, ' ');
		append_text(out, address);
	}
	g_string_append_c(out, '"');
}

static void append_style(GString *out, unsigned depth, const char *what, const char *area, const np_mark_style *style)
{
	append_indent(out, depth);
	g_string_append_printf(out, "%s fill:%s,stroke:%s,color:%s%s\n", what, area, style->line, np_graph_ink,
	                       style->dashed ? ",stroke-dasharray:5 3" : "");
}

static void mermaid_begin(GString *out, const char *lab G_GNUC_UNUSED)
{
	g_string_append(out, "%%{init: {\"flowchart\": {\"wrappingWidth\": 500}}}%%\nflowchart LR\n");
}

static void mermaid_site_begin(GString *out, const np_box *site)
{
	append_indent(out, site->depth);
	g_string_append_printf(out, "subgraph b%u [", site->number);
	append_label(out, site);
	g_string_append(out, "]\n");
	append_indent(out, site->depth + 1);
	g_string_append(out, "direction LR\n");
	for (guint i = 0; i < site->ports->len; i++) {
		append_indent(out, site->depth + 1);
		g_string_append_printf(out, "b%up%u[", site->number, i);
		append_port(out, g_ptr_array_index(site->ports, i));
		g_string_append_printf(out, "]:::%s\n", mark_classes[site->mark]);
	}
}

static void mermaid_site_end(GString *out, const np_box *site)
{
	g_autofree char *what = g_strdup_printf("style b%u", site->number);
	append_indent(out, site->depth);
	g_string_append(out, "end\n");
	append_style(out, site->depth, what, np_graph_levels[site->depth % G_N_ELEMENTS(np_graph_levels)],
	             &np_mark_styles[site->mark]);
}

static void mermaid_leaf(GString *out, const np_box *box)
{
	bool network = box->kind == NP_BOX_NETWORK;
	append_indent(out, box->depth);
	g_string_append_printf(out, "b%u%s", box->number, network ? "([" : "[");
	append_label(out, box);
	g_string_append_printf(out, "%s:::%s\n", network ? "])" : "]", mark_classes[box->mark]);
}

static void mermaid_wire(GString *out, const np_wire *wire)
{
	const np_box *node = wire->node, *network = wire->network;
	const char *line = wire->gone ? "-.-" : "---";
	if (wire->kind == NP_WIRE_INSIDE) {
		g_string_append_printf(out, "  b%up0 ~~~ b%u\n", node->number, network->number);
	} else if (wire->kind == NP_WIRE_BRIDGED) {
		g_string_append_printf(out, "  b%up%u %s b%u\n", node->number, wire->port, line, network->number);
	} else if (np_box_is_site(node)) {
		g_string_append_printf(out, "  b%u %s b%up%u\n", network->number, line, node->number, wire->port);
	} else {
		g_string_append_printf(out, "  b%u %s|", network->number, line);
		append_port(out, g_ptr_array_index(node->ports, wire->port));
		g_string_append_printf(out, "| b%u\n", node->number);
	}
}

static void append_legend(GString *out, const unsigned *counts)
{
	g_string_append(out, "  subgraph legend [\"plan\"]\n");
	for (unsigned mark = 0; mark < NP_MARK_COUNT; mark++) {
		if (!counts[mark])
			continue;
		g_string_append_printf(out, "    l%u[\"", mark);
		append_text(out, np_mark_sign(mark));
		g_string_append_printf(out, "%s%s %u\"]:::%s\n", mark ? " " : "", np_mark_styles[mark].word,
		                       counts[mark], mark_classes[mark]);
	}
	g_string_append(out, "  end\n");
	append_style(out, 0, "style legend", np_graph_levels[0], &np_mark_styles[NP_ACTION_NONE]);
}

static void mermaid_end(GString *out, const unsigned *counts)
{
	if (counts)
		append_legend(out, counts);
	/* A dark page's theme has light lines, and our areas are light everywhere. */
	g_string_append_printf(out, "  linkStyle default stroke:%s\n", np_graph_hues[0]);
	for (unsigned mark = 0; mark < NP_MARK_COUNT; mark++) {
		g_autofree char *what = g_strconcat("classDef ", mark_classes[mark], NULL);
		if (mark == NP_ACTION_NONE || (counts && counts[mark]))
			append_style(out, 0, what, np_mark_styles[mark].area, &np_mark_styles[mark]);
	}
}

const np_graph_writer np_graph_mermaid = {false,        mermaid_begin, mermaid_site_begin, mermaid_site_end,
                                          mermaid_leaf, mermaid_wire,  mermaid_end};
