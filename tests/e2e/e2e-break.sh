#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong around nestplan: a full pool, a full folder for temporary files, a daemon that goes away in the middle, storage
# that cannot be made, and a user who is not root. Each time: a clear error, nothing half-made that counts as whole, and the
# next apply goes on. Its pools lie elsewhere than those of other labs, so it has a libvirtd of its own.
set -euo pipefail
# shellcheck source=tests/e2e/own-daemon.bash
. "$(dirname "${BASH_SOURCE[0]}")/own-daemon.bash"
# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

proxy_pid=
server_pid=
mounts=()

# Called by clean_up before the work folder goes.
test_clean_up() {
    local mount
    stop_proxy
    [[ ! $server_pid ]] || kill "$server_pid" 2>/dev/null || true
    for mount in "${mounts[@]}"; do
        umount "$mount" 2>/dev/null || umount -l "$mount" || true
    done
    stop_own_daemon
}

write_lab() {
    cat >"$lab_file" <<LAB
version: 1
name: $lab
host: {uri: "qemu:///system", storage: $1}
images:
  hollow: {source: $work/hollow.qcow2}
networks:
  mgmt: {cidr: 10.69.0.0/24}
nodes:
  a: {image: hollow, memory: 130MB, vcpus: 1, accel: auto, nics: [mgmt], ready: {wait: none}, disks: {data: 1500kB}}
LAB
    chmod 0644 "$lab_file"
}

# small_folder NAME SIZE: a file system of its own, so that it can be full.
small_folder() {
    mkdir -p "$work/$1"
    mount -t tmpfs -o "size=$2,mode=0755" nptest "$work/$1"
    mounts+=("$work/$1")
}

volumes() {
    virsh -q vol-list "$1" 2>/dev/null | awk '{print $1}' | xargs
}

# A socket in front of libvirtd's: closing it looks like a daemon that died, and hurts nobody else.
start_proxy() {
    socket=$work/libvirt-sock
    rm -f "$socket"
    socat "UNIX-LISTEN:$socket,mode=0666,fork" UNIX-CONNECT:/run/libvirt/libvirt-sock 2>/dev/null &
    proxy_pid=$!
    while [[ ! -S $socket ]]; do
        sleep 0.1
    done
}

stop_proxy() {
    [[ $proxy_pid ]] || return 0
    pkill -P "$proxy_pid" 2>/dev/null || true
    kill "$proxy_pid" 2>/dev/null || true
    wait "$proxy_pid" 2>/dev/null || true
    proxy_pid=
}

proxied=()
through_proxy() {
    proxied=(--connect "qemu+unix:///system?socket=$socket")
}

full_pool() {
    stage 'a pool without room'
    small_folder pool 512k
    write_lab "$work/pool"
    np 1 apply --auto-approve
    expect_contains 'stderr' 'No space left' "$(err)"
    expect_equal 'domains' '' "$(names | ours)"
    expect_equal 'images that look whole' '' "$(volumes nestplan-images | tr ' ' '\n' | grep -x 'sha256-[0-9a-f]*\.qcow2' || true)"
    mount -o remount,size=512m "$work/pool"
    np 0 apply --auto-approve
    expect_equal 'the node, with room' running "$(domain_state "$lab.a")"
    np 0 destroy --auto-approve
    expect_nothing_left
}

full_temporary() {
    stage 'a full folder for temporary files'
    small_folder tmp 64k
    write_lab "$work/storage"
    chmod 1777 "$work/tmp"
    TMPDIR=$work/tmp np 1 apply --auto-approve
    expect_contains 'stderr' 'o space left' "$(err)"
    expect_equal 'domains' '' "$(names | ours)"
    expect_equal 'files left there' '' "$(find "$work/tmp" -mindepth 1)"
    np 0 apply --auto-approve
    np 0 destroy --auto-approve
    expect_nothing_left
}

bad_storage() {
    stage 'storage that cannot be made'
    write_lab /proc/nestplan
    np 1 apply --auto-approve
    expect_contains 'stderr' /proc/nestplan "$(err)"
    expect_equal 'domains' '' "$(names | ours)"
    expect_equal 'pools' '' "$(names pool- | grep '^nestplan-' || true)"
    np 0 destroy --auto-approve
    expect_nothing_left
    stage 'storage that somebody removed'
    write_lab "$work/gone"
    np 0 apply --auto-approve
    rm -rf "$work/gone"
    np 2 plan --detailed-exitcode
    expect_contains 'plan' 'gone: volume deleted' "$(out)"
    np 0 apply --auto-approve
    np 0 plan --detailed-exitcode
    expect_equal 'the node, on new disks' running "$(domain_state "$lab.a")"
    rm -rf "$work/gone"
    np 0 destroy --auto-approve
    expect_nothing_left
}

