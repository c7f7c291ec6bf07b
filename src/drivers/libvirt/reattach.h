/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

bool np_network_reattach(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
