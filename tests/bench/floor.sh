#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The floor that apply.sh measures against: what a careful person would write by hand to make the quickstart's machines,
# knowing all answers before. Same volumes, same file contents, same definitions (captured from nestplan's lab, without its
# marks), same waits; the images are uploaded while the first disk is written, and the L2s' disks while the L1 boots.
#
# usage: floor.sh up|down FOLDER      (FOLDER: what apply.sh captured)
# shellcheck disable=SC2154 # facts sets them
set -euo pipefail

action=$1
folder=$2
# Sets name, hv, hv_ip, guests, guest_ips, storage, inner_storage, l1_image, l1_size, l2_image, l2_size, share.
# shellcheck source=/dev/null
. "$folder/facts"
work=$folder/floor
images_pool=$name-images
disks_pool=$name-disks
export LIBVIRT_DEFAULT_URI=qemu:///system LIBGUESTFS_BACKEND=direct
if ! grep -qwE 'svm|vmx' /proc/cpuinfo; then
    export LIBGUESTFS_BACKEND_SETTINGS=force_tcg
fi

v() { virsh -q "$@" >/dev/null; }
node_ssh() { ssh -F "$work/ssh_config" "$@"; }
inside() { virsh -q -c "qemu+ssh://$hv/system?command=$work/ssh&no_tty=1" "$@" >/dev/null; }

ssh_files() {
    local i
    {
        printf 'Host *\n User root\n IdentityFile %s/key\n IdentitiesOnly yes\n' "$folder"
        printf ' UserKnownHostsFile %s/known_hosts\n StrictHostKeyChecking yes\n' "$folder"
        printf ' BatchMode yes\n ConnectTimeout 20\n LogLevel ERROR\n'
        printf 'Host %s\n HostName %s\n ControlPath %s/master\n' "$hv" "$hv_ip" "$work"
        for i in "${!guests[@]}"; do
            printf 'Host %s\n HostName %s\n ProxyCommand ssh -F %s/ssh_config -W %%h:%%p %s\n' "${guests[i]}" "${guest_ips[i]}" \
                "$work" "$hv"
        done
    } >"$work/ssh_config.tail"
    # ssh takes the first value it meets: the hosts' own come before.
    { sed -n '/^Host [^*]/,$p' "$work/ssh_config.tail"; sed '/^Host [^*]/,$d' "$work/ssh_config.tail"; } >"$work/ssh_config"
    printf '#!/bin/sh\nexec ssh -F %s/ssh_config "$@"\n' "$work" >"$work/ssh"
    chmod +x "$work/ssh"
}

pool() {
    local how=$1 pool=$2 path=$3
    "$how" pool-define-as "$pool" dir --target "$path"
    "$how" pool-build "$pool"
    "$how" pool-start "$pool"
}

upload() {
    local how=$1 pool=$2 volume=$3 file=$4 format=$5
    "$how" vol-create-as "$pool" "$volume" --format "$format" "$(stat -Lc %s "$file")"
    "$how" vol-upload "$volume" "$file" --pool "$pool" --sparse
}

# disks IMAGE SIZE NODE...: overlays with a relative backing path, grown and filled, in one appliance.
disks() {
    local image=$1 size=$2 node letter i=0 add=() letters=abcdefghijklmnopqrstuvwxyz
    shift 2
    {
        echo run
        for node in "$@"; do
            letter=${letters:i++:1}
            add+=(--format=qcow2 -a "$work/disks/$node.qcow2")
            (cd "$work/disks" && qemu-img create -q -f qcow2 -F qcow2 -b "../images/$image" "$node.qcow2" "$size")
            echo "part-resize /dev/sd$letter 1 -1"
            echo "mount /dev/sd${letter}1 /"
            echo "resize2fs /dev/sd${letter}1"
            echo "tar-in $folder/$node.tar /"
            echo "glob rm-f /etc/libvirt/qemu/networks/autostart/default.xml"
            echo "umount /"
        done
    } >"$work/commands.$1"
    guestfish --rw "${add[@]}" -f "$work/commands.$1"
}

wait_ssh() {
    local node=$1 tries=0
    until node_ssh "$node" true 2>/dev/null; do
        ((++tries < 3000)) || { echo "$node does not answer" >&2; exit 1; }
        sleep 0.2
    done
}

first_level() {
    local uploads
    pool v "$images_pool" "$storage/images"
    pool v "$disks_pool" "$storage/disks"
    {
        upload v "$images_pool" "$l1_image" "$folder/images/$l1_image" qcow2
        upload v "$images_pool" "$share" "$folder/images/$share" raw
    } &
    uploads=$!
    v net-define "$folder/network.xml"
    v net-start "$name.mgmt"
    disks "$l1_image" "$l1_size" "$hv"
    wait "$uploads"
    upload v "$disks_pool" "$hv.root.qcow2" "$work/disks/$hv.qcow2" qcow2
    v define "$folder/$hv.xml"
    v start "$name.$hv"
}

proof='test -d /sys/module/kvm_amd || test -d /sys/module/kvm_intel; cat /sys/module/kvm_*/parameters/nested; exec 3<>/dev/kvm'

second_level() {
    local node
    wait_ssh "$hv"
    node_ssh -o ControlMaster=yes -o ControlPersist=120 "$hv" true
    node_ssh "$hv" 'until [ -S /run/libvirt/libvirt-sock ]; do sleep 0.2; done'
    node_ssh "$hv" "$proof" >/dev/null
    inside capabilities
    pool inside nestplan-images "$inner_storage/images"
    pool inside "nestplan-$name" "$inner_storage/$name"
    inside net-define "$folder/inner-network.xml"
    inside net-start "$name.int"
    wait "$1" # the disks
    for node in "${guests[@]}"; do
        upload inside "nestplan-$name" "$node.root.qcow2" "$work/disks/$node.qcow2" qcow2
        inside define "$folder/$node.xml"
        inside start "$name.$node"
    done
    for node in "${guests[@]}"; do
        wait_ssh "$node" &
    done
    wait
}

up() {
    rm -rf "$work"
    mkdir -p "$work/disks"
    ln -s "$folder/images" "$work/images"
    ssh_files
    first_level
    disks "$l2_image" "$l2_size" "${guests[@]}" &
    second_level $!
}

down() {
    ! [[ -S $work/master ]] || node_ssh -O exit "$hv" 2>/dev/null || true
    local pool volume
    virsh -q destroy "$name.$hv" >/dev/null 2>&1 || true
    virsh -q undefine "$name.$hv" >/dev/null 2>&1 || true
    virsh -q net-destroy "$name.mgmt" >/dev/null 2>&1 || true
    virsh -q net-undefine "$name.mgmt" >/dev/null 2>&1 || true
    for pool in "$disks_pool" "$images_pool"; do
        while read -r volume _; do
            v vol-delete "$volume" --pool "$pool"
        done < <(virsh -q vol-list "$pool" 2>/dev/null)
        virsh -q pool-destroy "$pool" >/dev/null 2>&1 || true
        virsh -q pool-delete "$pool" >/dev/null 2>&1 || true
        virsh -q pool-undefine "$pool" >/dev/null 2>&1 || true
    done
    rmdir "$storage" 2>/dev/null || true
}

"$action"
