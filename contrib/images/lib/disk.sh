# shellcheck shell=bash
# A disk that a BIOS boots: partition table, GRUB, and one ext4 partition, the last, so that it can grow.
# Nothing is mounted and no loop device is needed.

partition_offset=$((1024 * 1024))
ext4_features=none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg
ext4_features+=,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum

# The same inputs have the same UUID.
filesystem_uuid() {
    printf '%s-%s-8%s-a%s-%s\n' "${1:0:8}" "${1:8:4}" "${1:13:3}" "${1:17:3}" "${1:20:12}"
}

# The 16-bit entry of the kernel: under emulation it reaches the kernel 3 s sooner than the 32-bit one (5.5 s to 2.4 s).
grub_config() {
    cat <<CONFIG
linux16 /boot/vmlinuz root=UUID=$1 $2
initrd16 /boot/initrd.img
boot
CONFIG
}

# make_filesystem ROOT DISK SIZE_MIB UUID OPTIONS: the tree as a filesystem at the partition's place in the disk.
make_filesystem() {
    local root=$1 disk=$2 size=$3 uuid=$4 options=$5
    truncate --size "${size}M" "$disk"
    # shellcheck disable=SC2086
    E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH /sbin/mke2fs -q -F -t ext4 -O "$ext4_features" -U "$uuid" -m 0 $options \
        -E "offset=$partition_offset,hash_seed=$uuid,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" \
        -d "$root" "$disk" "$((size - 1))M"
}

write_partition_table() {
    /sbin/sfdisk --quiet --no-reread --no-tell-kernel --wipe never "$1" <<TABLE
label: dos
label-id: 0x${2:0:8}
start=$((partition_offset / 512)), type=83, bootable
TABLE
}

# boot.img is the code of sector 0, 440 bytes before the partition table; core.img follows from sector 1.
write_boot_loader() {
    local disk=$1 work=$2 modules=/usr/lib/grub/i386-pc
    grub-mkimage --format=i386-pc --output="$work/core.img" --prefix='(,msdos1)/boot/grub' \
        biosdisk part_msdos ext2 linux16 normal
    (($(stat -c %s "$work/core.img") <= partition_offset - 512)) || die "GRUB does not fit before the partition"
    dd if="$modules/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
    dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
}

make_disk() {
    local work=$1 hash=$2
    write_partition_table "$work/disk.raw" "$hash"
    write_boot_loader "$work/disk.raw" "$work"
    qemu-img convert -f raw -O qcow2 "$work/disk.raw" "$work/disk.qcow2"
    chmod 644 "$work/disk.qcow2"
}
