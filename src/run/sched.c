/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sched.h"

typedef struct {
	np_step_state state;
	unsigned class;
	unsigned blocked;   /* steps it waits for */
	GArray *dependents; /* of dependent */
} entry;

typedef struct {
	unsigned step;
	bool soft; /* only waits for the end, does not need success */
} dependent;

struct np_sched {
	entry *entries;
	unsigned n, total, running, ended;
	unsigned n_classes, *limits, *running_of;
	GTree *ready; /* step numbers, in order */
};

static int compare_numbers(gconstpointer a, gconstpointer b, gpointer data G_GNUC_UNUSED)
{
	return GPOINTER_TO_INT(a) - GPOINTER_TO_INT(b);
}

np_sched *np_sched_new(unsigned n, const unsigned *classes, const unsigned *limits, unsigned n_classes, unsigned total)
{
	np_sched *sched = g_new0(np_sched, 1);
	sched->n = n;
	sched->total = total;
	sched->n_classes = n_classes;
	sched->entries = g_new0(entry, n);
	sched->limits = g_memdup2(limits, sizeof(*limits) * n_classes);
	sched->running_of = g_new0(unsigned, n_classes);
	sched->ready = g_tree_new_full(compare_numbers, NULL, NULL, NULL);
	for (unsigned i = 0; i < n; i++) {
		sched->entries[i].class = classes[i];
		sched->entries[i].dependents = g_array_new(FALSE, FALSE, sizeof(dependent));
		sched->entries[i].state = NP_STEP_READY_TO_RUN;
		g_tree_insert(sched->ready, GUINT_TO_POINTER(i), GUINT_TO_POINTER(i));
	}
	return sched;
}

void np_sched_free(np_sched *sched)
{
	if (!sched)
		return;
	for (unsigned i = 0; i < sched->n; i++)
		g_array_unref(sched->entries[i].dependents);
	g_free(sched->entries);
	g_free(sched->limits);
	g_free(sched->running_of);
	g_tree_unref(sched->ready);
	g_free(sched);
}

static void add_dependent(np_sched *sched, unsigned step, unsigned other, bool soft)
{
	dependent d = {step, soft};
	g_array_append_val(sched->entries[other].dependents, d);
	entry *e = &sched->entries[step];
	if (e->blocked++ == 0) {
		e->state = NP_STEP_WAITING;
		g_tree_remove(sched->ready, GUINT_TO_POINTER(step));
	}
}

void np_sched_need(np_sched *sched, unsigned step, unsigned needed)
{
	add_dependent(sched, step, needed, false);
}

void np_sched_after(np_sched *sched, unsigned step, unsigned other)
{
	add_dependent(sched, step, other, true);
}

typedef struct {
	np_sched *sched;
	int found;
} pick;

static gboolean pick_one(gpointer key, gpointer value G_GNUC_UNUSED, gpointer data)
{
	pick *p = data;
	unsigned class = p->sched->entries[GPOINTER_TO_UINT(key)].class;
	if (p->sched->limits[class] && p->sched->running_of[class] >= p->sched->limits[class])
		return FALSE;
	p->found = GPOINTER_TO_INT(key);
	return TRUE;
}

int np_sched_next(np_sched *sched)
{
	if (sched->total && sched->running >= sched->total)
		return -1;
	pick p = {sched, -1};
	g_tree_foreach(sched->ready, pick_one, &p);
	if (p.found < 0)
		return -1;
	entry *e = &sched->entries[p.found];
	g_tree_remove(sched->ready, GINT_TO_POINTER(p.found));
	e->state = NP_STEP_RUNNING;
	sched->running++;
	sched->running_of[e->class]++;
	return p.found;
}

static void release(np_sched *sched, unsigned step)
{
	entry *e = &sched->entries[step];
	if (--e->blocked > 0 || e->state != NP_STEP_WAITING)
		return;
	e->state = NP_STEP_READY_TO_RUN;
	g_tree_insert(sched->ready, GUINT_TO_POINTER(step), GUINT_TO_POINTER(step));
}

static void skip(np_sched *sched, unsigned step, GArray *skipped);

/* Tells those that wait for a step how it ended. */
static void tell(np_sched *sched, const entry *e, bool ok, GArray *skipped)
{
	for (guint i = 0; i < e->dependents->len; i++) {
		const dependent *d = &g_array_index(e->dependents, dependent, i);
		if (ok || d->soft)
			release(sched, d->step);
		else
			skip(sched, d->step, skipped);
	}
}

static void skip(np_sched *sched, unsigned step, GArray *skipped)
{
	entry *e = &sched->entries[step];
	if (e->state != NP_STEP_WAITING && e->state != NP_STEP_READY_TO_RUN)
		return;
	g_tree_remove(sched->ready, GUINT_TO_POINTER(step));
	e->state = NP_STEP_SKIPPED;
	sched->ended++;
	if (skipped)
		g_array_append_val(skipped, step);
	tell(sched, e, false, skipped);
}

void np_sched_finish(np_sched *sched, unsigned step, bool ok, GArray *skipped)
{
	entry *e = &sched->entries[step];
	g_return_if_fail(e->state == NP_STEP_RUNNING);
	e->state = ok ? NP_STEP_DONE : NP_STEP_FAILED;
	sched->running--;
	sched->running_of[e->class]--;
	sched->ended++;
	tell(sched, e, ok, skipped);
}

void np_sched_cancel(np_sched *sched, GArray *skipped)
{
	for (unsigned i = 0; i < sched->n; i++)
		skip(sched, i, skipped);
}

np_step_state np_sched_state(const np_sched *sched, unsigned step)
{
	return sched->entries[step].state;
}

unsigned np_sched_running(const np_sched *sched)
{
	return sched->running;
}

bool np_sched_finished(const np_sched *sched)
{
	return sched->ended == sched->n;
}
