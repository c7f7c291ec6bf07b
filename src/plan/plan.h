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

typedef struct {
	char *name, *before, *after; /* before NULL: not there; after NULL: gone */
} np_field_change;

typedef struct {
	char *address, *site;  /* site: address of the site it lies in */
	np_change_kind kind;
	np_action action;
	np_impact impact;
	char *reason;          /* for people; never for decisions */
	GPtrArray *fields;     /* of np_field_change* */
	GPtrArray *takes_down; /* of char*: addresses of running nodes that go down with it, itself included */
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
} np_plan;

void np_plan_free(np_plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_plan, np_plan_free)

/* lab and world must outlive the plan. */
np_plan *np_plan_make(const np_lab *lab, const np_world *world);
/* Everything of the lab that the world has is deleted, children first. The lab file says what is protected. */
np_plan *np_plan_destroy(const np_lab *lab, const np_world *world);
bool np_plan_is_empty(const np_plan *plan);
np_change *np_plan_find(const np_plan *plan, const char *address);

/* Whether nodes of a site get KVM by `auto`, as far as is known now. nesting: what a node of the host can have that is not up. */
bool np_site_gives_kvm(const np_world *world, const char *site, bool nesting);

/* Text as the terminal shows it; caller frees. */
char *np_plan_render(const np_plan *plan, bool colour);
/* `{"format_version":"1.0",…}`, one line when !pretty; caller frees. */
char *np_plan_json(const np_plan *plan, bool pretty);
