# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the lint tests share: a list of complaints, and an exit code from it.
set -euo pipefail

source_root=${NESTPLAN_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck disable=SC2034 # for the scripts that read this
nestplan=${NESTPLAN:-$source_root/build/release/nestplan}
cd "$source_root"

complaints=0
complain() {
    printf '%s\n' "$*"
    complaints=$((complaints + 1))
}

finish() {
    if ((complaints)); then
        printf '%s complaint(s)\n' "$complaints"
        exit 1
    fi
}
