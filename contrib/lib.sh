# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What quickstart.sh and tests/run.sh share: messages, timed stages, libvirtd.

# Debian keeps the daemons where a plain user's PATH does not look.
export PATH=$PATH:/usr/sbin:/sbin

: "${program:=${0##*/}}"
readonly system_uri=qemu:///system

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

# stage TITLE COMMAND...: runs it and remembers how long it took.
stage_titles=()
stage_seconds=()
stage() {
    local title=$1 begin=$EPOCHREALTIME code=0
    shift
    say "==> $title"
    "$@" || code=$?
    stage_titles+=("$title")
    stage_seconds+=("$(seconds_since "$begin")")
    return "$code"
}

seconds_since() {
    awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'
}

show_stages() {
    local i
    for i in "${!stage_titles[@]}"; do
        printf '%8s s  %s\n' "${stage_seconds[i]}" "${stage_titles[i]}"
    done
}

libvirt_answers() {
    timeout 30 virsh -q -c "$system_uri" uri >/dev/null 2>&1
}

# A daemon of this name that runs already keeps its pid file locked: a second one would only complain.
start_daemon() {
    local name=$1 pid
    command -v "$name" >/dev/null || die "$name is not installed (contrib/deps.sh installs it)"
    pid=$(cat "/run/$name.pid" 2>/dev/null || true)
    if [[ $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == "$name" ]]; then
        return
    fi
    "$name" -d
}

# Without systemd (a container) the daemons are started by hand. `libvirtd -d` returns once its sockets listen, and the
# first client is served when the drivers are ready, so nothing has to be polled.
ensure_libvirtd() {
    if libvirt_answers; then
        return
    fi
    ((EUID == 0)) || die "libvirt ($system_uri) does not answer this user. Start libvirtd, and either run this as root or" \
        "join the group: sudo adduser $(id -un) libvirt"
    if [[ -d /run/systemd/system ]]; then
        systemctl start virtlogd libvirtd
    else
        start_daemon virtlogd
        start_daemon libvirtd
    fi
    libvirt_answers || die "libvirtd was started and does not answer: $(virsh -q -c "$system_uri" uri 2>&1 || true)"
}
