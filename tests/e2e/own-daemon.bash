# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A libvirtd of the test's own, in namespaces of its own, with folders of its own for libvirt and nestplan: for what would not get
# on with other labs of this machine. Nothing of it outlives the test.
#
# To be sourced first, for it starts the script again in new namespaces.
if [[ ! ${NPTEST_OWN_DAEMON-} ]]; then
    export NPTEST_OWN_DAEMON=1
    exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi

own=$(mktemp -d "${TMPDIR:-/var/tmp}/nptest-daemon.XXXXXX")

# start_own_daemon LIBRARY: preloaded into the daemons and so into the guests' QEMU, or "".
start_own_daemon() {
    local daemon
    trap stop_own_daemon EXIT # until the test has its own
    chmod 0755 "$own"
    mkdir -p /var/lib/nestplan "$own"/{etc,lib,nestplan} "$own"/lib/{qemu,dnsmasq,boot,images}
    cp /etc/libvirt/*.conf "$own/etc/"
    chown --reference=/var/lib/libvirt/qemu "$own/lib/qemu"
    mount --bind "$own/etc" /etc/libvirt
    mount --bind "$own/lib" /var/lib/libvirt
    mount --bind "$own/nestplan" /var/lib/nestplan
    mount -t tmpfs tmpfs /run/libvirt
    for daemon in virtlogd libvirtd; do
        LD_PRELOAD=$1 "$daemon" -d -p "$own/$daemon.pid"
    done
    timeout 60 bash -c 'until virsh -q -c qemu:///system uri >/dev/null 2>&1; do sleep 0.2; done'
}

stop_own_daemon() {
    kill "$(cat "$own/libvirtd.pid")" "$(cat "$own/virtlogd.pid")" 2>/dev/null || true
    umount /var/lib/nestplan /var/lib/libvirt /etc/libvirt || true
    rm -rf "$own"
}
