/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run.h"

#include <ftw.h>
#include <stdio.h>

#include "base/error.h"
#include "run/runner.h"
#include "run/sched.h"

#define DEFAULT_PARALLELISM 10

const char *const np_event_names[] = {"start", "stage", "progress", "done", "failed", "skipped", NULL};

enum { CLASS_ANY, CLASS_APPLIANCE, CLASS_COUNT };

typedef struct {
	const np_step *step;
	np_runner *runner;
	GAsyncQueue *finished;
	GError *error;
	gint64 begun;
} job;

static void emit(np_runner *runner, const np_event *event)
{
	if (!runner->options->event)
		return;
	g_mutex_lock(&runner->event_lock);
	runner->options->event(event, runner->options->data);
	g_mutex_unlock(&runner->event_lock);
}

void np_runner_stage(np_runner *runner, const np_step *step, const char *text)
{
	emit(runner, &(np_event){.kind = NP_EVENT_STAGE, .step = step, .text = text});
}

void np_runner_progress(np_runner *runner, const np_step *step, guint64 done, guint64 total)
{
	emit(runner, &(np_event){.kind = NP_EVENT_PROGRESS, .step = step, .done = done, .total = total});
}

static void execute(gpointer data, gpointer user_data G_GNUC_UNUSED)
{
	job *j = data;
	if (!np_step_execute(j->runner, j->step, &j->error) && !j->error)
		g_set_error(&j->error, NP_ERROR, NP_ERROR_FAILED, "It failed without a message; this is a bug in nestplan.");
	g_async_queue_push(j->finished, j);
}

static void tell_skipped(np_runner *runner, const GPtrArray *steps, const GArray *skipped, const char *why, np_run_result *ret)
{
	for (guint i = 0; i < skipped->len; i++) {
		const np_step *step = g_ptr_array_index(steps, g_array_index(skipped, unsigned, i));
		emit(runner, &(np_event){.kind = NP_EVENT_SKIPPED, .step = step, .text = why});
		ret->skipped++;
	}
}

static void finish(np_runner *runner, np_sched *sched, const GPtrArray *steps, job *j, np_run_result *ret)
{
	double seconds = (double)(g_get_monotonic_time() - j->begun) / 1e6;
	g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(unsigned));
	bool ok = j->error == NULL;
	np_sched_finish(sched, j->step->id, ok, skipped);
	if (ok) {
		ret->done++;
		emit(runner, &(np_event){.kind = NP_EVENT_DONE, .step = j->step, .seconds = seconds});
	} else {
		ret->failed++;
		emit(runner, &(np_event){.kind = NP_EVENT_FAILED, .step = j->step, .text = j->error->message, .seconds = seconds});
		g_autofree char *why = g_strdup_printf("needs “%s”", j->step->label);
		tell_skipped(runner, steps, skipped, why, ret);
	}
	g_clear_error(&j->error);
	g_free(j);
}

static void start_ready(np_runner *runner, np_sched *sched, const GPtrArray *steps, GThreadPool *pool, GAsyncQueue *finished)
{
	for (int i = np_sched_next(sched); i >= 0; i = np_sched_next(sched)) {
		job *j = g_new0(job, 1);
		j->step = g_ptr_array_index(steps, (guint)i);
		j->runner = runner;
		j->finished = finished;
		j->begun = g_get_monotonic_time();
		emit(runner, &(np_event){.kind = NP_EVENT_START, .step = j->step});
		g_thread_pool_push(pool, j, NULL);
	}
}

static np_sched *make_sched(const GPtrArray *steps, unsigned parallelism)
{
	static const unsigned limits[CLASS_COUNT] = {[CLASS_ANY] = 0, [CLASS_APPLIANCE] = 1};
	g_autofree unsigned *classes = g_new0(unsigned, steps->len + 1);
	for (guint i = 0; i < steps->len; i++) {
		const np_step *step = g_ptr_array_index(steps, i);
		classes[i] = step->kind == NP_STEP_DISKS ? CLASS_APPLIANCE : CLASS_ANY;
	}
	np_sched *sched = np_sched_new(steps->len, classes, limits, CLASS_COUNT, parallelism);
	for (guint i = 0; i < steps->len; i++) {
		const np_step *step = g_ptr_array_index(steps, i);
		for (unsigned k = 0; k < step->needs.n; k++)
			np_sched_need(sched, i, step->needs.ids[k]);
		for (unsigned k = 0; k < step->after.n; k++)
			np_sched_after(sched, i, step->after.ids[k]);
	}
	return sched;
}

