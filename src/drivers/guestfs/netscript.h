/* SPDX-License-Identifier: Apache-2.0 */
/* The network of a guest that runs already. */
#pragma once
#include "lab/model.h"

/* See np_disk_ops.network_script. */
char *np_net_script(const np_node *node, GError **error);
