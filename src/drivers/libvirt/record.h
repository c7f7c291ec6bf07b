/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

bool np_domain_record(np_conn *conn, const char *lab, const char *libvirt_name, const np_record *record, GError **error);
bool np_network_record_write(np_conn *conn, const char *lab, const char *libvirt_name, const np_record *record, GError **error);
