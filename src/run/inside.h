/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to do inside a guest whose machine was changed: texts of POSIX shell, for root. They use what a guest may
 * have of busybox, coreutils and util-linux; each line on stderr is for people, and exit code 3 says that something is
 * left that the guest has no program for. Pure; callers free. */
#pragma once
#include "lab/model.h"

#define NP_INSIDE_BY_HAND 3

/* Brings plugged vCPUs online, until there are as many. */
char *np_inside_vcpus(guint64 vcpus);
/* Takes root's keys with those ids (as np_access_keys_id gives them) out and puts others in, NULL-terminated lines; the rest of
 * authorized_keys stays. */
char *np_inside_keys(const char *before, const char *const *keys);
/* Grows the last partition of each disk, and the file system in it or on the disk itself, to the disk's size. serials: of
 * char*, as np_disk_serial gives them. What is grown already is left alone; so are disks that nothing known is on. */
char *np_inside_grow(const GPtrArray *serials);
/* Unmounts what is on disks that are to be taken away; fails when something uses it. */
char *np_inside_release(const GPtrArray *serials);
