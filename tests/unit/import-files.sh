#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nestplan import over libvirt's test driver: what is in import/*.xml makes the lab file in NAME.yaml, which is valid, and with --adopt
# the complaints or the lab file in NAME.adopt. NP_TEST_REGENERATE=1 rewrites both; read the difference.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
    printf 'FAILED: %s\n' "$*"
    failed=1
}

# import FILE OPTION...: standard output, then standard error and the exit code, without what is this machine's own.
import() {
    local uri=test://$1 code=0
    shift
    "$NESTPLAN" import --connect "$uri" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    cat "$work/out" "$work/err" | sed "s|$uri|test:///HOST|g"
    echo "exit code $code"
}

compare() {
    local golden=$1
    [[ ! ${NP_TEST_REGENERATE-} ]] || cp "$work/actual" "$golden"
    diff -u "$golden" "$work/actual" || complain "$golden differs"
}

expect() { # CODE PATTERN ARGUMENT...
    local wanted=$1 pattern=$2 code=0
    shift 2
    "$NESTPLAN" import "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    ((code == wanted)) || complain "import $* exits with $code, not $wanted: $(cat "$work/err")"
    grep -qF -- "$pattern" "$work/err" || complain "import $*: no '$pattern' in: $(cat "$work/err")"
    [[ ! -s $work/out ]] || complain "import $*: writes a lab file all the same"
}

for file in "$here"/import/*.xml; do
    import "$file" >"$work/actual"
    compare "${file%.xml}.yaml"
    "$NESTPLAN" validate "$work/out" >/dev/null 2>"$work/err" || complain "$file: what was written is not valid: $(cat "$work/err")"
    import "$file" --adopt --auto-approve --name taken --storage /srv/labs >"$work/actual"
    compare "${file%.xml}.adopt"
    [[ ! -s $work/out ]] || "$NESTPLAN" validate "$work/out" >/dev/null || complain "$file: what was adopted is not valid"
done

plain=test://$here/import/plain.xml
expect 1 "Domain 'nobody' cannot be found" --connect "$plain" nobody
expect 64 "Domain 'web' is named twice" --connect "$plain" web web
expect 64 'a name is up to 31 small letters' --connect "$plain" --name Web
expect 3 "a lab cannot be named 'images'" --connect "$plain" --name images
expect 1 'cannot be reached' --connect test:///no/such/file
# Without a terminal nobody can agree, and nothing is done.
"$NESTPLAN" import --connect "$plain" --adopt </dev/null >/dev/null 2>"$work/err" && complain 'adopts unasked'
grep -qF -- --auto-approve "$work/err" || complain "does not name --auto-approve: $(cat "$work/err")"
# A full disk is told before anything is changed.
"$NESTPLAN" import --connect "$plain" --adopt --auto-approve >/dev/full 2>"$work/err" && complain 'adopts without having written the lab file'
grep -qF 'Nothing was changed' "$work/err" || complain "a full disk: $(cat "$work/err")"
exit "$failed"
