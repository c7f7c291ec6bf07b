#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rig: a virtual machine that plays the physical host of a lab. See README.md beside it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=contrib/lib.sh
. "$root/contrib/lib.sh"
# shellcheck source=tests/rig/vm.bash
. "$root/tests/rig/vm.bash"

usage='usage: rig.sh run [OPTIONS] SCRIPT [ARGUMENT...] [-- SCRIPT [ARGUMENT...]]...
       rig.sh shell [OPTIONS] [COMMAND...]
       rig.sh build

run     boots the rig, runs the scripts in it as root, one after the other, and throws it away; exits with the code of the
        first that failed
shell   boots it and gives a root shell (or runs the command)
build   makes what a boot needs and is kept: the images and the disk with them

  --name NAME        logs go to build/rig-logs/NAME (default: the name of the first script)
  --timeout SECONDS  for everything (default: 1800; shell: a day)
  --memory MIB       of the rig (default: 6144)
  --nestplan FILE    the program under test (default: build/release/nestplan)'

nestplan=${NESTPLAN:-$root/build/release/nestplan}
cache=${NESTPLAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nestplan}/rig
name=
timeout=
work=

parse_arguments() {
    command=${1-}
    case $command in
        run | shell | build) shift ;;
        --help | -h) printf '%s\n' "$usage"; exit 0 ;;
        *) printf '%s\n' "$usage" >&2; exit 64 ;;
    esac
    while (($#)); do
        case $1 in
            --name) name=${2:?--name needs a name}; shift ;;
            --timeout) timeout=${2:?--timeout needs seconds}; shift ;;
            --memory) memory=${2:?--memory needs MiB}; shift ;;
            --nestplan) nestplan=${2:?--nestplan needs a file}; shift ;;
            --help | -h) printf '%s\n' "$usage"; exit 0 ;;
            -*) printf '%s\n' "$usage" >&2; exit 64 ;;
            *) break ;;
        esac
        shift
    done
    words=("$@")
    if [[ $command == run ]] && ((!$#)); then
        printf '%s\n' "$usage" >&2
        exit 64
    fi
}

# ── what is kept: the rig's image, and a disk with the images that its labs are made of ──

build_kept() {
    local list key
    list=$("$root/contrib/images/build.sh" --quiet --output "$root/build/rig-image" \
        hypervisor tiny "$root/tests/rig/image/rig-host") || return
    image=$root/build/rig-image/rig-host.qcow2
    mapfile -t guests < <(head -n 2 <<<"$list")
    key=$({ realpath "${guests[@]}"; echo zstd; } | sha256sum | cut -c1-16)
    images_disk=$cache/images-$key.ext4
    [[ -e $images_disk ]] || make_images_disk
}

make_images_disk() {
    local folder guest
    mkdir -p "$cache"
    folder=$(mktemp -d "$cache/.images.XXXXXX")
    # Compressed: each byte of them is hashed, copied and sent by the emulated CPU (sha256: 17 MB/s).
    for guest in "${guests[@]}"; do
        qemu-img convert -O qcow2 -c -o compression_type=zstd "$guest" "$folder/${guest##*/}"
    done
    make_disk "$folder" "$images_disk.$$"
    mv "$images_disk.$$" "$images_disk"
    rm -r "$folder"
}

# make_disk FOLDER FILE: an ext4 file system with the files of a folder.
make_disk() {
    local size
    size=$(du -sm --apparent-size "$1" | cut -f1)
    truncate -s "$((size + size / 20 + 8))M" "$2"
    mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum -m 0 -N 4096 -E root_owner=0:0 -d "$1" "$2"
}

# ── what is new in each run: keys, this nestplan, the scripts ──

make_run_disk() {
    local folder=$work/disk
    mkdir -p "$folder"/{keys,scripts,source}
    cp "$work/id.pub" "$folder/keys/authorized_keys"
    cp "$work/host" "$folder/keys/ssh_host_ed25519_key"
    cp "$work/host.pub" "$folder/keys/ssh_host_ed25519_key.pub"
    cp -L "$nestplan" "$folder/nestplan"
    (cd "$root" && tar -c --exclude='*/image' --exclude='*/images' contrib/lib.sh tests/rig tests/e2e examples) |
        tar -x -C "$folder/source"
    cat >"$folder/env" <<'ENV'
RIG=1
NESTPLAN=/rig/nestplan
NESTPLAN_SOURCE=/rig/source
NPTEST_IMAGES=/rig-images
RIG_RESULTS=/var/log/rig
LIBGUESTFS_PATH=/usr/lib/nestplan-rig/appliance
LIBGUESTFS_BACKEND=direct
LIBVIRT_DEFAULT_URI=qemu:///system
LC_ALL=C.UTF-8
PATH=/rig:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV
    add_scripts "$folder"
    make_disk "$folder" "$work/run.ext4"
    rm -r "$folder"
}

# Splits the words at "--": runs[i] is a command line for the rig, titles[i] its script's name.
add_scripts() {
    local word line='' title='' i=0
    runs=()
    titles=()
    [[ $command == run ]] || return 0
    for word in "${words[@]}" --; do
        if [[ $word == -- ]]; then
            [[ ! $line ]] || runs+=("$line") titles+=("$title")
            line=
        elif [[ ! $line ]]; then
            title=$(basename "$word")
            line="bash $(place_script "$1" "$word" "$((++i))")"
        else
            line+=" $(printf '%q' "$word")"
        fi
    done
}

# Where a script is in the rig: with its neighbours when it is one of the project's.
place_script() {
    local folder=$1 script name=scripts/$3/${2##*/}
    script=$(realpath -e "$2") || die "there is no script $2"
    if [[ $script == "$root"/* && -e $folder/source/${script#"$root"/} ]]; then
        name=source/${script#"$root"/}
    else
        mkdir "$folder/scripts/$3"
        cp "$script" "$folder/$name"
    fi
    printf '/rig/%q\n' "$name"
}

# ── a run ──

skip() {
    say "SKIPPED: $*"
    exit 77
}

prepare() {
    local tool
    for tool in qemu-system-x86_64 qemu-img mmdebstrap setpriv cc mke2fs ssh ssh-keygen; do
        command -v "$tool" >/dev/null || skip "$tool is not installed (contrib/deps.sh --test)"
    done
    [[ -x $nestplan ]] || die "there is no $nestplan (cmake --preset release && cmake --build --preset release)"
    stage 'images' build_kept
    [[ $command != build ]] || exit 0
    [[ $name || $command == shell ]] || name=$(basename "${words[0]}" .sh)
    : "${name:=shell}"
    : "${timeout:=$([[ $command == shell ]] && echo 86400 || echo 1800)}"
    logs=$root/build/rig-logs/$name
    rm -rf "$logs"
    mkdir -p "$logs"
    work=$(mktemp -d "${TMPDIR:-/tmp}/nestplan-rig.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    deadline=$((EPOCHSECONDS + timeout))
}

clean_up() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    vm_stop
    rm -rf "$work"
    exit "$code"
}

boot() {
    vm_port=$(free_port) &&
        make_keys &&
        slow_clock &&
        make_run_disk &&
        vm_start "$image" "$work/run.ext4" "$images_disk" &&
        vm_wait
}

readonly enter='set -a; . /rig/env; set +a; mkdir -p "$RIG_RESULTS"; cd /root;'

# Each line with the seconds since BEGIN: the time inside is not ours.
with_times() {
    local line
    while IFS= read -r line; do
        printf '%7s  %s\n' "$(seconds_since "$1")" "$line"
    done
}

# run_script TITLE COMMAND: its output is shown and kept.
run_script() {
    local title=$1 code=0 begin=$EPOCHREALTIME cpu said tee_pid
    cpu=$(vm_cpu)
    say "==> $title"
    mkfifo "$work/output"
    with_times "$begin" <"$work/output" | tee "$logs/$title.log" &
    tee_pid=$!
    ssh -F "$work/ssh_config" rig "$enter exec $2" >"$work/output" 2>&1 </dev/null &
    watch $! || code=$?
    # The connection holds the pipe for a command that hangs with its machine.
    ((code != 125)) || vm_hang_up
    wait "$tee_pid" || true
    rm "$work/output"
    case $code in
        0) said=passed ;;
        77) said=skipped ;;
        *) said="FAILED ($code)" ;;
    esac
    summary+=("$(printf '%8s s  %s: %s, %s s of CPU' "$(seconds_since "$begin")" "$title" "$said" $(($(vm_cpu) - cpu)))")
    return "$code"
}

run_scripts() {
    local i code first=0
    summary=()
    for i in "${!runs[@]}"; do
        code=0
        run_script "${titles[i]}" "${runs[i]}" || code=$?
        ((first)) || first=$code
        ((code != 125)) || break
    done
    collect || say "The logs could not be brought out; there is $logs/serial.log."
    show_stages >&2
    printf '%s\n' "${summary[@]}" >&2
    say "Logs: ${logs#"$root/"}"
    return "$first"
}

# What happened inside, as far as it still answers.
collect() {
    ! vm_trouble >/dev/null || return 1
    timeout 120 ssh -F "$work/ssh_config" rig 'journalctl -b -o short-monotonic --no-hostname >/tmp/journal.log
        cp -r /var/log/libvirt /var/log/rig /tmp/ 2>/dev/null
        tar -C /tmp -czf - $(cd /tmp && ls -d journal.log libvirt rig 2>/dev/null)' </dev/null | tar -xz -C "$logs"
}

shell() {
    say "A root shell in the rig; it is thrown away at its end. Logs: ${logs#"$root/"}"
    if ((${#words[@]})); then
        in_rig "$enter exec bash -c $(printf '%q' "${words[*]}")"
    else
        ssh -t -F "$work/ssh_config" rig "$enter exec bash -i"
    fi
}

main() {
    parse_arguments "$@"
    prepare
    stage 'boot' boot || exit 1
    case $command in
        run) run_scripts ;;
        shell) shell ;;
    esac
}

main "$@"
