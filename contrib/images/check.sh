#!/bin/bash
# Boots an image of build.sh for real, under emulation, and checks what nestplan relies on: injected key, host key,
# hostname and address; ssh; KVM and libvirtd in the hypervisor; the power button. One line a fact on stdout.
set -euo pipefail

usage='usage: check.sh IMAGE [--timeout SECONDS] [--keep]'
mac=52:54:00:6e:70:01
hostname=check-1
timeout=300
keep=false
directory=
qemu_pid=

fail() {
    printf 'check.sh: %s\n' "$*" >&2
    [[ ! -s $directory/console.log ]] || tail -n 25 "$directory/console.log" >&2
    exit 1
}

clean_up() {
    if [[ $qemu_pid ]] && kill -0 "$qemu_pid" 2>/dev/null; then
        kill "$qemu_pid"
        wait "$qemu_pid" 2>/dev/null || true
    fi
    if $keep; then
        echo "kept: $directory" >&2
    elif [[ $directory ]]; then
        rm -rf "$directory"
    fi
}

parse_arguments() {
    image=
    while (($#)); do
        case $1 in
            --timeout) timeout=${2:?}; shift ;;
            --keep) keep=true ;;
            -*) echo "$usage" >&2; exit 64 ;;
            *) image=$1 ;;
        esac
        shift
    done
    [[ $image ]] || { echo "$usage" >&2; exit 64; }
    [[ -r $image ]] || fail "cannot read $image"
}

make_keys() {
    ssh-keygen -q -t ed25519 -N '' -C check -f "$directory/id"
    ssh-keygen -q -t ed25519 -N '' -C check -f "$directory/host"
    echo "$hostname $(cut -d' ' -f1,2 "$directory/host.pub")" >"$directory/known_hosts"
    echo "$hostname" >"$directory/hostname"
}

# Both images' network files are written into either: each reads its own.
network_files() {
    printf '[Match]\nMACAddress=%s\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' "$mac" >"$directory/network"
    echo "lab0 $mac" >"$directory/mactab"
    printf 'auto lo\niface lo inet loopback\nauto lab0\niface lab0 inet static\n' >"$directory/interfaces"
    printf ' address 10.0.2.15\n netmask 255.255.255.0\n gateway 10.0.2.2\n' >>"$directory/interfaces"
}

guestfish() {
    LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg command guestfish "$@"
}

# Injects, and learns from the image's os-release which one it is: one start of the appliance.
inject() {
    local id
    id=$(guestfish --rw --format=qcow2 -a "$directory/disk.qcow2" -m /dev/sda1 <<COMMANDS
upload $directory/id.pub /root/.ssh/authorized_keys
upload $directory/host /etc/ssh/ssh_host_ed25519_key
upload $directory/host.pub /etc/ssh/ssh_host_ed25519_key.pub
upload $directory/hostname /etc/hostname
chmod 0600 /root/.ssh/authorized_keys
chmod 0600 /etc/ssh/ssh_host_ed25519_key
chown 0 0 /root/.ssh/authorized_keys
chown 0 0 /etc/ssh/ssh_host_ed25519_key
mkdir-p /etc/systemd/network
mkdir-p /etc/network
upload $directory/network /etc/systemd/network/10-check.network
upload $directory/mactab /etc/mactab
upload $directory/interfaces /etc/network/interfaces
cat /usr/lib/os-release
COMMANDS
    )
    case $(sed -n 's/^ID=//p' <<<"$id") in
        debian) kind=hypervisor ;;
        nestplan-tiny) kind=tiny ;;
        *) fail "unknown kind of image: $id" ;;
    esac
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

boot() {
    local memory=$1 cpus=$2
    port=$(free_port)
    coproc qemu {
        exec qemu-system-x86_64 -nodefaults -display none -machine q35 -accel tcg,thread=multi \
            -cpu max,svm=on -smp "$cpus" -m "$memory" -monitor stdio -serial "file:$directory/console.log" \
            -drive "file=$directory/disk.qcow2,format=qcow2,if=virtio,cache=unsafe" \
            -netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:22" -device "virtio-net-pci,netdev=n,mac=$mac" \
            2>"$directory/qemu.log" >/dev/null
    }
    qemu_pid=$!
    monitor=${qemu[1]}
    begin=$EPOCHREALTIME
}

since_boot() {
    awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'
}

in_guest() {
    ssh -i "$directory/id" -p "$port" -F none -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=5 \
        -o HostKeyAlias="$hostname" -o UserKnownHostsFile="$directory/known_hosts" -o StrictHostKeyChecking=yes \
        root@127.0.0.1 "$@"
}

# wait_for WHAT COMMAND...: until the command succeeds, the time is over, or the machine is gone.
wait_for() {
    local what=$1
    shift
    until "$@" >"$directory/last.log" 2>&1; do
        kill -0 "$qemu_pid" 2>/dev/null || fail "QEMU ended: $(cat "$directory/qemu.log")"
        ! grep -qs 'Kernel panic' "$directory/console.log" || fail 'kernel panic'
        [[ $(since_boot | cut -d. -f1) -lt $timeout ]] || fail "no $what in $timeout s: $(cat "$directory/last.log")"
        sleep 0.3
    done
    echo "$what: $(since_boot) s"
}

expect() {
    local what=$1 wanted=$2 got
    shift 2
    got=$(in_guest "$@") || true
    [[ $got == "$wanted" ]] || fail "$what is '$got', not '$wanted'"
    echo "$what: $got"
}

check_hypervisor() {
    wait_for libvirtd in_guest virsh -c qemu:///system version
    expect 'kvm module' kvm_amd 'ls /sys/module | grep -x kvm_amd'
    expect 'kvm_amd nested' 1 cat /sys/module/kvm_amd/parameters/nested
    expect '/dev/kvm' yes 'test -c /dev/kvm && echo yes'
    expect 'libvirt offers' kvm 'virsh -c qemu:///system capabilities | grep -o -m1 "domain type=.kvm" | cut -c14-16'
    expect 'ssh helper' /usr/bin/virt-ssh-helper 'command -v virt-ssh-helper'
    expect 'failed units' 0 'systemctl list-units --failed --no-legend | wc -l'
}

check_tiny() {
    expect 'interface' lab0 'ls /sys/class/net | grep -v "^lo$"'
    grep -q "nestplan tiny guest $hostname ready" "$directory/console.log" || fail 'no ready line on the console'
    expect 'kernel modules' yes 'grep -q virtio_net /proc/modules && echo yes'
}

power_off() {
    local pressed=$EPOCHREALTIME
    echo system_powerdown >&"$monitor"
    local tries=0
    while kill -0 "$qemu_pid" 2>/dev/null; do
        ((++tries < 300)) || fail 'the power button had no effect in 60 s'
        sleep 0.2
    done
    qemu_pid=
    begin=$pressed
    echo "power off: $(since_boot) s"
}

main() {
    parse_arguments "$@"
    directory=$(mktemp -d "${TMPDIR:-/tmp}/nestplan-check.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    qemu-img create -q -f qcow2 -F qcow2 -b "$(realpath "$image")" "$directory/disk.qcow2"
    make_keys
    network_files
    inject
    echo "kind: $kind"
    if [[ $kind == hypervisor ]]; then boot 2048 2; else boot 256 1; fi
    wait_for ssh in_guest true
    expect 'hostname' "$hostname" hostname
    "check_$kind"
    power_off
}

main "$@"
