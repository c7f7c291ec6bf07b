/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the sites of one lab: the host's, and one into each hypervisor node, made when first needed. */
#pragma once
#include "drivers/driver.h"

typedef struct np_session np_session;

/* Connects to the host (uri NULL: the lab's host.uri, else libvirt's default). The lab and drivers are borrowed. */
np_session *np_session_new(const np_drivers *drivers, const np_lab *lab, const char *uri, GError **error);
void np_session_free(np_session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_session, np_session_free)

const np_drivers *np_session_drivers(const np_session *session);
const np_lab *np_session_lab(const np_session *session);
np_conn *np_session_root(np_session *session);
/* Seed of the lab's keys: 32 bytes, NULL without error when the lab has none yet. Caller unrefs. */
GBytes *np_session_seed(np_session *session, GError **error);
/* Makes the seed at the root site when it has none (apply only), and opens the way to the guests. */
bool np_session_open_guests(np_session *session, bool create, GError **error);
np_guests *np_session_guests(np_session *session); /* NULL before np_session_open_guests */

/* Connection to a site ("" is the host). Checks that the machine that answers is the node itself: its UUID. Thread-safe;
 * a dead connection is made again. Borrowed. */
np_conn *np_session_conn(np_session *session, const char *site, const char *uuid, GError **error);
/* Forgets connections into a node and below: it stops, or was rebuilt. */
void np_session_forget(np_session *session, const char *site);

/* Usage names of the lab's secrets: "nestplan/LAB/key", "nestplan/LAB/lock". Caller frees. */
char *np_secret_usage(const char *lab, const char *what);
