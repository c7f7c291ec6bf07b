/* SPDX-License-Identifier: Apache-2.0 */
/* Images that come from a web server: a copy in the user's cache folder. */
#pragma once
#include <gio/gio.h>
#include <stdbool.h>

/* While a download goes on: bytes of it that are there, of so many (0: not known). url: without what may be secret. */
typedef void (*np_fetch_fn)(const char *url, guint64 done, guint64 total, gpointer data);

typedef struct {
	np_fetch_fn progress; /* NULL: none */
	gpointer data;
	GCancellable *cancel; /* NULL: none */
} np_fetch_how;

/* Path of the copy of what the URL (http, https) names; it is downloaded when there is none. sha256: what it must have, NULL: anything.
 * A copy is kept for each pair of the two, so one without a sha256 stays what it was when it was first downloaded. What was cut off
 * goes on where it ended, if it can be told by the sha256 whether that was right. how: may be NULL. Caller frees. */
char *np_fetch(const char *url, const char *sha256, const np_fetch_how *how, GError **error);
