/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/xml.h"

bool np_adopt(np_conn *conn, const np_lab *lab, const np_adoption *taken, GError **error);

/* Turns the definition of a foreign domain into that of a node: name, mark, sources of disks and NICs as in `ours`,
 * which nestplan itself would write for the node; all else stays. Pure. */
void np_adopt_graft(xmlNode *root, xmlNode *ours);

/* File of a disk: that its element names, or of the volume that it names. NULL when it is neither. Caller frees. */
char *np_disk_path(np_conn *conn, xmlNode *disk);
