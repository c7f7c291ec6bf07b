#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Uploads into a small file system (room.c), by a libvirtd that sees it: it is mounted in the test's own namespace.
set -euo pipefail
# shellcheck source=tests/e2e/own-daemon.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/own-daemon.bash"

start_own_daemon ''
mkdir "$own/small"
mount -t tmpfs -o size=2m,mode=0755 nptest "$own/small"
code=0
"$NESTPLAN_TESTS/room" "$own/small" || code=$?
umount "$own/small"
exit "$code"