daemon_dies() {
    stage 'a daemon that goes away'
    local code=0 pid
    write_lab "$work/storage"
    start_proxy
    through_proxy
    "$nestplan" apply "$lab_file" --auto-approve "${proxied[@]}" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && ! names net- | grep -q "^$lab\.mgmt"; do
        sleep 0.1
    done
    stop_proxy
    SECONDS=0
    wait "$pid" || code=$?
    expect_equal 'exit code' 1 "$code"
    ((SECONDS < 90)) || fail "it took $SECONDS s to notice"
    [[ -s $work/err ]] || fail 'no word on stderr'
    printf 'ok  noticed in %s s: %s\n' "$SECONDS" "$(grep -m 1 '^error' "$work/err" | cut -c1-140)"
    np 1 plan --connect "qemu+unix:///system?socket=$socket"
    expect_contains 'plan without a daemon' 'cannot be reached' "$(err)"
    np 0 apply --auto-approve
    expect_equal 'the node, with a daemon' running "$(domain_state "$lab.a")"
    np 0 destroy --auto-approve
    expect_nothing_left
}

# stopped_by COMMAND TEXT: apply waits for a guest that never answers, and notices at once what virsh does to it.
stopped_by() {
    local code=0 pid
    write_lab "$storage"
    sed -i 's|ready: {wait: none}|ready: {timeout: 10m}|' "$lab_file"
    "$nestplan" apply "$lab_file" --auto-approve >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    timeout 120 bash -c "until virsh -q domstate $lab.a 2>/dev/null | grep -q running; do sleep 0.2; done"
    sleep 2 # it is waited for
    virsh -q "$1" "$lab.a"
    SECONDS=0
    wait "$pid" || code=$?
    expect_equal "exit code after virsh $1" 1 "$code"
    ((SECONDS < 30)) || fail "it took $SECONDS s to notice"
    expect_contains 'stderr' "Node 'a' (level 1) is not ready: $2" "$(err)"
    np 0 destroy --auto-approve
    expect_nothing_left
}

stopped() {
    stage 'a guest that stops while it is waited for'
    stopped_by suspend 'somebody or its hypervisor paused it'
    stopped_by destroy 'somebody cut its power'
}

# The image comes from a server that goes away in the middle, and is there again.
from_server() {
    local web=$work/web
    stage 'an image from a server'
    export XDG_CACHE_HOME=$work/cache
    mkdir -p "$web"
    cp "$work/hollow.qcow2" "$web/disk.img"
    python3 "$source_root/tests/unit/fetch-server.py" "$web" &
    server_pid=$!
    timeout 20 bash -c "until [[ -e $web/port ]]; do sleep 0.1; done"
    write_lab "$storage"
    sed -i "s|$work/hollow.qcow2|\"http://127.0.0.1:$(cat "$web/port")/cut/disk.img\", sha256: $(sha256sum <"$web/disk.img" | cut -d' ' -f1)|" "$lab_file"
    np 1 apply --auto-approve
    expect_contains 'stderr' 'cannot be downloaded' "$(err)"
    expect_equal 'domains' '' "$(names | ours)"
    np 0 apply --auto-approve
    expect_equal 'the node, from the whole image' running "$(domain_state "$lab.a")"
    kill "$server_pid"
    np 0 plan --detailed-exitcode
    np 0 destroy --auto-approve
    expect_nothing_left
    unset XDG_CACHE_HOME
}

# Somebody who may manage the host's libvirt, and nothing else.
other_user() {
    stage 'a user who is not root'
    mkdir -p "$work/home"
    chown nobody "$work/home"
    cp "$nestplan" "$work/nestplan"
    start_proxy
    through_proxy
    write_lab "$storage"
    local as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups env -u XDG_CACHE_HOME "HOME=$work/home" "$work/nestplan")
    run 0 "${as_user[@]}" apply "$lab_file" --auto-approve "${proxied[@]}"
    expect_equal 'the node' running "$(domain_state "$lab.a")"
    run 0 "${as_user[@]}" plan "$lab_file" --detailed-exitcode "${proxied[@]}"
    run 0 "${as_user[@]}" destroy "$lab_file" --auto-approve "${proxied[@]}"
    stop_proxy
    expect_nothing_left
}

start_own_daemon ''
begin nptest-break
command -v socat >/dev/null || skip 'socat is not installed (contrib/deps.sh --test)'
hollow_image "$work/hollow.qcow2"
full_pool
full_temporary
bad_storage
daemon_dies
stopped
from_server
other_user
