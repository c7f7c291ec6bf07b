#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three levels by the same code: host → L1 → L2, a hypervisor as well → L3. KVM proven in L1 and in L2; virsh in each is the
# witness. Everything is destroyed from the host.
#
# There is no KVM below. An exit of the L3 is several of the L2, each of which is several of the L1, and a tick of its timer takes
# longer than there is between two. So the L1's clock runs slower, as the rig's does (tests/rig/slowclock.c): it is started by a
# libvirtd of this test's own that has the slow clock preloaded.
set -euo pipefail
# shellcheck source=tests/e2e/own-daemon.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/own-daemon.bash"
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"

test_clean_up() {
    stop_own_daemon
}

write_lab() {
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system"}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  tiny: {source: $images/tiny.qcow2}
networks:
  mgmt: {cidr: 10.70.0.0/24}
defaults: {vcpus: 1, ready: {timeout: 20m}} # one vCPU: docs/hacking.md
nodes:
  one:
    image: hypervisor
    memory: 4GiB
    accel: auto
    disks: {root: 8GiB}
    nics: [mgmt]
    networks: {int: {cidr: 10.71.1.0/24}}
    nodes:
      two:
        image: hypervisor
        memory: 2GiB
        accel: kvm
        disks: {root: 4GiB}
        nics: [int]
        networks: {deep: {cidr: 10.72.1.0/24}}
        nodes:
          three: {image: tiny, memory: 256MiB, accel: kvm, nics: [deep]}
LAB
}

patience=600 # each command logs in through all levels
cc -O2 -shared -fPIC -DSLOWCLOCK=5 -o "$own/slowclock.so" "$source_root/tests/rig/slowclock.c"
start_own_daemon "$own/slowclock.so"
begin nptest-depth
write_lab
stage 'plan'
np 0 plan
expect_contains 'the plan' 'level 3' "$(out)$(err)"
stage 'apply'
"$nestplan" apply "$lab_file" --auto-approve >"$work/out" 2> >(tee "$work/err") </dev/null || fail 'apply failed'
stage 'each level, by its own virsh'
expect_equal 'L1 on the host' "$lab.one" "$(virsh -q list --name | ours)"
expect_equal 'L2 in the L1' "$lab.two" "$(in_node one 'virsh -q list --name' | ours)"
expect_equal 'L3 in the L2' "$lab.three" "$(in_node one/two 'virsh -q list --name' | ours)"
for pair in one:two one/two:three; do
    expect_equal "type of ${pair##*:}" kvm "$(in_node "${pair%%:*}" "virsh dumpxml $lab.${pair##*:}" | xpath '/domain/@type')"
done
expect_equal 'name of the L3' three "$(in_node one/two/three hostname)"
expect_equal 'its path to the L2 and the L1, by name' 'ok' \
    "$(in_node one/two/three 'ping -c 1 -w 30 one.two >/dev/null && ping -c 1 -w 30 one >/dev/null && echo ok')"
stage 'status'
np 0 status --json
for address in one one/two; do
    expect_equal "proof in $address" true "$(json ".nodes[] | select(.address == \"$address\") | .proof.kvm")"
done
expect_equal 'level of the L3' 3 "$(json '.nodes[] | select(.address == "one/two/three") | .level')"
stage 'no changes'
np 0 plan --detailed-exitcode
stage 'destroy'
np 0 destroy --auto-approve
expect_nothing_left
