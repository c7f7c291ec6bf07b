/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/mark.h"

/* The node that a domain's inactive XML describes. Disk sizes are unknown there (0). Pure. */
np_seen_node *np_domain_read(xmlNode *root, const np_mark *mark);
