#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pictures: Graphviz draws each example without a complaint, with everything in it that the plan has; what is not text stays out of the
# picture's own syntax; exit codes.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export XDG_CACHE_HOME=$copy/cache
readonly host=test:///default

graph() {
    "$nestplan" graph "$@"
}

# draws FILE.dot: makes FILE.svg of it; what dot says is a complaint.
draws() {
    local said
    said=$(dot -Tsvg "$1.dot" -o "$1.svg" 2>&1) || said+=" (it failed)"
    [[ -z $said ]] || complain "$1: dot says: ${said:0:500}"
    xmllint --noout "$1.svg" 2>&1 || complain "$1: the SVG is no XML"
}

# What an SVG has as text, a line each.
texts() {
    xmllint --xpath '//*[local-name()="text"]/text()' "$1"
}

# The boxes in it, by their addresses.
boxes() {
    xmllint --xpath '//*[@class="node"]/*[local-name()="title"]/text()' "$1" | sort
}

# Small stand-ins for all images, of different sizes: the content is the identity.
stand_ins() {
    local path size=4
    grep -oE '[^ "]+\.(qcow2|img)' "$1/lab.yaml" | sort -u | while read -r path; do
        mkdir -p "$1/$(dirname "$path")"
        qemu-img create -q -f qcow2 "$1/$path" "$((size++))M"
    done
}

check_example() {
    local name=$1 folder=$copy/$1 wanted
    cp -r --no-dereference "examples/$name" "$folder"
    rm -rf "$folder/images" # links to the images of the cache
    stand_ins "$folder"
    graph "$folder/lab.yaml" >"$folder/lab.dot" || complain "examples/$name: graph fails: $(head -n 3 "$folder/lab.dot")"
    draws "$folder/lab"
    graph "$folder/lab.yaml" --format svg | cmp - "$folder/lab.svg" || complain "examples/$name: --format svg is not what dot draws"
    graph "$folder/lab.yaml" --plan --unfold --connect "$host" --quiet >"$folder/plan.dot" || complain "examples/$name: graph --plan fails"
    draws "$folder/plan"
    wanted=$("$nestplan" plan "$folder/lab.yaml" --connect "$host" --json --quiet | jq -r '.changes[].address' | sort)
    diff <(echo "$wanted") <(boxes "$folder/plan.svg") || complain "examples/$name: the picture and the plan do not have the same things"
    texts "$folder/plan.svg" | grep -qxF " create: $(wc -l <<<"$wanted")" ||
        complain "examples/$name: the legend does not count $(wc -l <<<"$wanted") to create"
    graph "$folder/lab.yaml" --format mermaid | grep -qx 'flowchart LR' || complain "examples/$name: no flowchart"
}

# A picture in an example's README is that of its lab.
check_readme() {
    local name=$1 drawn
    drawn=$(sed -n '/^```mermaid$/,/^```$/{/^```/d;p}' "examples/$name/README.md")
    [[ -z $drawn ]] || diff <(echo "$drawn") <(graph "examples/$name/lab.yaml" --format mermaid) ||
        complain "examples/$name/README.md: the picture is not that of 'nestplan graph --format mermaid'"
}

# A description in which every language finds something of its own.
check_escapes() {
    local folder=$copy/escapes nasty='end "q" <b>&lt;&foo; {x|y} #35; `c` \N \" %% ]:::z'
    mkdir -p "$folder"
    : >"$folder/tiny.img"
    jq -n --arg text "$nasty" '{version: 1, name: "odd", images: {tiny: {source: "tiny.img"}},
        nodes: {a: {image: "tiny", memory: "64MiB", vcpus: 1, description: $text}}}' >"$folder/lab.yaml"
    graph "$folder/lab.yaml" >"$folder/lab.dot" || complain "a lab with odd text: graph fails: $(cat "$folder/lab.dot")"
    draws "$folder/lab"
    xmllint --xpath 'string(/)' "$folder/lab.svg" | tr -s '\n ' ' ' | grep -qF -- "$nasty" ||
        complain "a lab with odd text: the SVG has it as: $(texts "$folder/lab.svg" | tail -n 3)"
}

# Many nodes: linear in the text, few boxes unless all are asked for.
check_many() {
    local folder=$copy/many
    mkdir -p "$folder"
    : >"$folder/tiny.img"
    cat >"$folder/lab.yaml" <<'LAB'
version: 1
name: many
images: {tiny: {source: tiny.img}}
networks: {net: {cidr: 10.0.0.0/16}}
nodes: {n: {count: 1000, image: tiny, memory: 64MiB, vcpus: 1, nics: {net: {address: 10.0.1.1}}}}
LAB
    graph "$folder/lab.yaml" >"$folder/lab.dot"
    draws "$folder/lab"
    diff <(boxes "$folder/lab.svg") <(printf 'n-1\nnetwork.net\n') || complain '1,000 equal nodes are not one box'
    texts "$folder/lab.svg" | grep -qxF 'n-1 … n-1000 (1000)' || complain '1,000 equal nodes: the box does not say so'
    texts "$folder/lab.svg" | grep -qF '10.0.1.1 … 10.0.4.232' || complain '1,000 equal nodes: their addresses are not told'
    (($(graph "$folder/lab.yaml" --unfold | grep -c 'vCPU') == 1000)) || complain '--unfold does not draw 1,000 nodes'
}

# exits CODE WORDS COMMAND...: with that code, saying the words.
exits() {
    local wanted=$1 words=$2 out code=0
    shift 2
    out=$("$@" 2>&1 </dev/null) || code=$?
    ((code == wanted)) || complain "'${*:2}' exits with $code, not $wanted"
    [[ $out == *"$words"* ]] || complain "'${*:2}' does not say '$words': ${out:0:300}"
}

for lab in examples/*/; do
    lab=${lab%/}
    check_example "${lab#examples/}"
    check_readme "${lab#examples/}"
done
check_escapes
check_many
lab=$copy/quickstart/lab.yaml
exits 1 "Install the package 'graphviz'" env PATH="$copy" "$nestplan" graph "$lab" --format svg
exits 0 'graph "quickstart"' env PATH="$copy" "$nestplan" graph "$lab"
exits 0 'flowchart LR' env NESTPLAN_FORMAT=mermaid "$nestplan" graph "$lab"
exits 64 'dot, mermaid or svg' "$nestplan" graph "$lab" --format png
exits 3 'NP0' "$nestplan" graph /dev/null
exits 1 'error: ' "$nestplan" graph "$lab" --plan --connect test:///no-such-file
exits 0 'graph "quickstart"' "$nestplan" graph "$lab" --connect test:///no-such-file
finish
