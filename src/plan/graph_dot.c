/* SPDX-License-Identifier: Apache-2.0 */
/* A picture in DOT, Graphviz's language. Identifiers are addresses, so that whoever edits the text finds what he looks
 * for. All text is on an area of its own colour: the page below may be light or dark. */
#include <string.h>

#include "plan/graph_box.h"

#define FONT  "fontname=\"Helvetica,Arial,sans-serif\" fontsize=11"
#define TABLE "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\">"

static void append_indent(GString *out, unsigned depth)
{
	for (unsigned i = 0; i < depth + 1; i++)
		g_string_append_c(out, '\t');
}

/* A quoted string, as in an identifier. */
static void append_quoted(GString *out, const char *prefix, const char *text)
{
	g_string_append_printf(out, "\"%s", prefix);
	for (; *text; text++)
		g_string_append_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	g_string_append_c(out, '"');
}

/* Text within a label in Graphviz's HTML, in which \N and the like are the box's name. */
static void append_text(GString *out, const char *text)
{
	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);
		if (c == '&')
			g_string_append(out, "&amp;");
		else if (c == '<')
			g_string_append(out, "&lt;");
		else if (c == '>')
			g_string_append(out, "&gt;");
		else if (c == '"')
			g_string_append(out, "&quot;");
		else if (c == '\\')
			g_string_append(out, "\\\\");
		else if (g_unichar_iscntrl(c) || (c & 0xfffe) == 0xfffe) /* XML has no way to write these */
			g_string_append_c(out, ' ');
		else
			g_string_append_unichar(out, c);
	}
}

/* Nothing for what stays as it is. */
static void append_sign(GString *out, unsigned mark)
{
	if (mark)
		g_string_append_printf(out, "<FONT COLOR=\"%s\"><B>%s</B></FONT> ", np_mark_styles[mark].line,
		                       np_mark_sign(mark));
}

static void append_row(GString *out, const char *before, const char *text, const char *after)
{
	g_string_append_printf(out, "<TR><TD ALIGN=\"LEFT\">%s", before);
	append_text(out, text);
	g_string_append_printf(out, "%s</TD></TR>", after);
}

/* Sign, name, and what the box is like, one below the other. */
static void append_rows(GString *out, const np_box *box)
{
	g_autofree char *title = np_box_title(box), *range = np_box_range(box);
	g_string_append(out, "<TR><TD ALIGN=\"LEFT\">");
	append_sign(out, box->mark);
	g_string_append(out, "<B>");
	append_text(out, title);
	g_string_append(out, "</B></TD></TR>");
	if (range)
		append_row(out, "<FONT POINT-SIZE=\"10\">", range, "</FONT>");
	for (guint i = 0; i < box->lines->len; i++)
		append_row(out, "<FONT POINT-SIZE=\"10\">", g_ptr_array_index(box->lines, i), "</FONT>");
	for (guint i = 0; i < box->note->len; i++)
		append_row(out, "<FONT POINT-SIZE=\"10\"><I>", g_ptr_array_index(box->note, i), "</I></FONT>");
}

static void append_port(GString *out, const np_box *box, guint i)
{
	const np_port *port = g_ptr_array_index(box->ports, i);
	g_autofree char *address = np_port_address(port);
	g_string_append_printf(out, "<TD PORT=\"p%u\" ALIGN=\"LEFT\" BGCOLOR=\"%s\"><FONT POINT-SIZE=\"9\"><B>", i,
	                       np_graph_levels[1]);
	append_text(out, port->name);
	g_string_append(out, "</B>");
	if (address) {
		g_string_append_c(out, ' ');
		append_text(out, address);
	}
	g_string_append(out, "</FONT></TD>");
}

/* The NICs in a column, and beside them, unless the box is a frame, the text. */
static void append_table(GString *out, const np_box *box, bool with_text)
{
	const np_mark_style *style = &np_mark_styles[box->mark];
	g_string_append_printf(out,
	                       "<<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\" COLOR=\"%s\" "
	                       "BGCOLOR=\"%s\"%s>",
	                       style->line, style->area, style->dashed ? " STYLE=\"dashed\"" : "");
	for (guint i = 0; i < MAX(box->ports->len, with_text); i++) {
		g_string_append(out, "<TR>");
		if (i < box->ports->len)
			append_port(out, box, i);
		if (with_text && i == 0) {
			g_string_append_printf(out, "<TD ROWSPAN=\"%u\">" TABLE, MAX(box->ports->len, 1));
			append_rows(out, box);
			g_string_append(out, "</TABLE></TD>");
		}
		g_string_append(out, "</TR>");
	}
	g_string_append(out, "</TABLE>>");
}

