#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what nestplan needs to be built and run, on Debian and Ubuntu; says what is missing elsewhere.
set -euo pipefail

usage='usage: deps.sh [--test] [--check]

Installs the packages that building and running nestplan need, with apt-get as root.
Elsewhere, and without root, it lists what is missing and exits with 1.

  --test    also what tests/run.sh needs
  --check   install nothing: print what is missing, exit with 1 if anything is'

build=(gcc libc6-dev cmake make pkg-config libglib2.0-dev libxml2-dev libjson-glib-dev libyaml-dev libvirt-dev libkmod-dev
    libguestfs-dev libssl-dev libcurl4-openssl-dev)
run=(libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils libguestfs0 supermin openssh-client e2fsprogs
    dnsmasq-base iptables iproute2)
images=(mmdebstrap debian-archive-keyring fdisk util-linux kmod cpio lz4 grub-common grub-pc-bin busybox-static)
tests=(shellcheck jq libxml2-utils guestfish openssh-server netcat-openbsd socat time python3-jsonschema python3-yaml python3-libvirt
    graphviz)

# The same for other systems: commands, and libraries as pkg-config knows them.
commands=(cc cmake make pkg-config virsh qemu-system-x86_64 qemu-img supermin ssh mke2fs dnsmasq iptables)
libraries=('glib-2.0 >= 2.70' 'gio-unix-2.0' 'libxml-2.0' 'json-glib-1.0' 'yaml-0.1' 'libvirt >= 9.0' 'libkmod >= 30'
    'libguestfs >= 1.48' 'libcrypto >= 3' 'libcurl >= 7.85')
test_commands=(shellcheck jq xmllint guestfish sshd nc socat time dot)
readonly cmake_wanted=3.25

parse_arguments() {
    check=false
    with_tests=false
    while (($#)); do
        case $1 in
            --test) with_tests=true ;;
            --check) check=true ;;
            --help | -h) printf '%s\n' "$usage"; exit 0 ;;
            *) printf '%s\n' "$usage" >&2; exit 64 ;;
        esac
        shift
    done
}

is_debian() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null
}

# libguestfs builds its appliance from a kernel of this machine; which one does not matter.
kernel_package() {
    if compgen -G '/boot/vmlinuz-*' >/dev/null; then
        return
    fi
    case $(sed -n 's/^ID=//p' /etc/os-release) in
        ubuntu) echo linux-image-virtual ;;
        *) echo linux-image-amd64 ;;
    esac
}

missing_packages() {
    local wanted=("${build[@]}" "${run[@]}" "${images[@]}")
    ! $with_tests || wanted+=("${tests[@]}")
    kernel_package
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
        awk -v wanted="${wanted[*]}" '
            $1 == "installed" {have[$2] = 1}
            END {n = split(wanted, names, " "); for (i = 1; i <= n; i++) if (!(names[i] in have)) print names[i]}'
}

missing_elsewhere() {
    local name wanted=("${commands[@]}")
    ! $with_tests || wanted+=("${test_commands[@]}")
    for name in "${wanted[@]}"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null || echo "$name"
    done
    for name in "${libraries[@]}"; do
        pkg-config --exists "$name" 2>/dev/null || echo "${name} (development files)"
    done
    compgen -G '/boot/vmlinuz*' >/dev/null || compgen -G '/lib/modules/*/vmlinuz' >/dev/null ||
        echo 'a kernel with its modules (for the appliance of libguestfs)'
}

report() {
    printf 'missing:\n' >&2
    printf '  %s\n' "$@"
}

# sshd is wanted as a program that the tests start, not as a service of this machine: Debian's unit and init script look
# for this file.
keep_sshd_off() {
    case " $* " in
        *' openssh-server '*) ;;
        *) return 0 ;;
    esac
    mkdir -p /etc/ssh
    touch /etc/ssh/sshd_not_to_be_run
    echo 'deps.sh: openssh-server is installed for the tests and not started (/etc/ssh/sshd_not_to_be_run)' >&2
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    keep_sshd_off "$@"
    apt-get update -q
    apt-get install -q -y --no-install-recommends "$@"
}

check_cmake() {
    local version
    version=$(cmake --version | awk 'NR == 1 {print $3}')
    if [[ $(printf '%s\n' "$cmake_wanted" "$version" | sort -V | head -n 1) != "$cmake_wanted" ]]; then
        echo "deps.sh: cmake is $version, nestplan needs $cmake_wanted or later" >&2
        exit 1
    fi
}

main() {
    local missing
    parse_arguments "$@"
    if is_debian; then
        mapfile -t missing < <(missing_packages)
    else
        mapfile -t missing < <(missing_elsewhere)
    fi
    if ((${#missing[@]})); then
        if $check || ! is_debian || ((EUID != 0)); then
            report "${missing[@]}"
            $check || ! is_debian || echo 'Run this as root to install them.' >&2
            exit 1
        fi
        # The log of apt is for the reader of stderr: stdout stays for data.
        install_packages "${missing[@]}" >&2 </dev/null
    fi
    check_cmake
}

main "$@"
