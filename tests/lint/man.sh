#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The field reference in nestplan-lab(5), between its two comments, is what `nestplan schema --man` prints from the field
# tables; NP_TEST_REGENERATE=1 rewrites it.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

page=docs/man/nestplan-lab.5
begin='.\" Written by nestplan schema --man:'
end='.\" End of what nestplan schema --man writes.'

wanted() {
    sed "/^\\.\\\\\" Written by/q" "$page"
    "$nestplan" schema --man
    sed -n "/^\\.\\\\\" End of what/,\$p" "$page"
}

grep -qF -- "$begin" "$page" || complain "$page: has no comment '$begin'"
grep -qF -- "$end" "$page" || complain "$page: has no comment '$end'"
if [[ ${NP_TEST_REGENERATE-} ]]; then
    text=$(wanted)
    printf '%s\n' "$text" >"$page"
fi
diff -u "$page" <(wanted) || complain "$page differs from the field tables: NP_TEST_REGENERATE=1 $0"
# Unknown requests and undefined strings are warnings of groff.
if command -v groff >/dev/null; then
    complaint=$(groff -man -Tutf8 -ww -z "$page" 2>&1) || true
    [[ -z $complaint ]] || complain "$page: $complaint"
fi
finish
