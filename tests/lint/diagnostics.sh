#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# docs/diagnostics.md is what `nestplan schema --diagnostics` prints from the table of codes.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

"$nestplan" schema --diagnostics | diff -u docs/diagnostics.md - ||
    complain "docs/diagnostics.md differs: $nestplan schema --diagnostics > docs/diagnostics.md"
finish
