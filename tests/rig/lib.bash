# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the rig's scripts share, besides the end-to-end tests' own. They run inside the rig, as root. The witnesses are
# lsmod, sysfs, virsh and the file system, never nestplan's own word.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"

readonly own_file=/etc/modprobe.d/zz-nestplan.conf
readonly admin_file=/etc/modprobe.d/nptest-admin.conf

[[ ${RIG-} ]] || skip 'this runs in the rig: tests/rig/rig.sh run SCRIPT'

# ── the kernel's module, as the kernel says ──

# "absent", or kvm_amd's `nested`: 1, 0.
nested() {
    cat /sys/module/kvm_amd/parameters/nested 2>/dev/null || echo absent
}

# How often kvm_amd has been loaded: it says so each time.
loads() {
    dmesg | grep -cE 'Nested Paging (en|dis)abled' || true
}

# set_kvm N: as if the administrator had loaded it so.
set_kvm() {
    ! lsmod | grep -q '^kvm_amd ' || modprobe -r kvm_amd
    modprobe kvm_amd "nested=$1"
    echo 0 >/sys/module/kvm/parameters/halt_poll_ns # there is one CPU: polling keeps it from those that have work
    udevadm settle
}

# What is in the way of the next script: modules' files, guests, the module itself.
clean_kernel() {
    rm -f "$own_file" "$admin_file"
    modprobe -r kvm_amd
}

expect_kvm() {
    expect_equal 'lsmod: kvm_amd' yes "$(lsmod | grep -q '^kvm_amd ' && echo yes || echo no)"
    expect_equal 'sysfs: nested' "$1" "$(nested)"
    expect_equal '/dev/kvm' 'character special file' "$(stat -c %F /dev/kvm 2>/dev/null || echo absent)"
}

expect_file() {
    expect_equal "$1" "$2" "$([[ -e $1 ]] && echo there || echo absent)"
}

# finding NAME KEY: of the doctor that ran last.
finding() {
    json ".findings[] | select(.name == \"$1\") | .$2"
}

# The only line that is no comment in nestplan's own file.
expect_options() {
    expect_equal "$own_file" "options kvm_amd $1" "$(grep -vE '^[[:space:]]*(#|$)' "$own_file")"
}

# expect_listed LAB yes|no: nestplan's own file names it.
expect_listed() {
    expect_equal "$own_file names $1" "$2" "$(grep '^#' "$own_file" | tr -cs 'a-z0-9-' '\n' | grep -qx -- "$1" && echo yes || echo no)"
}

# expect_switch BEFORE AFTER: the row of the plan that the last command printed as JSON.
expect_switch() {
    expect_equal 'plan: nested' "$1 $2" \
        "$(json '.changes[] | select(.address == "host.nesting") | .fields[] | select(.name == "nested") | "\(.before) \(.after)"')"
}

# ── labs ──

# write_lab NAME FILE [NETWORK]: host → hv → leaf, as small as it can be while everything is real.
write_lab() {
    cat >"$2" <<LAB
version: 1
name: $1
host: {uri: "qemu:///system"}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  tiny: {source: $images/tiny.qcow2}
networks:
  mgmt: {cidr: 10.71.${3:-0}.0/24}
nodes:
  hv:
    image: hypervisor
    accel: kvm
    vcpus: 1 # more: QEMU 7.2 emulates nesting on several vCPUs unreliably (docs/hacking.md)
    memory: 2GiB
    disks: {root: 8GiB}
    nics: [mgmt]
    networks:
      int: {cidr: 10.72.${3:-0}.0/24}
    nodes:
      leaf: {image: tiny, vcpus: 1, memory: 256MiB, disks: {root: 1GiB}, nics: [int]}
LAB
}

# write_guest_lab NAME FILE NETWORK: a guest that nobody waits for.
write_guest_lab() {
    cat >"$2" <<LAB
version: 1
name: $1
host: {uri: "qemu:///system"}
images:
  tiny: {source: $images/tiny.qcow2}
networks:
  mgmt: {cidr: 10.71.$3.0/24}
types:
  tiny: {image: tiny, accel: kvm, vcpus: 1, memory: 128MiB, disks: {root: 256MiB}, nics: [mgmt], ready: {wait: none}}
nodes:
  guest: {type: tiny}
LAB
}

# add_stub FILE NETWORK: a node that needs nesting and has an image that is no hypervisor's.
add_stub() {
    echo "  hv: {type: tiny, networks: {int: {cidr: 10.72.$2.0/24}}}" >>"$1"
}

# write_stub_lab NAME FILE NETWORK: such a node alone.
write_stub_lab() {
    write_guest_lab "$@"
    sed -i '/^  guest:/d' "$2"
    add_stub "$2" "$3"
}

# Applies such a lab: nesting is switched, and it fails when it has a disk to write. (With an appliance it would fail as well,
# as the image has no libvirt, but a minute later.)
stub_apply() {
    run 1 env LIBGUESTFS_PATH=/nonexistent "$nestplan" apply "$1" --auto-approve
    expect_contains 'apply got as far as the disks' appliance "$(err)"
}

# An apply whose steps are shown while they happen: the rig's log says how long each took.
apply_shown() {
    local code=0
    "$nestplan" apply "$lab_file" --auto-approve 2> >(tee "$work/err") >"$work/out" </dev/null || code=$?
    sleep 0.2 # tee
    ((code == 0)) || fail "apply exited with $code"
}

expect_proven() {
    np 0 status --json
    expect_equal 'status: nodes' 'hv kvm running, hv/leaf kvm running' \
        "$(json '[.nodes[] | "\(.address) \(.accel) \(.state)"] | sort | join(", ")')"
    expect_equal 'status: KVM proven at the host' true "$(json .host.proof.kvm)"
    expect_equal 'status: KVM proven inside the L1' true "$(json '.nodes[] | select(.address == "hv") | .proof.kvm')"
    expect_equal 'virsh: type of the L1' kvm "$(virsh dumpxml "$lab.hv" | xpath /domain/@type)"
    expect_equal 'virsh: the L1 has svm' require \
        "$(virsh dumpxml "$lab.hv" | xpath "/domain/cpu/feature[@name='svm']/@policy")"
    expect_equal 'virsh in the L1: type of the L2' kvm "$(in_node hv "virsh dumpxml $lab.leaf" | xpath /domain/@type)"
    expect_equal 'the L2 answers' leaf "$(in_node hv/leaf hostname)"
}

expect_no_changes() {
    np 0 apply --auto-approve
    expect_contains 'apply again' 'No changes.' "$(out)"
}
