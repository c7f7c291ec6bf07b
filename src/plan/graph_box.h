/* SPDX-License-Identifier: Apache-2.0 */
/* Private to plan/: what a picture is made of, whatever language it is written in.
 *
 *   lab, plan ─np_box_build─▶ boxes ─np_box_fold─▶ fewer boxes ─graph.c walks them─▶ np_graph_writer: DOT or Mermaid
 */
#pragma once
#include "plan/plan.h"

/* What a plan does to a box: an np_action, or one that is known later. */
enum { NP_MARK_LATER = NP_ACTION_DELETE + 1, NP_MARK_COUNT };

typedef enum { NP_BOX_HOST, NP_BOX_NODE, NP_BOX_NETWORK, NP_BOX_SETTING } np_box_kind;

/* A NIC of a node. */
typedef struct {
	char *name;
	char *network;     /* address of the network it is on */
	np_ip first, last; /* 0: none; they differ in a folded box only */
	bool scattered;    /* folded: those between are not all the addresses from first to last */
} np_port;

typedef struct {
	np_box_kind kind;
	char *address;    /* as a plan has it; of a folded box the first one's */
	char *last;       /* address of the last one that is folded into it; NULL: it stands for itself */
	unsigned members; /* how many it stands for: 1, unless folded */
	unsigned depth;   /* 0 for the host; the level, for nodes */
	unsigned number;  /* counts from 0 in the order of drawing, given by the walk */
	unsigned mark;
	unsigned hue;      /* networks: index in np_graph_hues, given by the walk; 0: no colour of its own */
	GPtrArray *lines;  /* of char*: what it is like */
	GPtrArray *note;   /* of char*: its description */
	char *range;       /* networks: CIDR; NULL: none */
	bool varies;       /* networks in a folded box: the ranges of the others differ */
	char *over;        /* networks: the NIC of their own site that they are a bridge over; NULL: none */
	GPtrArray *ports;  /* nodes: of np_port* */
	GPtrArray *inside; /* of np_box*: networks, then nodes */
} np_box;

void np_box_free(np_box *box);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_box, np_box_free)

/* The host's box with all of the lab in it, and what the plan (may be NULL) deletes. */
np_box *np_box_build(const np_lab *lab, const np_plan *plan);
/* At each level, makes one box of siblings that are numbered one after the other and differ only in addresses. */
void np_box_fold(np_box *site);

/* 12 of "compute-12", with the length of what stands before the number; 0: there is no number. */
guint64 np_box_number(const char *address, size_t *ret_stem);

/* Whether there is something inside: drawn as a frame, with its NICs at the edge. */
bool np_box_is_site(const np_box *box);
/* "compute-1", "compute-1 … compute-200 (200)". Caller frees. */
char *np_box_title(const np_box *box);
/* "10.20.0.0/24", "10.20.0.0/24, …"; NULL: none. Caller frees. */
char *np_box_range(const np_box *box);
/* "10.20.0.31", "10.20.0.31 … 10.20.0.230", "10.20.0.31, …"; NULL: none. Caller frees. */
char *np_port_address(const np_port *port);

typedef struct {
	enum {
		NP_WIRE_ATTACHED, /* a node's NIC to a network of the site it is on */
		NP_WIRE_BRIDGED,  /* a node's NIC to a network inside it */
		NP_WIRE_INSIDE,   /* not to be seen: this network is inside that node */
	} kind;
	const np_box *node, *network;
	guint port; /* index in the node's ports; not for NP_WIRE_INSIDE */
	bool gone;  /* one of its ends is deleted */
} np_wire;

/* How a mark looks. The colours are Okabe and Ito's, made darker for lines and lighter for areas, so that they can be
 * told apart whatever colours somebody sees; the sign says the same. */
typedef struct {
	const char *word, *line, *area;
	bool dashed;
} np_mark_style;
extern const np_mark_style np_mark_styles[NP_MARK_COUNT];
/* As in the plan's text; "" for what stays as it is. */
const char *np_mark_sign(unsigned mark);
/* Colours of networks and their lines where no plan needs the colours; [0] is for all when one does. */
#define NP_GRAPH_HUES 6
extern const char *const np_graph_hues[1 + NP_GRAPH_HUES];
extern const char *const np_graph_ink, *const np_graph_levels[4]; /* colour of text; of frames, by depth modulo 4 */

/* A language: each function appends to `out`. */
typedef struct {
	bool backwards; /* siblings and wires are wanted in reverse */
	void (*begin)(GString *out, const char *lab);
	void (*site_begin)(GString *out, const np_box *site);
	void (*site_end)(GString *out, const np_box *site);
	void (*leaf)(GString *out, const np_box *box);
	void (*wire)(GString *out, const np_wire *wire);
	/* counts: how many boxes have each mark, for a legend; NULL: there is no plan. */
	void (*end)(GString *out, const unsigned *counts);
} np_graph_writer;
extern const np_graph_writer np_graph_dot, np_graph_mermaid;
