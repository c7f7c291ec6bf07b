/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

bool np_observe_read(np_conn *conn, const char *lab, np_seen_site *site, GError **error);
/* Names of the labs that own a domain, a network, a pool or a secret here, sorted. */
GPtrArray *np_labs_read(np_conn *conn, GError **error);