static void dot_begin(GString *out, const char *lab)
{
	g_string_append(out, "graph ");
	append_quoted(out, "", lab);
	g_string_append_printf(
	        out,
	        " {\n"
	        "\tgraph [rankdir=LR ordering=out bgcolor=transparent pad=0.1 nodesep=0.2 ranksep=0.7 " FONT
	        " fontcolor=\"%s\"]\n"
	        "\tnode [shape=plain " FONT " fontcolor=\"%s\"]\n"
	        "\tedge [color=\"%s\"]\n",
	        np_graph_ink, np_graph_ink, np_mark_styles[NP_ACTION_NONE].line);
}

static void dot_site_begin(GString *out, const np_box *site)
{
	const np_mark_style *style = &np_mark_styles[site->mark];
	append_indent(out, site->depth);
	g_string_append(out, "subgraph ");
	append_quoted(out, "cluster ", site->address);
	g_string_append(out, " {\n");
	append_indent(out, site->depth + 1);
	g_string_append_printf(
	        out,
	        "graph [style=\"rounded,filled%s\" fillcolor=\"%s\" color=\"%s\" penwidth=%s labeljust=l label=<" TABLE,
	        style->dashed ? ",dashed" : "", np_graph_levels[site->depth % G_N_ELEMENTS(np_graph_levels)],
	        style->line, site->mark ? "2" : "1");
	append_rows(out, site);
	g_string_append(out, "</TABLE>>]\n");
	if (site->ports->len == 0)
		return;
	append_indent(out, site->depth + 1);
	append_quoted(out, "", site->address);
	g_string_append(out, " [label=");
	append_table(out, site, false);
	g_string_append(out, "]\n");
}

static void dot_site_end(GString *out, const np_box *site)
{
	append_indent(out, site->depth);
	g_string_append(out, "}\n");
}

static void dot_leaf(GString *out, const np_box *box)
{
	const np_mark_style *style = &np_mark_styles[box->mark];
	append_indent(out, box->depth);
	append_quoted(out, "", box->address);
	g_string_append(out, " [");
	if (box->kind == NP_BOX_NETWORK) {
		g_string_append_printf(out,
		                       "shape=box style=\"rounded,filled%s\" fillcolor=\"%s\" color=\"%s\" "
		                       "margin=\"0.1,0.05\" label=<" TABLE,
		                       style->dashed ? ",dashed" : "", style->area,
		                       box->hue ? np_graph_hues[box->hue] : style->line);
		append_rows(out, box);
		g_string_append(out, "</TABLE>>");
	} else {
		g_string_append(out, "label=");
		append_table(out, box, true);
	}
	g_string_append(out, "]\n");
}

/* Lines leave a box on its right and come to one on its left: networks, the nodes on them, the networks in those. */
static void append_end(GString *out, const np_wire *wire, const np_box *box, const char *side)
{
	append_quoted(out, "", box->address);
	if (wire->kind == NP_WIRE_INSIDE)
		return;
	if (box == wire->node)
		g_string_append_printf(out, ":p%u", wire->port);
	g_string_append(out, side);
}

static void dot_wire(GString *out, const np_wire *wire)
{
	bool outside = wire->kind == NP_WIRE_ATTACHED;
	g_string_append_c(out, '\t');
	append_end(out, wire, outside ? wire->network : wire->node, ":e");
	g_string_append(out, " -- ");
	append_end(out, wire, outside ? wire->node : wire->network, ":w");
	if (wire->kind == NP_WIRE_INSIDE)
		g_string_append(out, " [style=invis]");
	else
		g_string_append_printf(out, " [color=\"%s\"%s]", np_graph_hues[wire->network->hue],
		                       wire->gone ? " style=dashed" : "");
	g_string_append_c(out, '\n');
}

static void append_legend(GString *out, const unsigned *counts)
{
	g_string_append(out, "\tgraph [labelloc=b labeljust=l label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" "
	                     "CELLSPACING=\"4\" CELLPADDING=\"4\"><TR>");
	for (unsigned mark = 0; mark < NP_MARK_COUNT; mark++) {
		const np_mark_style *style = &np_mark_styles[mark];
		if (counts[mark] == 0)
			continue;
		g_string_append_printf(out, "<TD COLOR=\"%s\" BGCOLOR=\"%s\"%s>", style->line, style->area,
		                       style->dashed ? " STYLE=\"dashed\"" : "");
		append_sign(out, mark);
		g_string_append_printf(out, "%s: %u</TD>", style->word, counts[mark]);
	}
	g_string_append(out, "</TR></TABLE>>]\n");
}

static void dot_end(GString *out, const unsigned *counts)
{
	if (counts)
		append_legend(out, counts);
	g_string_append(out, "}\n");
}

/* Graphviz puts the first of a column at its bottom. */
const np_graph_writer np_graph_dot = {true, dot_begin, dot_site_begin, dot_site_end, dot_leaf, dot_wire, dot_end};
