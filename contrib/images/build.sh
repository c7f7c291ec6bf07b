#!/bin/bash
# Builds nestplan's guest images from Debian's packages: see README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$here/lib/common.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/lib/cache.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/lib/rootfs.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/lib/disk.sh"

usage() {
    cat <<'USAGE'
usage: build.sh [hypervisor|tiny|all|FOLDER] [--output DIR] [--kernel FLAVOUR] [--quiet]

Builds the image (default: all), or takes it from the cache, links it into DIR
and prints the link's path on stdout, one line an image. A FOLDER (its name has
a slash) is a recipe that lies elsewhere; the image has the folder's name.

  --output DIR      where the links go (default: examples/quickstart/images)
  --kernel FLAVOUR  Debian kernel: cloud-amd64 (default, boots fastest) or amd64
  --quiet           no progress on stderr

Environment: NESTPLAN_CACHE (default ~/.cache/nestplan), SOURCE_DATE_EPOCH.
USAGE
}

parse_arguments() {
    images=()
    output=$here/../../examples/quickstart/images
    while (($#)); do
        case $1 in
            hypervisor | tiny) images+=("$here/$1") ;;
            all) images=("$here/hypervisor" "$here/tiny") ;;
            --output) output=${2:?--output needs a directory}; shift ;;
            --output=*) output=${1#*=} ;;
            --kernel) kernel=${2:?--kernel needs a flavour}; shift ;;
            --kernel=*) kernel=${1#*=} ;;
            --quiet | -q) quiet=true ;;
            --help | -h) usage; exit 0 ;;
            */*) images+=("$(recipe_folder "$1")") ;;
            *) usage >&2; exit 64 ;;
        esac
        shift
    done
    ((${#images[@]})) || images=("$here/hypervisor" "$here/tiny")
}

# Builds into a work directory beside the cache file, so that the last step is a rename.
build_image() {
    local recipe=$1 hash=$2 target=$3 name=${1##*/} work
    require_tools
    work=$(mktemp -d "$(dirname "$target")/.build-$name.XXXXXX")
    at_exit "$work"
    stage "$name: packages" fetch_rootfs "$recipe" "$work"
    stage "$name: root filesystem" as_root "$here/lib/assemble.sh" "$recipe" "$work" "$hash"
    stage "$name: disk" make_disk "$work" "$hash"
    mv "$work/disk.qcow2" "$target"
    remove_tree "$work"
}

# Two runs at once: the second waits for the lock and finds the first one's image.
ensure_image() {
    local recipe=$1 name=${1##*/} hash target
    hash=$(input_hash "$recipe")
    target=$(cache_file "$name" "$hash")
    mkdir -p "$(dirname "$target")"
    if [[ ! -e $target ]]; then
        exec {lock}>"$(dirname "$target")/$name.lock"
        flock --nonblock "$lock" || { log "$name: waiting for another build"; flock "$lock"; }
        [[ -e $target ]] || build_image "$recipe" "$hash" "$target"
        exec {lock}>&-
    fi
    link_image "$target" "$output" "$(link_name "$name")"
}

main() {
    parse_arguments "$@"
    for recipe in "${images[@]}"; do
        ensure_image "$recipe"
    done
}

main "$@"
