#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# No false difference: machines with every field at every value that the examples use, at the host under emulation and in an L1 under
# KVM. After the apply the plan is empty; so it is after a restart of the libvirtd (the L1's, for the host's is not ours), after a reboot of
# the guests, and after managedsave and start. Guests are hollow: what is looked at is libvirt's and QEMU's.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"

# node INDENT NAME ACCEL KEYS
node() {
    printf '%*s%s: {type: hollow, accel: %s, %s}\n' "$1" '' "$2" "$3" "$4"
}

# nodes INDENT ACCEL NAT ISOLATED ROUTED OPEN DIGITS: what each level has. The networks are those of the site.
nodes() {
    local indent=$1 accel=$2 model='{mode: custom, model: qemu64, features: {x2apic: {policy: optional}, svm: require}}'
    node "$indent" auto "$accel" "nics: [$3], disks: {root: {size: 64MiB, cache: none}, data: {size: 32MiB, bus: scsi, cache: writeback}}"
    node "$indent" sata "$accel" "nics: [$4], disks: {root: {size: 64MiB, bus: sata}, data: {size: 32MiB, bus: virtio, cache: writethrough}}"
    node "$indent" unsafe "$accel" "nics: [$5, $6], disks: {root: {size: 64MiB, cache: unsafe}}"
    node "$indent" maximum "$accel" "nics: [$3, $4], cpu: maximum"
    node "$indent" custom "$accel" "nics: [], cpu: $model"
    node "$indent" full "$accel" "cpu: maximum, description: \"Everything: API, database\", memory_max: 128MiB, vcpus_max: 3,
        uuid: 7c9e6679-7425-40de-944b-e07fc1f9000$7,
        nics: {$3: {address: 10.7$7.0.77, mac: \"52:54:00:79:00:0$7\"}, second: {network: $4}}"
    [[ $accel != kvm ]] || node "$indent" passthrough "$accel" "nics: [wire], cpu: host-passthrough"
    [[ $accel != kvm ]] || node "$indent" model "$accel" "nics: [$3], cpu: host-model"
}

write_lab() {
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system", nesting: enable}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  hollow: {source: $work/hollow.qcow2, format: qcow2}
types:
  hollow: {image: hollow, memory: 64MiB, vcpus: 1, ready: {wait: none}}
networks:
  mgmt: {cidr: 10.78.0.0/24, mode: nat, dhcp: true}
  tunnel: {cidr: 10.78.1.0/24, mode: isolated, mtu: 9000, dhcp: false}
  routed: {cidr: 10.78.2.0/24, mode: route}
  open: {cidr: 10.78.3.0/24, mode: open}
nodes:
$(nodes 2 emulate mgmt tunnel routed open 8)
  hv:
    image: hypervisor
    memory: 2GiB
    vcpus: 1 # of an emulated hypervisor: docs/hacking.md
    accel: auto
    disks: {root: 8GiB}
    nics: [mgmt, tunnel]
    networks:
      int: {cidr: 10.79.0.0/24}
      inner: {cidr: 10.79.1.0/24, mode: isolated, mtu: 1400, dhcp: false}
      routed: {cidr: 10.79.2.0/24, mode: route}
      open: {cidr: 10.79.3.0/24, mode: open}
      wire: {mode: bridge, nic: tunnel, mtu: 8950}
    nodes:
$(nodes 6 kvm int inner routed open 9)
LAB
}

in_hv() { timeout 600 "$nestplan" ssh "$lab_file" hv -- "$1" </dev/null; }

expect_no_changes() {
    np 0 plan --detailed-exitcode
    expect_contains "plan $1" 'No changes. The lab matches its file.' "$(out)"
}

# hollow_domains: of the host.
hollow_domains() {
    virsh -q list --name | grep "^$lab\." | grep -v "\.hv$"
}

begin nptest-values
hollow_image "$work/hollow.qcow2"
write_lab

stage 'apply'
np 0 apply --auto-approve
expect_equal 'guests of the host' 7 "$(virsh -q list --name | grep -c "^$lab\.")"
expect_equal 'guests of the L1' 8 "$(in_hv 'virsh -q list --name' | grep -c "^$lab\.")"
expect_no_changes 'after the apply'

stage 'the daemon is asked anew'
in_hv 'systemctl restart libvirtd'
expect_no_changes 'after a restart of the libvirtd in the L1'

stage 'the guests are reset'
for name in $(hollow_domains); do
    virsh -q reset "$name"
done
in_hv 'for name in $(virsh -q list --name); do virsh -q reset $name; done'
expect_no_changes 'after it'

stage 'managedsave and start'
for name in $(hollow_domains); do
    virsh -q managedsave "$name"
    virsh -q start "$name"
done
in_hv 'for name in $(virsh -q list --name); do virsh -q managedsave $name && virsh -q start $name; done'
expect_no_changes 'after it'

stage 'destroy'
np 0 destroy --auto-approve
expect_nothing_left
