#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CPU modes under real KVM: each that libvirt supports is applied, the plan is empty afterwards, and libvirt's live XML and QEMU
# itself say what the guest was given. What KVM cannot give is an error, also where libvirt starts the guest without it.
set -euo pipefail
# shellcheck source=tests/rig/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

readonly missing=avx512f # of QEMU's emulated CPU, which is this machine's

# node NAME ACCEL CPU: the processor is all there is to see.
node() {
    printf '  %s: {image: hollow, memory: 64MiB, vcpus: 1, accel: %s, cpu: %s, ready: {wait: none}}\n' "$1" "$2" "$3"
}

write_modes() {
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system"}
images:
  hollow: {source: $work/hollow.qcow2}
nodes:
$(node auto kvm auto)
$(node passthrough kvm '{mode: host-passthrough, features: {svm: require}}')
$(node maximum kvm '{mode: maximum, features: {svm: require}}')
$(node model kvm '{mode: host-model, features: {svm: require}}')
$(node custom kvm "$1")
$(node emulated emulate auto)
LAB
}

custom() {
    echo "{mode: custom, model: $model, features: {svm: require${1:+, $1}}}"
}

# given NODE MODE TYPE SVM: the running guest, as libvirt and QEMU have it.
given() {
    local xml
    xml=$(virsh dumpxml "$lab.$1")
    expect_equal "$1: type" "$3" "$(xpath /domain/@type <<<"$xml")"
    expect_equal "$1: CPU mode" "$2" "$(xpath /domain/cpu/@mode <<<"$(virsh dumpxml --inactive "$lab.$1")")"
    expect_equal "$1: svm in the live XML" "$([[ $4 == true ]] && echo require || echo disable)" \
        "$(xpath "/domain/cpu/feature[@name='svm']/@policy" <<<"$xml")"
    expect_equal "$1: svm, says QEMU" "$4" "$(qemu_has "$1" svm)"
}

qemu_has() {
    virsh qemu-monitor-command "$lab.$1" \
        '{"execute":"qom-get","arguments":{"path":"/machine/unattached/device[0]","property":"'"$2"'"}}' | jq -r .return
}

healthy() {
    local name
    stage 'doctor'
    run 0 "$nestplan" doctor --json
    for name in cpu module device nesting kvm storage; do
        expect_equal "doctor: $name" good "$(finding "$name" verdict)"
    done
}

supported() {
    stage 'what KVM can give'
    write_modes "$(custom)"
    apply_shown
    np 0 plan --detailed-exitcode
    expect_contains 'plan afterwards' 'No changes' "$(out)"
    given auto host-passthrough kvm false
    given passthrough host-passthrough kvm true
    given maximum maximum kvm true
    given model host-model kvm true
    given custom custom kvm true
    # The emulator's own CPU keeps svm: src/drivers/libvirt/domain_xml.c.
    expect_equal 'emulated: type' qemu "$(virsh dumpxml "$lab.emulated" | xpath /domain/@type)"
    expect_equal 'emulated: CPU mode' maximum "$(virsh dumpxml "$lab.emulated" | xpath /domain/cpu/@mode)"
}

# refused WHAT TEXT...: by the plan.
refused() {
    local what=$1 text
    shift
    np 1 plan
    for text in "$@"; do
        expect_contains "$what" "$text" "$(err)"
    done
}

unsupported() {
    local unusable
    stage 'what the plan refuses'
    unusable=$(models no | head -n 1)
    write_modes "{mode: custom, model: $unusable}"
    refused "model $unusable" custom 'cannot be given' 'host-passthrough'
    write_modes '{mode: custom, model: EPYCC}'
    refused 'a model that does not exist' custom 'Did you mean'
}

models() {
    virsh domcapabilities --virttype kvm --machine q35 |
        xmllint --xpath "//cpu/mode[@name='custom']/model[@usable='$1']/text()" - | sed '/^$/d'
}

# libvirt refuses to start a guest without a required feature; with `force` it starts it, and only the live XML tells.
lost() {
    stage "a feature that KVM does not have ($missing)"
    virsh -q destroy "$lab.custom" # it would not hear a shutdown
    write_modes "$(custom "$missing: require")"
    np 1 apply --auto-approve
    expect_contains 'require' "$missing" "$(err)"
    expect_equal 'that node' 'shut off' "$(domain_state "$lab.custom")"
    write_modes "$(custom "$missing: force")"
    np 1 apply --auto-approve
    expect_contains 'force' "without CPU feature '$missing'" "$(err)"
    expect_equal 'that node' 'shut off' "$(domain_state "$lab.custom")"
    write_modes "$(custom)"
    np 0 apply --auto-approve
    expect_equal 'without it' running "$(domain_state "$lab.custom")"
}

begin nptest-modes
set_kvm 1
hollow_image "$work/hollow.qcow2"
model=$(models yes | grep -m 1 -x -e EPYC -e Opteron_G3 -e qemu64)
healthy
supported
unsupported
lost
stage 'destroy'
np 0 destroy --auto-approve
expect_nothing_left
clean_kernel
