/* SPDX-License-Identifier: Apache-2.0 */
/* A node that exists becomes another one: while it runs, or while it is off. */
#include "run/runner.h"

/* record: what is to be said of it once its keys are changed inside, too. */
static void follow_later(np_runner *runner, const np_step *step, np_record *record)
{
	np_changed *changed = g_new(np_changed, 1);
	*changed = (np_changed){step->seen, record};
	g_mutex_lock(&runner->lock);
	g_hash_table_insert(runner->changed, (gpointer)step->address, changed);
	g_mutex_unlock(&runner->lock);
}

/* later: it is followed inside when it is ready; until then its record has the keys that it has. */
static bool bring_up_to_date(np_runner *runner, np_conn *conn, const np_step *step, bool later, GError **error)
{
	np_domain_spec spec;
	g_autoptr(np_record) record = NULL, until = NULL;
	if (!np_volumes_create(runner, conn, step->node, error) || !np_runner_spec(runner, conn, step, &spec, &record, error))
		return false;
	const char *keys = later && step->seen ? np_inside_former_keys(runner, step->node, step->seen) : NULL;
	if (keys) {
		spec.record = until = np_node_record(runner->lab, step->node, step->seen, spec.kvm);
		np_record_remove(until, NP_ROW_KEYS);
		np_record_add(until, NP_ROW_KEYS, keys);
	}
	if (!runner->drivers->hypervisor->domain_update(conn, &spec, error) || !np_volumes_prune(runner, conn, step->node, error))
		return false;
	if (later && step->seen)
		follow_later(runner, step, keys ? g_steal_pointer(&record) : NULL);
	return true;
}

bool np_action_redefine(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	return conn && bring_up_to_date(runner, conn, step, true, error);
}

/* One that is paused, or boots still, is waited for afterwards (plan/order.c). */
static bool is_waited_for(const np_step *step)
{
	return step->seen && step->node->ready.wait != NP_WAIT_NONE && (!step->seen->ready || step->seen->power == NP_POWER_PAUSED);
}

bool np_action_update(np_runner *runner, const np_step *step, GError **error)
{
	const np_seen_node *before = step->seen;
	np_conn *conn = np_runner_conn(runner, step->site, error);
	bool later = is_waited_for(step);
	if (!conn || (before && !np_inside_let_go(runner, step, before->node, error)))
		return false;
	/* Before it is recorded: what does not need the machine to be another one. */
	if (before && !later && !np_inside_let_in(runner, step, before, error))
		return false;
	np_runner_stage(runner, step, "changing it while it runs");
	return bring_up_to_date(runner, conn, step, later, error) && (!before || later || np_inside_follow(runner, step, before, error));
}
