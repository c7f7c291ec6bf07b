/* SPDX-License-Identifier: Apache-2.0 */
/* What is ready: a state machine without threads. A failure skips what needs the failed step, and nothing else. */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef enum { NP_STEP_WAITING, NP_STEP_READY_TO_RUN, NP_STEP_RUNNING, NP_STEP_DONE, NP_STEP_FAILED, NP_STEP_SKIPPED } np_step_state;

typedef struct np_sched np_sched;

/* n steps; classes[i] < n_classes; limits[class]: how many of a class run at once (0: unbounded); `total` bounds all. */
np_sched *np_sched_new(unsigned n, const unsigned *classes, const unsigned *limits, unsigned n_classes, unsigned total);
void np_sched_free(np_sched *sched);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_sched, np_sched_free)

/* `step` runs only after `needed` is done. Before the first np_sched_next. */
void np_sched_need(np_sched *sched, unsigned step, unsigned needed);
/* `step` runs only after `other` has ended in whatever way: order, not need. Before the first np_sched_next. */
void np_sched_after(np_sched *sched, unsigned step, unsigned other);
/* Takes the first step (lowest number) that may run now and marks it running; -1 when none may. */
int np_sched_next(np_sched *sched);
/* Ends a running step. When it failed, everything that needs it is skipped; `skipped` (may be NULL) gets their numbers. */
void np_sched_finish(np_sched *sched, unsigned step, bool ok, GArray *skipped);
/* Nothing new is started; what is waiting is skipped. */
void np_sched_cancel(np_sched *sched, GArray *skipped);
np_step_state np_sched_state(const np_sched *sched, unsigned step);
unsigned np_sched_running(const np_sched *sched);
/* All are done, failed or skipped. Steps in a cycle never run: they are then neither. */
bool np_sched_finished(const np_sched *sched);
