/* SPDX-License-Identifier: Apache-2.0 */
/* The plan: what differs between lab and world, what that does to what runs, and in which order it is done. Pure: no I/O,
 * no clock, no environment. */
#pragma once
#include <stdbool.h>

#include "world/world.h"

typedef enum { NP_ACTION_NONE, NP_ACTION_CREATE, NP_ACTION_UPDATE, NP_ACTION_REPLACE, NP_ACTION_DELETE } np_action;
extern const char *const np_action_names[];  /* "no-op", "create", "update", "replace", "delete" */
extern const char *const np_action_signs[];  /* " ", "+", "~", "-/+", "-" */
extern const char *const np_impact_names[];  /* "live", "restart", "recreate" */

typedef enum { NP_CHANGE_NETWORK, NP_CHANGE_NODE, NP_CHANGE_HOST } np_change_kind;
extern const char *const np_change_kind_names[];

/* Since the last apply (a set of bits). Unknown where nothing was recorded. */
typedef enum { NP_MOVED_UNKNOWN = 0, NP_MOVED_LAB = 1, NP_MOVED_WORLD = 2, NP_MOVED_BOTH = 3 } np_moved;
extern const char *const np_moved_names[]; /* NULL, "lab", "world", "both" */

typedef struct {
	char *name, *before, *after; /* before NULL: not there; after NULL: gone */
	const char *where;           /* "live", "stored": only that definition differs; NULL: it does, whichever is looked at */
	np_moved moved;
	np_impact impact;
} np_field_change;

typedef struct {
	const char *address, *site; /* its own; site: address of the site it lies in */
	np_change_kind kind;
	np_action action;
	np_impact impact;
	char *reason;          /* for people; never for decisions */
	GPtrArray *fields;     /* of np_field_change* */
	GPtrArray *takes_down; /* of char*: addresses of running nodes that go down with it, itself included */
	GPtrArray *loses;      /* of char*: its disks whose data goes, "root (40GiB)" */
	GPtrArray *reattaches; /* networks that are rebuilt: of char*, addresses of nodes that run on and get their NIC back */
	np_moved moved;        /* of all its fields */
	bool recorded;         /* only what the mark keeps as last applied is renewed, with `record` */
	np_record *record;     /* NULL: not recorded */
	bool kvm;              /* nodes: the accelerator, decided */
	bool deferred;         /* its hypervisor cannot be looked into now: what is to be done is known after that is up */
	bool start_only;       /* the node only has to be started, or waited for */
	bool nesting;          /* host: the lab needs nesting in the host's kernel; false: no longer */
	unsigned level;
	const np_node *node;           /* wanted; NULL for delete; borrowed from the lab */
	const np_network *network;     /* likewise */
	const np_seen_node *seen;      /* observed; NULL for create; borrowed from the world */
	const np_seen_network *seen_network;
} np_change;

typedef struct {
	char *lab;
	GPtrArray *changes;  /* of np_change*, parents before children, deletes last and children before parents */
	GHashTable *index;   /* address → np_change*, borrowed from changes */
	GPtrArray *problems; /* of char*: why this cannot be applied; whole sentences */
	GPtrArray *warnings; /* of char* */
	unsigned add, change, destroy, deferred;
	char *accel_reason;  /* host's accelerator, in words */
	bool nesting;        /* nodes of the host can be hypervisors with KVM, once this plan is done */
	bool destroys;       /* nothing is created or kept up, only deleted */
	bool refreshes;      /* only records are renewed */
	struct np_diags *secrets; /* hides values of sensitive variables; NULL: there are none */
	GHashTable *scope;   /* set of addresses: the part that was asked for; NULL: everything */
	unsigned unchanged;  /* nodes and networks of the lab that are as they should be */
} np_plan;

/* What is asked for beside the lab file. All NULL and false: everything. Borrowed. */
typedef struct {
	const char *const *targets; /* addresses or globs ("compute-*"): only these, what they need and what is inside; NULL: all */
	const char *const *replace; /* addresses of nodes to recreate although nothing asks for it */
	bool destroy;               /* delete instead */
	bool refresh_only;          /* show what moved outside nestplan, and record it; nothing else */
} np_plan_options;

void np_plan_free(np_plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_plan, np_plan_free)

/* lab and world must outlive the plan. options may be NULL. With destroy everything of the lab that the world has is deleted, children
 * first; the lab file says what is protected. An address that names nothing is a problem of the plan. */
np_plan *np_plan_make(const np_lab *lab, const np_world *world, const np_plan_options *options);
/* Adds what exists of the plan's scope, also where nothing is to be done or all of it goes: identity, power, definition. */
void np_plan_digest(const np_plan *plan, const np_lab *lab, const np_world *world, GChecksum *sum);
bool np_plan_is_empty(const np_plan *plan);
/* Those of the addresses that options->replace named whose hypervisor has to be up first: for the plan that is made then. NULL: none;
 * caller frees with g_strfreev. */
char **np_plan_replace_later(const np_plan *plan, const char *const *replace);
np_change *np_plan_find(const np_plan *plan, const char *address);

/* Whether nodes of a site get KVM by `auto`, as far as is known now. nesting: what a node of the host can have that is not up. */
bool np_site_gives_kvm(const np_world *world, const char *site, bool nesting);

/* The NIC by which the node was reached, where that is another one now by the order of its NICs alone; else NULL. Borrowed. */
const np_nic *np_node_access_moved(const np_node *want, const np_seen_node *have);
/* Whether a hypervisor's bridges over its NICs are others than its disk was given; false where that is not known. */
bool np_node_bridges_differ(const np_node *want, const np_seen_node *have);

/* Of a node's record: which keys may log in as root. They are in a guest's disk, so only the record knows. */
#define NP_ROW_KEYS "authorized_keys"

/* What is kept in a node's or network's mark as last applied; caller frees. have: what is changed; NULL: it is made anew. kvm: the
 * accelerator, decided. */
np_record *np_node_record(const np_lab *lab, const np_node *node, const np_seen_node *have, bool kvm);
np_record *np_network_record(const np_lab *lab, const np_network *network);

/* Text as the terminal shows it; caller frees. ALL: nothing is folded or left out. */
enum { NP_RENDER_COLOUR = 1 << 0, NP_RENDER_ALL = 1 << 1, NP_RENDER_WRAP = 1 << 2 /* messages, at 80 columns */ };
char *np_plan_render(const np_plan *plan, unsigned flags);
/* `{"format_version":"1.0",…}`, one line when !pretty; caller frees. */
char *np_plan_json(const np_plan *plan, bool pretty);
