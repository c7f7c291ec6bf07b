# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The machine that plays the physical host: the hypervisor's image, and what nestplan needs to run in it.

# shellcheck disable=SC2034 # read by contrib/images/lib/assemble.sh
{
    recipe_size=8192
    # Whether KVM is loaded, and how, is what the tests are about: nothing loads it at boot (60-rig.rules).
    enabled_units=(systemd-networkd.service ssh.service libvirtd.service rig-share.service)
    # One CPU that emulates another's virtualization has no time for what no test asks for.
    recipe_kernel_options+=' mitigations=off'
    masked_units+=(
        # come with libguestfs' dependencies
        lvm2-monitor.service lvm2-lvmpolld.socket dm-event.socket blk-availability.service mdadm-shutdown.service
        mdcheck_start.timer mdcheck_continue.timer mdmonitor-oneshot.timer mdmonitor.service ldmtool.service
        cryptdisks.service cryptdisks-early.service fuse.service e2scrub_reap.service qemu-guest-agent.service
    )
}

appliance=/usr/lib/nestplan-rig/appliance

# recipe_extend ROOT
recipe_extend() {
    rm "$1/etc/modprobe.d/nestplan-image.conf" "$1/etc/systemd/system/load-kvm.service" "$1/usr/lib/nestplan/load-kvm"
    rm -f "$1"/etc/udev/rules.d/*.dpkg-* "$1/etc/systemd/network/80-dhcp.network"
    echo rig >"$1/etc/hostname"
    make_appliance "$1"
}

# libguestfs would make its appliance at the first launch, which takes minutes in the rig. (Programs that write to
# /dev/null find a file there: there are no device nodes yet.)
make_appliance() {
    local root=$1
    mkdir -p "$root$(dirname "$appliance")"
    : >"$root/dev/null"
    chroot "$root" supermin --build --copy-kernel --format ext2 --host-cpu x86_64 \
        -o "$appliance" /usr/lib/x86_64-linux-gnu/guestfs/supermin.d
    rm "$root/dev/null"
    echo 'made by supermin when the image was built' >"$root$appliance/README.fixed"
}
