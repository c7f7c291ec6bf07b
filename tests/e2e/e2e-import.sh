#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Domains that somebody made with virsh: imported, adopted, destroyed. What is refused or fails leaves all as it was; what is adopted
# is the same machine with the same bytes in its disks; what is destroyed leaves the disks' first names. Nothing boots in them.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

readonly uri=qemu:///system

define() { # NAME NUMBER DISK-ELEMENTS
    cat >"$work/domain.xml" <<XML
<domain type='qemu'>
  <name>$1</name>
  <metadata><o:os xmlns:o='http://example.org/os'>other</o:os></metadata>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    $3
    <interface type='network'>
      <mac address='52:54:00:99:07:0$2'/><source network='$lab-net'/><model type='virtio'/>
    </interface>
    <graphics type='vnc' passwd='secret'/>
  </devices>
</domain>
XML
    virsh -q define "$work/domain.xml" >/dev/null
}

disk() { # FILE TARGET BUS [FORMAT]
    printf "<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='%s'/><target dev='%s' bus='%s'/></disk>" \
        "${4-qcow2}" "$work/disks/$1" "$2" "$3"
}

make_strangers() {
    mkdir -p "$work/disks" "$work/storage"
    chmod 0755 "$work/storage"
    cd "$work/disks"
    qemu-img create -q -f qcow2 base.qcow2 8M
    qemu-img create -q -f qcow2 -b "$PWD/base.qcow2" -F qcow2 web.qcow2 16M
    qemu-img create -q -f qcow2 data.qcow2 $((32 * 1024 * 1024 + 512)) # no whole KiB
    qemu-io -c 'write -P 7 3M 1M' data.qcow2 >/dev/null
    qemu-img create -q -f qcow2 mail.qcow2 16M
    cd - >/dev/null
    virsh -q net-define <(cat <<XML
<network><name>$lab-net</name><bridge name='nptimport0'/>
  <ip address='10.69.7.1' prefix='24'><dhcp><range start='10.69.7.2' end='10.69.7.99'/>
    <host mac='52:54:00:99:07:01' ip='10.69.7.51'/><host mac='52:54:00:99:07:02' ip='10.69.7.52'/></dhcp></ip>
</network>
XML
    ) >/dev/null
    virsh -q net-start "$lab-net" >/dev/null
    define "$lab-Web.One" 1 "$(disk web.qcow2 vda virtio)$(disk data.qcow2 sda sata)"
    define "$lab-mail" 2 "$(disk mail.qcow2 vda virtio)"
}

# All that there is of the strangers, into a folder.
save() {
    local name
    mkdir -p "$1"
    for name in "$lab-Web.One" "$lab-mail"; do
        virsh -q dumpxml --inactive --security-info "$name" >"$1/$name.xml"
        virsh -q domstate "$name" >"$1/$name.state"
    done
    virsh -q net-dumpxml "$lab-net" >"$1/net.xml"
    (cd "$work/disks" && sha256sum -- *.qcow2 && stat -c '%n %i %h %s' -- *.qcow2) >"$1/disks"
}

expect_unchanged() {
    rm -rf "$work/after"
    save "$work/after"
    diff -r "$work/before" "$work/after" || fail "$1 has changed something"
    expect_equal "pools after $1" '' "$(names pool- | grep -x "nestplan-$lab" || true)"
    expect_equal "marks after $1" '' "$(marked '')$(marked net-)"
    printf 'ok  %s: domains, network and disks are as they were\n' "$1"
}

import() { # CODE ARGUMENT...
    local wanted=$1
    shift
    run "$wanted" "$nestplan" import --connect "$uri" --name "$lab" --storage "$work/storage" "$@"
}

refuse() { # WORDS ARGUMENT...
    local words=$1
    shift
    import 1 --adopt --auto-approve "$@" "$lab-mail" "$lab-Web.One"
    expect_contains 'stderr' "$words" "$(err)"
}

plain_import() {
    stage 'import'
    import 0 "$lab-mail" "$lab-Web.One"
    cp "$work/out" "$lab_file"
    np 0 validate
    expect_contains 'the lab file' 'cidr: 10.69.7.0/24' "$(cat "$lab_file")"
    expect_contains 'the lab file' 'address: 10.69.7.51' "$(cat "$lab_file")"
    expect_contains 'the lab file' "# not expressed: <graphics type='vnc'>" "$(cat "$lab_file")"
    expect_equal 'passwords in it' 0 "$(grep -c secret "$lab_file" || true)"
    np 0 validate --print
    expect_equal 'sizes of its disks' '16MiB 16MiB 32769KiB' "$(out | sed -n 's/^ *size: //p' | sort | xargs)"
    expect_unchanged 'import'
}

