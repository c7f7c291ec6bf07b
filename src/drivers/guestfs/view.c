/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/view.h"

bool np_view_exists(const np_guest_view *view, const char *path)
{
	return view->exists(view->data, path);
}

char *np_view_link(const np_guest_view *view, const char *path)
{
	return view->link(view->data, path);
}

char *np_view_read(const np_guest_view *view, const char *path)
{
	return view->read(view->data, path);
}

bool np_view_present(const np_guest_view *view, const char *path)
{
	if (np_view_exists(view, path))
		return true;
	g_autofree char *target = np_view_link(view, path);
	return target != NULL;
}
