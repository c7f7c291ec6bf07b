/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of step does. */
#include <string.h>

#include "base/error.h"
#include "run/runner.h"

#define SHUTDOWN_TIMEOUT_MS 120000

typedef bool (*action_fn)(np_runner *runner, const np_step *step, GError **error);

np_conn *np_runner_conn(np_runner *runner, const char *site, GError **error)
{
	const np_node *node = *site ? np_lab_node(runner->lab, site) : NULL;
	return np_session_conn(runner->session, site, node ? node->uuid : NULL, error);
}

static const char *storage_of(const np_runner *runner, const char *site)
{
	const np_node *node = *site ? np_lab_node(runner->lab, site) : NULL;
	return node ? node->site.storage : runner->lab->site.storage;
}

static bool action_pool(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	if (!conn)
		return false;
	const char *storage = storage_of(runner, step->site);
	g_autofree char *images = g_build_filename(storage, "images", NULL);
	g_autofree char *folder = g_build_filename(storage, runner->lab->name, NULL);
	g_autofree char *pool = np_pool_name(runner->lab->name);
	const np_hypervisor_ops *ops = runner->drivers->hypervisor;
	return ops->pool_ensure(conn, NP_POOL_IMAGES, images, error) && ops->pool_ensure(conn, pool, folder, error);
}

static bool action_network(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	g_autoptr(np_record) record = np_network_record(runner->lab, step->network);
	return conn && runner->drivers->hypervisor->network_ensure(conn, runner->lab, step->network, record, error);
}

static bool action_reattach(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	return conn && runner->drivers->hypervisor->network_reattach(conn, runner->lab->name, step->network->libvirt_name, error);
}

static bool lacks_kvm(np_runner *runner, const char *site)
{
	g_mutex_lock(&runner->lock);
	bool lacks = g_hash_table_contains(runner->no_kvm, site);
	g_mutex_unlock(&runner->lock);
	return lacks;
}

bool np_runner_spec(np_runner *runner, np_conn *conn, const np_step *step, np_domain_spec *ret, np_record **ret_record, GError **error)
{
	const np_node *node = step->node;
	g_auto(np_host_facts) facts = {0};
	if (!runner->drivers->hypervisor->facts(conn, &facts, error))
		return false;
	bool kvm = step->kvm && !lacks_kvm(runner, step->site);
	const np_seen_node *have = step->kind == NP_STEP_CREATE ? NULL : step->seen;
	*ret_record = np_node_record(runner->lab, node, have, kvm);
	*ret = (np_domain_spec){
		.lab = runner->lab->name,
		.node = node,
		.kvm = kvm,
		/* QEMU's emulator has SVM and no VMX, whatever the CPU below is. */
		.flag = kvm && facts.flag ? g_intern_string(facts.flag) : "svm",
		.image_id = node->root_image ? node->root_image->id : NULL,
		.share = node->site.nodes->len ? node->site.share : NULL,
		.record = *ret_record,
	};
	return true;
}

static bool define(np_runner *runner, np_conn *conn, const np_step *step, GError **error)
{
	np_domain_spec spec;
	g_autoptr(np_record) record = NULL;
	return np_runner_spec(runner, conn, step, &spec, &record, error) &&
	       runner->drivers->hypervisor->domain_define(conn, &spec, error);
}

static bool upload_root(np_runner *runner, np_conn *conn, const np_step *step, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	g_autofree char *volume = np_volume_name(step->node->base.name, "root");
	g_autofree char *path = np_staged_disk(runner, step->node);
	np_runner_stage(runner, step, "uploading its disk");
	return runner->drivers->hypervisor->volume_upload(conn, pool, volume, "qcow2", path, NULL, NULL, runner->options->cancel, error);
}

static bool action_create(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	if (!conn || !np_volumes_delete(runner, conn, step->node->base.name, error))
		return false;
	if (step->node->image && !upload_root(runner, conn, step, error))
		return false;
	if (!np_volumes_create(runner, conn, step->node, error))
		return false;
	np_runner_stage(runner, step, "starting");
	return define(runner, conn, step, error) &&
	       runner->drivers->hypervisor->domain_start(conn, runner->lab->name, step->node->libvirt_name, error);
}

static bool action_start(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	return conn && runner->drivers->hypervisor->domain_start(conn, runner->lab->name, step->node->libvirt_name, error);
}

static np_conn *seen_conn(np_runner *runner, const np_step *step, GError **error)
{
	return np_session_conn(runner->session, step->site, NULL, error);
}

static bool action_stop(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = seen_conn(runner, step, error);
	if (!conn)
		return false;
	np_session_forget(runner->session, step->address);
	return runner->drivers->hypervisor->domain_stop(conn, runner->lab->name, step->seen->node->libvirt_name,
	                                                step->graceful ? SHUTDOWN_TIMEOUT_MS : 0, runner->options->cancel, error);
}

static bool action_delete(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = seen_conn(runner, step, error);
	return conn &&
	       runner->drivers->hypervisor->domain_undefine(conn, runner->lab->name, step->seen->node->libvirt_name, error) &&
	       np_volumes_delete(runner, conn, step->seen->node->base.name, error);
}

static bool action_delete_network(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = seen_conn(runner, step, error);
	return conn && runner->drivers->hypervisor->network_delete(conn, runner->lab->name,
	                                                           step->seen_network->network->libvirt_name, error);
}

static bool action_record(np_runner *runner, const np_step *step, GError **error)
{
	const np_hypervisor_ops *ops = runner->drivers->hypervisor;
	np_conn *conn = seen_conn(runner, step, error);
	if (!conn)
		return false;
	const char *lab = runner->lab->name;
	return step->seen ? ops->domain_record(conn, lab, step->seen->node->libvirt_name, step->record, error)
	                  : ops->network_record(conn, lab, step->seen_network->network->libvirt_name, step->record, error);
}

static const action_fn actions[] = {
	[NP_STEP_NESTING] = np_action_nesting,
	[NP_STEP_POOL] = action_pool,
	[NP_STEP_IMAGE] = np_action_image,
	[NP_STEP_SHARE] = np_action_share,
	[NP_STEP_NETWORK] = action_network,
	[NP_STEP_REATTACH] = action_reattach,
	[NP_STEP_DISKS] = np_action_disks,
	[NP_STEP_CREATE] = action_create,
	[NP_STEP_REDEFINE] = np_action_redefine,
	[NP_STEP_UPDATE] = np_action_update,
	[NP_STEP_START] = action_start,
	[NP_STEP_READY] = np_action_ready,
	[NP_STEP_SITE] = np_action_prove,
	[NP_STEP_STOP] = action_stop,
	[NP_STEP_DELETE] = action_delete,
	[NP_STEP_DELETE_NETWORK] = action_delete_network,
	[NP_STEP_RECORD] = action_record,
	[NP_STEP_DELETE_POOL] = np_action_delete_pool,
};

bool np_step_execute(np_runner *runner, const np_step *step, GError **error)
{
	return actions[step->kind](runner, step, error);
}
