/* SPDX-License-Identifier: Apache-2.0 */
/* Doing it: executes the steps of a plan, independent ones in parallel. */
#pragma once
#include "plan/order.h"
#include "world/session.h"

typedef enum { NP_EVENT_START, NP_EVENT_STAGE, NP_EVENT_PROGRESS, NP_EVENT_DONE, NP_EVENT_FAILED, NP_EVENT_SKIPPED } np_event_kind;
extern const char *const np_event_names[]; /* "start", "stage", "progress", "done", "failed", "skipped" */

typedef struct {
	np_event_kind kind;
	const np_step *step;
	const char *text;    /* STAGE: what is waited for; FAILED: why; SKIPPED: what it needs */
	guint64 done, total; /* PROGRESS */
	double seconds;      /* DONE, FAILED: since the step's start */
} np_event;

/* Called from any thread, one call at a time. */
typedef void (*np_event_fn)(const np_event *event, gpointer data);

typedef struct {
	unsigned parallelism; /* steps at once; 0: 10 */
	np_event_fn event;
	gpointer data;
	const char *const *authorized_keys; /* further public key lines for root in every guest, NULL-terminated; may be NULL */
	GCancellable *cancel; /* stops waits and starts nothing new */
} np_run_options;

typedef struct {
	unsigned done, failed, skipped;
	bool cancelled;
} np_run_result;

/* Executes. False only when nothing could be begun; failures of steps are in *ret and were told by events. */
bool np_run(np_session *session, const np_lab *lab, const GPtrArray *steps, const np_run_options *options, np_run_result *ret,
            GError **error);
