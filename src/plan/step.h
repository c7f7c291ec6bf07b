/* SPDX-License-Identifier: Apache-2.0 */
/* One unit of what is executed, and the steps that come before it. */
#pragma once
#include "plan/plan.h"

typedef enum {
	NP_STEP_NESTING,        /* host: nesting in its kernel, on or off again */
	NP_STEP_POOL,           /* the site's two storage pools */
	NP_STEP_IMAGE,          /* host: an image into the images pool */
	NP_STEP_SHARE,          /* host: the images of a hypervisor's children, as one volume */
	NP_STEP_NETWORK,        /* define and start */
	NP_STEP_REATTACH,       /* NICs of guests that ran on while their network was rebuilt */
	NP_STEP_DISKS,          /* make and configure the new root disks of a site, locally */
	NP_STEP_CREATE,         /* volumes and domain */
	NP_STEP_REDEFINE,
	NP_STEP_UPDATE,         /* a node that runs, without interruption */
	NP_STEP_START,
	NP_STEP_READY,          /* wait until it is what `ready` asks for */
	NP_STEP_SITE,           /* hypervisor: its libvirtd answers, and the proof */
	NP_STEP_STOP,
	NP_STEP_DELETE,         /* domain and volumes */
	NP_STEP_DELETE_NETWORK,
	NP_STEP_RECORD,         /* what the mark keeps as last applied */
	NP_STEP_DELETE_POOL,    /* the lab's pool, keys, and images that nobody uses: full destroy only */
} np_step_kind;
extern const char *const np_step_kind_names[];

/* Other steps, by their ids. */
#define NP_STEP_FEW 4
typedef struct {
	unsigned n, room;
	unsigned *ids; /* `few`, or a larger array when there are more; NULL: none */
	unsigned few[NP_STEP_FEW];
} np_step_ids;

typedef struct {
	np_step_kind kind;
	unsigned id;          /* index in the list */
	const char *address;  /* of the node, network or image it is about; the site's for pools and disks */
	const char *site;     /* where it is executed */
	const char *label;    /* for people: "compute-1: start" */
	np_step_ids needs;    /* steps that must be done before */
	np_step_ids after;    /* steps that must have ended before, in whatever way */
	bool graceful;        /* STOP: shut down rather than cut the power */
	bool fragile;         /* READY: runs under KVM in an emulated hypervisor (see run/ready.c) */
	bool kvm;             /* CREATE, REDEFINE: accelerator */
	bool nesting;         /* NESTING: on */
	const np_node *node;  /* borrowed; STOP, DELETE: NULL */
	const np_network *network;
	const np_image *image;
	const np_seen_node *seen;
	const np_seen_network *seen_network;
	const np_record *record; /* RECORD: borrowed from the plan */
	GPtrArray *nodes;     /* DISKS: of const np_node*, borrowed; else NULL */
} np_step;

/* All texts are copied; the label is "WHO: VERB". It must not be moved in memory. */
np_step *np_step_new(np_step_kind kind, unsigned id, const char *site, const char *address, const char *who, const char *verb);
void np_step_free(np_step *step);
/* Adds one that is not there yet: nothing is searched. */
void np_step_ids_add(np_step_ids *ids, unsigned id);
bool np_step_ids_have(const np_step_ids *ids, unsigned id);
