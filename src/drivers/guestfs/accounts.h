/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/guestfs/seed.h"

/* inject.users: lines in passwd, group, shadow (and gshadow), a home with keys, a sudoers file. A user that the image
 * has keeps its number and home. No password is set. */
bool np_accounts_render(const GPtrArray *users, const np_guest_view *view, np_seed *seed, GError **error);
