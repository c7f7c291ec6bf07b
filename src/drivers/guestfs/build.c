/* SPDX-License-Identifier: Apache-2.0 */
/* np_guestfs: many disks, few appliances. */
#include "base/error.h"
#include "drivers/guestfs/files.h"
#include "drivers/guestfs/guestdisk.h"
#include "drivers/guestfs/netscript.h"
#include "drivers/guestfs/overlay.h"

#define BATCH 24u /* disks in one appliance: QEMU's memory grows with them */

typedef struct {
	const np_disk_job *jobs;
	unsigned n_jobs;
	bool kvm;
	np_progress_fn progress;
	gpointer data;
	GCancellable *cancel;
	GHashTable *images; /* image's id or path → np_image_facts* */
	bool *grown;        /* of each job */
	int failed;
} build_state;

static const char *image_key(const np_image *image)
{
	return image->id ? image->id : image->path ? image->path : image->base.name;
}

static np_image_facts *image_facts(const build_state *state, const np_disk_job *job)
{
	return g_hash_table_lookup(state->images, image_key(job->image));
}

static bool prepare_overlay(build_state *state, unsigned i, GError **error)
{
	const np_disk_job *job = &state->jobs[i];
	if (!np_overlay_create(job, state->cancel, error))
		return false;
	np_image_facts *facts = image_facts(state, job);
	if (facts == NULL) {
		g_autoptr(GBytes) head = np_overlay_head(job->path, state->cancel, error);
		if (head == NULL)
			return false;
		facts = np_image_facts_new(head);
		g_hash_table_insert(state->images, g_strdup(image_key(job->image)), facts);
	}
	return np_overlay_grow(job, facts->head, &state->grown[i], state->cancel, error);
}

/* Overlays of one image hold the same file systems, with the same UUIDs: one is mounted at a time. */
static bool fill_disk(build_state *state, np_appliance *appliance, unsigned index, unsigned i, GError **error)
{
	np_image_facts *facts = image_facts(state, &state->jobs[i]);
	return np_guestdisk_mount(appliance, index, facts, error) &&
	       (!state->grown[i] || np_guestdisk_grow(appliance, index, facts, error)) &&
	       np_guestdisk_write(appliance, &state->jobs[i], facts, error) && np_guestdisk_umount(appliance, error);
}

static bool fail_of(build_state *state, unsigned i, GError **error)
{
	state->failed = (int)i;
	g_prefix_error(error, "node '%s': ", state->jobs[i].node->address);
	return false;
}

static bool batch_build(build_state *state, unsigned first, unsigned n, GError **error)
{
	g_autofree const char **paths = g_new0(const char *, n + 1);
	for (unsigned i = 0; i < n; i++)
		paths[i] = state->jobs[first + i].path;
	g_autoptr(np_appliance) appliance = np_appliance_open(paths, state->kvm, state->cancel, error);
	if (appliance == NULL)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (g_cancellable_is_cancelled(state->cancel))
			(void)np_appliance_fail(appliance, error, "writing");
		else if (fill_disk(state, appliance, i, first + i, error)) {
			if (state->progress != NULL)
				state->progress(first + i + 1, state->n_jobs, state->data);
			continue;
		}
		return fail_of(state, first + i, error);
	}
	return np_appliance_close(g_steal_pointer(&appliance), error);
}

static bool build_all(build_state *state, GError **error)
{
	/* All of them first: a wrong size must not cost an appliance. */
	for (unsigned i = 0; i < state->n_jobs; i++)
		if (!prepare_overlay(state, i, error))
			return fail_of(state, i, error);
	for (unsigned first = 0; first < state->n_jobs; first += BATCH)
		if (!batch_build(state, first, MIN(BATCH, state->n_jobs - first), error))
			return false;
	return true;
}

static bool build(const np_disk_job *jobs, unsigned n_jobs, bool kvm, np_progress_fn progress, gpointer data,
                  GCancellable *cancel, int *failed, GError **error)
{
	g_autofree bool *grown = g_new0(bool, n_jobs + 1);
	g_autoptr(GHashTable) images =
	        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)np_image_facts_free);
	build_state state = {jobs, n_jobs, kvm, progress, data, cancel, images, grown, -1};
	bool good = build_all(&state, error);
	if (failed != NULL)
		*failed = state.failed;
	return good;
}

const np_disk_ops np_guestfs = {
        .build = build,
        .inject_id = np_inject_id,
        .network_script = np_net_script,
        .version = np_appliance_version,
};
