/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/mark.h"

/* The network that libvirt's XML describes; `mark` NULL: a foreign one, with its whole name. The record moves out of the mark.
 * Pure. */
np_seen_network *np_network_read(xmlNode *root, np_mark *mark);
/* Adds np_foreign_range* for each IPv4 range that the network has or routes. Pure. */
void np_network_read_ranges(xmlNode *root, bool active, GPtrArray *ret);
