/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

/* Takes a device, named by its alias, out of a running domain and waits until the guest has let go of it. */
bool np_domain_unplug(np_conn *conn, virDomainPtr domain, const char *alias, const char *what, gint64 patience_us,
                      GError **error);
/* Waits until the guest has that much memory, as long as its balloon moves: an emulated guest gives back half a GiB a minute.
 * patience_us: for one step. Returns what it has then. */
guint64 np_domain_settle(np_conn *conn, virDomainPtr domain, guint64 bytes, gint64 patience_us);
/* Asks the guest's memory balloon for that size and waits until it has it. */
bool np_domain_balloon(np_conn *conn, virDomainPtr domain, guint64 bytes, gint64 patience_us, GError **error);
