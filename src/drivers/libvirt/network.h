/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

bool np_network_ensure(np_conn *conn, const np_lab *lab, const np_network *network, const np_record *record, GError **error);
bool np_network_delete(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
