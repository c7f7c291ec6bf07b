/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

bool np_domain_update(np_conn *conn, const np_domain_spec *spec, GError **error);
/* As np_domain_update, with the time that a guest gets for each device. */
bool np_domain_update_patient(np_conn *conn, const np_domain_spec *spec, gint64 patience_us, GError **error);
