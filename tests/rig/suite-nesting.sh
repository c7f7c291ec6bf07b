#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# In another boot of it: a lab with real guests, from nested=0 to nested=0. smoke.sh is the part that switches nothing, for use
# by hand.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
exec "$here/rig.sh" run --name suite-nesting --timeout 1100 "$here/nesting.sh"
