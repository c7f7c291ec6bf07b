# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the end-to-end tests share. The witnesses are virsh, ssh and files, never nestplan's own word.
set -euo pipefail

source_root=${NESTPLAN_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
nestplan=${NESTPLAN:-$source_root/build/release/nestplan}
images=${NPTEST_IMAGES:-$source_root/examples/quickstart/images}
readonly storage=/var/lib/nestplan
export LIBVIRT_DEFAULT_URI=qemu:///system NO_COLOR=1 LC_ALL=C

lab=      # the lab's name
lab_file=
work=
test_begin=$EPOCHREALTIME
stage_begin=$EPOCHREALTIME
stage_title=

seconds_since() {
    awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'
}

# stage TITLE: ends the stage before, with its time.
stage() {
    [[ -z $stage_title ]] || printf '== %s: %s s\n' "$stage_title" "$(seconds_since "$stage_begin")"
    stage_title=${1-}
    stage_begin=$EPOCHREALTIME
    [[ -z $stage_title ]] || printf '== %s\n' "$stage_title"
}

fail() {
    printf 'FAILED: %s\n' "$*"
    show_last
    exit 1
}

skip() {
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}

# What the last command of run() said.
show_last() {
    [[ -e $work/out ]] || return 0
    printf -- '--- last stdout\n%s\n--- last stderr\n%s\n---\n' "$(tail -n 60 "$work/out")" "$(tail -n 60 "$work/err")"
}

# begin LAB: everything of the test has a name that begins with LAB. Leftovers of an earlier run are removed first.
begin() {
    local tool
    lab=$1
    for tool in virsh jq xmllint qemu-img ssh; do
        command -v "$tool" >/dev/null || skip "$tool is not installed (contrib/deps.sh --test)"
    done
    timeout 30 virsh uri >/dev/null 2>&1 || skip "libvirtd (qemu:///system) does not answer"
    [[ -r $images/debian-12-hypervisor.qcow2 && -r $images/tiny.qcow2 ]] || skip "no images in $images (contrib/images/build.sh)"
    work=$(mktemp -d "${TMPDIR:-/tmp}/e2e-$lab.XXXXXX")
    chmod 0755 "$work" # QEMU's user looks into it
    lab_file=$work/lab.yaml
    sweep
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
}

clean_up() {
    local code=$?
    trap - EXIT
    stage ''
    if [[ -e $lab_file ]]; then
        "$nestplan" destroy "$lab_file" --auto-approve --lock-timeout 60s >"$work/destroy.log" 2>&1 ||
            { echo 'clean-up: nestplan destroy failed, virsh does it:'; tail -n 20 "$work/destroy.log"; }
    fi
    sweep
    ! declare -F test_clean_up >/dev/null || test_clean_up
    rm -rf "$work"
    printf 'all: %s s, exit code %s\n' "$(seconds_since "$test_begin")" "$code"
    exit "$code"
}

# hollow_image FILE: a disk that looks like a Debian to whoever writes into it, and halts at once when it is started: for tests
# where no guest is waited for.
hollow_image() {
    local tree=$work/hollow raw=$work/hollow.raw
    mkdir -p "$tree"/{bin,etc/network,root,usr,var}
    printf 'ID=debian\nVERSION_ID="12"\n' >"$tree/etc/os-release"
    echo 12.0 >"$tree/etc/debian_version"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$tree/etc/passwd"
    printf 'root:*:1:0:99999:7:::\n' >"$tree/etc/shadow"
    printf 'root:x:0:\n' >"$tree/etc/group"
    printf 'auto lo\niface lo inet loopback\n' >"$tree/etc/network/interfaces"
    touch "$tree/etc/fstab" "$tree/etc/hostname" "$tree/etc/machine-id"
    truncate -s 32M "$raw"
    echo 'start=2048,type=83' | sfdisk -q "$raw"
    printf '\xfa\xf4\xeb\xfd' | dd of="$raw" conv=notrunc status=none # cli; hlt; jmp to the hlt
    mke2fs -q -t ext4 -d "$tree" -E offset=1048576 "$raw" 28M 2>/dev/null
    qemu-img convert -O qcow2 "$raw" "$1"
    chmod 0644 "$1"
    rm -rf "$raw" "$tree"
}

# ── what there is, as virsh says ──

# names [net-|pool-]: of all there are, one a line. virsh pads some of its lists.
names() {
    virsh -q "${1-}list" --all --name | sed -e 's/[[:space:]]*$//' -e '/^$/d'
}

# Names of the lab and of what its test made beside it: LAB.NODE, LAB-foreign.
ours() {
    grep -E "^$lab([.-]|\$)" || true
}

sweep() {
    local name
    while read -r name; do
        virsh -q destroy "$name" >/dev/null 2>&1 || true
        virsh -q undefine --nvram --managed-save --snapshots-metadata "$name" >/dev/null || true
    done < <(names | ours)
    while read -r name; do
        virsh -q net-destroy "$name" >/dev/null 2>&1 || true
        virsh -q net-undefine "$name" >/dev/null || true
    done < <(names net- | ours)
    while read -r name; do
        sweep_pool "$name"
    done < <(names pool- | grep -E "^(nestplan-$lab|$lab-foreign)\$")
    while read -r name; do
        virsh -q secret-undefine "$name" >/dev/null || true
    done < <(secrets_of_lab | cut -d' ' -f1)
}

sweep_pool() {
    local pool=$1 volume
    virsh -q pool-start "$pool" >/dev/null 2>&1 || true
    while read -r volume _; do
        virsh -q vol-delete "$volume" --pool "$pool" >/dev/null || true
    done < <(virsh -q vol-list "$pool" 2>/dev/null)
    virsh -q pool-destroy "$pool" >/dev/null 2>&1 || true
    virsh -q pool-delete "$pool" >/dev/null 2>&1 || true
    virsh -q pool-undefine "$pool" >/dev/null || true
}

# "UUID USAGE" of each of the lab's secrets.
secrets_of_lab() {
    virsh -q secret-list | awk -v prefix="nestplan/$lab/" 'index($3, prefix) == 1 {print $1, $3}'
}

# xpath EXPRESSION, of the XML on stdin.
xpath() {
    xmllint --xpath "string($1)" -
}

domain_state() {
    virsh -q domstate "$1" 2>/dev/null || echo absent
}

# Domains or networks (virsh's prefix: "" or "net-") that carry the lab's mark.
marked() {
    local prefix=$1 name
    while read -r name; do
        if virsh -q "${prefix}dumpxml" "$name" | xmllint --xpath \
            "boolean(//*[local-name()='lab' and namespace-uri()='urn:nestplan:1' and @name='$lab'])" - | grep -q true; then
            echo "$name"
        fi
    done < <(names "$prefix")
}

# ── checks: each prints what it compared ──

expect_equal() {
    local what=$1 wanted=$2 got=$3
    [[ $got == "$wanted" ]] || fail "$what: wanted '$wanted', got '$got'"
    got=${got//$'\n'/, }
    printf 'ok  %s: %s\n' "$what" "${got:-(nothing)}"
}

expect_contains() {
    local what=$1 wanted=$2 text=$3
    [[ $text == *"$wanted"* ]] || fail "$what: no '$wanted' in '$text'"
    printf 'ok  %s: says “%s”\n' "$what" "$wanted"
}

expect_at_least() {
    local what=$1 wanted=$2 got=$3
    [[ $got =~ ^[0-9]+$ ]] || fail "$what: '$got' is not a number"
    ((got >= wanted)) || fail "$what: wanted at least $wanted, got $got"
    printf 'ok  %s: %s\n' "$what" "$got"
}

# run CODE COMMAND...: stdout and stderr are kept in $work/out and $work/err.
run() {
    local wanted=$1 code=0 start=$EPOCHREALTIME
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    ((code == wanted)) || fail "${*##*/} exited with $code, not $wanted"
    printf 'ok  %s: exit code %s in %s s\n' "$(sed "s|$work/||g; s|$nestplan|nestplan|" <<<"$*" | cut -c1-100)" "$code" \
        "$(seconds_since "$start")"
}

out() { cat "$work/out"; }
err() { cat "$work/err"; }

np() {
    local wanted=$1 command=$2
    shift 2
    run "$wanted" "$nestplan" "$command" "$lab_file" "$@"
}

# in_node ADDRESS COMMAND: stdout of a shell command in a guest.
in_node() {
    timeout "${patience:-60}" "$nestplan" ssh "$lab_file" "$1" -- "$2" </dev/null
}

# json FILTER: of the last command's stdout.
json() {
    jq -r "$1" "$work/out"
}

# Nothing of the lab is left at the host. What the test made itself is named LAB-foreign or listed in $foreign.
foreign=()
expect_nothing_left() {
    local pools
    expect_equal 'domains with the mark' '' "$(marked '')"
    expect_equal 'networks with the mark' '' "$(marked net-)"
    expect_equal 'domains by name' '' "$(names | grep "^$lab\." | not_foreign)"
    expect_equal 'networks by name' '' "$(names net- | grep "^$lab\." | not_foreign)"
    expect_equal 'its pool' '' "$(names pool- | grep -x "nestplan-$lab" || true)"
    expect_equal 'its secrets' '' "$(secrets_of_lab)"
    [[ ! -e $storage/$lab ]] || fail "$storage/$lab is left: $(ls -lA "$storage/$lab")"
    expect_equal 'its processes' '' "$(pgrep -af "guest=$lab\." || true)"
    pools=$(names pool- | grep '^nestplan-' | grep -vx nestplan-images || true)
    if [[ -z $pools ]]; then
        expect_equal 'the pool of images, which nobody uses' '' \
            "$(names pool- | grep -x nestplan-images || true)"
        [[ ! -e $storage ]] || expect_equal "files in $storage" '' "$(find "$storage" -type f)"
    fi
}

not_foreign() {
    grep -vxF -f <(printf '%s\n' "$lab-foreign" "${foreign[@]}") || true
}
