/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a guest whose machine was changed. */
#include "run/inside.h"

#include <string.h>

#include "base/error.h"
#include "lab/access.h"
#include "run/runner.h"

#define ANSWER_MS 30000  /* for a guest that has been ready to answer at all */
#define SCRIPT_MS 600000 /* a large file system takes its time */
#define WORDS_LINES 8      /* of what a guest says */
#define WORDS_LENGTH 300

/* ── what there is to do ── */

static GPtrArray *grown_disks(const np_node *node, const np_node *before)
{
	GPtrArray *serials = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(node->disks, i);
		const np_disk *old = np_map_find(before->disks, disk->base.name);
		if (old && old->size > 0 && disk->size > old->size)
			g_ptr_array_add(serials, np_disk_serial(disk->base.name));
	}
	return serials;
}

static GPtrArray *lost_disks(const np_node *node, const np_node *before)
{
	GPtrArray *serials = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < before->disks->len; i++) {
		const np_disk *old = g_ptr_array_index(before->disks, i);
		if (!old->source && !np_map_find(node->disks, old->base.name))
			g_ptr_array_add(serials, np_disk_serial(old->base.name));
	}
	return serials;
}

static const char *network_of(const np_nic *nic)
{
	return nic->network ? nic->network : nic->base.name;
}

static bool nics_differ(const np_node *node, const np_node *before)
{
	if (node->nics->len != before->nics->len)
		return true;
	for (guint i = 0; i < node->nics->len; i++) {
		const np_nic *nic = g_ptr_array_index(node->nics, i);
		const np_nic *old = np_map_find(before->nics, nic->base.name);
		if (!old || g_strcmp0(old->mac, nic->mac) != 0 || old->address != nic->address ||
		    g_strcmp0(network_of(old), network_of(nic)) != 0)
			return true;
	}
	return false;
}

/* ── doing it there ── */

static bool is_meant_to_answer(const np_runner *runner, const np_node *node)
{
	return np_session_guests(runner->session) && (node->ready.wait == NP_WAIT_SSH || node->ready.wait == NP_WAIT_HYPERVISOR);
}

static bool is_reachable(np_runner *runner, const np_node *node)
{
	np_guests *guests = np_session_guests(runner->session);
	return is_meant_to_answer(runner, node) &&
	       runner->drivers->guest->wait(guests, node->address, ANSWER_MS, runner->options->cancel, NULL);
}

/* A guest's words are not trusted: a few lines of text, without control characters. */
static char *clean_words(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_auto(GStrv) lines = g_strsplit(g_strstrip(valid), "\n", WORDS_LINES + 1);
	if (g_strv_length(lines) > WORDS_LINES) {
		g_free(lines[WORDS_LINES]);
		lines[WORDS_LINES] = NULL;
	}
	for (char **line = lines; *line; line++) {
		for (char *c = *line; *c; c++)
			if ((guchar)*c < 0x20 || *c == 0x7f)
				*c = ' ';
		if (g_utf8_strlen(*line, -1) > WORDS_LENGTH)
			*g_utf8_offset_to_pointer(*line, WORDS_LENGTH) = '\0';
	}
	return g_strjoinv("; ", lines);
}

static void warn(np_runner *runner, const np_step *step, const char *text)
{
	g_autofree char *warning = g_strdup_printf("warning: %s", text);
	np_runner_stage(runner, step, warning);
}

static bool run_inside(np_runner *runner, const np_step *step, const char *script, GError **error)
{
	g_auto(np_process_result) result = {0};
	const char *address = step->node->address;
	if (!runner->drivers->guest->run(np_session_guests(runner->session), address, script, SCRIPT_MS, runner->options->cancel,
	                                 &result, error))
		return false;
	if (result.status == 0)
		return true;
	g_autofree char *words = clean_words(result.errors ? result.errors : "");
	if (result.status == NP_INSIDE_BY_HAND) {
		warn(runner, step, words);
		return true;
	}
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "Inside node '%s': %s", address,
	            *words ? words : "a script ended without a word; log in and look.");
	return false;
}

bool np_inside_let_go(np_runner *runner, const np_step *step, const np_node *before, GError **error)
{
	g_autoptr(GPtrArray) serials = lost_disks(step->node, before);
	if (serials->len == 0 || !is_reachable(runner, step->node))
		return true;
	np_runner_stage(runner, step, "unmounting disks inside");
	g_autofree char *script = np_inside_release(serials);
	return run_inside(runner, step, script, error);
}

