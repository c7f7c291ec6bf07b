/* SPDX-License-Identifier: Apache-2.0 */
/* Private to run/: what the steps share while they are executed. */
#pragma once
#include "run/run.h"

/* A node that was changed when nothing could be done inside it. */
typedef struct {
	const np_seen_node *before;
	np_record *record; /* to be written when its keys are changed inside; NULL: it is written */
} np_changed;

typedef struct {
	np_session *session;
	const np_drivers *drivers;
	const np_lab *lab;
	const np_run_options *options;
	char *staging;      /* private folder for disks in the making; removed at the end */
	GBytes *seed;
	GPtrArray *authorized; /* of char*: public key lines for root in every guest, NULL-terminated */
	bool local_kvm;     /* this machine's KVM can be used (for the appliance) */
	GMutex event_lock;
	GMutex lock;        /* guards no_kvm and changed */
	GHashTable *no_kvm; /* set of site addresses whose proof failed and may be emulated */
	GHashTable *changed; /* address → np_changed*: what is followed inside when the node is ready */
} np_runner;

/* Executes one step; blocks. */
bool np_step_execute(np_runner *runner, const np_step *step, GError **error);

void np_runner_stage(np_runner *runner, const np_step *step, const char *text);
void np_runner_progress(np_runner *runner, const np_step *step, guint64 done, guint64 total);
np_conn *np_runner_conn(np_runner *runner, const char *site, GError **error);

/* All that the step's domain is made from; borrowed from the runner, the step, the program and *ret_record, which the caller frees. */
bool np_runner_spec(np_runner *runner, np_conn *conn, const np_step *step, np_domain_spec *ret, np_record **ret_record, GError **error);

/* Volumes of the node's data disks, those that are not there yet. */
bool np_volumes_create(np_runner *runner, np_conn *conn, const np_node *node, GError **error);
/* All volumes of the node with that name. */
bool np_volumes_delete(np_runner *runner, np_conn *conn, const char *node, GError **error);
/* Those of disks that the node has no longer. */
bool np_volumes_prune(np_runner *runner, np_conn *conn, const np_node *node, GError **error);

/* Does inside the running guest of step->node what its change from `before` asks for: vCPUs online, partitions and file
 * systems grown, NICs configured. What cannot be done there is a stage that begins with "warning:"; what fails there is an
 * error. */
bool np_inside_follow(np_runner *runner, const np_step *step, const np_seen_node *before, GError **error);
/* Which keys root of the guest has, by its record, where access.authorized_keys names others now. NULL: the same, or nobody knows. */
const char *np_inside_former_keys(const np_runner *runner, const np_node *node, const np_seen_node *before);
/* Gives root of a running guest the keys that access.authorized_keys names now, where those are others than its record says. */
bool np_inside_let_in(np_runner *runner, const np_step *step, const np_seen_node *before, GError **error);
/* Before disks are taken from a running guest: unmounts them inside. An error when they are in use. */
bool np_inside_let_go(np_runner *runner, const np_step *step, const np_node *before, GError **error);

bool np_action_redefine(np_runner *runner, const np_step *step, GError **error);
bool np_action_update(np_runner *runner, const np_step *step, GError **error);
bool np_action_nesting(np_runner *runner, const np_step *step, GError **error);
bool np_action_disks(np_runner *runner, const np_step *step, GError **error);
/* Path of the root disk that np_action_disks made for a node; caller frees. */
char *np_staged_disk(const np_runner *runner, const np_node *node);
bool np_action_image(np_runner *runner, const np_step *step, GError **error);
bool np_action_share(np_runner *runner, const np_step *step, GError **error);
bool np_action_delete_pool(np_runner *runner, const np_step *step, GError **error);
bool np_action_ready(np_runner *runner, const np_step *step, GError **error);
bool np_action_prove(np_runner *runner, const np_step *step, GError **error);
