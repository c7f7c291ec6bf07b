#!/bin/bash
# assemble.sh RECIPE WORK HASH, run as root: WORK/packages.tar becomes WORK/disk.raw,
# a disk whose one partition holds the root filesystem.
# shellcheck disable=SC2154 # the recipe sets recipe_*
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$here/lib/common.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/lib/initramfs.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/lib/disk.sh"

# Device nodes are left out: the kernel makes them, and a user namespace must not.
unpack() {
    mkdir "$2"
    tar --extract --file "$1" --directory "$2" --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*'
}

# Files of the recipe, owned by root whoever checked them out.
copy_overlay() {
    cp -a --no-preserve=ownership "$1/." "$2/"
    (cd "$1" && find . ! -name . -print0) | (cd "$2" && xargs -0 chown -h 0:0)
}

# One timestamp for what the build itself made.
clamp_times() {
    find "$1" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
}

main() {
    local work=$2 hash=$3 root=$2/root folders folder uuid
    mapfile -t folders < <(recipe_chain "$1")
    uuid=$(filesystem_uuid "$hash")
    for folder in "${folders[@]}"; do
        # shellcheck source=/dev/null
        . "$folder/recipe.sh"
    done
    unpack "$work/packages.tar" "$work/packages"
    rm "$work/packages.tar"
    recipe_populate "$work/packages" "$root"
    for folder in "${folders[@]}"; do
        copy_overlay "$folder/overlay" "$root"
    done
    recipe_configure "$root"
    if declare -F recipe_extend >/dev/null; then
        recipe_extend "$root"
    fi
    make_initramfs "$root" "$root/boot/$(readlink "$root/boot/initrd.img")"
    mkdir -p "$root/boot/grub"
    grub_config "$uuid" "$recipe_kernel_options" >"$root/boot/grub/grub.cfg"
    echo "UUID=$uuid / ext4 rw,relatime 0 0" >"$root/etc/fstab"
    clamp_times "$root"
    make_filesystem "$root" "$work/disk.raw" "$recipe_size" "$uuid" "$recipe_mke2fs_options"
}

main "$@"
