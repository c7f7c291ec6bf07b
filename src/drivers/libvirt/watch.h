/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

gpointer np_domain_watch(np_conn *conn, const char *libvirt_name, np_stopped_fn fn, gpointer data, GError **error);
void np_domain_unwatch(gpointer watch);
