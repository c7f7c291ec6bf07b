/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* Does one of many tasks; false ends all of them as soon as may be. */
typedef bool (*np_task_fn)(guint i, gpointer data);

/* Calls the function for each number below `count`, in this thread and, when there are many, in a few others. libvirtd answers
 * five questions of one connection at once (max_client_requests of libvirtd.conf). Returns when all are done. */
void np_parallel(guint count, np_task_fn task, gpointer data);
