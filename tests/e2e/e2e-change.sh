#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Changes to what runs: memory, vCPUs, NICs and disks of an L1 and of an L2 without a reboot, file systems grown with their data, no
# false differences, drift, saved plans, targets; and an L1 that has to go down, with its L2 before it and after it.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

write_lab() {
    for name in one two; do
        ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$work/$name"
    done
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system"}
access: {authorized_keys: [one.pub]}
images:
  hypervisor: {source: $images/debian-12-hypervisor.qcow2}
  tiny: {source: $images/tiny.qcow2}
networks:
  mgmt: {cidr: 10.73.0.0/24}
  extra: {cidr: 10.74.0.0/24, mode: isolated}
nodes:
  hv:
    image: hypervisor
    memory: 2560MiB
    memory_max: 3GiB
    vcpus: 1 # of an emulated hypervisor: docs/hacking.md
    accel: auto
    description: the first
    disks: {root: 8GiB}
    nics: [mgmt]
    networks:
      int: {cidr: 10.75.1.0/24}
      second: {cidr: 10.76.1.0/24, mode: isolated}
    nodes:
      guest:
        image: tiny
        memory: 192MiB
        memory_max: 256MiB
        vcpus: 1
        vcpus_max: 2
        disks: {root: 1GiB}
        nics: [int]
LAB
}

edit_lab() {
    sed -i "$1" "$lab_file"
}

boot_id() { in_node "$1" 'cat /proc/sys/kernel/random/boot_id'; }
memory_of() { in_node "$1" "awk '/^MemTotal/ {print int(\$2 / 1024)}' /proc/meminfo"; }
cpus_of() { in_node "$1" 'grep -c ^processor /proc/cpuinfo'; }
root_of() { in_node "$1" 'df -Pm / | tail -n 1' | awk '{print $2}'; }
# Whether root of the L1 may log in by the private key of that name.
may_log_in() {
    local ip
    ip=$(in_hv 'ip -4 -o addr' | grep -o '10\.73\.0\.[0-9]*/' | tr -d /)
    timeout 60 ssh -F none -i "$work/$1" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o LogLevel=ERROR \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$ip" 'echo yes' </dev/null 2>/dev/null || echo no
}
# The sshd of the L1 by its address on the network extra, from the host.
reaches_extra() {
    local ip
    ip=$(in_hv 'ip -4 -o addr' | grep -o '10\.74\.0\.[0-9]*/' | tr -d /)
    timeout 30 bash -c "exec 3<>/dev/tcp/$ip/22 && read -r -u 3 line && [[ \$line == SSH-* ]] && echo ok"
}
in_hv() { timeout 600 "$nestplan" ssh "$lab_file" hv -- "$1" </dev/null; }

expect_no_changes() {
    np 0 plan --detailed-exitcode
    expect_contains "plan $1" 'No changes. The lab matches its file.' "$(out)"
}

first() {
    stage 'apply'
    write_lab
    np 0 apply --auto-approve
    expect_no_changes 'after the first apply'
    hv_boot=$(boot_id hv)
    guest_boot=$(boot_id hv/guest)
    in_hv 'head -c 3000000 /dev/urandom >/root/data && sync'
    in_node hv/guest 'head -c 300000 /dev/urandom >/root/data && sync'
    hv_sum=$(in_hv 'sha256sum </root/data')
    guest_sum=$(in_node hv/guest 'sha256sum </root/data')
    expect_equal 'who may log in' 'yes no' "$(may_log_in one) $(may_log_in two)"
    hv_root=$(root_of hv)
    guest_root=$(root_of hv/guest)
    in_hv 'cat /proc/meminfo' >"$work/meminfo"
}

nothing_false() {
    stage 'no false difference: a saved domain, and a daemon asked anew'
    in_hv "virsh -q managedsave $lab.guest && virsh -q start $lab.guest"
    expect_no_changes 'after managedsave and start'
    expect_equal 'boot id of the L2' "$guest_boot" "$(boot_id hv/guest)"
    in_hv 'systemctl restart libvirtd'
    expect_no_changes 'after a restart of the libvirtd in the L1'
    reboot_guest
    expect_no_changes 'after a reboot of the L2, by itself'
}

