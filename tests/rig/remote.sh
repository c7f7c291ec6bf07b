#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A host that is reached by ssh: nestplan looks whether it nests, says how to switch it on, and never switches it. It is this
# same machine, through its own sshd.
set -euo pipefail
# shellcheck source=tests/rig/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

uri=

# A key of its own, and a known_hosts of its own: libvirt and nestplan both go through the wrapper.
open_door() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/id"
    cat "$work/id.pub" >>/root/.ssh/authorized_keys
    echo "rig-host $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >"$work/known_hosts"
    cat >"$work/ssh_config" <<CONFIG
Host rig-host
    HostName 127.0.0.1
    HostKeyAlias rig-host
    IdentityFile $work/id
    IdentitiesOnly yes
    UserKnownHostsFile $work/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
CONFIG
    printf '#!/bin/sh\nexec ssh -F %s "$@"\n' "$work/ssh_config" >"$work/ssh"
    chmod 0755 "$work/ssh"
    uri="qemu+ssh://root@rig-host/system?command=$work/ssh"
    expect_equal 'virsh, through ssh' rig "$(virsh -c "$uri" hostname)"
}

# np_remote CODE COMMAND...: with the URI on the command line.
np_remote() {
    local wanted=$1 command=$2
    shift 2
    run "$wanted" "$nestplan" "$command" "$lab_file" --connect "$uri" "$@"
}

not_nested() {
    local before
    stage 'a remote host that does not nest'
    set_kvm 0
    before=$(loads)
    for command in plan 'apply --auto-approve'; do
        # shellcheck disable=SC2086 # words
        np_remote 1 $command
        expect_contains "${command%% *}" 'never switches a remote host' "$(err)"
        expect_contains "${command%% *}" "echo 'options kvm_amd nested=1' > /etc/modprobe.d/kvm.conf" "$(err)"
        expect_contains "${command%% *}" 'modprobe -r kvm_amd && modprobe kvm_amd' "$(err)"
    done
    run 1 "$nestplan" doctor --connect "$uri" --json
    expect_equal 'doctor: nesting' bad "$(finding nesting verdict)"
    expect_contains 'doctor: the fix' 'modprobe -r kvm_amd' "$(finding nesting fix)"
    expect_kvm 0
    expect_equal 'the module was not reloaded' "$before" "$(loads)"
    expect_file "$own_file" absent
    expect_equal 'nothing was made' '' "$(marked '')$(marked net-)"
}

nesting_host() {
    stage 'a remote host that nests'
    set_kvm 1
    before=$(loads)
    sed -i "s|^host: .*|host: {uri: \"$uri\"}|" "$lab_file" # this time in the lab
    np 2 plan --detailed-exitcode --json
    expect_equal 'plan: what the host has to do' '' "$(json '.changes[] | select(.kind == "host") | .address')"
    expect_contains 'plan: the hypervisor' hv "$(json '.changes[].address')"
    np 0 plan
    expect_contains 'plan: its accelerator' ', kvm, ' "$(out)"
    run 0 "$nestplan" doctor --connect "$uri" --json
    expect_equal 'doctor: nesting' good "$(finding nesting verdict)"
    np 0 status --json
    expect_equal 'status: kvm' true "$(json .host.kvm)"
    expect_equal 'the module was left alone' "$before" "$(loads)"
    expect_file "$own_file" absent
}

begin nptest-remote
write_stub_lab "$lab" "$lab_file" 7
open_door
not_nested
nesting_host
stage 'clean up'
clean_kernel
