/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

#define NP_SECRET_PREFIX "nestplan/"

GBytes *np_secret_get(np_conn *conn, const char *usage, GError **error);
bool np_secret_create(np_conn *conn, const char *usage, const char *description, GBytes *value, GError **error);
char *np_secret_describe(np_conn *conn, const char *usage);
bool np_secret_delete(np_conn *conn, const char *usage, const char *description, GError **error);
GPtrArray *np_secret_list(np_conn *conn, GError **error);
