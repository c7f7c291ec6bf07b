/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "world/session.h"

typedef struct {
	bool inside;               /* look into the hypervisor nodes (their proof included), not only at the host */
	const char *sysroot;       /* "" for the real /proc, /sys; a folder in tests */
	GCancellable *cancel;
} np_observe_options;

/* Reads what is there, level by level, the sites of one level in parallel. A hypervisor that does not answer is no error: its
 * site is marked unreachable with the reason. Caller frees. */
np_world *np_observe(np_session *session, const np_lab *lab, const np_observe_options *options, GError **error);

/* Connects to one site, reads it and gathers its proof. Used by np_observe, and by the runner once a node is up. */
bool np_observe_site(np_session *session, const char *lab, const char *address, const char *uuid, GCancellable *cancel,
                     np_seen_site *site, GError **error);
