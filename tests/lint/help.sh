#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every command has a help that works, and a manual page, where there is one, that names each of its options.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

commands() {
    "$nestplan" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]\{1,\}\) .*/\1/p'
}

options() {
    grep -oE -- '--[a-z][a-z-]+' <<<"$1" | sort -u
}

# Of one page for all commands or one each.
manual() {
    local page
    for page in "docs/man/nestplan-$1.1" "docs/man/nestplan-$1.1.md" docs/man/nestplan.1 docs/man/nestplan.1.md; do
        if [[ -e $page ]]; then
            echo "$page"
            return
        fi
    done
}

check_command() {
    local command=$1 help page option text
    help=$("$nestplan" "$command" --help 2>&1) || complain "nestplan $command --help fails"
    [[ $help == "Usage: nestplan $command"* ]] || complain "nestplan $command --help does not begin with its usage"
    page=$(manual "$command")
    [[ $page ]] || return 0
    text=$(sed 's/\\-/-/g' "$page") # roff writes a dash as \-
    while read -r option; do
        [[ $text == *"$option"* ]] || complain "$page: does not tell of $option of $command"
    done < <(options "$help")
}

expect_code() {
    local wanted=$1 code=0
    shift
    "$@" >/dev/null 2>&1 </dev/null || code=$?
    ((code == wanted)) || complain "'${*##*/}' exits with $code, not $wanted"
}

mapfile -t names < <(commands)
((${#names[@]} >= 8)) || complain "nestplan --help lists only: ${names[*]}"
for name in "${names[@]}"; do
    check_command "$name"
done
expect_code 0 "$nestplan" --version
expect_code 64 "$nestplan"
expect_code 64 "$nestplan" no-such-command
expect_code 64 "$nestplan" plan --no-such-option
expect_code 3 "$nestplan" validate /dev/null
finish
