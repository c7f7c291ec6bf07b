# shellcheck shell=bash
# Debian 12 as a hypervisor: systemd, libvirt and QEMU, reached by ssh.

# shellcheck disable=SC2034 # read by lib/assemble.sh
{
    recipe_size=3072
    recipe_mke2fs_options='-J size=32'
    recipe_kernel_options='rw console=ttyS0 quiet no_timer_check cryptomgr.notests 8250.nr_uarts=1'
}

# What boots slowly under emulation and serves no guest of a lab. `systemctl unmask` brings any of it back.
masked_units=(
    # nothing on the screen; the console is ttyS0
    getty@tty1.service getty-static.service
    # chores of a machine that lives for years
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer logrotate.timer
    e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer
    # the network is up when ssh answers; nothing here waits for more
    systemd-networkd-wait-online.service systemd-network-generator.service
    # files the image carries up to date
    ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service
    systemd-update-done.service systemd-sysusers.service
    # records of logins and audits; a seed that every copy of the image would share
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-journald-audit.socket
    systemd-random-seed.service
    # hardware no virtual machine has, modules and filesystems that load on demand
    systemd-pstore.service systemd-backlight@.service systemd-rfkill.socket
    modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service
    modprobe@fuse.service modprobe@loop.service
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
    dev-mqueue.mount proc-sys-fs-binfmt_misc.automount systemd-binfmt.service
    # nestplan stops the guests in order before it stops their hypervisor
    libvirt-guests.service
)

enabled_units=(systemd-networkd.service ssh.service libvirtd.service ssh-hostkeys.service load-kvm.service)

masked_generators=(
    systemd-bless-boot-generator systemd-cryptsetup-generator systemd-gpt-auto-generator
    systemd-hibernate-resume-generator systemd-integritysetup-generator systemd-veritysetup-generator
    systemd-system-update-generator systemd-rc-local-generator
)

# recipe_populate PACKAGES ROOT: Debian's own tree is the root filesystem.
recipe_populate() {
    mv "$1" "$2"
}

recipe_configure() {
    local root=$1
    chroot "$root" systemctl --quiet mask "${masked_units[@]}"
    mask_generators "$root"
    chroot "$root" systemctl --quiet enable "${enabled_units[@]}"
    chroot "$root" passwd --quiet --lock root
    # A login starts no user manager: each qemu+ssh connection would wait for one.
    chroot "$root" pam-auth-update --package --remove systemd
    link_kernel "$root"
    forget_identity "$root"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/var/cache/debconf/*-old
    rm -rf "$root"/usr/share/{doc,man,info,locale}/* "$root"/var/lib/dpkg/*-old
}

mask_generators() {
    local generator
    mkdir -p "$1/etc/systemd/system-generators"
    for generator in "${masked_generators[@]}"; do
        ln -s /dev/null "$1/etc/systemd/system-generators/$generator"
    done
}

# GRUB loads /boot/vmlinuz and /boot/initrd.img; a kernel installed later moves these links (/etc/kernel-img.conf).
link_kernel() {
    local root=$1 version
    version=$(basename "$root"/lib/modules/*)
    rm -f "$root"/{vmlinuz,initrd.img}{,.old} "$root"/boot/{vmlinuz,initrd.img}
    ln -s "vmlinuz-$version" "$root/boot/vmlinuz"
    ln -s "initrd.img-$version" "$root/boot/initrd.img"
}

# Each guest gets its own of these: injected, or made at its first boot.
forget_identity() {
    local root=$1
    rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dbus/machine-id "$root/etc/resolv.conf"
    : >"$root/etc/machine-id"
    echo debian-12-hypervisor >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
    echo '# written by the injector' >"$root/etc/resolv.conf"
    install -d -m 700 "$root/root/.ssh"
}
