#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One lab's whole life, host → L1 → L2, for real: plan, apply, apply again, a change, a killed apply, two at once, a lost L1,
# destroy.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# shellcheck source=tests/e2e/foreign.bash
. "$(dirname "${BASH_SOURCE[0]}")/foreign.bash"

write_lab() {
    mkdir -p "$work/files"
    printf 'I am ${node.name}, level by level ${node.address}, of ${lab.name}\n' >"$work/files/who.conf"
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system"}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  tiny: {source: $images/tiny.qcow2}
networks:
  mgmt: {cidr: 10.61.0.0/24}
types:
  tiny: {image: tiny, memory: 256MiB, disks: {root: 1GiB}}
nodes:
  hv:
    image: hypervisor
    vcpus: 1 # one: QEMU 7.2 emulates nesting on several vCPUs unreliably (docs/hacking.md)
    memory: 3GiB
    accel: auto
    disks: {root: 8GiB}
    nics: [mgmt]
    inject:
      files: [{path: /etc/nptest/who.conf, source: files/who.conf, template: true, mode: "0640"}]
    networks:
      int: {cidr: 10.62.1.0/24}
    nodes:
      alpha:
        type: tiny
        vcpus: 1
        nics: [int]
        inject:
          files: [{path: /etc/who, content: "\${node.address}\\n"}]
      beta:
        type: tiny
        count: 1
        vcpus: 1
        nics: [int]
LAB
}

edit_lab() {
    sed -i "$1" "$lab_file"
}

# ── witnesses ──

in_hv() {
    in_node hv "$1"
}

