/* SPDX-License-Identifier: Apache-2.0 */
/* How rendering looks at what an image holds: a mounted disk, or a table in tests. */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct {
	gpointer data;
	/* Follows symbolic links, inside the guest's root. */
	bool (*exists)(gpointer data, const char *path);
	/* Target of a symbolic link, NULL when it is none. Caller frees. */
	char *(*link)(gpointer data, const char *path);
	/* Text of a small file, NULL when there is none. Caller frees. */
	char *(*read)(gpointer data, const char *path);
} np_guest_view;

bool np_view_exists(const np_guest_view *view, const char *path);
char *np_view_link(const np_guest_view *view, const char *path);
char *np_view_read(const np_guest_view *view, const char *path);
/* exists, or is a symbolic link to nowhere: a unit is enabled either way. */
bool np_view_present(const np_guest_view *view, const char *path);
