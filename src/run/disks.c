/* SPDX-License-Identifier: Apache-2.0 */
/* Root disks: made in a local folder that mirrors the site's layout, so that relative backing paths are the same. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "run/runner.h"

static char *staged_site(const np_runner *runner, const char *site)
{
	g_autofree char *flat = g_strdup(*site ? site : "host");
	return g_build_filename(runner->staging, g_strdelimit(flat, "/", '.'), NULL);
}

char *np_staged_disk(const np_runner *runner, const np_node *node)
{
	g_autofree char *site = staged_site(runner, node->parent->address);
	g_autofree char *volume = np_volume_name(node->base.name, "root");
	return g_build_filename(site, runner->lab->name, volume, NULL);
}

static bool make_folder(const char *path, GError **error)
{
	if (g_mkdir_with_parents(path, 0700) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The folder '%s' cannot be made: %s.", path, g_strerror(errno));
	return false;
}

static bool link_image(const char *images, const np_image *image, GError **error)
{
	g_autofree char *volume = np_image_volume(image);
	g_autofree char *path = g_build_filename(images, volume, NULL);
	if (symlink(image->path, path) == 0 || errno == EEXIST)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The link '%s' cannot be made: %s.", path, g_strerror(errno));
	return false;
}

typedef struct {
	np_disk_job *jobs;
	np_keypair *keys;
	unsigned n;
} batch;

static void batch_clear(batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		g_free((char *)b->jobs[i].path);
		g_free((char *)b->jobs[i].backing);
		np_keypair_clear(&b->keys[i]);
	}
	g_free(b->jobs);
	g_free(b->keys);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(batch, batch_clear)

static bool fill_job(np_runner *runner, const np_node *node, const char *images, batch *b, GError **error)
{
	const np_image *image = np_map_find(runner->lab->images, node->image);
	const np_disk *root = np_map_find(node->disks, "root");
	if (!link_image(images, image, error))
		return false;
	g_autofree char *volume = np_image_volume(image);
	np_disk_job *job = &b->jobs[b->n];
	np_keypair *key = &b->keys[b->n];
	b->n++;
	*job = (np_disk_job){
		.lab = runner->lab,
		.node = node,
		.image = image,
		.path = np_staged_disk(runner, node),
		.backing = g_strconcat("../images/", volume, NULL),
		.size = root && root->size ? root->size : image->virtual_size,
		.host_key = key,
		.authorized = (const char *const *)runner->authorized->pdata,
		.has_share = node->site.nodes->len > 0,
	};
	return runner->drivers->guest->key(runner->seed, runner->lab->name, node->address, key, error);
}

static bool fill(np_runner *runner, const np_step *step, batch *b, GError **error)
{
	g_autofree char *site = staged_site(runner, step->address);
	g_autofree char *images = g_build_filename(site, "images", NULL);
	g_autofree char *folder = g_build_filename(site, runner->lab->name, NULL);
	if (!make_folder(images, error) || !make_folder(folder, error))
		return false;
	b->jobs = g_new0(np_disk_job, step->nodes->len);
	b->keys = g_new0(np_keypair, step->nodes->len);
	for (guint i = 0; i < step->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(step->nodes, i);
		if (node->image && !fill_job(runner, node, images, b, error))
			return false;
	}
	return true;
}

typedef struct {
	np_runner *runner;
	const np_step *step;
} teller;

static void tell(guint64 done, guint64 total, gpointer data)
{
	teller *t = data;
	np_runner_progress(t->runner, t->step, done, total);
}

bool np_action_disks(np_runner *runner, const np_step *step, GError **error)
{
	g_auto(batch) b = {0};
	if (!runner->seed) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "The host keeps no secrets (its libvirt has no secret driver), so the lab has no keys for its guests.");
		return false;
	}
	if (!fill(runner, step, &b, error))
		return false;
	teller t = {runner, step};
	return b.n == 0 ||
	       runner->drivers->disk->build(b.jobs, b.n, runner->local_kvm, tell, &t, runner->options->cancel, NULL, error);
}