# From within, as its user would; its kernel gives back again what is over its memory.
reboot_guest() {
    local tries now=$guest_boot
    timeout 60 "$nestplan" ssh "$lab_file" hv/guest -- reboot </dev/null >/dev/null 2>&1 || true
    for ((tries = 0; tries < 60; tries++)); do
        now=$(timeout 60 "$nestplan" ssh "$lab_file" hv/guest -- 'cat /proc/sys/kernel/random/boot_id' 2>/dev/null </dev/null) || now=$guest_boot
        [[ $now == "$guest_boot" ]] || break
        sleep 3
    done
    [[ $now != "$guest_boot" ]] || fail 'the L2 did not come up again'
    guest_boot=$now
}

change_live() {
    stage 'all live: memory, vCPUs, a NIC, a disk, a bigger root, keys, in both levels'
    edit_lab 's/memory: 2560MiB/memory: 3GiB/; s/memory: 192MiB/memory: 256MiB/; /memory_max: 256/,/vcpus:/s/vcpus: 1$/vcpus: 2/; s/the first/the second/
        s/disks: {root: 8GiB}/disks: {root: 9GiB, data: 1GiB}/; s/disks: {root: 1GiB}/disks: {root: 1536MiB, data: 64MiB}/
        s/nics: \[mgmt\]/nics: [mgmt, extra]/; s/nics: \[int\]/nics: [int, second]/; s/one\.pub/two.pub/'
    np 2 plan --detailed-exitcode --json
    expect_equal 'nodes to be changed' 'hv update live, hv/guest update live' \
        "$(json '[.changes[] | select(.kind == "node") | "\(.address) \(.action) \(.impact)"] | join(", ")')"
    expect_equal 'who moved' lab "$(json '[.changes[].fields[] | select(.name | startswith("hosts.") | not) | .moved] | unique | join(" ")')"
    expect_equal 'takes down' '' "$(json '[.changes[].takes_down[]] | join(" ")')"
    np 0 plan --out "$work/saved.plan"
    expect_equal 'mode of the saved plan' 600 "$(stat -c %a "$work/saved.plan")"
    run 0 "$nestplan" apply "$work/saved.plan"
    expect_changed_live
    expect_no_changes 'after it'
    run 1 "$nestplan" apply "$work/saved.plan"
    expect_contains 'a saved plan once more' 'stale' "$(err)"
}

expect_changed_live() {
    expect_equal 'boot id of the L1' "$hv_boot" "$(boot_id hv)"
    expect_equal 'boot id of the L2' "$guest_boot" "$(boot_id hv/guest)"
    expect_equal 'vCPUs in the L2' 2 "$(cpus_of hv/guest)"
    expect_at_least 'memory of the L1, MiB' 2700 "$(memory_of hv)"
    expect_at_least 'memory of the L2, MiB' 200 "$(memory_of hv/guest)"
    expect_at_least 'root of the L1, MiB' $((hv_root + 900)) "$(root_of hv)"
    expect_at_least 'root of the L2, MiB' $((guest_root + 400)) "$(root_of hv/guest)"
    expect_equal 'data of the L1' "$hv_sum" "$(in_hv 'sha256sum </root/data')"
    expect_equal 'data of the L2' "$guest_sum" "$(in_node hv/guest 'sha256sum </root/data')"
    expect_equal 'memory of the L1, as virsh says (KiB)' $((3 * 1024 * 1024)) "$(virsh dumpxml "$lab.hv" | xpath /domain/currentMemory)"
    expect_equal 'NICs of the L2, as virsh in the L1 says' 2 \
        "$(in_hv "virsh -q domiflist $lab.guest" | grep -c virtio)"
    expect_contains 'address of its new NIC' '10.76.1.' "$(in_node hv/guest 'ip -4 addr')"
    expect_contains 'address of the new NIC of the L1' '10.74.0.' "$(in_hv 'ip -4 addr')"
    expect_equal 'the host reaches it' ok "$(reaches_extra)"
    expect_equal 'disks of the L1' 2 "$(virsh -q domblklist "$lab.hv" | grep -cE '(root|data)\.qcow2')"
    expect_equal 'who may log in' 'no yes' "$(may_log_in one) $(may_log_in two)"
    expect_equal 'keys of the L2' two "$(in_node hv/guest 'cat /root/.ssh/authorized_keys' | grep -oxE '.* (one|two)' | cut -d' ' -f3)"
    expect_equal 'description' 'the second' "$(virsh dumpxml "$lab.hv" | xpath /domain/description)"
}

