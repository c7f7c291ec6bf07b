#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# When nesting must not be switched, or the switch fails, or another lab needs it: the host is as it was, and the message
# says why. No hypervisor boots here: labs get as far as
# nesting and no further, and where a guest must run, it is a tiny one that nobody waits for.
set -euo pipefail
# shellcheck source=tests/rig/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

foreign_domain=
other= # a second lab

# ── scenes ──

# expect_refused TEXT...: apply fails, says so, and has changed nothing: neither the kernel nor libvirt.
expect_refused() {
    local text before
    before=$(loads)
    np 1 apply --auto-approve
    for text in "$@"; do
        expect_contains 'apply' "$text" "$(err)"
    done
    expect_kvm 0
    expect_equal 'the module was not reloaded' "$before" "$(loads)"
    expect_file "$own_file" absent
    expect_equal 'nothing was made' '' "$(marked '')$(marked net-)"
}

foreign_machine() {
    local id
    stage 'a foreign virtual machine runs'
    set_kvm 0
    foreign_domain=$lab-foreign
    virsh -q create "$(foreign_xml "$foreign_domain")"
    id=$(virsh domid "$foreign_domain")
    expect_refused "$foreign_domain"
    np 1 plan --json
    expect_switch 0 1
    expect_contains 'plan: in the way' "$foreign_domain" \
        "$(json '.changes[] | select(.address == "host.nesting") | .fields[] | select(.name == "used by") | .before')"
    expect_equal 'the virtual machine' "running $id" "$(domain_state "$foreign_domain") $(virsh domid "$foreign_domain")"
    virsh -q destroy "$foreign_domain"
}

foreign_xml() {
    cat >"$work/foreign.xml" <<XML
<domain type='kvm'>
  <name>$1</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <cpu mode='host-passthrough'/>
  <devices><memballoon model='none'/></devices>
</domain>
XML
    echo "$work/foreign.xml"
}

# A process, not a domain: it holds the module as well.
foreign_process() {
    local pid device
    stage 'a process has /dev/kvm open'
    set_kvm 0
    exec {device}<>/dev/kvm
    sleep 3600 &
    pid=$!
    exec {device}>&-
    expect_refused "$pid" sleep
    expect_equal 'the process' sleep "$(cat "/proc/$pid/comm")"
    kill "$pid"
    wait "$pid" || true
}

wrong_option() {
    stage 'nested=Y in a file of the administrator'
    set_kvm 0
    echo 'options kvm_amd nested=Y' >"$admin_file"
    expect_refused "$admin_file" Y
    expect_equal "$admin_file" 'options kvm_amd nested=Y' "$(cat "$admin_file")"
    rm "$admin_file"
}

command_line() {
    stage 'nested=0 on the kernel command line'
    set_kvm 0
    echo "$(cat /proc/cmdline) kvm_amd.nested=0" >"$work/cmdline"
    mount --bind "$work/cmdline" /proc/cmdline
    expect_refused kvm_amd.nested=0
    umount /proc/cmdline
}

blacklisted() {
    stage 'kvm_amd is blacklisted'
    set_kvm 0
    echo 'blacklist kvm_amd' >"$admin_file"
    expect_refused "$admin_file" blacklist
    rm "$admin_file"
}

# The kernel refuses a boolean that is none: unloading works, loading does not.
failing_load() {
    stage 'the load fails after the unload'
    set_kvm 0
    echo 'options kvm_amd npt=bogus' >"$admin_file"
    np 1 apply --auto-approve
    expect_contains 'apply' kvm_amd "$(err)"
    expect_kvm 0
    expect_file "$own_file" absent
    expect_equal 'npt' Y "$(cat /sys/module/kvm_amd/parameters/npt)"
    expect_equal "$admin_file" 'options kvm_amd npt=bogus' "$(cat "$admin_file")"
    expect_equal 'no guest was made' '' "$(marked '')"
    rm "$admin_file"
    np 0 destroy --auto-approve
    expect_nothing_left
    expect_kvm 0
}

required() {
    stage 'host.nesting: require'
    set_kvm 0
    sed -i 's/^host: {/host: {nesting: require, /' "$lab_file"
    expect_refused nesting
    sed -i 's/nesting: require, //' "$lab_file"
}

# The labs of both get as far as nesting; the second one also has a guest that runs.
second_lab() {
    stage 'two labs share the host'
    set_kvm 0
    stub_apply "$lab_file"
    expect_kvm 1
    expect_options 'nested=1'
    expect_listed "$lab" yes
    write_guest_lab "$other" "$work/other.yaml" 9
    run 0 "$nestplan" apply "$work/other.yaml" --auto-approve
    add_stub "$work/other.yaml" 9
    stub_apply "$work/other.yaml"
    expect_listed "$lab" yes
    expect_listed "$other" yes

    stage 'the first one goes'
    np 0 destroy --auto-approve
    expect_kvm 1
    expect_options 'nested=1'
    expect_listed "$lab" no
    expect_listed "$other" yes
    expect_equal 'the guest of the second' 'running kvm' \
        "$(domain_state "$other.guest") $(virsh dumpxml "$other.guest" | xpath /domain/@type)"
}

flipped_off() {
    stage 'nested is switched off behind our back'
    virsh -q destroy "$other.guest"
    set_kvm 0
    expect_file "$own_file" there
    run 2 "$nestplan" plan "$work/other.yaml" --detailed-exitcode --json
    expect_switch 0 1

    stage 'the last one goes'
    run 0 "$nestplan" destroy "$work/other.yaml" --auto-approve
    expect_kvm 0
    expect_file "$own_file" absent
}

begin nptest-refuse
other=$lab-b
write_stub_lab "$lab" "$lab_file" 8
foreign_machine
foreign_process
wrong_option
command_line
blacklisted
failing_load
required
second_lab
flipped_off
stage 'clean up'
expect_nothing_left
clean_kernel
