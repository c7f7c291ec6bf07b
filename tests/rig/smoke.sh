#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three levels, two of them under KVM: the rig (host) → L1 under KVM → L2 under KVM in it. Nesting is on from the start.
set -euo pipefail
# shellcheck source=tests/rig/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

begin nptest-smoke
write_lab "$lab" "$lab_file"

stage 'kvm_amd with nested=1'
expect_equal 'nothing has loaded it before' absent "$(nested)"
set_kvm 1
expect_kvm 1

stage 'libvirt looks at it'
expect_equal 'virsh: offers' kvm "$(virsh capabilities | xpath "//guest/arch[@name='x86_64']/domain[@type='kvm']/@type")"

stage 'plan'
np 0 plan
expect_equal 'plan: accelerators' 'hv kvm, hv/leaf kvm' \
    "$(out | sed -nE 's/^ *\+ (hv[^ ]*) .*(kvm|emulated?).*/\1 \2/p' | paste -sd, | sed 's/,/, /g')"
expect_contains 'plan' 'Plan: 4 to add, 0 to change, 0 to destroy.' "$(out)"

stage 'apply'
apply_shown

stage 'witnesses'
expect_proven

stage 'apply again'
expect_no_changes

stage 'destroy'
np 0 destroy --auto-approve
expect_nothing_left
expect_kvm 1

stage 'kvm_amd can be unloaded'
clean_kernel
expect_equal 'sysfs: nested' absent "$(nested)"