/* A record that does not name them is of an older nestplan. */
const char *np_inside_former_keys(const np_runner *runner, const np_node *node, const np_seen_node *seen)
{
	const char *before = seen->applied ? g_hash_table_lookup(seen->applied, NP_ROW_KEYS) : NULL;
	return node->image && before && g_strcmp0(before, runner->lab->access.keys_id) != 0 ? before : NULL;
}

/* Keys that the node's own `inject` gives root: they stay, also when access.authorized_keys had them as well. */
static bool keep_own(GPtrArray *keys, const np_node *node, GError **error)
{
	for (guint i = 0; node->inject.users && i < node->inject.users->len; i++) {
		const np_user *user = g_ptr_array_index(node->inject.users, i);
		for (guint k = 0; strcmp(user->user, "root") == 0 && user->authorized_keys && k < user->authorized_keys->len; k++)
			if (!np_access_keys_read(keys, g_ptr_array_index(user->authorized_keys, k), error))
				return false;
	}
	return true;
}

/* All that root is to have; caller frees. The lab's own key is among them: taken out as one that somebody named, too, it would be lost. */
static GPtrArray *keys_of(const np_runner *runner, const np_node *node, GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i + 1 < runner->authorized->len; i++)
		g_ptr_array_add(keys, g_strdup(g_ptr_array_index(runner->authorized, i)));
	if (!keep_own(keys, node, error))
		return NULL;
	g_ptr_array_add(keys, NULL);
	return g_steal_pointer(&keys);
}

bool np_inside_let_in(np_runner *runner, const np_step *step, const np_seen_node *seen, GError **error)
{
	const char *before = np_inside_former_keys(runner, step->node, seen);
	if (!before)
		return true;
	if (!is_meant_to_answer(runner, step->node)) {
		warn(runner, step, "it is not reached by ssh, so change root's authorized_keys inside it by hand");
		return true;
	}
	if (!is_reachable(runner, step->node)) { /* a key that was taken away may be one that somebody lost */
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "Node '%s' does not answer by ssh, so who may log in stays as it was. Apply "
		            "again when it answers.", step->node->address);
		return false;
	}
	/* A record is a text that others may have written. */
	g_autofree char *ids = g_strcanon(g_strdup(before), "0123456789abcdef", ' ');
	g_autoptr(GPtrArray) keys = keys_of(runner, step->node, error);
	if (!keys)
		return false;
	g_autofree char *script = np_inside_keys(ids, (const char *const *)keys->pdata);
	np_runner_stage(runner, step, "changing who may log in");
	return run_inside(runner, step, script, error);
}

static bool follow_network(np_runner *runner, const np_step *step, GError **error)
{
	g_autofree char *script = runner->drivers->disk->network_script(step->node, error);
	if (!script)
		return false;
	np_runner_stage(runner, step, "configuring its NICs inside");
	return run_inside(runner, step, script, error);
}

static bool follow_vcpus(np_runner *runner, const np_step *step, GError **error)
{
	g_autofree char *script = np_inside_vcpus(step->node->vcpus);
	np_runner_stage(runner, step, "bringing vCPUs online inside");
	return run_inside(runner, step, script, error);
}

static bool follow_disks(np_runner *runner, const np_step *step, const GPtrArray *serials, GError **error)
{
	g_autofree char *script = np_inside_grow(serials);
	np_runner_stage(runner, step, "growing file systems inside");
	return run_inside(runner, step, script, error);
}

bool np_inside_follow(np_runner *runner, const np_step *step, const np_seen_node *seen, GError **error)
{
	const np_node *node = step->node, *before = seen->node;
	g_autoptr(GPtrArray) serials = grown_disks(node, before);
	bool vcpus = node->vcpus > before->vcpus, disks = serials->len > 0;
	bool access = np_node_access_moved(node, seen) != NULL;
	bool nics = nics_differ(node, before) || access || np_node_bridges_differ(node, seen);
	if (!vcpus && !disks && !nics)
		return true;
	if (!is_reachable(runner, node)) {
		g_autofree char *text = g_strdup_printf("it is not reached by ssh, so do this inside it by hand:%s%s%s",
		                                        vcpus ? " bring the new vCPUs online;" : "",
		                                        disks ? " grow partitions and file systems;" : "",
		                                        nics ? " configure the NICs;" : "");
		text[strlen(text) - 1] = '\0';
		warn(runner, step, text);
		return true;
	}
	if (access)
		warn(runner, step, "its default route goes by the first of its NICs: it moves when the node is next started");
	return (!vcpus || follow_vcpus(runner, step, error)) && (!disks || follow_disks(runner, step, serials, error)) &&
	       (!nics || follow_network(runner, step, error));
}
