/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

/* libvirt's network XML, with a reservation for each NIC of its site that has an address. record: for the mark; may be
 * NULL. Pure. Caller frees. */
char *np_network_xml(const np_lab *lab, const np_network *network, const np_record *record);
