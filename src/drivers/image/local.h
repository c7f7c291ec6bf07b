/* SPDX-License-Identifier: Apache-2.0 */
/* This machine's folders and programs. */
#pragma once
#include "world/world.h"

/* See np_image_ops. */
guint64 np_local_room(const char *storage);
void np_local_look(const char *storage, int uid, int gid, np_local_facts *ret);
