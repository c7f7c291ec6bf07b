# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of the script that reads this file
# The smallest guest that ssh reaches: Debian's kernel, busybox and dropbear.

# shellcheck disable=SC2034 # read by lib/assemble.sh
{
    recipe_size=128
    recipe_mke2fs_options='-J size=4 -N 4096'
    recipe_kernel_options='rw console=ttyS0 quiet no_timer_check cryptomgr.notests 8250.nr_uarts=1'
}

kernel_modules=(
    virtio_net virtio_balloon virtio_console virtio_rng virtio_scsi sd_mod # what libvirt gives a guest
    button evdev                                                          # the power button
    e1000 e1000e 8021q
)
programs=(
    usr/sbin/dropbear usr/bin/dropbearkey usr/lib/dropbear/dropbearconvert
    sbin/sfdisk usr/bin/partx sbin/resize2fs # a root disk that grows while the guest runs
)

# recipe_populate PACKAGES ROOT: picks from the extracted packages.
recipe_populate() {
    local packages=$1 root=$2 version
    version=$(basename "$packages"/lib/modules/*)
    make_directories "$root"
    install -m 755 "$packages/bin/busybox" "$root/bin/busybox"
    chroot "$root" /bin/busybox --install -s
    take_programs "$packages" "$root"
    take_kernel "$packages" "$root" "$version"
}

make_directories() {
    local root=$1
    mkdir -p "$root"/{bin,boot,dev,etc/{ssh,dropbear,network/if-{pre-up,up,down,post-down}.d},lib/modules,lib64,mnt,proc,root,run,sbin,sys,tmp} \
        "$root"/usr/{bin,sbin,lib,share} "$root"/var/{cache,lib,log,tmp}
    ln -s ../run "$root/var/run"
    chmod 1777 "$root/tmp" "$root/var/tmp"
    install -d -m 700 "$root/root" "$root/root/.ssh"
}

# The programs and the shared libraries that Debian's dynamic loader finds for them.
take_programs() {
    local packages=$1 root=$2 program library loader=lib64/ld-linux-x86-64.so.2
    local path=$packages/lib/x86_64-linux-gnu:$packages/usr/lib/x86_64-linux-gnu
    install -D "$(realpath "$packages/$loader")" "$root/$loader"
    for program in "${programs[@]}"; do
        install -D "$packages/$program" "$root/$program"
        "$root/$loader" --inhibit-cache --library-path "$path" --list "$packages/$program" |
            sed -n "s|.* => \($packages/[^ ]*\) .*|\1|p"
    done | sort -u | while read -r library; do
        install -D "$(realpath "$library")" "$root/lib/x86_64-linux-gnu/$(basename "$library")"
    done
    ln -s /usr/lib/dropbear/dropbearconvert "$root/usr/bin/dropbearconvert"
}

take_kernel() {
    local packages=$1 root=$2 version=$3 modules=$1/lib/modules/$3 module
    cp "$packages/boot/vmlinuz-$version" "$root/boot/"
    ln -s "vmlinuz-$version" "$root/boot/vmlinuz"
    ln -s "initrd.img-$version" "$root/boot/initrd.img"
    depmod --basedir "$packages" "$version"
    wanted_modules "$packages" "$version" | while read -r module; do
        install -D -m 644 "$module" "$root/lib/modules/$version/${module#"$modules"/}"
    done
    cp "$modules"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/"
    depmod --basedir "$root" "$version"
}

wanted_modules() {
    local module
    for module in "${kernel_modules[@]}" "${initramfs_modules[@]}"; do
        modprobe --dirname "$1" --set-version "$2" --show-depends "$module" 2>/dev/null || true
    done | sed -n 's/^insmod \(\S*\).*/\1/p' | sort -u
}

recipe_configure() {
    : >"$1/etc/machine-id"
    chmod 600 "$1/etc/shadow"
    rm -f "$1/linuxrc"
}
