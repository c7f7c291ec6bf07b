#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The plan against the machine that it runs on: memory, CPUs, disk, routes, other libvirt networks. The witnesses are /proc, df, ip and
# virsh. Nothing is booted; what is made is one route and one network, both gone afterwards.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lint/lib.bash"

readonly name=nptest-host range=10.199.7.0/24 inside=10.199.7.64/26
export LIBVIRT_DEFAULT_URI=qemu:///system NO_COLOR=1 LC_ALL=C
((EUID == 0)) || { echo 'SKIPPED: only root may add a route'; exit 77; }
command -v ip virsh >/dev/null || { echo 'SKIPPED: ip or virsh is not installed'; exit 77; }
timeout 30 virsh uri >/dev/null 2>&1 || { echo 'SKIPPED: libvirtd (qemu:///system) does not answer'; exit 77; }

folder=$(mktemp -d)
export XDG_CACHE_HOME=$folder/cache
clean_up() {
    ip route del "$inside" dev lo 2>/dev/null || true
    virsh net-destroy "$name" >/dev/null 2>&1 || true
    virsh net-undefine "$name" >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap clean_up EXIT
truncate -s 1M "$folder/hollow.img"

# write_lab MEMORY VCPUS [LINE]
write_lab() {
    cat >"$folder/lab.yaml" <<LAB
version: 1
name: $name
images: {hollow: {source: hollow.img}}
networks: {mgmt: {cidr: $range}}
nodes:
  a: {image: hollow, accel: emulate, memory: $1, vcpus: $2, nics: [mgmt]}
${3-}
LAB
}

# plans CODE WORDS: the plan ends with CODE; it says WORDS, or with CODE 0 and none no warning of the host.
plans() {
    local wanted=$1 words=$2 code=0 out
    out=$("$nestplan" plan "$folder/lab.yaml" 2>&1 </dev/null) || code=$?
    ((code == wanted)) || complain "the plan ends with $code, not $wanted: $out"
    if [[ $words ]]; then
        [[ $out == *"$words"* ]] || complain "the plan does not say '$words': $out"
    else
        [[ $out != *'the host'* ]] || complain "the plan says something of the host: $out"
    fi
}

mib=$(($(awk '/^MemTotal:/ {print $2}' /proc/meminfo) / 1024))
cpus=$(nproc --all)
write_lab 64MiB 1
plans 0 ''
write_lab "${mib}MiB" "$cpus" # all there is, and not more
plans 0 ''
write_lab "$((mib + 1))MiB" 1
plans 1 "more than the host's"
write_lab "$((mib + 1))MiB" 1 'host: {overcommit: true}'
plans 0 ''
write_lab 64MiB $((cpus + 1))
plans 0 "node 'a' has $((cpus + 1)) vCPUs, more than the $cpus of the host"

# A disk of what is free, and one larger by half: what is free may change between df and the plan.
mib=$(($(df -B1M --output=avail /var/lib | tail -n 1) - 1024))
write_lab 64MiB 1 "  b: {image: hollow, accel: emulate, memory: 64MiB, vcpus: 1, nics: [mgmt], disks: {data: ${mib}MiB}}"
plans 0 ''
write_lab 64MiB 1 "  b: {image: hollow, accel: emulate, memory: 64MiB, vcpus: 1, nics: [mgmt], disks: {data: $((mib * 3 / 2))MiB}}"
plans 0 'free in /var/lib/nestplan; a guest that cannot write to its disk is paused'
out=$("$nestplan" doctor "$folder/lab.yaml" 2>&1 </dev/null) || true # of other things it may complain
[[ $out == *'the disks that the lab would add may take'* ]] || complain "doctor says nothing of the disks: $out"

write_lab 64MiB 1
ip route add "$inside" dev lo
plans 1 "overlaps with $inside, the host's route through lo"
ip route del "$inside" dev lo
plans 0 ''

cat >"$folder/network.xml" <<XML
<network><name>$name</name><bridge name='npvirbr'/><ip address='10.199.7.129' prefix='25'/></network>
XML
virsh net-define "$folder/network.xml" >/dev/null
plans 0 "10.199.7.128/25 of the libvirt network '$name', which is not active now"
virsh net-start "$name" >/dev/null
plans 1 "overlaps with 10.199.7.128/25 of the libvirt network '$name', which is not of this lab"
finish
