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
	return conn && runner->drivers->hypervisor->network_ensure(conn, runner->lab, step->network, error);
}

static bool lacks_kvm(np_runner *runner, const char *site)
{
	g_mutex_lock(&runner->lock);
	bool lacks = g_hash_table_contains(runner->no_kvm, site);
	g_mutex_unlock(&runner->lock);
	return lacks;
}

static bool define(np_runner *runner, np_conn *conn, const np_step *step, GError **error)
{
	const np_node *node = step->node;
	const np_image *image = node->image ? np_map_find(runner->lab->images, node->image) : NULL;
	g_auto(np_host_facts) facts = {0};
	if (!runner->drivers->hypervisor->facts(conn, &facts, error))
		return false;
	bool kvm = step->kvm && !lacks_kvm(runner, step->site);
	np_domain_spec spec = {
		.lab = runner->lab->name,
		.node = node,
		.kvm = kvm,
		/* QEMU's emulator has SVM and no VMX, whatever the CPU below is. */
		.flag = kvm && facts.flag ? facts.flag : "svm",
		.image_id = image ? image->id : NULL,
		.share = node->site.nodes->len ? node->site.share : NULL,
	};
	return runner->drivers->hypervisor->domain_define(conn, &spec, error);
}

static bool has_volume(const GPtrArray *volumes, const char *name)
{
	for (guint i = 0; i < volumes->len; i++) {
		const np_volume_info *info = g_ptr_array_index(volumes, i);
		if (g_str_equal(info->name, name))
			return true;
	}
	return false;
}

static GPtrArray *lab_volumes(np_runner *runner, np_conn *conn, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	return runner->drivers->hypervisor->volumes(conn, pool, error);
}

/* Volumes of the lab's own pool that belong to a node that does not exist: left by an apply that was cut short. */
static bool delete_volumes(np_runner *runner, np_conn *conn, const char *node, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	g_autofree char *prefix = g_strconcat(node, ".", NULL);
	g_autoptr(GPtrArray) volumes = lab_volumes(runner, conn, error);
	if (!volumes)
		return false;
	for (guint i = 0; i < volumes->len; i++) {
		const np_volume_info *info = g_ptr_array_index(volumes, i);
		if (g_str_has_prefix(info->name, prefix) &&
		    !runner->drivers->hypervisor->volume_delete(conn, pool, info->name, error))
			return false;
	}
	return true;
}

static bool create_empty_disks(np_runner *runner, np_conn *conn, const np_node *node, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	g_autoptr(GPtrArray) volumes = lab_volumes(runner, conn, error);
	if (!volumes)
		return false;
	for (guint i = 0; i < node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(node->disks, i);
		g_autofree char *name = np_volume_name(node->base.name, disk->base.name);
		bool uploaded = node->image && g_str_equal(disk->base.name, "root");
		if (uploaded || has_volume(volumes, name))
			continue;
		if (!runner->drivers->hypervisor->volume_create(conn, pool, name, "qcow2", disk->size, error))
			return false;
	}
	return true;
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
	if (!conn || !delete_volumes(runner, conn, step->node->base.name, error))
		return false;
	if (step->node->image && !upload_root(runner, conn, step, error))
		return false;
	if (!create_empty_disks(runner, conn, step->node, error))
		return false;
	np_runner_stage(runner, step, "starting");
	return define(runner, conn, step, error) &&
	       runner->drivers->hypervisor->domain_start(conn, runner->lab->name, step->node->libvirt_name, error);
}

static bool action_redefine(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = np_runner_conn(runner, step->site, error);
	return conn && create_empty_disks(runner, conn, step->node, error) && define(runner, conn, step, error);
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
	       delete_volumes(runner, conn, step->seen->node->base.name, error);
}

static bool action_delete_network(np_runner *runner, const np_step *step, GError **error)
{
	np_conn *conn = seen_conn(runner, step, error);
	return conn && runner->drivers->hypervisor->network_delete(conn, runner->lab->name,
	                                                           step->seen_network->network->libvirt_name, error);
}

static const action_fn actions[] = {
	[NP_STEP_NESTING] = np_action_nesting,
	[NP_STEP_POOL] = action_pool,
	[NP_STEP_IMAGE] = np_action_image,
	[NP_STEP_SHARE] = np_action_share,
	[NP_STEP_NETWORK] = action_network,
	[NP_STEP_DISKS] = np_action_disks,
	[NP_STEP_CREATE] = action_create,
	[NP_STEP_REDEFINE] = action_redefine,
	[NP_STEP_START] = action_start,
	[NP_STEP_READY] = np_action_ready,
	[NP_STEP_SITE] = np_action_prove,
	[NP_STEP_STOP] = action_stop,
	[NP_STEP_DELETE] = action_delete,
	[NP_STEP_DELETE_NETWORK] = action_delete_network,
	[NP_STEP_DELETE_POOL] = np_action_delete_pool,
};

bool np_step_execute(np_runner *runner, const np_step *step, GError **error)
{
	return actions[step->kind](runner, step, error);
}
