#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `nestplan apply` of the quickstart's machines against floor.sh, alternating, in one run; and what an apply and a plan cost
# when there is nothing to do. A table on stdout, progress on stderr. See README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${NESTPLAN_SOURCE:-$(cd "$here/../.." && pwd)}
nestplan=${NESTPLAN:-$root/build/release/nestplan}
rounds=${1:-2}
readonly name=nptest-bench hv=hypervisor
export LIBVIRT_DEFAULT_URI=qemu:///system NO_COLOR=1
folder=$(mktemp -d "${TMPDIR:-/tmp}/bench-$name.XXXXXX")
lab=$folder/lab.yaml

say() { printf '%s\n' "$*" >&2; }

clean_up() {
    local code=$?
    "$here/floor.sh" down "$folder" >/dev/null 2>&1 || true
    "$nestplan" destroy "$lab" --auto-approve --quiet >/dev/null 2>&1 || true
    rm -rf "$folder"
    exit "$code"
}

write_lab() {
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$folder/key"
    sed -e "s/^name: .*/name: $name/" -e 's/10\.20\.0\.0/10.65.0.0/' -e 's/10\.30\.1\.0/10.66.1.0/' \
        -e "s|source: images/|source: $root/examples/quickstart/images/|" "$root/examples/quickstart/lab.yaml" >"$lab"
    printf 'access:\n  authorized_keys: [%s/key.pub]\n' "$folder" >>"$lab"
}

in_node() {
    "$nestplan" ssh "$lab" "$1" -- "$2" </dev/null
}

# The files that nestplan wrote, with the key of this bench in root's authorized_keys.
capture_files() {
    in_node "$2" "cd / && tar -cf - \$(ls -d etc/hostname etc/hosts etc/mactab etc/network/interfaces etc/fstab \
        etc/systemd/network/10-nestplan-* etc/ssh/ssh_host_ed25519_key etc/ssh/ssh_host_ed25519_key.pub \
        root/.ssh/authorized_keys etc/modprobe.d/nestplan.conf 2>/dev/null)" >"$folder/$1.tar"
    in_node "$2" 'cat /etc/ssh/ssh_host_ed25519_key.pub' | awk -v ip="$3" '{print ip, $1, $2}' >>"$folder/known_hosts"
}

# Definitions without nestplan's mark, in pools of the floor's own.
unmarked() {
    sed -e '/<metadata>/,/<\/metadata>/d'
}

ip_of() {
    "$nestplan" status "$lab" --json | jq -r --arg address "$1" '.nodes[] | select(.address == $address) | .ip'
}

capture() {
    local guest guests=() ips=() pool=/var/lib/nestplan/images volume
    mkdir -p "$folder/images"
    virsh net-dumpxml --inactive "$name.mgmt" | unmarked >"$folder/network.xml"
    virsh dumpxml --inactive "$name.$hv" | unmarked |
        sed -e "s/pool='nestplan-images'/pool='$name-images'/" -e "s/pool='nestplan-$name'/pool='$name-disks'/" >"$folder/$hv.xml"
    in_node "$hv" "virsh net-dumpxml --inactive $name.int" | unmarked >"$folder/inner-network.xml"
    capture_files "$hv" "$hv" "$(ip_of "$hv")"
    while read -r guest; do
        guests+=("$guest")
        ips+=("$(ip_of "$hv/$guest")")
        in_node "$hv" "virsh dumpxml --inactive $name.$guest" | unmarked >"$folder/$guest.xml"
        capture_files "$guest" "$hv/$guest" "${ips[-1]}"
    done < <(in_node "$hv" 'virsh -q list --name' | sed -n "s/^$name\.//p" | sort)
    share=$(grep -o -m 1 "share-[0-9a-f]*\.raw" "$folder/$hv.xml")
    l1_image=$(backing_of "/var/lib/nestplan/$name/$hv.root.qcow2")
    l2_image=$(in_node "$hv" "qemu-img info -U --output json /var/lib/nestplan/$name/${guests[0]}.root.qcow2" |
        jq -r '."backing-filename"' | xargs basename)
    cp --reflink=auto --sparse=always "$pool/$share" "$folder/images/"
    for volume in "$l1_image" "$l2_image"; do
        cp --reflink=auto --sparse=always "$(image_with "${volume#sha256-}")" "$folder/images/$volume"
    done
    cat >"$folder/facts" <<FACTS
name=$name hv=$hv hv_ip=$(ip_of "$hv") storage=/var/lib/$name inner_storage=/var/lib/nestplan
guests=(${guests[*]}) guest_ips=(${ips[*]})
l1_image=$l1_image l2_image=$l2_image share=$share l1_size=8G l2_size=1G
FACTS
}

backing_of() {
    qemu-img info -U --output json "$1" | jq -r '."backing-filename"' | xargs basename
}

# The quickstart's image whose content hash is in the volume's name.
image_with() {
    local file
    for file in "$root"/examples/quickstart/images/*.qcow2; do
        if [[ $(sha256sum <"$file" | cut -d' ' -f1) == "${1%%.*}" ]]; then
            realpath "$file"
            return
        fi
    done
    say "no image has the content $1"
    return 1
}

# timed NAME COMMAND...: a row "NAME wall cpu memory" in $folder/rows.
timed() {
    local title=$1
    shift
    say "$title ..."
    /usr/bin/time -f "$title|%e|%U|%S|%M" -a -o "$folder/rows" "$@" >"$folder/out" 2>&1 </dev/null ||
        { cat "$folder/out" >&2; exit 1; }
    tail -n 1 "$folder/rows" >&2
}

table() {
    awk -F'|' '
        BEGIN {print "| what | wall s | user+sys s | peak MiB |\n|---|---:|---:|---:|"}
        {printf "| %s | %.1f | %.2f | %.0f |\n", $1, $2, $3 + $4, $5 / 1024; sum[$1] += $2; n[$1]++}
        END {
            if (n["floor"] && n["apply"])
                printf "\napply / floor: %.2f (%.1f s / %.1f s, mean of %d)\n", (sum["apply"] / n["apply"]) / (sum["floor"] / n["floor"]),
                    sum["apply"] / n["apply"], sum["floor"] / n["floor"], n["apply"]
        }' "$folder/rows"
}

main() {
    local round
    trap clean_up EXIT
    write_lab
    say 'first apply: fills the caches, and gives the floor its definitions'
    "$nestplan" apply "$lab" --auto-approve --quiet >&2
    capture
    timed 'apply, nothing to do' "$nestplan" apply "$lab" --auto-approve
    timed 'plan, nothing to do' "$nestplan" plan "$lab" --detailed-exitcode
    "$nestplan" destroy "$lab" --auto-approve --quiet >&2
    for ((round = 1; round <= rounds; round++)); do
        timed floor "$here/floor.sh" up "$folder"
        "$here/floor.sh" down "$folder"
        timed apply "$nestplan" apply "$lab" --auto-approve
        "$nestplan" destroy "$lab" --auto-approve --quiet >&2
    done
    table
}

main
