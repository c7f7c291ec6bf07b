#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each folder of examples/ is a lab that is valid and can be planned, with stand-ins for its images and libvirt's test driver
# as its host.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export XDG_CACHE_HOME=$copy/cache

# Every file the lab names as an image; URLs are left alone.
stand_ins() {
    local folder=$1 path size=4
    grep -oE 'source:[[:space:]]*"?[^ ,}"]+\.(qcow2|img|raw)' "$folder/lab.yaml" | sed -E 's/source:[[:space:]]*"?//' |
        grep -v '://' | sort -u | while read -r path; do
        mkdir -p "$folder/$(dirname "$path")"
        # Different sizes, for the content is the identity.
        qemu-img create -q -f qcow2 "$folder/$path" "$((size++))M"
    done
}

check_example() {
    local name=$1 folder=$copy/$1 out code=0
    cp -r --no-dereference "examples/$name" "$folder"
    rm -rf "$folder/images"
    stand_ins "$folder"
    out=$("$nestplan" validate "$folder/lab.yaml" 2>&1) || complain "examples/$name is not valid: $out"
    out=$("$nestplan" plan "$folder/lab.yaml" --connect test:///default --detailed-exitcode 2>&1) || code=$?
    ((code == 2)) || complain "examples/$name: the plan on an empty host exits with $code, not 2: $out"
    [[ $out == *'Plan: '*' to add, 0 to change, 0 to destroy.'* ]] || complain "examples/$name: the plan is not all additions: $out"
}

for lab in examples/*/; do
    lab=${lab%/}
    if [[ -e $lab/lab.yaml ]]; then
        check_example "${lab#examples/}"
    else
        complain "$lab has no lab.yaml"
    fi
    [[ -e $lab/README.md ]] || complain "$lab has no README.md"
    head -n 1 "$lab/lab.yaml" | grep -qxF '# yaml-language-server: $schema=../../schema/lab.schema.json' ||
        complain "$lab/lab.yaml does not name its schema in the first line"
    [[ -e tests/unit/plans/example-${lab#examples/}.test ]] || complain "$lab has no golden plan in tests/unit/plans"
done
finish
