/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

#define NP_NIC_ALIAS    "ua-nestplan-" /* libvirt keeps aliases that start with "ua-"; the NIC's name follows */

/* libvirt's domain XML of a node. Pure. Caller frees. */
char *np_domain_xml(const np_domain_spec *spec);
