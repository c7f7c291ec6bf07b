/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/conn.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xmlschemastypes.h>

#include "base/error.h"

#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      5
#define WAKE_MS              1000

static void ignore_error(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

static void wake(int timer, void *data)
{
	(void)timer;
	(void)data;
}

/* Keepalives, events and streams are served here. One failed iteration says nothing about the next. */
static gpointer run_events(gpointer data)
{
	(void)data;
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			g_usleep(WAKE_MS * 1000);
	return NULL;
}

/* libvirt's event loop belongs to the process and must exist before the first connection. */
static void init_once(void)
{
	static gsize done;
	if (!g_once_init_enter(&done))
		return;
	xmlInitParser();
	/* By themselves they are made by the first to ask, without a lock; libvirt's test driver validates in our threads. */
	xmlSchemaInitTypes();
	xmlRelaxNGInitTypes();
	virInitialize();
	virSetErrorFunc(NULL, ignore_error);
	virEventRegisterDefaultImpl();
	virEventAddTimeout(WAKE_MS, wake, NULL, NULL);
	g_thread_unref(g_thread_new("libvirt-events", run_events, NULL));
	g_once_init_leave(&done, 1);
}

static void free_lock(gpointer data)
{
	g_mutex_clear(data);
	g_free(data);
}

np_conn *np_conn_open(const char *uri, GError **error)
{
	init_once();
	g_autoptr(virConnect) vir = virConnectOpen(uri);
	if (!vir) {
		np_virt_error(error, NP_ERROR_UNREACHABLE,
		              "The hypervisor at %s cannot be reached; check that libvirtd runs there",
		              uri ? uri : "libvirt's default URI");
		return NULL;
	}
	/* Not every driver has it; without it a dead connection is noticed later. */
	(void)virConnectSetKeepAlive(vir, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
	np_conn *conn = g_new0(np_conn, 1);
	char *canonical = virConnectGetURI(vir);
	conn->uri = g_strdup(canonical ? canonical : uri);
	free(canonical);
	conn->mock = conn->uri && g_str_has_prefix(conn->uri, "test:");
	conn->vir = g_steal_pointer(&vir);
	g_mutex_init(&conn->lock);
	conn->pools = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_lock);
	return conn;
}

void np_conn_close(np_conn *conn)
{
	if (!conn)
		return;
	virConnectClose(conn->vir);
	g_hash_table_unref(conn->pools);
	if (conn->facts)
		np_host_facts_clear(conn->facts);
	g_free(conn->facts);
	g_mutex_clear(&conn->lock);
	g_free(conn->uri);
	g_free(conn);
}

bool np_conn_alive(np_conn *conn)
{
	return virConnectIsAlive(conn->vir) == 1;
}

char *np_conn_uri(np_conn *conn)
{
	return g_strdup(conn->uri);
}

GMutex *np_conn_pool_lock(np_conn *conn, const char *pool)
{
	g_mutex_lock(&conn->lock);
	GMutex *lock = g_hash_table_lookup(conn->pools, pool);
	if (!lock) {
		lock = g_new(GMutex, 1);
		g_mutex_init(lock);
		g_hash_table_insert(conn->pools, g_strdup(pool), lock);
	}
	g_mutex_unlock(&conn->lock);
	return lock;
}

static int error_code(const virError *cause, int code)
{
	if (cause && cause->code == VIR_ERR_NO_SUPPORT)
		return NP_ERROR_UNSUPPORTED;
	if (cause && (cause->domain == VIR_FROM_RPC || cause->code == VIR_ERR_RPC))
		return NP_ERROR_UNREACHABLE;
	return code;
}

void np_virt_error_from(virErrorPtr cause, GError **error, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *prefix = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *words = g_strdup(cause && cause->message ? cause->message : "libvirt gives no reason");
	g_set_error(error, NP_ERROR, error_code(cause, code), "%s: %s.", prefix, g_strchomp(words));
	virFreeError(cause);
}

bool np_virt_error_is(int code)
{
	return virGetLastErrorCode() == code;
}

GPtrArray *np_virt_list(gpointer list, int count, GDestroyNotify free_handle)
{
	GPtrArray *array = g_ptr_array_new_with_free_func(free_handle);
	gpointer *handles = list;
	for (int i = 0; i < count; i++)
		g_ptr_array_add(array, handles[i]);
	free(list);
	return array;
}
