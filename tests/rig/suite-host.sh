#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All that runs in the rig, in one boot of it: ctest -L rig. smoke.sh is the part of nesting.sh that switches nothing, for
# use by hand. What takes longest comes last, so that the rest says early what is wrong.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
for tool in qemu-system-x86_64 mmdebstrap setpriv cc; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: $tool is not installed (contrib/deps.sh --test)"; exit 77; }
done
exec "$here/rig.sh" run --name suite --timeout 2400 "$here/refusals.sh" -- "$here/remote.sh" -- "$here/modes.sh" -- "$here/nesting.sh"
