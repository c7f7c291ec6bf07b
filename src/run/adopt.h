/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

/* Gives domains to a completed lab as its nodes, and records what the lab says of them as what was applied last. origins: libvirt's
 * names, as the lab's nodes are ordered. What it does and how it fails: np_hypervisor_ops.adopt. */
bool np_run_adopt(const np_hypervisor_ops *ops, np_conn *conn, const np_lab *lab, const GPtrArray *origins, GError **error);
