/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lab/model.h"

/* /etc/hosts of a node: itself, then all that it can reach: its neighbours, the nodes inside it, and those of the sites
 * above. Each by its address with dots ("guest-1" in "compute-1": compute-1.guest-1), and by its short name where
 * no nearer node has it. Caller frees. */
char *np_hosts_render(const np_lab *lab, const np_node *node);
