#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# schema/lab.schema.json is what `nestplan schema` prints from the field tables.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

"$nestplan" schema | diff -u schema/lab.schema.json - ||
    complain "schema/lab.schema.json differs: $nestplan schema > schema/lab.schema.json"
"$nestplan" schema | jq -e '."$schema" and .properties.nodes' >/dev/null || complain 'the schema is not one'
finish
