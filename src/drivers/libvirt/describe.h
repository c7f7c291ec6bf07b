/* SPDX-License-Identifier: Apache-2.0 */
/* Parsed descriptions of what a daemon has, and whose it is. */
#pragma once
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/mark.h"

/* Inactive XML; NULL without an error when the object is gone meanwhile. */
xmlDoc *np_domain_describe(virDomainPtr domain, GError **error);
xmlDoc *np_network_describe(virNetworkPtr network, GError **error);
/* The same of what runs. */
xmlDoc *np_domain_describe_live(virDomainPtr domain, GError **error);
xmlDoc *np_network_describe_live(virNetworkPtr network, GError **error);

/* Whether the domain carries the lab's mark; not when it is gone. */
bool np_domain_is_of(virDomainPtr domain, const char *lab);

/* The domain or network of that name, when it carries the lab's mark. NULL without an error when it is missing;
 * NP_ERROR_CLASH when it is foreign. */
virDomainPtr np_domain_find(np_conn *conn, const char *lab, const char *name, GError **error);
virNetworkPtr np_network_find(np_conn *conn, const char *lab, const char *name, GError **error);
/* As np_domain_find, but a missing domain is NP_ERROR_NOT_FOUND. */
virDomainPtr np_domain_need(np_conn *conn, const char *lab, const char *name, GError **error);

/* flags: of virConnectListAllDomains, 0: all. Of virDomainPtr. */
GPtrArray *np_domain_list(np_conn *conn, unsigned flags, GError **error);
GPtrArray *np_network_list(np_conn *conn, GError **error); /* of virNetworkPtr; empty when the driver has no networks */
