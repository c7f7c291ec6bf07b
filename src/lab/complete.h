/* SPDX-License-Identifier: Apache-2.0 */
/* Fills in what the lab file leaves open. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"
#include "lab/origin.h"

/* Defaults, links, ids, file names, addresses. lab->folder is set. Problems (a full network) are in diags; `origin` learns of which
 * node each is. */
void np_lab_complete(np_lab *lab, np_diags *diags, np_origin *origin);

/* The rest is between complete*.c and check*.c. */

/* MAC and IP addresses of NICs, none of them twice: those that are written are reserved, of all nodes, before any is derived. */
typedef struct np_addresses np_addresses;
np_addresses *np_addresses_new(const np_lab *lab, np_diags *diags);
void np_addresses_free(np_addresses *addresses); /* NULL-tolerant */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_addresses, np_addresses_free)
/* The node is the one at `position` of its site; those before it were reserved, and what is around it is complete. */
void np_addresses_reserve(np_addresses *addresses, np_node *node, guint position);
void np_addresses_derive(np_addresses *addresses, np_node *node);
/* Networks that had not enough of them, after the last node. */
void np_addresses_report(np_addresses *addresses);
/* Prefix lengths of networks. */
enum { NP_PREFIX_MIN = 8, NP_PREFIX_MAX = 30 };
/* The network whose wire a network shares: itself, or the one a bridge inside a node leads to. */
const np_network *np_network_segment(const np_network *network);
/* Addresses for NICs: above the site's own, below the DHCP pool, also those of the wire. FALSE when there are none. */
gboolean np_network_static_range(const np_network *network, np_ip *ret_first, np_ip *ret_last);
