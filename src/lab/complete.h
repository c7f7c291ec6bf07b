/* SPDX-License-Identifier: Apache-2.0 */
/* Fills in what the lab file leaves open. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"

/* Defaults, links, ids, file names, addresses. lab->folder is set. Problems (a full network) are in diags. */
void np_lab_complete(np_lab *lab, np_diags *diags);

/* The rest is between complete*.c and check*.c. */

/* MAC and IP address of every NIC. */
void np_lab_complete_addresses(np_lab *lab, np_diags *diags);
/* The network whose wire `network` of `site` shares: itself, or the one a bridge inside a node leads to. */
const np_network *np_network_segment(const np_site *site, const np_network *network);
/* Addresses for NICs: above the site's own, below the DHCP pool. FALSE when there are none. */
gboolean np_network_static_range(const np_network *network, np_ip *ret_first, np_ip *ret_last);
