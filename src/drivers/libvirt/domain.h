/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/xml.h"

bool np_domain_define(np_conn *conn, const np_domain_spec *spec, GError **error);
bool np_domain_ready(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
/* Whether np_domain_ready was called since the domain was started, by its live XML. */
bool np_domain_is_ready(xmlNode *live);
/* Nor was its memory above what it should be when it was noted as ready. */
bool np_domain_is_settled(xmlNode *live);
bool np_domain_reset(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
bool np_domain_start(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
bool np_domain_stop(np_conn *conn, const char *lab, const char *libvirt_name, guint64 timeout_ms, GCancellable *cancel,
                    GError **error);
bool np_domain_undefine(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
