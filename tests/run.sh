#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The test command: packages, libvirtd, builds, images, and every test. A skipped test fails the run, for what a test needs
# is got here.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=contrib/lib.sh
. "$root/contrib/lib.sh"

usage='usage: tests/run.sh [LABEL...]

Runs all tests, or those of the labels: unit, lint, limits, virt, disk, e2e, rig (a machine that plays the physical host:
tests/rig/README.md). As root, on Debian or Ubuntu. Images are kept in $NESTPLAN_CACHE (default ~/.cache/nestplan), builds
in build/.

Only when they are named run: depth (three levels, and every value of the examples: tests/depth), bench (tests/bench/README.md).'

readonly all_labels=(unit lint limits virt disk e2e rig)
begin=$EPOCHREALTIME
summaries=()
repeat=()
failed=false
rig_pid=

parse_arguments() {
    labels=()
    while (($#)); do
        case $1 in
            unit | lint | limits | virt | disk | e2e | depth | rig | bench) labels+=("$1") ;;
            --help | -h) printf '%s\n' "$usage"; exit 0 ;;
            *) printf '%s\n' "$usage" >&2; exit 64 ;;
        esac
        shift
    done
    ((${#labels[@]})) || labels=("${all_labels[@]}")
}

on_if() {
    if "$@"; then echo ON; else echo OFF; fi
}

# wanted LABEL...: one of them is to be run.
wanted() {
    local label
    for label in "$@"; do
        [[ " ${labels[*]} " != *" $label "* ]] || return 0
    done
    return 1
}

# chosen LABEL...: those of them that are to be run, as ctest's -L takes them.
chosen() {
    local label out=()
    for label in "$@"; do
        ! wanted "$label" || out+=("$label")
    done
    (IFS='|'; echo "^(${out[*]})\$")
}

build() {
    local log=build/$1/build.log
    mkdir -p "build/$1"
    if ! { cmake --preset "$1" -DNP_BENCH="$(on_if wanted bench)" && cmake --build --preset "$1" -j"$(nproc)" -- --no-print-directory; } >"$log" 2>&1; then
        cat "$log" >&2
        die "preset $1 does not build"
    fi
}

# run_ctest PRESET JOBS LABEL...: its log is build/PRESET/ctest-LABEL.log.
run_ctest() {
    local preset=$1 jobs=$2
    shift 2
    say "==> tests: $preset $(chosen "$@")"
    ctest --preset "$preset" -L "$(chosen "$@")" -j"$jobs" --no-tests=error "${repeat[@]}" -O "build/$preset/ctest-$1.log" </dev/null
}

# judge CODE PRESET LABEL...: ctest itself succeeds when tests are skipped, so its summary is read.
judge() {
    local code=$1 preset=$2 log=build/$2/ctest-$3.log
    shift 2
    summaries+=("$(printf '%-8s %-20s %s' "$preset" "$(chosen "$@" | tr -d '^()$' | tr '|' ' ')" \
        "$(grep -E '^[0-9]+% tests passed' "$log" || echo 'no tests were run')")")
    if ((code)) || grep -qE '\*\*\*(Skipped|Not Run)' "$log"; then
        failed=true
        summaries+=("$(grep -E '\*\*\*[A-Z]' "$log" | sed 's/^/           /')")
    fi
}

# run_tests PRESET JOBS LABEL...
run_tests() {
    local preset=$1 jobs=$2 code=0
    shift 2
    wanted "$@" || return 0
    run_ctest "$preset" "$jobs" "$@" || code=$?
    judge "$code" "$preset" "$@"
}

# The rig needs nothing of this machine but a CPU for each of its boots, so it runs beside what boots no guests.
start_rig() {
    wanted rig || return 0
    say '==> tests: release rig, beside the next ones'
    set -m # a process group of its own, to be ended whole
    run_ctest release 2 rig >build/rig.out 2>&1 &
    rig_pid=$!
    set +m
}

finish_rig() {
    [[ $rig_pid ]] || return 0
    local code=0
    wait "$rig_pid" || code=$?
    rig_pid=
    cat build/rig.out
    judge "$code" release rig
}

build_all() {
    stage 'build: release' build release
    if wanted unit lint virt; then
        stage 'build: dev (ASan, UBSan)' build dev
    fi
    if wanted unit; then
        stage 'build: tsan' build tsan
    fi
}

prepare() {
    stage 'packages' contrib/deps.sh --test || die 'packages are missing (see above). Run this as root on Debian or Ubuntu.'
    if wanted virt disk e2e depth bench; then
        stage 'libvirtd' ensure_libvirtd
    fi
    build_all
    if wanted e2e depth bench; then
        stage 'images' contrib/images/build.sh all >/dev/null
    fi
    if wanted rig; then
        stage 'images of the rig' tests/rig/rig.sh build
    fi
}

report() {
    printf '\n'
    show_stages
    printf '%8s s  all, tests included\n\n' "$(seconds_since "$begin")"
    printf '%s\n' "${summaries[@]}"
    if $failed; then
        die 'tests failed or were skipped'
    fi
}

clean_up() {
    local code=$?
    [[ ! $rig_pid ]] || kill -- -"$rig_pid" 2>/dev/null || true
    exit "$code"
}

main() {
    parse_arguments "$@"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    cd "$root"
    prepare
    # QEMU's emulated nesting hangs a machine now and then (docs/hacking.md); what fails twice is ours.
    repeat=(--repeat until-pass:2)
    start_rig
    repeat=()
    run_tests dev "$(nproc)" unit lint
    run_tests tsan "$(nproc)" unit
    run_tests dev 1 virt
    run_tests release 1 limits
    run_tests release 1 disk
    finish_rig
    repeat=(--repeat until-pass:2)
    run_tests release 1 e2e
    run_tests release 1 depth
    repeat=()
    run_tests release 1 bench
    report
}

main "$@"
