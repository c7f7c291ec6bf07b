#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long `nestplan plan` takes, and how much memory, where the host has 1,000 domains of an unchanged lab, against a C program
# that lists them and reads both descriptions of each (list-floor.c). They take turns in one run; of each the median counts. The
# domains are shut off, so the plan also says that they are down. NP_BENCH_DOMAINS and NP_BENCH_RUNS choose less.
set -euo pipefail
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"

count=${NP_BENCH_DOMAINS:-1000}
runs=${NP_BENCH_RUNS:-7}

# Everything that would follow from a node's number is written, so that one definition makes a thousand.
write_lab() {
    {
        cat <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system", overcommit: true}
images:
  hollow: {source: $work/hollow.qcow2}
networks:
  mgmt: {cidr: 10.77.0.0/16}
types:
  hollow: {image: hollow, memory: 64MiB, vcpus: 1, accel: emulate, ready: {wait: none}, disks: {root: 64MiB}}
nodes:
LAB
        awk -v n="$count" 'BEGIN {
            for (i = 0; i < n; i++)
                printf "  n%04d: {type: hollow, nics: {mgmt: {address: 10.77.%d.%d, mac: \"52:54:00:77:%02x:%02x\"}}}\n", i,
                    1 + i / 200, 2 + i % 200, i / 256, i % 256
        }'
    } >"$lab_file"
}

# The first is nestplan's own work; the others are copies with their own names and numbers.
make_domains() {
    local pool=$storage/$lab i name
    np 0 apply --auto-approve --target n0000
    virsh -q destroy "$lab.n0000"
    virsh dumpxml --inactive "$lab.n0000" >"$work/first.xml"
    for ((i = 1; i < count; i++)); do
        printf -v name n%04d "$i"
        cp --sparse=always "$pool/n0000.root.qcow2" "$pool/$name.root.qcow2"
        sed -e "s/n0000/$name/g; /<uuid>/d; s/10\.77\.1\.2\b/10.77.$((1 + i / 200)).$((2 + i % 200))/" \
            -e "$(printf 's/52:54:00:77:00:00/52:54:00:77:%02x:%02x/' $((i / 256)) $((i % 256)))" "$work/first.xml" >"$work/domain.xml"
        virsh -q define "$work/domain.xml"
    done
    virsh -q pool-refresh "nestplan-$lab"
}

# measure TITLE COMMAND...: a line "TITLE|wall|user|sys|KiB" of one run.
measure() {
    local title=$1
    shift
    /usr/bin/time -f "$title|%e|%U|%S|%M" -a -o "$work/rows" "$@" >"$work/out" 2>"$work/err" </dev/null || [[ $? -le 2 ]] ||
        fail "$title"
}

# median TITLE COLUMN
median() {
    awk -F'|' -v t="$1" -v c="$2" '$1 == t {print $c}' "$work/rows" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

table() {
    local title
    printf '| what | wall s | user+sys s | peak MiB | x floor |\n|---|---:|---:|---:|---:|\n'
    for title in "$@"; do
        awk -v t="$title" -v w="$(median "$title" 2)" -v u="$(median "$title" 3)" -v s="$(median "$title" 4)" \
            -v m="$(median "$title" 5)" -v f="$(median floor 2)" \
            'BEGIN {printf "| %s | %.2f | %.2f | %.1f | %.2f |\n", t, w, u + s, m / 1024, w / f}'
    done
}

virsh_loop() {
    local name
    virsh list --all --name | while read -r name; do
        [[ $name ]] || continue
        virsh dumpxml "$name" >/dev/null
    done
}

main() {
    local i
    begin nptest-plan
    cc -O2 -Wall -o "$work/floor" "$source_root/tests/bench/list-floor.c" -lvirt
    stage "$count domains"
    hollow_image "$work/hollow.qcow2"
    write_lab
    make_domains
    expect_equal 'domains' "$count" "$(virsh list --all --name | grep -c "^$lab\.")"
    np 0 plan --json
    expect_equal 'what differs' "$count power" "$(json '[.changes[].fields[].name] | group_by(.)[] | "\(length) \(.[0])"')"
    stage 'measured'
    for ((i = 0; i < runs; i++)); do
        measure floor "$work/floor" "$LIBVIRT_DEFAULT_URI"
        measure 'nestplan plan' "$nestplan" plan "$lab_file"
    done
    measure 'as kcli does' /usr/bin/python3 "$source_root/tests/bench/kcli-like.py" "$LIBVIRT_DEFAULT_URI"
    measure 'virsh dumpxml' bash -c "$(declare -f virsh_loop); virsh_loop"
    table floor 'nestplan plan' 'as kcli does' 'virsh dumpxml'
    awk -v w="$(median 'nestplan plan' 2)" -v f="$(median floor 2)" -v m="$(median 'nestplan plan' 5)" 'BEGIN {
        if (w > 1.2 * f) {print "MISSED: more than 1.2 x the floor"; bad = 1}
        if (m > 40 * 1024) {print "MISSED: more than 40 MiB"; bad = 1}
        exit bad
    }'
}

main
