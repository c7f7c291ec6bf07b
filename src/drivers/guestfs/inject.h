/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/guestfs/appliance.h"
#include "drivers/guestfs/seed.h"

/* Writes the seed into the mounted guest. `view` answers for the guest as it was before. */
bool np_inject_apply(np_appliance *appliance, const np_seed *seed, const np_guest_view *view, GError **error);
