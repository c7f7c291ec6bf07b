/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/waiter.h"

struct np_waiter {
	gatomicrefcount refs; /* the waiting thread's and the callbacks' */
	GMutex lock;
	GCond cond;
	char *subject;
	unsigned fired;
};

np_waiter *np_waiter_new(const char *subject)
{
	np_waiter *wait = g_new0(np_waiter, 1);
	g_atomic_ref_count_init(&wait->refs);
	g_mutex_init(&wait->lock);
	g_cond_init(&wait->cond);
	wait->subject = g_strdup(subject);
	return wait;
}

np_waiter *np_waiter_ref(np_waiter *wait)
{
	g_atomic_ref_count_inc(&wait->refs);
	return wait;
}

void np_waiter_unref(gpointer data)
{
	np_waiter *wait = data;
	if (!g_atomic_ref_count_dec(&wait->refs))
		return;
	g_mutex_clear(&wait->lock);
	g_cond_clear(&wait->cond);
	g_free(wait->subject);
	g_free(wait);
}

const char *np_waiter_subject(const np_waiter *wait)
{
	return wait->subject;
}

void np_waiter_fire(np_waiter *wait, unsigned bit)
{
	g_mutex_lock(&wait->lock);
	wait->fired |= bit;
	g_cond_signal(&wait->cond);
	g_mutex_unlock(&wait->lock);
}

unsigned np_waiter_fired(np_waiter *wait)
{
	g_mutex_lock(&wait->lock);
	unsigned fired = wait->fired;
	g_mutex_unlock(&wait->lock);
	return fired;
}

unsigned np_waiter_wait(np_waiter *wait, gint64 until)
{
	g_mutex_lock(&wait->lock);
	while (!wait->fired && g_cond_wait_until(&wait->cond, &wait->lock, until))
		;
	unsigned fired = wait->fired;
	g_mutex_unlock(&wait->lock);
	return fired;
}
