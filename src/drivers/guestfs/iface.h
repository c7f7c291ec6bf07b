/* SPDX-License-Identifier: Apache-2.0 */
/* A NIC as its guest must configure it; the styles (netconf) render these. */
#pragma once
#include "lab/model.h"

typedef struct {
	const char *name; /* of the interface */
	const char *mac;
	const char *bridge; /* bridge device over this NIC, which then has the address; NULL: none */
	char *address;      /* "10.20.0.31/24", NULL: none */
	char *ip, *netmask; /* the same in two parts */
	char *gateway;      /* default route and DNS; on one interface only */
	gboolean dhcp;
	guint64 mtu; /* 0: leave */
} np_iface;

/* Of np_iface*, in the order of the NICs. */
GPtrArray *np_ifaces_of(const np_node *node);
/* Device that carries the address. Borrowed. */
const char *np_iface_device(const np_iface *iface);
