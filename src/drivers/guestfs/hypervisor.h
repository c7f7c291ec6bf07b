/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/guestfs/seed.h"

/* What a node that carries nodes needs in its disk: nesting in its own kernel, libvirtd, room for its pools. */
bool np_hypervisor_render(const np_disk_job *job, const np_guest_view *view, np_seed *seed, GError **error);
