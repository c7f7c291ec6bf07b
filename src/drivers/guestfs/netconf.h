/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's network: interfaces are found by MAC, take their NIC's name, and have static addresses. */
#pragma once
#include "drivers/guestfs/seed.h"

typedef enum { NP_STYLE_NONE, NP_STYLE_IFUPDOWN, NP_STYLE_NETWORKD, NP_STYLE_NETPLAN } np_net_style;

np_net_style np_net_style_detect(const np_guest_view *view);
/* In the style of the image. An image of no known style is an error when a NIC has to be configured. */
bool np_netconf_render(const np_node *node, const np_guest_view *view, np_seed *seed, GError **error);
