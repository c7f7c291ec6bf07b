#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The proof can fail: an L1 that is healthy but for a wrong option of its KVM module is found out, named, and refused. Then
# it is switched off, and destroy works all the same.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

write_lab() {
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system"}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  tiny: {source: $images/tiny.qcow2}
networks:
  mgmt: {cidr: 10.63.0.0/24}
nodes:
  broken:
    image: hypervisor
    vcpus: 1 # one: QEMU 7.2 emulates nesting on several vCPUs unreliably (docs/hacking.md)
    memory: 2GiB
    accel: auto
    disks: {root: 8GiB}
    nics: [mgmt]
    inject:
      files:
        - {path: /etc/modprobe.d/zz-broken.conf, content: "options kvm_amd nested=1n\noptions kvm_intel nested=1n\n"}
    networks:
      int: {cidr: 10.64.1.0/24}
    nodes:
      guest: {image: tiny, vcpus: 1, memory: 256MiB, accel: kvm, nics: [int], ready: {wait: none}}
LAB
}

failing_proof() {
    stage 'apply, which must fail'
    np 1 apply --auto-approve
    expect_contains 'stderr' broken "$(err)"
    expect_contains 'stderr' 'level 1' "$(err)"
    expect_contains 'stderr' "$(module)" "$(err)"
    expect_equal 'the L1 itself' running "$(domain_state "$lab.broken")"
    expect_equal 'its guests' '' "$(in_node broken 'virsh -q list --all --name')"
    stage 'status says so'
    np 0 status --json
    expect_equal 'proof' false "$(json '.nodes[] | select(.address == "broken") | .proof.kvm')"
    expect_equal 'of its parts, the module' false "$(json '.nodes[] | select(.address == "broken") | .proof.module.ok')"
    expect_contains 'the missing link, and its fix' "$(module) is not loaded" "$(json '.nodes[] | select(.address == "broken") | .proof.missing')"
    expect_contains 'the same' 'fix:' "$(json '.nodes[] | select(.address == "broken") | .proof.missing')"
}

# QEMU's emulator has SVM; a host with KVM passes on what it has.
module() {
    if grep -qw vmx /proc/cpuinfo; then echo kvm_intel; else echo kvm_amd; fi
}

destroy_while_off() {
    stage 'destroy, with the L1 off'
    virsh -q destroy "$lab.broken"
    np 0 destroy --auto-approve
    expect_nothing_left
}

begin nptest-proof
write_lab
failing_proof
destroy_while_off
