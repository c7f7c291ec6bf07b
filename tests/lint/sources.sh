#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every source says its licence, and every script passes shellcheck.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

# Scripts that become parts of guest images are inputs of their hash and not the project's program: no SPDX line there.
licensed_files() {
    find src tests contrib .ci \( -path contrib/images -o -name build \) -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.sh' -o -name '*.bash' -o -name CMakeLists.txt -o -path .ci/run \) -print
    echo CMakeLists.txt
}

check_licences() {
    local file
    while read -r file; do
        [[ $(head -n 3 "$file") == *'SPDX-License-Identifier: Apache-2.0'* ]] || complain "$file: has no SPDX line at its top"
    done < <(licensed_files)
}

# Scripts that are started; what they read in is checked with them (-x -a). SC2016: a $ in single quotes is meant.
started_scripts() {
    find "$@" -type f \( -name '*.sh' -o -path .ci/run \) -exec grep -lE '^#!/bin/(ba)?sh' {} +
}

check_scripts() {
    local ours images
    mapfile -t ours < <(started_scripts tests contrib .ci | grep -v '^contrib/images/')
    mapfile -t images < <(started_scripts contrib/images)
    shellcheck -x -a -P SCRIPTDIR -P . -e SC2016 "${ours[@]}" || complain 'shellcheck complains'
    # The image recipes set variables for the scripts that read them in by a computed name.
    shellcheck -x -a -P SCRIPTDIR -P contrib/images -e SC2016,SC2034,SC2154 "${images[@]}" || complain 'shellcheck complains'
}

check_licences
check_scripts
finish
