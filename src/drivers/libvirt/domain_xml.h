/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

#define NP_NIC_ALIAS "ua-nestplan-" /* libvirt keeps aliases that start with "ua-"; the NIC's name follows */
#define NP_SPARE_PORTS 4            /* NICs and disks that can be added while it runs, beyond those it starts with */

/* "vda", "vdb", …, "vdz", "vdaa" for 0, 1, …, 25, 26. Caller frees. */
char *np_target_name(const char *prefix, unsigned index);
/* libvirt's domain XML of a node. Pure. Caller frees. */
char *np_domain_xml(const np_domain_spec *spec);
