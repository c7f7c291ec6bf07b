/* SPDX-License-Identifier: Apache-2.0 */
/* One writer a lab: a libvirt secret at the root site, whose description names the holder. */
#pragma once
#include "world/session.h"

typedef struct np_lock np_lock;

/* Waits up to timeout_ms (0: fails at once) for the lab's lock; NP_ERROR_BUSY names the holder. A lock whose holder ran on
 * this machine and is gone is taken over. A host without secrets (test:///) is not locked: an empty lock is returned. */
np_lock *np_lock_acquire(np_session *session, const char *lab, guint64 timeout_ms, GCancellable *cancel, GError **error);
/* Releases; NULL-tolerant. */
void np_lock_release(np_lock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_lock, np_lock_release)
