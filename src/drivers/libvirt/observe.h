/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"
#include "drivers/libvirt/mark.h"

bool np_observe_read(np_conn *conn, const char *lab, np_seen_site *site, GError **error);
/* Names of the labs that own a domain, a network, a pool or a secret here, sorted. */
GPtrArray *np_labs_read(np_conn *conn, GError **error);

/* The parts of it. Domains: nodes, and the names of others. */
bool np_observe_domains(np_conn *conn, const char *lab, np_seen_site *site, GError **error);
/* The mark is that of a lab that is asked for. */
bool np_observe_wants(const np_mark *mark, const char *lab);
/* Notes the name of something that is not the lab's; NULL: nothing. */
void np_observe_foreign(np_seen_site *site, const char *kind, const char *name);
