/* SPDX-License-Identifier: Apache-2.0 */
/* GLib's locks are futexes inside a library that is not instrumented, so ThreadSanitizer does not see what they order and
 * would call every access that they guard a race. These wrappers take the place of GLib's functions in the tests of the
 * tsan preset, call the real ones, and tell. They add no order that GLib does not give. */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	g_assert(symbol);
	return symbol;
}

void g_mutex_lock(GMutex *mutex)
{
	REAL(g_mutex_lock)(mutex);
	__tsan_acquire(mutex);
}

void g_mutex_unlock(GMutex *mutex)
{
	__tsan_release(mutex);
	REAL(g_mutex_unlock)(mutex);
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
	__tsan_release(mutex);
	REAL(g_cond_wait)(cond, mutex);
	__tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
	__tsan_release(mutex);
	gboolean signalled = REAL(g_cond_wait_until)(cond, mutex, end);
	__tsan_acquire(mutex);
	return signalled;
}

void g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
	__tsan_release(data);
	REAL(g_async_queue_push)(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue *queue)
{
	gpointer data = REAL(g_async_queue_pop)(queue);
	__tsan_acquire(data);
	return data;
}

/* A pool's function gets the data that was pushed, in another thread. */
typedef struct {
	GFunc func;
	gpointer user_data;
} pool_call;

static void pool_enter(gpointer data, gpointer user_data)
{
	const pool_call *call = user_data;
	__tsan_acquire(data);
	call->func(data, call->user_data);
}

GThreadPool *g_thread_pool_new(GFunc func, gpointer user_data, gint max_threads, gboolean exclusive, GError **error)
{
	pool_call *call = g_new(pool_call, 1); /* lives as long as the test */
	*call = (pool_call){func, user_data};
	GThreadPool *pool = REAL(g_thread_pool_new)(pool_enter, call, max_threads, exclusive, error);
	__tsan_release(call);
	return pool;
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
	__tsan_release(data);
	return REAL(g_thread_pool_push)(pool, data, error);
}
