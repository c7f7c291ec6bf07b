/* SPDX-License-Identifier: Apache-2.0 */
/* Private to plan/: filling a plan with changes. */
#pragma once
#include "plan/plan.h"

/* One that is not in a plan yet. */
np_change *np_change_new(np_change_kind kind, const char *site, const char *address, np_action action);
void np_change_free(np_change *change);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_change, np_change_free)
/* Takes the change; returns it, borrowed. */
np_change *np_plan_take(np_plan *plan, np_change *change);
np_change *np_change_add(np_plan *plan, np_change_kind kind, const char *site, const char *address, np_action action);
/* Returns what was added, for its other members; borrowed. */
np_field_change *np_change_field(np_change *change, const char *name, const char *before, const char *after);
/* Whether the change stops its node, if that runs. change may be NULL. */
bool np_change_is_down(const np_change *change);
/* Of a node whose disks would go and that cannot be looked into: a problem for each protected node that the lab has inside, and for
 * those of its record that the lab has nowhere. node: wanted; NULL: not any more. have: NULL: it cannot be seen either. */
void np_check_unknown(np_plan *plan, const np_node *node, const np_seen_node *have);
/* A problem for each protected node that would be deleted. */
void np_check_protected(np_plan *plan, const np_lab *lab);
/* A warning where a hypervisor runs and cannot be looked into. */
void np_warn_unknown(np_plan *plan, const np_seen_node *seen);
void np_plan_problem(np_plan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A problem of a value that the lab file declares: begins with its place, as messages of validate do. Warnings have none: they are
 * in saved plans, which outlive a line more in the file. */
void np_plan_problem_at(np_plan *plan, const np_lab *lab, np_pos pos, const char *format, ...) G_GNUC_PRINTF(4, 5);
void np_plan_warning(np_plan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The host's kernel: a row when nesting is to be switched on (or the lab's name added where it is on), problems when it
 * cannot be. Sets plan->nesting. */
void np_diff_nesting(np_plan *plan, const np_lab *lab, const np_world *world);
/* A row when nestplan switched nesting on for this lab: it is needed no longer. */
void np_diff_nesting_release(np_plan *plan, const np_world *world, const char *lab);

/* The lab against what else the host has: memory, CPUs, ranges of addresses. After np_diff_lab: what exists already is not
 * judged again. */
void np_diff_host(np_plan *plan, const np_lab *lab, const np_world *world);

/* Sets plan->scope to what the targets name; problems where an option names nothing. */
void np_scope_make(np_plan *plan, const np_lab *lab, const np_world *world, const np_plan_options *options);
/* Problems where what the targets leave out stands in the way of the changes. */
void np_scope_check(np_plan *plan, const np_world *world);
bool np_plan_has_in_scope(const np_plan *plan, const char *address);

void np_diff_lab(np_plan *plan, const np_lab *lab, const np_world *world, const np_plan_options *options);
/* Takes the values of sensitive variables out of what the plan says. */
void np_plan_conceal(np_plan *plan, const np_lab *lab);
/* The same for a text made later. Takes it, and returns it or another. */
char *np_plan_hide(const np_plan *plan, char *text);
/* What moved outside nestplan since it was last applied, as changes of the record alone. */
void np_diff_refresh(np_plan *plan, const np_lab *lab, const np_world *world);
/* Deletes all of a site that is in scope: nodes inside first, then nodes, then networks. */
void np_diff_delete_site(np_plan *plan, const np_seen_site *site, const char *reason);

/* Fields of a node that exists, wanted against observed; sets impact and action of the change. */
void np_diff_node_fields(np_change *change, const np_lab *lab, const np_node *want, const np_seen_node *have, bool kvm);
void np_diff_network_fields(np_change *change, const np_lab *lab, const np_network *want, const np_seen_network *have);
/* What was last applied (field → value) against what is: before is the record, after is what is seen. live: NULL where it does not
 * run. */
void np_diff_record(np_change *change, GHashTable *applied, const np_record *stored, const np_record *live);
/* Whether a node has a NIC on a network of its site, by the network's name. */
bool np_node_uses(const np_node *node, const char *network);
/* The CPU mode that `auto` stands for. */
np_cpu_mode np_cpu_mode_effective(const np_node *node, bool kvm);
