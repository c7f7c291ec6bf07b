/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/parallel.h"

#define THREADS 4
#define MANY    16 /* fewer are not worth a thread */

typedef struct {
	guint count, next; /* next: atomic */
	np_task_fn task;
	gpointer data;
} work;

static gpointer do_work(gpointer data)
{
	work *w = data;
	for (guint i; (i = (guint)g_atomic_int_add(&w->next, 1)) < w->count;)
		if (!w->task(i, w->data))
			g_atomic_int_set(&w->next, w->count);
	return NULL;
}

void np_parallel(guint count, np_task_fn task, gpointer data)
{
	work w = {count, 0, task, data};
	GThread *threads[THREADS] = {NULL};
	for (guint i = 1; i < THREADS && count >= MANY; i++)
		threads[i] = g_thread_new("libvirt", do_work, &w);
	(void)do_work(&w);
	for (guint i = 1; i < THREADS && threads[i]; i++)
		(void)g_thread_join(threads[i]);
}
