/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of the enumerations of model.h, in the same order. */
#include "lab/model.h"

const char *const np_accel_names[] = {"kvm", "emulate", "auto", NULL};
const char *const np_cpu_mode_names[] = {"auto", "host-passthrough", "host-model", "maximum", "custom", NULL};
const char *const np_policy_names[] = {"require", "optional", "disable", "force", "forbid", NULL};
const char *const np_net_mode_names[] = {"nat", "isolated", "route", "open", "bridge", NULL};
const char *const np_bus_names[] = {"virtio", "scsi", "sata", NULL};
const char *const np_cache_names[] = {"default", "none", "writeback", "writethrough", "unsafe", NULL};
const char *const np_wait_names[] = {"auto", "none", "boot", "ssh", "hypervisor", NULL};
const char *const np_nesting_names[] = {"enable", "require", "ignore", NULL};
const char *const np_format_names[] = {"auto", "qcow2", "raw", NULL};
