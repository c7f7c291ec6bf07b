/* SPDX-License-Identifier: Apache-2.0 */
/* The images pool of the host: shared by labs, so writers take turns. */
#include "base/error.h"
#include "run/lock.h"
#include "run/runner.h"

#define IMAGES_LOCK ".images" /* no lab can have this name */
#define IMAGES_LOCK_TIMEOUT_MS 1800000

typedef struct {
	np_runner *runner;
	const np_step *step;
} teller;

static void tell(guint64 done, guint64 total, gpointer data)
{
	teller *t = data;
	np_runner_progress(t->runner, t->step, done, total);
}

static bool stored(np_runner *runner, const char *volume, bool *ret, GError **error)
{
	g_autoptr(GPtrArray) volumes = runner->drivers->hypervisor->volumes(np_session_root(runner->session), NP_POOL_IMAGES, error);
	if (!volumes)
		return false;
	*ret = g_ptr_array_find_with_equal_func(volumes, volume, g_str_equal, NULL);
	return true;
}

/* The name says the content, so a volume that is there is the right one. */
static bool store(np_runner *runner, const np_step *step, const char *volume, const char *format, const char *path, GError **error)
{
	bool there;
	g_autoptr(np_lock) lock =
		np_lock_acquire(runner->session, IMAGES_LOCK, IMAGES_LOCK_TIMEOUT_MS, runner->options->cancel, error);
	if (!lock || !stored(runner, volume, &there, error))
		return false;
	if (there)
		return true;
	teller t = {runner, step};
	return runner->drivers->hypervisor->volume_upload(np_session_root(runner->session), NP_POOL_IMAGES, volume, format, path, tell,
	                                                  &t, runner->options->cancel, error);
}

bool np_action_image(np_runner *runner, const np_step *step, GError **error)
{
	g_autofree char *volume = np_image_volume(step->image);
	bool there;
	if (!stored(runner, volume, &there, error))
		return false;
	return there || store(runner, step, volume, np_format_names[step->image->format], step->image->path, error);
}

bool np_action_share(np_runner *runner, const np_step *step, GError **error)
{
	const char *volume = step->node->site.share;
	bool there;
	if (!stored(runner, volume, &there, error))
		return false;
	if (there)
		return true;
	np_runner_stage(runner, step, "packing the images");
	g_autofree char *path = runner->drivers->image->share(runner->lab, &step->node->site, runner->options->cancel, error);
	return path && store(runner, step, volume, "raw", path, error);
}

static bool delete_all(np_runner *runner, const char *pool, GError **error)
{
	np_conn *root = np_session_root(runner->session);
	const np_hypervisor_ops *ops = runner->drivers->hypervisor;
	g_autoptr(GPtrArray) volumes = ops->volumes(root, pool, error);
	if (!volumes)
		return false;
	for (guint i = 0; i < volumes->len; i++)
		if (!ops->volume_delete(root, pool, g_ptr_array_index(volumes, i), error))
			return false;
	return ops->pool_delete(root, pool, error);
}

/* A lab that is being applied for the first time has a lock and nothing else yet. (Names that begin with a dot are locks of
 * what labs share.) */
static bool others(np_runner *runner, bool *ret, GError **error)
{
	const np_hypervisor_ops *ops = runner->drivers->hypervisor;
	np_conn *root = np_session_root(runner->session);
	g_autoptr(GPtrArray) labs = ops->labs(root, error);
	if (!labs)
		return false;
	*ret = false;
	for (guint i = 0; i < labs->len; i++)
		*ret = *ret || !g_str_equal(g_ptr_array_index(labs, i), runner->lab->name);
	g_autoptr(GPtrArray) secrets = ops->secrets(root, NULL);
	g_autofree char *own = np_secret_usage(runner->lab->name, "");
	for (guint i = 0; secrets && i < secrets->len; i++) {
		const char *usage = g_ptr_array_index(secrets, i);
		*ret = *ret || (!g_str_has_prefix(usage, own) && !g_str_has_prefix(usage, "nestplan/."));
	}
	return true;
}

static bool delete_images(np_runner *runner, GError **error)
{
	bool shared;
	g_autoptr(np_lock) lock =
		np_lock_acquire(runner->session, IMAGES_LOCK, IMAGES_LOCK_TIMEOUT_MS, runner->options->cancel, error);
	if (!lock || !others(runner, &shared, error))
		return false;
	return shared || delete_all(runner, NP_POOL_IMAGES, error);
}

bool np_action_delete_pool(np_runner *runner, const np_step *step G_GNUC_UNUSED, GError **error)
{
	g_autofree char *pool = np_pool_name(runner->lab->name);
	g_autofree char *key = np_secret_usage(runner->lab->name, "key");
	if (!delete_all(runner, pool, error) || !delete_images(runner, error))
		return false;
	g_autoptr(GError) local = NULL;
	if (runner->drivers->hypervisor->secret_delete(np_session_root(runner->session), key, NULL, &local) ||
	    g_error_matches(local, NP_ERROR, NP_ERROR_UNSUPPORTED))
		return true;
	g_propagate_error(error, g_steal_pointer(&local));
	return false;
}
