#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long `nestplan validate` takes and how much memory, for labs of 10 to 100,000 nodes, written out and by count. Beside it
# in the same run the floor (libyaml's events and nothing else) and what Python's C loader needs to read the file alone.
# NP_BENCH_SIZES and NP_BENCH_RUNS choose less. Of each time the least of several turns is taken, of the growth their median.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=${NESTPLAN_SOURCE:-$(cd "$here/../.." && pwd)}
nestplan=${NESTPLAN:-$root/build/release/nestplan}
read -ra sizes <<<"${NP_BENCH_SIZES:-10 1000 10000 100000}"
runs=${NP_BENCH_RUNS:-7}
folder=$(mktemp -d "${TMPDIR:-/tmp}/bench-validate.XXXXXX")
trap 'rm -rf "$folder"' EXIT
failures=0

# 18 lines and 11 leaves a node, as in the figures that the target was set by.
written_out() {
    awk -v n="$1" 'BEGIN {
        print "version: 1\nname: bench\nimages: {tiny: {source: tiny.qcow2}}"
        print "networks:\n  mgmt: {cidr: 10.0.0.0/8}\n  data: {cidr: 172.16.0.0/12, mode: isolated}\nnodes:"
        for (i = 1; i <= n; i++) {
            printf "  node-%d:\n    description: \"machine %d of the bench\"\n    image: tiny\n    memory: 2GiB\n    vcpus: 2\n", i, i
            print "    accel: kvm\n    cpu:\n      mode: host-passthrough\n    disks:\n      root: 20GiB\n      data:\n        size: 10GiB"
            print "    nics:\n      mgmt: {}\n      data: {}\n    ready:\n      wait: ssh\n      timeout: 10m"
        }
    }'
}

by_count() {
    printf '%s\n' 'version: 1' 'name: bench' 'images: {tiny: {source: tiny.qcow2}}' \
        'networks: {mgmt: {cidr: 10.0.0.0/8}, data: {cidr: 172.16.0.0/12, mode: isolated}}' \
        'types:' '  t: {image: tiny, memory: 2GiB, vcpus: 2, disks: {root: 20GiB, data: 10GiB}, nics: [mgmt, data]}' \
        'nodes:' "  node: {type: t, count: $1, description: \"machine \${node.index} of the bench\"}"
}

# measure NAME COMMAND...: adds "SECONDS KIB" to what was measured of NAME. The shell's own times are finer than those of time(1).
measure() {
    local name=$1 TIMEFORMAT='%3U %3S'
    shift
    { time /usr/bin/time -f %M -o "$folder/peak" "$@" >/dev/null 2>"$folder/error"; } 2>"$folder/time" || {
        cat "$folder/error" >&2
        return 1
    }
    awk -v peak="$(cat "$folder/peak")" '{printf "%.3f %d\n", $1 + $2, peak}' "$folder/time" >>"$folder/$name.measured"
}

# least NAME: "SECONDS KIB", the least of each.
least() {
    awk 'NR == 1 || $1 < s {s = $1} NR == 1 || $2 < m {m = $2} END {printf "%.3f %d\n", s, m}' "$folder/$1.measured"
}

# growth FROM TO: how many times as long TO took as FROM right before it, the median of the turns. Of the least of each the longer one
# would come out worse: the machine is seldom undisturbed for as long as it takes.
growth() {
    paste -d ' ' "$folder/$1.measured" "$folder/$2.measured" | awk '$1 > 0 {printf "%.2f\n", $3 / $1}' | sort -n |
        awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

row() {
    printf '%-22s %8d %10s %10s %9s\n' "$1" "$2" "$3" "$4" "$5"
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN {if (b > 0) printf "%.2f", a / b; else printf "-"}'
}

# expect WHAT VALUE LIMIT
expect() {
    if awk -v v="$2" -v l="$3" 'BEGIN {exit !(v > l)}'; then
        echo "MISSED: $1 is $2, wanted at most $3"
        failures=$((failures + 1))
    fi
}

cc -O2 -o "$folder/floor" "$here/yaml-floor.c" -lyaml
printf 'import sys, yaml\nyaml.load(open(sys.argv[1]), Loader=yaml.CSafeLoader)\n' >"$folder/load.py"

for n in "${sizes[@]}"; do
    written_out "$n" >"$folder/out-$n.yaml"
    by_count "$n" >"$folder/count-$n.yaml"
done
# All of them in turns: the machine may be slower now than it was a minute ago, and what is said here are ratios.
for ((run = 0; run < runs; run++)); do
    for n in "${sizes[@]}"; do
        measure "floor-$n" "$folder/floor" "$folder/out-$n.yaml"
        measure "out-$n" "$nestplan" validate "$folder/out-$n.yaml"
        measure "count-$n" "$nestplan" validate "$folder/count-$n.yaml"
        if ((run == 0 && n <= 10000)) && python3 -c 'import yaml; yaml.CSafeLoader' 2>/dev/null; then
            measure "python-$n" python3 "$folder/load.py" "$folder/out-$n.yaml"
        fi
    done
done

printf '%-22s %8s %10s %10s %9s\n' '' nodes 'CPU s' 'peak KiB' 'x floor'
for n in "${sizes[@]}"; do
    floor=$(least "floor-$n") out=$(least "out-$n") count=$(least "count-$n") python=''
    [[ ! -e $folder/python-$n.measured ]] || python=$(least "python-$n")
    row 'libyaml events' "$n" "${floor% *}" "${floor#* }" 1.0
    row 'validate, written out' "$n" "${out% *}" "${out#* }" "$(ratio "${out% *}" "${floor% *}")"
    row 'validate, by count' "$n" "${count% *}" "${count#* }" "$(ratio "${count% *}" "${floor% *}")"
    [[ -z $python ]] || row 'CSafeLoader' "$n" "${python% *}" "${python#* }" "$(ratio "${python% *}" "${floor% *}")"
    if ((n >= 10000)); then
        expect "written out, in floors" "$(ratio "${out% *}" "${floor% *}")" 4.0
    fi
    if ((n == 10000)); then
        expect 'peak KiB at 10,000 nodes' "${out#* }" 65536
        [[ -z $python ]] || expect 'written out, in what CSafeLoader takes only to load' "$(ratio "${out% *}" "${python% *}")" 0.083
    fi
    if ((n == 100000)) && [[ " ${sizes[*]} " == *' 10000 '* ]]; then
        for name in out count; do
            times=$(growth "$name-10000" "$name-100000")
            printf '%-22s %8s %10s\n' "ten times the nodes" "$name" "$times x"
            expect "ten times the nodes, $name" "$times" 11.0
        done
    fi
done
((failures == 0))
