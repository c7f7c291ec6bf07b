/* SPDX-License-Identifier: Apache-2.0 */
/* Private to run/: what the steps share while they are executed. */
#pragma once
#include "run/run.h"

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
	GMutex lock;        /* guards no_kvm */
	GHashTable *no_kvm; /* set of site addresses whose proof failed and may be emulated */
} np_runner;

/* Executes one step; blocks. */
bool np_step_execute(np_runner *runner, const np_step *step, GError **error);

void np_runner_stage(np_runner *runner, const np_step *step, const char *text);
void np_runner_progress(np_runner *runner, const np_step *step, guint64 done, guint64 total);
np_conn *np_runner_conn(np_runner *runner, const char *site, GError **error);

bool np_action_nesting(np_runner *runner, const np_step *step, GError **error);
bool np_action_disks(np_runner *runner, const np_step *step, GError **error);
/* Path of the root disk that np_action_disks made for a node; caller frees. */
char *np_staged_disk(const np_runner *runner, const np_node *node);
bool np_action_image(np_runner *runner, const np_step *step, GError **error);
bool np_action_share(np_runner *runner, const np_step *step, GError **error);
bool np_action_delete_pool(np_runner *runner, const np_step *step, GError **error);
bool np_action_ready(np_runner *runner, const np_step *step, GError **error);
bool np_action_prove(np_runner *runner, const np_step *step, GError **error);
