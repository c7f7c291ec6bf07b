/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/guestfs/seed.h"

/* inject.packages and inject.run: a unit that runs them once, in order, stops at the first that fails and says which in
 * /var/lib/nestplan/firstboot/failed. Its log is /var/log/nestplan-firstboot.log. */
bool np_firstboot_render(const np_lab *lab, const np_node *node, const np_guest_view *view, np_seed *seed,
                         GError **error);
