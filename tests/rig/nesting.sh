#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nesting is off: apply switches it on, builds three levels, and destroy puts all of it back.
set -euo pipefail
# shellcheck source=tests/rig/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

begin nptest-nest
write_lab "$lab" "$lab_file"

stage 'kvm_amd with nested=0'
set_kvm 0
expect_kvm 0
expect_file "$own_file" absent
first_load=$(loads)

stage 'plan'
np 2 plan --detailed-exitcode --json
expect_equal 'plan: the order' 'host.nesting hv hv/leaf' \
    "$(json '[.changes[].address | select(. == "host.nesting" or . == "hv" or . == "hv/leaf")] | join(" ")')"
expect_equal 'plan: the first row' host.nesting "$(json '.changes[0].address')"
expect_switch 0 1
np 0 plan
expect_contains 'plan' "$own_file" "$(out)"
expect_kvm 0
expect_file "$own_file" absent
expect_equal 'nothing was made' '' "$(marked '')$(marked net-)$(secrets_of_lab)"

stage 'apply'
apply_shown

stage 'witnesses'
expect_kvm 1
expect_equal 'the module was loaded again' $((first_load + 1)) "$(loads)"
expect_options 'nested=1'
expect_listed "$lab" yes
expect_proven

stage 'apply again'
file_before=$(stat -c '%i %Y' "$own_file")
expect_no_changes
expect_equal 'the module was left alone' $((first_load + 1)) "$(loads)"
expect_equal 'its file too' "$file_before" "$(stat -c '%i %Y' "$own_file")"

stage 'destroy'
np 0 destroy --auto-approve
expect_nothing_left
expect_kvm 0
expect_file "$own_file" absent

stage 'clean up'
clean_kernel
