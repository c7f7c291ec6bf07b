/* SPDX-License-Identifier: Apache-2.0 */
/* systemd units, enabled and disabled as systemctl does it: by the links that their [Install] section names. */
#pragma once
#include "drivers/guestfs/seed.h"

bool np_unit_exists(const np_guest_view *view, const char *unit);
bool np_unit_enable(const np_guest_view *view, const char *unit, np_seed *seed, GError **error);
/* A unit that the image has not needs no disabling. */
void np_unit_disable(const np_guest_view *view, const char *unit, np_seed *seed);
/* "libvirtd" is "libvirtd.service". Caller frees. */
char *np_unit_name(const char *name);

/* inject.services. later: a unit that is missing may come with the packages of the first boot, which enables it then.
 */
bool np_services_render(const np_services *services, bool later, const np_guest_view *view, np_seed *seed,
                        GError **error);
