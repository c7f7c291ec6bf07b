# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The rig's virtual machine: started, watched, spoken to by ssh, and ended.

: "${root:?}" "${work:=}" "${logs:=}" "${deadline:=0}" "${memory:=6144}"
clock=
vm_pid=
vm_port=

# Ports are free when nobody listens there; QEMU says so if somebody was quicker.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

make_keys() {
    ssh-keygen -q -t ed25519 -N '' -C rig -f "$work/id"
    ssh-keygen -q -t ed25519 -N '' -C rig -f "$work/host"
    echo "rig $(cut -d' ' -f1,2 "$work/host.pub")" >"$work/known_hosts"
    cat >"$work/ssh_config" <<CONFIG
Host rig
    HostName 127.0.0.1
    Port $vm_port
    User root
    IdentityFile $work/id
    IdentitiesOnly yes
    HostKeyAlias rig
    UserKnownHostsFile $work/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 10
    ControlMaster auto
    ControlPath $work/ssh
    ControlPersist yes
    LogLevel ERROR
CONFIG
}

# The guest's clock, SLOW times slower: see slowclock.c.
slow_clock() {
    local source=$root/tests/rig/slowclock.c
    clock=$root/build/rig-image/slowclock.so
    [[ $clock -nt $source ]] && return
    cc -O2 -shared -fPIC -o "$clock.$$" "$source" && mv "$clock.$$" "$clock" # another rig may start at the same time
}

# vm_start IMAGE RUN_DISK IMAGES_DISK. One vCPU: with two, nested guests hang (docs/hacking.md). No la57: a fifth level of
# page tables costs on each walk, and nested walks square it. QEMU dies with this shell, however that ends.
vm_start() {
    local more
    read -ra more <<<"${RIG_QEMU-}"
    TMPDIR=$work SLOWCLOCK=${RIG_SLOW:-5} setpriv --pdeathsig KILL env LD_PRELOAD="$clock" \
        qemu-system-x86_64 -nodefaults -no-user-config -display none \
        -name nestplan-rig -pidfile "$work/qemu.pid" -machine q35,hpet=off -accel tcg,tb-size=1024 \
        -cpu "${RIG_CPU:-max,la57=off,svm=on}" -smp 1 -m "$memory" -serial "file:$logs/serial.log" \
        -drive "file=$1,format=qcow2,if=none,id=root,snapshot=on,cache=unsafe" \
        -device virtio-blk-pci,drive=root,bootindex=0 \
        -drive "file=$2,format=raw,if=none,id=run,readonly=on" -device virtio-blk-pci,drive=run,serial=rig-run \
        -drive "file=$3,format=raw,if=none,id=images,readonly=on" -device virtio-blk-pci,drive=images,serial=rig-images \
        -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$vm_port-:22" -device virtio-net-pci,netdev=net \
        -device virtio-rng-pci "${more[@]}" >"$logs/qemu.log" 2>&1 </dev/null &
    vm_pid=$!
}

# Seconds of CPU that it has used: on a busy machine they say more than the clock.
vm_cpu() {
    awk -v hz="$(getconf CLK_TCK)" '{print int(($14 + $15) / hz)}' "/proc/$vm_pid/stat" 2>/dev/null || echo 0
}

# Ends the connection that all of ours share.
vm_hang_up() {
    timeout 10 ssh -F "$work/ssh_config" -O exit rig >/dev/null 2>&1 || true
}

# It is this shell's child and is not waited for before: the number cannot be another's.
vm_stop() {
    [[ $vm_pid ]] || return 0
    vm_hang_up
    kill -TERM "$vm_pid" 2>/dev/null || true
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 "$vm_pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$vm_pid" 2>/dev/null || true
    wait "$vm_pid" 2>/dev/null || true
    vm_pid=
}

# vm_trouble: succeeds, and says what it is, when the machine can no longer be used.
vm_trouble() {
    if ! kill -0 "$vm_pid" 2>/dev/null; then
        echo "QEMU has ended: $(tail -n 5 "$logs/qemu.log")"
    elif grep -qs 'Kernel panic' "$logs/serial.log"; then
        echo 'the kernel of the rig panicked'
    elif ((EPOCHSECONDS >= deadline)); then
        echo 'the time is over'
    else
        return 1
    fi
}

serial_tail() {
    echo "--- last lines of the rig's console ($logs/serial.log)"
    tail -n "${1:-25}" "$logs/serial.log" 2>/dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g' || true
    echo ---
}

in_rig() {
    ssh -F "$work/ssh_config" rig "$@"
}

vm_wait() {
    local trouble last=$((EPOCHSECONDS + ${RIG_BOOT_TIMEOUT:-300}))
    until in_rig true >"$work/ssh.log" 2>&1; do
        trouble=$(vm_trouble) || trouble=
        [[ $trouble ]] || ((EPOCHSECONDS < last)) || trouble='no ssh'
        if [[ $trouble ]]; then
            serial_tail 40 >&2
            say "The rig does not boot: $trouble. ssh says: $(tail -n 1 "$work/ssh.log")"
            return 1
        fi
        sleep 0.5
    done
}

# watch PID: waits for a process that works in the rig, and ends it when the rig has ended. 125: it did.
watch() {
    local trouble code=0
    while kill -0 "$1" 2>/dev/null; do
        if trouble=$(vm_trouble); then
            kill "$1" 2>/dev/null || true
            wait "$1" 2>/dev/null || true
            serial_tail >&2
            say "Stopped: $trouble."
            return 125
        fi
        sleep 0.5
    done
    wait "$1" || code=$?
    return "$code"
}
