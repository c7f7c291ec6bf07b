/* SPDX-License-Identifier: Apache-2.0 */
/* A guest names its disks and interfaces by their places on the machine's buses: these stay where they are. */
#pragma once
#include "drivers/driver.h"
#include "drivers/libvirt/xml.h"

/* The domain of the spec in which each device has the place (address, target) that it has in `stored`, one that is not
 * there the place that it has in `live`, and a new one none that is taken. Both are domain elements and may be NULL.
 * Pure. g_autoptr(xmlDoc). */
xmlDoc *np_domain_keep(const np_domain_spec *spec, xmlNode *stored, xmlNode *live);

/* The disk of a domain that is kept in that volume, NULL: none. Borrowed. */
xmlNode *np_domain_disk(xmlNode *root, const char *volume);
/* The interface of a NIC: the one with its alias. NULL: none. Borrowed. */
xmlNode *np_domain_interface(xmlNode *root, const char *alias);
/* "0000:03:00.0", where a device sits on the PCI bus; NULL: it has no such address. Caller frees. */
char *np_device_place(xmlNode *device);
