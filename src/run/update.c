/* SPDX-License-Identifier: Apache-2.0 */
/* A node that exists becomes another one: while it runs, or while it is off. */
#include "run/runner.h"

static bool bring_up_to_date(np_runner *runner, np_conn *conn, const np_step *step, GError **error)
{
	np_domain_spec spec;
	g_autoptr(np_record) record = NULL;
	return np_volumes_create(runner, conn, step->node, error) && np_runner_spec(runner, conn, step, &spec, &record, error) &&
	       runner->drivers->hypervisor->domain_update(conn, &spec, error) &&
	       np_volumes_prune(runner, conn, step->node, error);
}

bool np_action_redefine(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	if (!conn || !bring_up_to_date(runner, conn, step, error))
		return false;
	if (step->seen) {
		g_mutex_lock(&runner->lock);
		g_hash_table_insert(runner->changed, (gpointer)step->address, (gpointer)step->seen);
		g_mutex_unlock(&runner->lock);
	}
	return true;
}

bool np_action_update(np_runner *runner, const np_step *step, GError **error)
{
	const np_seen_node *before = step->seen;
	np_conn *conn = np_runner_conn(runner, step->site, error);
	/* Before it is recorded: what does not need the machine to be another one. */
	if (!conn || (before && !(np_inside_let_go(runner, step, before->node, error) && np_inside_let_in(runner, step, before, error))))
		return false;
	np_runner_stage(runner, step, "changing it while it runs");
	return bring_up_to_date(runner, conn, step, error) && (!before || np_inside_follow(runner, step, before, error));
}
