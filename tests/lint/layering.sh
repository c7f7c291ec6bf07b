#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The table of docs/architecture.md, held: which folder of src/ includes what, and what only one of them may do.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

# FOLDER → folders (or single headers) that it may include beside itself.
declare -A allowed=(
    [base]=''
    [lab]='base'
    [world]='base lab drivers/driver.h'
    [plan]='base lab world'
    [run]='base lab world plan drivers/driver.h'
    [drivers]='base lab world'
    [drivers/libvirt]='base lab world drivers/driver.h'
    [drivers/kmod]='base lab world drivers/driver.h'
    [drivers/guestfs]='base lab world drivers/driver.h'
    [drivers/ssh]='base lab world drivers/driver.h'
    [drivers/image]='base lab world drivers/driver.h'
    [cli]='base lab world plan run drivers drivers/image'
)

# A library's header → the one folder that knows the library.
declare -A home=(
    ['yaml\.h']=lab
    ['libvirt/']=drivers/libvirt
    ['libxml/']=drivers/libvirt
    ['libkmod\.h']=drivers/kmod
    ['guestfs\.h']=drivers/guestfs
)

may_include() {
    local from=$1 header=$2 item
    [[ $(dirname "$header") != "$from" ]] || return 0
    for item in ${allowed[$from]}; do
        [[ $header != "$item" && $(dirname "$header") != "$item" ]] || return 0
    done
    return 1
}

check_includes() {
    local file from header
    while IFS=: read -r file header; do
        from=$(dirname "${file#src/}")
        if [[ ! -v allowed[$from] ]]; then
            complain "$file: src/$from is not a folder of docs/architecture.md"
        elif [[ $header != */* ]]; then
            complain "$file: includes \"$header\" without its folder"
        elif ! may_include "$from" "$header"; then
            complain "$file: src/$from must not include \"$header\""
        fi
    done < <(grep -rEo --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' src |
        sed -E 's/:.*"([^"]+)"/:\1/')
}

check_libraries() {
    local header file
    for header in "${!home[@]}"; do
        while read -r file; do
            [[ $(dirname "${file#src/}") == "${home[$header]}" ]] ||
                complain "$file: only src/${home[$header]} may include <${header//\\/}…>"
        done < <(grep -rlE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$header" src)
    done
    (($(grep -rlE --include='*.[ch]' '#[[:space:]]*include[[:space:]]*<yaml\.h>' src | wc -l) == 1)) ||
        complain 'yaml.h is included by more than one file'
}

# The code of a file without comments and strings, each line with the file's name before it.
bare_code() {
    gcc -fpreprocessed -dD -E "$1" 2>/dev/null | sed -E -e '/^#/d' -e 's/"([^"\\]|\\.)*"/""/g' -e "s|^|$1: |"
}

# complain_of_calls NAMES WHY, of the code on stdin. Members (x->exit()) are not meant.
complain_of_calls() {
    local place
    while read -r place; do
        complain "$place): $2"
    done < <(grep -E "[^A-Za-z0-9_>.]($1)[[:space:]]*\(" | sed -E "s/^([^:]+): .*[^A-Za-z0-9_>.]($1)[[:space:]]*\(.*/\1: calls \2(/" | sort -u)
}

check_calls() {
    local file code
    code=$(find src -name '*.[ch]' | while read -r file; do bare_code "$file"; done)
    complain_of_calls 'system|popen|g_spawn_command_line_a?sync' 'processes are started by an argument vector' <<<"$code"
    complain_of_calls 'printf|fprintf|vprintf|puts|putchar|perror|exit|g_print|g_printerr' 'only src/cli prints and exits' \
        < <(grep -v '^src/cli/' <<<"$code")
}

check_includes
check_libraries
check_calls
finish
