/* SPDX-License-Identifier: Apache-2.0 */
/* Fills in what the lab file leaves open. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"

/* Defaults, links, ids, file names, addresses. lab->folder is set. Problems (a full network) are in diags. */
void np_lab_complete(np_lab *lab, np_diags *diags);

/* The rest is between complete*.c and check*.c. */

/* MAC and IP addresses of NICs, none of them twice: those that are written are reserved, of all nodes, before any is derived. */
typedef struct np_addresses np_addresses;
np_addresses *np_addresses_new(const np_lab *lab, np_diags *diags);
void np_addresses_free(np_addresses *addresses); /* NULL-tolerant */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_addresses, np_addresses_free)
/* The node is the one at `position` of its site; those before it were reserved, and what is around it is complete. */
void np_addresses_reserve(np_addresses *addresses, np_node *node, guint position);
void np_addresses_derive(np_addresses *addresses, np_node *node);
/* The network whose wire `network` of `site` shares: itself, or the one a bridge inside a node leads to. */
const np_network *np_network_segment(const np_site *site, const np_network *network);
/* Addresses for NICs: above the site's own, below the DHCP pool. FALSE when there are none. */
gboolean np_network_static_range(const np_network *network, np_ip *ret_first, np_ip *ret_last);
