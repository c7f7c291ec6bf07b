# shellcheck shell=bash
# shellcheck disable=SC2034 # settings for the scripts that read this file
# Settings, progress, cleaning up, and root without being root.

export LC_ALL=C TZ=UTC
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1686355200} # Debian 12's release
suite=bookworm
architecture=amd64
kernel=cloud-amd64
quiet=false

log() {
    $quiet || printf '%4ds  %s\n' "$SECONDS" "$*" >&2
}

die() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

recipe_folder() {
    [[ -r $1/recipe.sh ]] || die "$1 is no recipe: it has no recipe.sh"
    (cd "$1" && pwd)
}

# recipe_chain RECIPE: the folders that it is made of, one a line. One that names another recipe of this folder in its
# file `base` has all that this one has, and what it brings itself comes after.
recipe_chain() {
    [[ ! -r $1/base ]] || recipe_chain "$here/$(cat "$1/base")"
    printf '%s\n' "$1"
}

# recipe_cat RECIPE FILE: the file of each of them that has it.
recipe_cat() {
    local folder
    recipe_chain "$1" | while read -r folder; do
        [[ ! -r $folder/$2 ]] || cat "$folder/$2"
    done
}

# stage TITLE COMMAND...: runs the command, whose output is shown only if it fails, in a process group of its own,
# so that an interrupt can stop all of it.
stage_group=
stage() {
    local title=$1 begin=$SECONDS output
    shift
    log "$title ..."
    output=${work_directories[-1]}/stage.log
    set -m
    "$@" >"$output" 2>&1 </dev/null &
    stage_group=$!
    set +m
    if ! wait "$stage_group"; then
        cat "$output" >&2
        die "$title failed"
    fi
    stage_group=
    log "$title: $((SECONDS - begin)) s"
}

stop_stage() {
    local tries
    [[ $stage_group ]] && kill -TERM -- "-$stage_group" 2>/dev/null || return 0
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 -- "-$stage_group" 2>/dev/null || return 0
        sleep 0.1
    done
}

# Work directories are removed however the script ends.
work_directories=()
at_exit() {
    work_directories+=("$1")
    trap 'stop_stage; remove_all' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

remove_all() {
    local directory
    for directory in "${work_directories[@]}"; do
        remove_tree "$directory"
    done
}

remove_tree() {
    [[ ! -d $1 ]] || as_root rm -rf --one-file-system "$1"
}

# Runs a command as root, or as root of a user namespace for other users.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        mmdebstrap --unshare-helper "$@"
    fi
}

require_tools() {
    local tool missing=()
    for tool in mmdebstrap:mmdebstrap mke2fs:e2fsprogs sfdisk:fdisk qemu-img:qemu-utils flock:util-linux \
        grub-mkimage:grub-common modprobe:kmod depmod:kmod cpio:cpio lz4:lz4 busybox:busybox-static; do
        PATH=$PATH:/sbin:/usr/sbin command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    [[ -e /usr/lib/grub/i386-pc/boot.img ]] || missing+=(grub-pc-bin)
    ((${#missing[@]} == 0)) || die "please install: ${missing[*]}"
}
