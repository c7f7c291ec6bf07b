#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every CPU mode with every accelerator that is here: what libvirt supports is applied for real and the plan is empty after it;
# what it does not support is refused by the plan, with a hint. virsh domcapabilities says which is which.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

# models TYPE yes|no: names of CPU models that libvirt calls usable or not; domain capabilities on stdin.
models() {
    xmllint --xpath "//cpu/mode[@name='custom']/model[@usable='$1']/text()" - | sed '/^$/d'
}

# The most capable of a few well-known ones, from a list on stdin.
known_model() {
    local usable name
    usable=$(cat)
    for name in EPYC Opteron_G3 Nehalem Penryn qemu64 kvm64; do
        if grep -qx "$name" <<<"$usable"; then
            echo "$name"
            return
        fi
    done
    head -n 1 <<<"$usable"
}

supports() {
    [[ $(xpath "//cpu/mode[@name='$2']/@supported" <<<"$1") == yes ]]
}

# The processor is all there is to see.
leaf() {
    printf '%s%s: {image: hollow, memory: 128MiB, vcpus: 1, accel: %s, cpu: %s, nics: [%s], ready: {wait: none}}\n' "$1" "$2" "$3" "$4" "$5"
}

write_lab() {
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system"}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  hollow: {source: $work/hollow.qcow2}
networks:
  mgmt: {cidr: 10.67.0.0/24}
nodes:
$1
LAB
}

host_nodes() {
    leaf '  ' auto "$accel" auto mgmt
    leaf '  ' maximum "$accel" maximum mgmt
    leaf '  ' model "$accel" host-model mgmt
    leaf '  ' custom "$accel" "{mode: custom, model: $host_model}" mgmt
    leaf '  ' feature "$accel" "{mode: custom, model: $host_model, features: {svm: disable, aes: require}}" mgmt
}

level_one() {
    cat <<LAB
  l1:
    image: hypervisor
    vcpus: 1
    memory: 2GiB
    accel: auto
    disks: {root: 8GiB}
    nics: [mgmt]
    networks: {int: {cidr: 10.68.1.0/24}}
    nodes:
$1
LAB
}

inner_nodes() {
    leaf '      ' auto kvm auto int
    leaf '      ' passthrough kvm host-passthrough int
    leaf '      ' maximum kvm maximum int
    leaf '      ' model kvm host-model int
    leaf '      ' custom kvm "{mode: custom, model: $inner_model}" int
}

# mode NAME WANTED XML: what the definition says.
mode() {
    expect_equal "CPU mode of $1" "$2" "$(xpath '/domain/cpu/@mode' <<<"$3")"
}

refused() {
    local what=$1 hint=$2
    shift 2
    np 1 plan
    expect_contains "what $what is told" "$hint" "$(err)"
    expect_equal "domains after $what was refused" "$existing" "$(names | ours | sort | xargs)"
}

if grep -qwE 'svm|vmx' /proc/cpuinfo; then accel=kvm type=kvm; else accel=auto type=qemu; fi
begin nptest-cpu
hollow_image "$work/hollow.qcow2"
capabilities=$(virsh domcapabilities --virttype "$type" --machine q35)
host_model=$(models yes <<<"$capabilities" | known_model)
stage "host ($type), model $host_model"
write_lab "$(host_nodes)"
np 0 apply --auto-approve
np 0 plan --detailed-exitcode
expect_contains 'plan afterwards' 'No changes' "$(out)"
if [[ $type == qemu ]]; then natural=maximum; else natural=host-passthrough; fi
mode auto "$natural" "$(virsh dumpxml --inactive "$lab.auto")"
mode maximum maximum "$(virsh dumpxml --inactive "$lab.maximum")"
mode model host-model "$(virsh dumpxml --inactive "$lab.model")"
mode custom custom "$(virsh dumpxml --inactive "$lab.custom")"
svm_of() {
    virsh dumpxml --inactive "$lab.$1" | xpath "/domain/cpu/feature[@name='svm']/@policy"
}
expect_equal 'svm on a leaf' disable "$(svm_of custom)"
# The emulator's own CPU without svm breaks its guests: src/drivers/libvirt/domain_xml.c.
if [[ $type == qemu ]]; then natural=''; else natural=disable; fi
expect_equal 'svm on a leaf with the natural mode' "$natural" "$(svm_of auto)"

if [[ $type == qemu ]]; then
    stage 'a feature that the emulator does not have is found out at the start'
    write_lab "$(host_nodes; leaf '  ' lost auto "{mode: custom, model: $host_model, features: {x2apic: require}}" mgmt)"
    np 1 apply --auto-approve
    expect_contains 'stderr' "without CPU feature 'x2apic'" "$(err)"
    expect_equal 'that node' 'shut off' "$(domain_state "$lab.lost")"
fi

existing=$(names | ours | sort | xargs)
stage 'what the host cannot have'
write_lab "$(leaf '  ' foo "$accel" '{mode: custom, model: EPYCC}' mgmt)"
refused 'a model that does not exist' "Did you mean" foo
unusable=$(models no <<<"$capabilities" | head -n 1)
if [[ $unusable ]]; then
    write_lab "$(leaf '  ' foo "$accel" "{mode: custom, model: $unusable}" mgmt)"
    refused "the model $unusable" 'cannot be given' foo
fi
if [[ $type == qemu ]]; then
    write_lab "$(leaf '  ' foo kvm auto mgmt)"
    refused 'kvm without a CPU for it' 'accel: auto' foo
fi

stage 'an L1'
write_lab "$(level_one "$(leaf '      ' auto kvm auto int)")"
np 0 apply --auto-approve
capabilities=$(in_node l1 'virsh domcapabilities --virttype kvm --machine q35')
inner_model=$(models yes <<<"$capabilities" | known_model)
stage "inside an L1, model $inner_model"
write_lab "$(level_one "$(inner_nodes)")"
np 0 apply --auto-approve
np 0 plan --detailed-exitcode
expect_contains 'plan afterwards' 'No changes' "$(out)"
for name in auto passthrough maximum model custom; do
    case $name in
    auto | passthrough) wanted=host-passthrough ;;
    model) wanted=host-model ;;
    *) wanted=$name ;;
    esac
    description=$(in_node l1 "virsh dumpxml --inactive $lab.$name")
    mode "l1/$name" "$wanted" "$description"
    expect_equal "type of l1/$name" kvm "$(xpath '/domain/@type' <<<"$description")"
    supports "$capabilities" "$wanted" || fail "libvirt in the L1 does not support $wanted, and it was applied"
done
existing=$(names | ours | sort | xargs)
stage 'what the L1 cannot have'
write_lab "$(level_one "$(leaf '      ' foo kvm '{mode: custom, model: EPYCC}' int)")"
refused 'a model that the L1 does not know' "Did you mean" foo
