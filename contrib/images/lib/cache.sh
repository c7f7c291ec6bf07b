# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of the script that reads this file
# Which inputs make an image, and where it is kept.

cache_directory() {
    echo "${NESTPLAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nestplan}/images"
}

cache_file() {
    echo "$(cache_directory)/$1-${2:0:16}.qcow2"
}

link_name() {
    case $1 in
        hypervisor) echo debian-12-hypervisor.qcow2 ;;
        *) echo "$1.qcow2" ;;
    esac
}

# The packages a recipe names, one a line, with the kernel's flavour filled in.
packages_of() {
    recipe_cat "$1" packages | sed -e 's/#.*//' -e "s/@KERNEL@/$kernel/" -e '/^[[:space:]]*$/d'
}

# The versions that apt would install now; other dependencies do not count. Asking apt takes a second, so the
# answer is kept for as long as apt's lists and the names stay the same.
candidate_versions() {
    local key file
    key=$({ packages_of "$1"; stat -c '%n %s %Y' /var/lib/apt/lists/* 2>/dev/null; } | sha256sum | cut -c1-16)
    file=$(cache_directory)/versions/${1##*/}
    if [[ $(head -n 1 "$file" 2>/dev/null) != "$key" ]]; then
        mkdir -p "$(dirname "$file")"
        { echo "$key"; ask_apt "$1"; } >"$file.$$"
        mv "$file.$$" "$file"
    fi
    tail -n +2 "$file"
}

ask_apt() {
    packages_of "$1" | xargs apt-cache policy 2>/dev/null | grep -E '^[a-z0-9]|Candidate:' || true
}

# Names, modes and contents, without the place where they are checked out.
files_below() {
    (cd "$1" && shift && find "$@" \( -type f -o -type l \) -printf '%p %l %m\n' | sort &&
        find "$@" -type f -print0 | sort -z | xargs -0 sha256sum)
}

recipe_files() {
    local folder
    files_below "$here" build.sh lib initramfs
    recipe_chain "$1" | while read -r folder; do
        files_below "$(dirname "$folder")" "$(basename "$folder")"
    done
}

input_hash() {
    {
        echo "$suite $architecture $kernel $SOURCE_DATE_EPOCH"
        recipe_files "$1"
        candidate_versions "$1"
    } | sha256sum | cut -d' ' -f1
}

# A directory made here ignores itself in git, so that no image is ever committed.
link_image() {
    local target=$1 directory=$2 name=$3
    if [[ ! -d $directory ]]; then
        mkdir -p "$directory"
        echo '*' >"$directory/.gitignore"
    fi
    directory=$(cd "$directory" && pwd)
    ln -sfn "$target" "$directory/.$name.$$"
    mv -Tf "$directory/.$name.$$" "$directory/$name"
    echo "$directory/$name"
}
