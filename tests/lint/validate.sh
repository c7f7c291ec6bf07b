#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line of validate: what goes where, exit codes, variables, secrets.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/lab.yaml" <<'LAB'
version: 1
name: demo
variables: {n: {default: 1, type: integer}, my-word: {default: file}, key: {sensitive: true, default: hunter2hunter2}}
images: {tiny: {source: tiny.img}}
nodes:
  a: {count: "${var.n}", image: tiny, memory: 64MiB, vcpus: 1, description: "${var.my-word} ${var.key}"}
LAB
truncate -s 1M "$folder/tiny.img"
printf 'n: 3\n' >"$folder/vars.yaml"
printf 'version: 1\nname: demo\nnodse: {}\n' >"$folder/wrong.yaml"
lab=$folder/lab.yaml

# says WORDS COMMAND...: its output, both streams, has them.
says() {
    local words=$1 out
    shift
    out=$("$@" 2>&1 </dev/null) || true
    [[ $out == *"$words"* ]] || complain "'${*:2}' does not say '$words': ${out:0:500}"
}

says_never() {
    local words=$1 out
    shift
    out=$("$@" 2>&1 </dev/null) || true
    [[ $out != *"$words"* ]] || complain "'${*:2}' says '$words'"
}

exits() {
    local wanted=$1 code=0
    shift
    "$@" >/dev/null 2>&1 </dev/null || code=$?
    ((code == wanted)) || complain "'${*:2}' exits with $code, not $wanted"
}

says '1 node on' "$nestplan" validate "$lab"
says '2 nodes on' "$nestplan" validate "$lab" --var n=2
says '3 nodes on' "$nestplan" validate "$lab" --var-file "$folder/vars.yaml"
says '4 nodes on' env NESTPLAN_VAR_n=4 "$nestplan" validate "$lab"
says '3 nodes on' env NESTPLAN_VAR_n=4 NESTPLAN_VAR_FILE="$folder/vars.yaml" "$nestplan" validate "$lab"
says '2 nodes on' env NESTPLAN_VAR_n=4 "$nestplan" validate "$lab" --var n=2 --var-file "$folder/vars.yaml"
says 'env ${var.key}' env NESTPLAN_VAR_my_word=env "$nestplan" validate "$lab" --print
says_never hunter2 "$nestplan" validate "$lab" --print
says 'LEVEL' "$nestplan" validate "$lab" --resources
says '1 MiB of ?' "$nestplan" validate "$lab" --resources
says '[NP0101]' "$nestplan" validate "$folder/wrong.yaml"
says '"code":"NP0101"' "$nestplan" validate --json "$folder/wrong.yaml"
"$nestplan" validate --json "$lab" | jq -e '.valid and .errors == 0 and .lab == "demo"' >/dev/null || complain 'validate --json is not JSON'
"$nestplan" validate --print "$lab" --var n=2 >"$folder/printed.yaml"
"$nestplan" validate --print "$folder/printed.yaml" --var key=other | diff "$folder/printed.yaml" - >&2 || complain 'printing is no fixed point'
exits 0 "$nestplan" validate "$lab"
exits 3 "$nestplan" validate "$folder/wrong.yaml"
exits 3 "$nestplan" validate --json "$folder/wrong.yaml"
exits 3 "$nestplan" validate "$lab" --var n=many
exits 3 "$nestplan" validate "$lab" --var other=1
exits 1 "$nestplan" validate "$lab" --var-file "$folder/none.yaml"
mkfifo "$folder/pipe"
says 'is a pipe' timeout 20 "$nestplan" validate "$lab" --var-file "$folder/pipe"
says 'name the file of variables in it' "$nestplan" validate "$lab" --var-file "$folder"
exits 1 "$nestplan" validate "$folder/none.yaml"
sed 's#tiny.img#missing.img#' "$lab" >"$folder/warned.yaml"
exits 0 "$nestplan" validate "$folder/warned.yaml"
exits 3 "$nestplan" validate --strict "$folder/warned.yaml"
says 'a-1 to a-2' "$nestplan" ssh "$lab" a --var n=2
finish
