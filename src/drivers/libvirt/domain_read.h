/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/mark.h"

/* The node that a domain's inactive XML describes. Disk sizes are unknown there (0). The record moves out of the mark. Pure. */
np_seen_node *np_domain_read(xmlNode *root, np_mark *mark);
/* Adds what its live XML says: the node as it runs, and how far memory and vCPUs can be raised. Pure. */
void np_domain_read_live(xmlNode *root, const np_mark *mark, np_seen_node *seen);
