# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of the script that reads this file
# A root disk's drivers and a busybox: all that stands between the boot loader and the root filesystem.

initramfs_modules=(virtio_pci virtio_blk virtio_scsi sd_mod ext4 ahci ata_piix nvme)
initramfs_applets=(sh mount umount insmod findfs switch_root sleep cat)

# The files of the modules and of what they need, in the order to load them.
modules_in_order() {
    local root=$1 version=$2 module
    for module in "${initramfs_modules[@]}"; do
        modprobe --dirname "$root" --set-version "$version" --show-depends "$module" 2>/dev/null || true
    done | sed -n 's/^insmod \(\S*\).*/\1/p' | awk '!seen[$0]++'
}

# make_initramfs ROOT FILE
make_initramfs() {
    local root=$1 file=$2 tree=$1.initramfs version applet module
    version=$(basename "$root"/lib/modules/*)
    [[ -e $root/lib/modules/$version/modules.dep.bin ]] || depmod --basedir "$root" "$version"
    mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
    cp "$here/initramfs/init" "$tree/init"
    cp "$root/bin/busybox" "$tree/bin/busybox"
    for applet in "${initramfs_applets[@]}"; do
        ln -s busybox "$tree/bin/$applet"
    done
    while read -r module; do
        cp "$module" "$tree/modules/"
        basename "$module" >>"$tree/modules/order"
    done < <(modules_in_order "$root" "$version")
    clamp_times "$tree"
    (cd "$tree" && find . -print0 | sort -z | cpio --null --create --quiet --format=newc --reproducible --owner=0:0) |
        lz4 -q -l -9 >"$file"
    rm -r "$tree"
}
