#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# In one boot of the rig: what concerns the host alone, with guests that only pretend. suite-nesting.sh runs beside it, on the
# other CPU.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
exec "$here/rig.sh" run --name suite-host --timeout 1100 "$here/refusals.sh" -- "$here/remote.sh" -- "$here/modes.sh"
