#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nestplan and its JSON Schema agree on thousands of labs, each with one change: Debian's python3-jsonschema is the judge.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lint/lib.bash"

if ! python3 -c 'import jsonschema, yaml; jsonschema.Draft202012Validator' 2>/dev/null; then
    echo 'python3-jsonschema and python3-yaml are not there: contrib/deps.sh --test'
    exit 77
fi
"${NESTPLAN_TESTS:-$source_root/build/release/tests}/mutants" | python3 tests/schema/agree.py schema/lab.schema.json ||
    complain 'the schema and nestplan do not agree'
finish
