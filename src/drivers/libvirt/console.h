/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

gpointer np_console_open(np_conn *conn, const char *libvirt_name, np_console_fn fn, gpointer data, GError **error);
void np_console_close(gpointer console);
