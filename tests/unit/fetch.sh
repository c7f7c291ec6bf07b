#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images that a URL names, from a server on this machine that can also behave badly; the copies, its log and sha256sum are the
# witnesses.
set -euo pipefail

source_root=${NESTPLAN_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
nestplan=${NESTPLAN:-$source_root/build/release/nestplan}
work=$(mktemp -d "${TMPDIR:-/tmp}/nptest-fetch.XXXXXX")
export XDG_CACHE_HOME=$work/cache NO_COLOR=1 LC_ALL=C
unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
copies=$XDG_CACHE_HOME/nestplan/downloads
server_pid=

clean_up() {
    [[ ! $server_pid ]] || kill "$server_pid" 2>/dev/null || true
    rm -rf "$work"
}

fail() {
    printf 'FAILED: %s\n--- stdout\n%s\n--- stderr\n%s\n' "$*" "$(cat "$work/out")" "$(cat "$work/err")"
    exit 1
}

expect() {
    local what=$1 wanted=$2 got=$3
    [[ $got == "$wanted" ]] || fail "$what: wanted '$wanted', got '$got'"
    printf 'ok  %s\n' "$what"
}

# says WHAT TEXT: on stderr.
says() {
    grep -qF -- "$2" "$work/err" || fail "$1: stderr does not say '$2'"
    printf 'ok  %s\n' "$1"
}

start_server() {
    head -c 3000000 /dev/urandom >"$work/disk.img"
    truncate -s 4M "$work/disk.img"
    sum=$(sha256sum <"$work/disk.img" | cut -d' ' -f1)
    python3 "$source_root/tests/unit/fetch-server.py" "$work" &
    server_pid=$!
    for _ in {1..200}; do
        [[ ! -e $work/port ]] || break
        sleep 0.05
    done
    base=http://127.0.0.1:$(cat "$work/port")
}

# write_lab URL [SHA256]
write_lab() {
    cat >"$work/lab.yaml" <<LAB
version: 1
name: fetch
images: {far: {source: "$1"${2:+, sha256: $2}}}
networks: {mgmt: {cidr: 10.69.0.0/24}}
nodes: {a: {image: far, memory: 64MiB, vcpus: 1, accel: emulate, nics: [mgmt]}}
LAB
}

# plan CODE
plan() {
    local code=0
    "$nestplan" plan "$work/lab.yaml" --connect test:///default >"$work/out" 2>"$work/err" </dev/null || code=$?
    ((code == $1)) || fail "plan exited with $code, not $1"
}

# fresh URL [SHA256]: nothing is there yet.
fresh() {
    rm -rf "$copies" "$work/log"
    touch "$work/log"
    write_lab "$@"
}

# The names of what is kept, without what tells them apart.
kept() {
    find "$copies" -type f -printf '%f\n' 2>/dev/null | sed 's/^[0-9a-f]*-//' | sort | xargs
}

expect_copy() {
    expect "$1: what is kept" disk.img "$(kept)"
    expect "$1: its bytes" "$sum" "$(sha256sum <"$(find "$copies" -type f)" | cut -d' ' -f1)"
}

good_ones() {
    fresh "$base/good/disk.img"
    plan 0
    expect_copy 'without a sha256'
    says 'it is told that it is downloaded' "downloading $base/good/disk.img"
    says 'and how to get the same again' "sha256: $sum"
    plan 0
    expect 'the second time nothing is asked' '/good/disk.img whole' "$(cat "$work/log")"
    expect 'nor told' '' "$(grep -F download "$work/err" | grep -v 'NP0317\|hint' || true)"
    fresh "$base/good/disk.img" "$sum"
    plan 0
    expect_copy 'with the right sha256'
    fresh "$base/moved/disk.img" "$sum"
    plan 0
    expect_copy 'after a redirection'
    fresh "$base/endless/disk.img"
    plan 0
    expect_copy 'of unknown length'
}

bad_ones() {
    local wrong=${sum//[0-7]/8}
    fresh "$base/good/disk.img" "$wrong"
    plan 3
    says 'another sha256' "has the SHA-256 $sum instead of $wrong"
    expect 'nothing is kept' '' "$(kept)"
    fresh "$base/away/disk.img"
    plan 1
    says 'a file that is not there' 404
    fresh "$base/stolen/disk.img"
    plan 1
    says 'a redirection to a file' 'cannot be downloaded'
    expect 'nothing of it is kept' '' "$(kept)"
    fresh "$base/page/disk.img"
    plan 3
    says 'a web page' 'web page'
    expect 'it is not kept' '' "$(kept)"
    fresh http://127.0.0.1:1/disk.img
    plan 1
    says 'no server' 'cannot be downloaded'
}

cut_off() {
    fresh "$base/cut/disk.img" "$sum"
    plan 1
    says 'a download that is cut off' 'cannot be downloaded'
    expect 'its part' disk.img.part "$(kept)"
    plan 0
    expect_copy 'gone on with'
    expect 'from where it ended' "/cut/disk.img whole /cut/disk.img bytes=2097152-" "$(xargs <"$work/log")"
    fresh "$base/cut/disk.img"
    plan 1
    expect 'no part without a sha256' '' "$(kept)"
    plan 1
    expect 'without a sha256 it begins anew' "/cut/disk.img whole /cut/disk.img whole" "$(xargs <"$work/log")"
}

# A part that an earlier run may have left, with other bytes than the image has.
parts() {
    local name kind size
    for kind in good norange; do
        for size in 100000 4194304 5000000; do
            fresh "$base/$kind/disk.img" "$sum"
            plan 0
            name=$(find "$copies" -type f)
            rm "$name"
            head -c "$size" /dev/zero >"$name.part"
            plan 0
            expect_copy "a wrong part of $size bytes ($kind)"
        done
    done
}

secrets() {
    fresh "http://user:hunter2@127.0.0.1:$(cat "$work/port")/away/disk.img?token=hunter3"
    plan 1
    expect 'no password or query is told' '' "$(grep -F 'cannot be downloaded' "$work/err" | grep -E 'hunter[23]' || true)"
    cat >"$work/lab.yaml" <<LAB
version: 1
name: fetch
variables: {token: {sensitive: true}}
images: {far: {source: "$base/away/\${var.token}/disk.img"}}
networks: {mgmt: {cidr: 10.69.0.0/24}}
nodes: {a: {image: far, memory: 64MiB, vcpus: 1, accel: emulate, nics: [mgmt]}}
LAB
    NESTPLAN_VAR_token=hunter4 plan 1
    expect 'nor a sensitive variable' '' "$(grep -F hunter4 "$work/out" "$work/err" || true)"
    says 'but the rest is' "$base/away/"
}

two_at_once() {
    local first second
    fresh "$base/slow/disk.img"
    "$nestplan" plan "$work/lab.yaml" --connect test:///default >"$work/out" 2>"$work/err" </dev/null &
    first=$!
    "$nestplan" plan "$work/lab.yaml" --connect test:///default >"$work/out2" 2>"$work/err2" </dev/null &
    second=$!
    wait "$first" || fail 'the first failed'
    wait "$second" || fail "the second failed: $(cat "$work/err2")"
    expect_copy 'two at once'
    expect 'one request' '/slow/disk.img whole' "$(cat "$work/log")"
}

# end_in_the_middle: what is left is a part.
end_in_the_middle() {
    local pid code=0
    "$nestplan" plan "$work/lab.yaml" --connect test:///default >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    while [[ ! $(find "$copies" -size +100k 2>/dev/null) ]]; do
        sleep 0.02
    done
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || code=$?
    expect 'it was ended in the middle' '137 disk.img.part' "$code $(kept)"
}

ended() {
    fresh "$base/slow/disk.img" "$sum"
    end_in_the_middle
    plan 0
    expect_copy 'ended and run again'
    expect 'it went on' 'whole bytes' "$(awk '{sub("=.*", "", $2); print $2}' "$work/log" | xargs)"
    fresh "$base/slow/disk.img"
    end_in_the_middle
    plan 0
    expect_copy 'ended and run again without a sha256'
    expect 'it began anew' 'whole whole' "$(awk '{print $2}' "$work/log" | xargs)"
}

full_disk() {
    fresh "$base/good/disk.img" "$sum"
    local code=0
    (trap '' XFSZ; ulimit -f 1024; exec "$nestplan" plan "$work/lab.yaml" --connect test:///default) \
        >"$work/out" 2>"$work/err" </dev/null || code=$?
    expect 'no room' 1 "$code"
    says 'it is told' 'cannot be kept'
    expect 'its room is given back' '' "$(kept)"
    mkdir -p "$copies"
    rmdir "$copies"
    touch "$copies"
    plan 1
    says 'a folder that cannot be made' 'XDG_CACHE_HOME'
    rm "$copies"
}

trap clean_up EXIT
start_server
good_ones
bad_ones
cut_off
parts
secrets
two_at_once
ended
full_disk