# expect_running ADDRESS... (of the L2s): status, the host's virsh and the L1's virsh tell the same.
expect_running() {
    local name
    np 0 status --json
    expect_equal 'status: the lab' "$lab" "$(json .lab)"
    expect_equal 'status: nodes' "$(printf '%s running\n' hv "$@" | sort)" \
        "$(json '.nodes[] | "\(.address) \(.state)"' | sort)"
    expect_equal 'status: levels' "$(printf '%s 2\n' "$@" | sed '1i hv 1' | sort)" \
        "$(json '.nodes[] | "\(.address) \(.level)"' | sort)"
    expect_equal 'status: KVM inside the L1' true "$(json '.nodes[] | select(.address == "hv") | .proof.kvm')"
    expect_equal 'virsh at the host' "$lab.hv" "$(virsh -q list --name | grep "^$lab\.")"
    expect_equal 'virsh in the L1' "$(printf "$lab.%s\n" "${@#hv/}" | sort)" "$(in_hv 'virsh -q list --name' | sort | sed '/^$/d')"
    expect_types "$@"
    for name in "$@"; do
        expect_equal "hostname of $name" "${name#hv/}" "$(in_node "$name" hostname)"
    done
}

expect_types() {
    local name wanted
    wanted=$(json '.nodes[] | select(.address == "hv") | .accel')
    [[ $wanted == kvm ]] || wanted=qemu
    expect_equal 'type of the L1, at the host' "$wanted" "$(virsh dumpxml "$lab.hv" | xpath /domain/@type)"
    for name in "$@"; do
        expect_equal "type of $name, in the L1" kvm "$(in_hv "virsh dumpxml $lab.${name#hv/}" | xpath /domain/@type)"
    done
}

expect_inside() {
    expect_equal 'hostname of the L1' hv "$(in_hv hostname)"
    expect_equal 'template in the L1' "I am hv, level by level hv, of $lab" "$(in_hv 'cat /etc/nptest/who.conf')"
    expect_equal 'its mode and owner' '640 0 0' "$(in_hv 'stat -c "%a %u %g" /etc/nptest/who.conf')"
    expect_equal 'content in the L2' hv/alpha "$(in_node hv/alpha 'cat /etc/who')"
    expect_contains '/etc/hosts in the L1' beta-1 "$(in_hv 'cat /etc/hosts')"
    expect_contains '/etc/hosts in the L2' beta-1 "$(in_node hv/alpha 'cat /etc/hosts')"
    expect_at_least 'root of the L1 (KiB)' $((7 * 1024 * 1024)) "$(in_hv 'df -Pk / | tail -n 1' | awk '{print $2}')"
    expect_at_least 'root of the L2 (KiB)' $((900 * 1024)) "$(in_node hv/alpha 'df -Pk / | tail -n 1' | awk '{print $2}')"
    expect_equal 'KVM module in the L1' 1 "$(in_hv 'cat /sys/module/kvm_amd/parameters/nested /sys/module/kvm_intel/parameters/nested 2>/dev/null' | tr 'Y' '1')"
    expect_equal 'failed units in the L1' '' "$(in_hv 'systemctl list-units --failed --no-legend')"
}

vcpus_in_hv() {
    in_hv "virsh dumpxml $lab.$1" | xpath /domain/vcpu
}

expect_no_changes() {
    np 0 plan --detailed-exitcode
    expect_contains 'plan' 'No changes. The lab matches its file.' "$(out)"
}

# ── scenes ──

plan_on_nothing() {
    stage 'plan on nothing'
    run 0 "$nestplan" validate "$lab_file"
    np 2 plan --detailed-exitcode --json
    expect_equal 'what would be added' 'network.mgmt hv hv/network.int hv/alpha hv/beta-1' \
        "$(json '[.changes[] | select(.action == "create") | .address] | join(" ")' | order_of_addresses)"
    expect_equal 'summary' '5 0 0' "$(json '.summary | "\(.add) \(.change) \(.destroy)"')"
    np 0 plan
    expect_contains 'last line' 'Plan: 5 to add, 0 to change, 0 to destroy.' "$(out | tail -n 1)"
    expect_equal 'nothing was made' '' "$(marked '')$(marked net-)$(secrets_of_lab)"
}

# Siblings may come in any order: sorted by level and name, networks first.
order_of_addresses() {
    local wanted=(network.mgmt hv hv/network.int hv/alpha hv/beta-1) got address ordered=()
    read -ra got
    for address in "${wanted[@]}"; do
        [[ " ${got[*]} " != *" $address "* ]] || ordered+=("$address")
    done
    ((${#got[@]} == ${#ordered[@]})) || ordered=("${got[@]}")
    echo "${ordered[*]}"
}

clash_of_names() {
    stage 'a name that a foreign domain has'
    sed '/^nodes:/a\  clash: {type: tiny, vcpus: 1, accel: auto, nics: [mgmt]}' "$lab_file" >"$work/clash.yaml"
    run 1 "$nestplan" plan "$work/clash.yaml"
    expect_contains 'plan' "$lab.clash" "$(err)"
    run 1 "$nestplan" apply "$work/clash.yaml" --auto-approve
    expect_contains 'apply' "$lab.clash" "$(err)"
    expect_foreign_unchanged
    expect_equal 'nothing was made' '' "$(marked '')$(marked net-)"
}

approval() {
    stage 'without a terminal and without --auto-approve'
    np 1 apply
    expect_contains 'apply' '--auto-approve' "$(err)"
    expect_equal 'nothing was made' '' "$(marked '')$(marked net-)"
}

first_apply() {
    stage 'apply'
    np 0 apply --auto-approve
    expect_contains 'apply' 'Apply complete: 5 added, 0 changed, 0 destroyed.' "$(out)"
    bridge=$(virsh net-dumpxml "$lab.mgmt" | xpath /network/bridge/@name)
    stage 'witnesses'
    expect_running hv/alpha hv/beta-1
    expect_inside
}

second_apply() {
    stage 'apply again'
    np 0 apply --auto-approve
    expect_contains 'apply' 'No changes.' "$(out)"
    expect_no_changes
}

change_of_vcpus() {
    stage 'a change: vcpus of one L2'
    edit_lab '/alpha:/,/vcpus:/s/vcpus: 1/vcpus: 2/'
    np 2 plan --detailed-exitcode --json
    expect_equal 'changes' 'hv/alpha update restart' "$(json '.changes[] | "\(.address) \(.action) \(.impact)"')"
    expect_equal 'fields' 'vcpus 1 2' "$(json '.changes[0].fields[] | "\(.name) \(.before) \(.after)"')"
    expect_equal 'takes down' hv/alpha "$(json '.changes[0].takes_down | join(" ")')"
    local before
    before=$(in_hv "virsh domid $lab.beta-1")
    np 0 apply --auto-approve
    expect_equal 'vCPUs, as virsh in the L1 says' 2 "$(vcpus_in_hv alpha)"
    expect_equal 'vCPUs, as the L2 says' 2 "$(in_node hv/alpha 'grep -c ^processor /proc/cpuinfo')"
    expect_equal 'the other L2 went on' "$before" "$(in_hv "virsh domid $lab.beta-1")"
    expect_no_changes
}

# next_event FD TYPE STEP: reads JSON lines until one of the type, and of the kind of step.
next_event() {
    local fd=$1 type=$2 step=$3 text
    while read -r -t 300 -u "$fd" text; do
        if jq -e --arg type "$type" --arg step "$step" '.type == $type and .step == $step' <<<"$text" >/dev/null; then
            printf 'ok  event: %s\n' "$(cut -c1-110 <<<"$text")"
            return
        fi
    done
    fail "no event $type of a step $step"
}

killed_apply() {
    local events pid
    stage 'an apply that is killed'
    edit_lab '/beta:/,/count:/s/count: 1/count: 2/'
    exec {events}< <(exec "$nestplan" apply "$lab_file" --auto-approve --json 2>"$work/killed.err" </dev/null)
    pid=$!
    next_event "$events" step_start create # its disk is on the way into the L1
    kill -KILL "$pid"
    exec {events}<&-
    expect_contains 'its lock is left' "nestplan/$lab/lock" "$(secrets_of_lab)"
}

# The apply that converges after the killed one, and another beside it.
two_at_once() {
    local events pid code=0
    stage 'apply after it, and one at the same time'
    exec {events}< <(exec "$nestplan" apply "$lab_file" --auto-approve --json 2>"$work/first.err" </dev/null)
    pid=$!
    next_event "$events" step_start create
    np 1 apply --auto-approve --lock-timeout 0s
    expect_contains 'the second apply' "pid $pid " "$(err)"
    cat <&"$events" >/dev/null
    exec {events}<&-
    wait "$pid" || code=$?
    expect_equal 'exit code of the first' 0 "$code"
    expect_running hv/alpha hv/beta-1 hv/beta-2
    expect_no_changes
}

# Also, so that what follows boots two L2s again and not three: they share one emulated CPU.
one_less() {
    stage 'an L2 that the file no longer has'
    edit_lab '/beta:/,/count:/s/count: 2/count: 1/'
    np 2 plan --detailed-exitcode --json
    expect_equal 'changes' 'hv/network.int update, hv/beta-2 delete' "$(json '[.changes[] | "\(.address) \(.action)"] | join(", ")')"
    expect_equal 'the network forgets it' 'hosts.: beta-2' \
        "$(json '.changes[0].fields[] | "\(.name[0:6]): \(.before | split(" ")[0])"')"
    np 0 apply --auto-approve
    expect_equal 'virsh in the L1' "$lab.alpha $lab.beta-1" "$(in_hv 'virsh -q list --all --name' | sort | xargs)"
    expect_equal 'volumes in the L1' 'alpha.root.qcow2 beta-1.root.qcow2' "$(in_hv "ls $storage/$lab" | sort | xargs)"
    expect_no_changes
}

lost_hypervisor() {
    stage 'an L1 that is switched off behind its back'
    virsh -q destroy "$lab.hv"
    np 0 status --json
    expect_equal 'status: the L1' off "$(json '.nodes[] | select(.address == "hv") | .state')"
    expect_equal 'status: its L2s' 'unknown unknown' "$(json '[.nodes[] | select(.level == 2) | .state] | join(" ")')"
    np 2 plan --detailed-exitcode --json
    expect_equal 'plan: the L1' 'update power off running' \
        "$(json '.changes[] | select(.address == "hv") | "\(.action) \(.fields[] | "\(.name) \(.before) \(.after)")"')"
    expect_equal 'plan: known later' 'hv/alpha hv/beta-1' \
        "$(json '[.changes[] | select(.deferred and .kind == "node") | .address] | sort | join(" ")')"
    stage 'apply brings it back'
    np 0 apply --auto-approve
    expect_running hv/alpha hv/beta-1
    expect_no_changes
}

the_end() {
    stage 'destroy'
    np 0 destroy --auto-approve
    expect_contains 'destroy' 'Destroy complete' "$(out)"
    expect_nothing_left
    [[ ! -e /sys/class/net/$bridge ]] || fail "the bridge $bridge is left"
    expect_foreign_unchanged
    stage 'destroy again'
    np 0 destroy --auto-approve
    expect_contains 'destroy' 'Nothing to destroy' "$(out)"
}

begin nptest-life
write_lab
make_foreign
plan_on_nothing
clash_of_names
approval
first_apply
second_apply
change_of_vcpus
killed_apply
two_at_once
one_less
lost_hypervisor
the_end