change_back() {
    stage 'back: a NIC and a disk taken away, the rest of the L2 left alone'
    edit_lab 's/, data: 64MiB}/}/; s/nics: \[int, second\]/nics: [int]/'
    np 2 plan --detailed-exitcode --json
    expect_equal 'loses' 'data (64MiB)' "$(json '[.changes[].loses[]] | join(" ")')"
    np 0 apply --auto-approve --target hv/guest
    expect_equal 'boot id of the L2' "$guest_boot" "$(boot_id hv/guest)"
    expect_equal 'volumes in the L1' guest.root.qcow2 "$(in_hv "ls $storage/$lab" | xargs)"
    expect_no_changes 'after it'
}

drift() {
    stage 'changed outside nestplan'
    virsh -q setmem "$lab.hv" 2800MiB --live
    virsh -q desc "$lab.hv" --config --live 'somebody else' >/dev/null
    np 2 plan --detailed-exitcode --json
    expect_equal 'who moved' world "$(json '[.changes[].fields[].moved] | unique | join(" ")')"
    np 0 apply --auto-approve
    expect_equal 'memory as it was (KiB)' $((3 * 1024 * 1024)) "$(virsh dumpxml "$lab.hv" | xpath /domain/currentMemory)"
    expect_equal 'boot id of the L1' "$hv_boot" "$(boot_id hv)"
    expect_no_changes 'after it'
}

restart() {
    stage 'an L1 that has to go down'
    edit_lab 's/memory_max: 3GiB/memory_max: 4GiB/; s/memory: 3GiB/memory: 3584MiB/'
    np 2 plan --detailed-exitcode --json
    expect_equal 'takes down' 'hv hv/guest' "$(json '[.changes[].takes_down[]] | join(" ")')"
    np 0 apply --auto-approve
    expect_contains 'the L2 went first' 'hv/guest: shut down' "$(err)"
    [[ $(boot_id hv) != "$hv_boot" ]] || fail 'the L1 was not restarted'
    [[ $(boot_id hv/guest) != "$guest_boot" ]] || fail 'the L2 was not restarted'
    expect_equal 'data of the L1' "$hv_sum" "$(in_hv 'sha256sum </root/data')"
    expect_equal 'data of the L2' "$guest_sum" "$(in_node hv/guest 'sha256sum </root/data')"
    np 0 status --json
    expect_equal 'KVM proven inside' true "$(json '.nodes[] | select(.address == "hv") | .proof.kvm')"
    expect_no_changes 'after it'
}

rebuild_network() {
    stage 'a network that is rebuilt under a running L1'
    hv_boot=$(boot_id hv)
    edit_lab 's/extra: {cidr: 10.74.0.0\/24, mode: isolated}/extra: {cidr: 10.74.0.0\/24, mode: isolated, mtu: 1400}/'
    np 2 plan --detailed-exitcode --json
    expect_equal 're-attaches' hv "$(json '[.changes[].reattaches[]] | join(" ")')"
    np 0 apply --auto-approve
    expect_equal 'boot id of the L1' "$hv_boot" "$(boot_id hv)"
    expect_equal 'the host reaches it' ok "$(reaches_extra)"
    expect_no_changes 'after it'
}

the_end() {
    stage 'destroy'
    np 0 destroy --auto-approve
    expect_nothing_left
}

begin nptest-change
first
nothing_false
change_live
change_back
drift
restart
rebuild_network
the_end