static void loop(np_runner *runner, const GPtrArray *steps, np_run_result *ret)
{
	unsigned parallelism = runner->options->parallelism ? runner->options->parallelism : DEFAULT_PARALLELISM;
	g_autoptr(np_sched) sched = make_sched(steps, parallelism);
	g_autoptr(GAsyncQueue) finished = g_async_queue_new();
	GThreadPool *pool = g_thread_pool_new(execute, NULL, (gint)parallelism, FALSE, NULL);
	while (!np_sched_finished(sched)) {
		if (g_cancellable_is_cancelled(runner->options->cancel)) {
			g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(unsigned));
			np_sched_cancel(sched, skipped);
			tell_skipped(runner, steps, skipped, "interrupted", ret);
			ret->cancelled = true;
		} else {
			start_ready(runner, sched, steps, pool, finished);
		}
		if (np_sched_running(sched) == 0)
			break;
		finish(runner, sched, steps, g_async_queue_pop(finished), ret);
	}
	g_thread_pool_free(pool, FALSE, TRUE);
	ret->cancelled = ret->cancelled || g_cancellable_is_cancelled(runner->options->cancel);
}

static int remove_entry(const char *path, const struct stat *info G_GNUC_UNUSED, int flag G_GNUC_UNUSED, struct FTW *ftw G_GNUC_UNUSED)
{
	return remove(path);
}

static void runner_clear(np_runner *runner)
{
	if (runner->staging)
		nftw(runner->staging, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	g_free(runner->staging);
	g_clear_pointer(&runner->seed, g_bytes_unref);
	g_clear_pointer(&runner->authorized, g_ptr_array_unref);
	g_mutex_clear(&runner->event_lock);
	g_mutex_clear(&runner->lock);
	g_hash_table_unref(runner->no_kvm);
	g_hash_table_unref(runner->changed);
}

static bool read_authorized(np_runner *runner, GError **error)
{
	runner->authorized = g_ptr_array_new_with_free_func(g_free);
	if (runner->seed) {
		g_auto(np_keypair) key = {0};
		if (!runner->drivers->guest->key(runner->seed, runner->lab->name, NULL, &key, error))
			return false;
		g_ptr_array_add(runner->authorized, g_steal_pointer(&key.public_line));
	}
	for (guint i = 0; runner->options->authorized_keys && runner->options->authorized_keys[i]; i++)
		g_ptr_array_add(runner->authorized, g_strdup(runner->options->authorized_keys[i]));
	g_ptr_array_add(runner->authorized, NULL);
	return true;
}

static void changed_free(gpointer data)
{
	np_record_free(((np_changed *)data)->record);
	g_free(data);
}

static bool runner_init(np_runner *runner, GError **error)
{
	g_mutex_init(&runner->event_lock);
	g_mutex_init(&runner->lock);
	runner->no_kvm = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	runner->changed = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, changed_free);
	np_kernel_facts kernel = {.nested = -1};
	if (runner->drivers->kernel && runner->drivers->kernel->facts("", &kernel, NULL))
		runner->local_kvm = kernel.flag && kernel.device && !kernel.vm_error;
	np_kernel_facts_clear(&kernel);
	g_autoptr(GError) local = NULL;
	runner->seed = np_session_seed(runner->session, &local);
	if (local) {
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	runner->staging = g_dir_make_tmp("nestplan-XXXXXX", error);
	return runner->staging && read_authorized(runner, error);
}

bool np_run(np_session *session, const np_lab *lab, const GPtrArray *steps, const np_run_options *options, np_run_result *ret,
            GError **error)
{
	*ret = (np_run_result){0};
	np_runner runner = {.session = session, .drivers = np_session_drivers(session), .lab = lab, .options = options};
	bool ok = runner_init(&runner, error);
	if (ok)
		loop(&runner, steps, ret);
	runner_clear(&runner);
	return ok;
}
