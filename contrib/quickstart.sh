#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian to a lab of virtual machines in a virtual machine: packages, build, libvirtd, images, apply. Every
# stage that is done already takes no time, so run it again after a change.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=contrib/lib.sh
. "$root/contrib/lib.sh"

usage='usage: quickstart.sh [--images-only]

Installs packages (as root), builds nestplan, starts libvirtd where none answers, builds the guest images and applies
examples/quickstart/lab.yaml.

  --images-only   stop before the lab is applied'

lab=examples/quickstart/lab.yaml
nestplan=build/release/nestplan
begin=$EPOCHREALTIME
with_apply=true

build_release() {
    cmake --preset release >/dev/null &&
    cmake --build --preset release --target nestplan -j"$(nproc)" -- --no-print-directory
}

apply_lab() {
    "$nestplan" apply "$lab" --auto-approve --lock-timeout 60s
}

show_next() {
    cat <<NEXT

What to try next:

  $nestplan status $lab
  $nestplan ssh $lab hypervisor -- virsh list                  # level 1 shows its guests
  $nestplan ssh $lab hypervisor/guest-1                        # level 2, through level 1
  $nestplan plan $lab --replace hypervisor/guest-1             # what a change would take down
  $nestplan destroy $lab                                       # leaves nothing
NEXT
}

finish() {
    "$nestplan" status "$lab"
    printf '\nWhat took how long:\n'
    show_stages
    printf '%8s s  all\n' "$(seconds_since "$begin")"
    show_next
}

main() {
    case ${1-} in
        '') ;;
        --images-only) with_apply=false ;;
        --help | -h) printf '%s\n' "$usage"; exit 0 ;;
        *) printf '%s\n' "$usage" >&2; exit 64 ;;
    esac
    cd "$root"
    stage 'packages (contrib/deps.sh)' contrib/deps.sh ||
        die 'packages are missing (see above). Run this as root on Debian or Ubuntu, or install them first.'
    stage 'libvirtd' ensure_libvirtd
    stage 'build' build_release
    stage 'images (contrib/images/build.sh)' contrib/images/build.sh all >/dev/null
    $with_apply || return 0
    stage 'apply' apply_lab
    finish
}

main "$@"