refusals() {
    stage 'what is refused before anything is done'
    virsh -q start "$lab-mail" >/dev/null
    refuse "domain '$lab-mail': it is running"
    virsh -q destroy "$lab-mail" >/dev/null
    expect_unchanged 'a running domain'
    virsh -q snapshot-create-as "$lab-mail" first >/dev/null
    refuse 'it has snapshots'
    virsh -q snapshot-delete "$lab-mail" first >/dev/null
    save "$work/before" # the disk's header has changed
    refuse 'are on two file systems' --storage /dev/shm
    expect_unchanged 'another file system'
    (cd "$work/disks" && qemu-img rebase -u -b base.qcow2 -F qcow2 web.qcow2)
    refuse "is over 'base.qcow2', a relative name"
    (cd "$work/disks" && qemu-img rebase -u -b "$PWD/base.qcow2" -F qcow2 web.qcow2)
    save "$work/before"
    virsh -q net-destroy "$lab-net" >/dev/null
    refuse 'it is not active'
    virsh -q net-start "$lab-net" >/dev/null
    printf x >"$work/disks/mail.raw"
    define "$lab-raw" 3 "$(disk mail.raw vda virtio raw)"
    import 1 --adopt --auto-approve "$lab-raw"
    expect_contains 'stderr' 'not expressed: format raw' "$(err)"
    virsh -q undefine "$lab-raw" >/dev/null
    expect_unchanged 'all that was refused'
}

failures() {
    stage 'what fails in the middle is undone'
    mkdir -p "$work/storage/$lab"
    echo 'not yours' >"$work/storage/$lab/nptest-import-web-one.sda.qcow2"
    refuse 'File exists. All is as it was before.'
    expect_equal "what is in the lab's folder" 'nptest-import-web-one.sda.qcow2' "$(ls "$work/storage/$lab")"
    expect_equal 'its content' 'not yours' "$(cat "$work/storage/$lab"/*)"
    rm -r "${work:?}/storage/$lab"
    expect_unchanged 'a disk whose new name is taken'
    virsh -q net-define <(echo "<network><name>$lab.$lab-net</name></network>") >/dev/null
    refuse 'does not carry the mark'
    virsh -q net-undefine "$lab.$lab-net" >/dev/null
    [[ ! -e $work/storage/$lab ]] || fail "$work/storage/$lab is left"
    expect_unchanged 'a network whose name is taken'
}

adoption() {
    local name uuid
    stage 'adopt'
    run 1 "$nestplan" import --connect "$uri" --adopt --name "$lab" --storage "$work/storage" "$lab-mail" "$lab-Web.One"
    expect_contains 'stderr' '--auto-approve' "$(err)"
    expect_unchanged 'an adoption that nobody agreed to'
    import 0 --adopt --auto-approve "$lab-mail" "$lab-Web.One"
    cp "$work/out" "$lab_file"
    np 0 plan --detailed-exitcode
    expect_contains 'the plan' 'No changes' "$(out)"
    expect_equal 'domains with the mark' "$lab.$lab-mail $lab.$lab-web-one" "$(marked '' | sort | xargs)"
    for name in Web.One:web-one mail:mail; do
        uuid=$(xpath /domain/uuid <"$work/before/$lab-${name%:*}.xml")
        expect_equal "UUID of ${name#*:}" "$uuid" "$(virsh -q domuuid "$lab.$lab-${name#*:}" | xargs)"
        expect_equal "state of ${name#*:}" running "$(domain_state "$lab.$lab-${name#*:}")"
    done
    name=$lab.$lab-web-one
    expect_contains 'its definition' "passwd='secret'" "$(virsh -q dumpxml --security-info "$name")"
    expect_contains 'its definition' http://example.org/os "$(virsh -q dumpxml "$name")"
    expect_equal 'its MAC' 52:54:00:99:07:01 "$(virsh -q dumpxml "$name" | xpath '//interface/mac/@address')"
    expect_equal 'the file of its data disk' "$(stat -c %i "$work/disks/data.qcow2")" "$(stat -c %i "$work/storage/$lab/$lab-web-one.sda.qcow2")"
    expect_equal "bytes that were written" '' "$(qemu-io -r -U -c 'read -P 7 3M 1M' "$work/storage/$lab/$lab-web-one.sda.qcow2" | grep -i fail || true)"
    expect_equal 'the foreign network' "$(cat "$work/before/net.xml")" "$(virsh -q net-dumpxml "$lab-net" | sed "s/<network connections='[0-9]*'>/<network>/")"
    virsh -q setmem --config "$lab.$lab-mail" 24M
    np 0 plan
    expect_contains 'a change by somebody else' 'changed outside nestplan' "$(out)"
    np 0 apply --auto-approve
    np 0 plan --detailed-exitcode
    import 1 --adopt --auto-approve "$lab.$lab-mail"
    expect_contains 'stderr' 'already' "$(err)"
    define "$lab-late" 4 ''
    import 1 --adopt --auto-approve "$lab-late"
    expect_contains 'stderr' "Lab '$lab' has something at" "$(err)"
    virsh -q undefine "$lab-late" >/dev/null
}

destruction() {
    stage 'destroy'
    np 1 destroy --auto-approve
    expect_contains 'stderr' 'is protected' "$(err)"
    sed -i '/protect: true/d' "$lab_file"
    np 0 destroy --auto-approve
    expect_nothing_left
    expect_equal 'first names of the disks' 'base.qcow2 data.qcow2 mail.qcow2 mail.raw web.qcow2' "$(cd "$work/disks" && echo *)"
    (cd "$work/disks" && sha256sum -- *.qcow2) >"$work/sums"
    expect_equal 'their bytes' "$(grep -E '^[0-9a-f]{64}' "$work/before/disks")" "$(cat "$work/sums")"
    expect_equal 'the foreign network' "$(cat "$work/before/net.xml")" "$(virsh -q net-dumpxml "$lab-net")"
}

begin nptest-import
make_strangers
save "$work/before"
plain_import
refusals
failures
adoption
destruction
