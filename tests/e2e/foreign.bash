# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Objects that are not the lab's: made before, compared byte for byte at the end.

make_foreign() {
    local name=$lab-foreign
    foreign=("$lab.clash")
    mkdir -p "$work/pool" "$work/before" "$work/after"
    virsh -q pool-define-as "$name" dir --target "$work/pool" >/dev/null
    virsh -q pool-start "$name" >/dev/null
    virsh -q vol-create-as "$name" foreign.qcow2 16M --format qcow2 >/dev/null
    virsh -q net-define <(printf '<network><name>%s</name></network>' "$name") >/dev/null
    define_foreign_domain "$name"
    define_foreign_domain "$lab.clash" # the name that a node "clash" of the lab would have
    save_foreign "$work/before"
}

define_foreign_domain() {
    cat >"$work/domain.xml" <<XML
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>16</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='$work/pool/foreign.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
XML
    virsh -q define "$work/domain.xml" >/dev/null
}

save_foreign() {
    local name=$lab-foreign
    virsh -q dumpxml "$name" >"$1/domain.xml"
    virsh -q dumpxml "$lab.clash" >"$1/clash.xml"
    virsh -q domstate "$lab.clash" >"$1/clash.state"
    virsh -q net-dumpxml "$name" >"$1/network.xml"
    # How full the file system is, is everybody's.
    virsh -q pool-dumpxml "$name" | grep -vE '<(capacity|allocation|available) ' >"$1/pool.xml"
    virsh -q vol-dumpxml foreign.qcow2 --pool "$name" >"$1/volume.xml"
    sha256sum <"$work/pool/foreign.qcow2" >"$1/volume.sha256"
}

expect_foreign_unchanged() {
    local file
    save_foreign "$work/after"
    for file in "$work"/before/*; do
        diff "$file" "$work/after/${file##*/}" || fail "the foreign ${file##*/} has changed"
    done
    printf 'ok  foreign domains, network, pool and volume: unchanged\n'
}
