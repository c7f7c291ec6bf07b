/* SPDX-License-Identifier: Apache-2.0 */
/* One libguestfs appliance: launched once for many disks, ended at once by a cancel. */
#pragma once
#include <guestfs.h>

#include "drivers/driver.h"

typedef struct np_appliance np_appliance;

/* Launches with the overlays (qcow2) as its disks. kvm: libguestfs may use it, else force_tcg. */
np_appliance *np_appliance_open(const char *const *paths, bool kvm, GCancellable *cancel, GError **error);
/* Shuts down, so that all is on the disks; a failure of that is an error. The appliance is gone either way. */
bool np_appliance_close(np_appliance *appliance, GError **error);
/* Ends it with no care for the disks. NULL-tolerant. */
void np_appliance_free(np_appliance *appliance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_appliance, np_appliance_free)

guestfs_h *np_appliance_handle(np_appliance *appliance);
/* Version of libguestfs, "1.48.6". Caller frees. */
char *np_appliance_version(void);
/* Device of the disk at `index`: "/dev/sda" is the first. Caller frees. */
char *np_appliance_device(unsigned index);
/* "WHAT failed: …" from the handle's last error, or that it was interrupted. Always false. */
bool np_appliance_fail(np_appliance *appliance, GError **error, const char *what, ...) G_GNUC_PRINTF(3, 4);
