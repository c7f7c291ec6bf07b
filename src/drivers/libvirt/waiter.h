/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt's event thread tells a thread that waits. */
#pragma once
#include <glib.h>

typedef struct np_waiter np_waiter;

/* subject: name of what is waited for, for the callback; may be NULL. */
np_waiter *np_waiter_new(const char *subject);
np_waiter *np_waiter_ref(np_waiter *wait);
/* As a GDestroyNotify and a virFreeCallback: libvirt drops its reference some time after a callback is deregistered. */
void np_waiter_unref(gpointer wait);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_waiter, np_waiter_unref)

const char *np_waiter_subject(const np_waiter *wait);
/* Notes that something happened, a bit of the caller's choice, and ends the waits. */
void np_waiter_fire(np_waiter *wait, unsigned bit);
/* What has happened so far. */
unsigned np_waiter_fired(np_waiter *wait);
/* Until anything has happened or the monotonic time `until` (microseconds) has come; returns what has. */
unsigned np_waiter_wait(np_waiter *wait, gint64 until);
