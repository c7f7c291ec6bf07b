/* SPDX-License-Identifier: Apache-2.0 */
/* What only the guest can finish: it is asked, and the event that says so is waited for. */
#include "drivers/libvirt/unplug.h"

#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "drivers/libvirt/waiter.h"

enum { GONE = 1, REFUSED = 2 };

static int watch(np_conn *conn, virDomainPtr domain, int event, virConnectDomainEventGenericCallback callback, np_waiter *wait)
{
	int id = virConnectDomainEventRegisterAny(conn->vir, domain, event, callback, np_waiter_ref(wait), np_waiter_unref);
	if (id < 0)
		np_waiter_unref(wait);
	return id;
}

static void unwatch(np_conn *conn, int id)
{
	if (id >= 0)
		(void)virConnectDomainEventDeregisterAny(conn->vir, id);
}

/* ── devices ── */

static void on_removed(virConnectPtr vir, virDomainPtr domain, const char *alias, void *data)
{
	(void)vir;
	(void)domain;
	if (strcmp(alias, np_waiter_subject(data)) == 0)
		np_waiter_fire(data, GONE);
}

static void on_refused(virConnectPtr vir, virDomainPtr domain, const char *alias, void *data)
{
	(void)vir;
	(void)domain;
	if (strcmp(alias, np_waiter_subject(data)) == 0)
		np_waiter_fire(data, REFUSED);
}

static bool unplug(np_conn *conn, virDomainPtr domain, np_waiter *wait, const char *what, gint64 patience_us, GError **error)
{
	const char *name = virDomainGetName(domain);
	if (virDomainDetachDeviceAlias(domain, np_waiter_subject(wait), VIR_DOMAIN_AFFECT_LIVE) < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "%s of running domain '%s' cannot be unplugged at %s", what, name, conn->uri);
		return false;
	}
	unsigned fired = np_waiter_wait(wait, g_get_monotonic_time() + patience_us);
	if (fired & GONE)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
	            "The guest '%s' did not let go of its %s%s; it may still be booting, or use it. Nothing of the definition was "
	            "changed: apply again, or restart the guest.", name, what, fired & REFUSED ? "" : " in time");
	return false;
}

bool np_domain_unplug(np_conn *conn, virDomainPtr domain, const char *alias, const char *what, gint64 patience_us,
                      GError **error)
{
	g_autoptr(np_waiter) wait = np_waiter_new(alias);
	int removed = watch(conn, domain, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_removed), wait);
	int refused = watch(conn, domain, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, VIR_DOMAIN_EVENT_CALLBACK(on_refused), wait);
	bool done = unplug(conn, domain, wait, what, patience_us, error);
	unwatch(conn, removed);
	unwatch(conn, refused);
	return done;
}

/* ── memory ── */

/* QEMU tells of changes at most once a second, and not of one that was made before it was asked. */
#define LOOK_AGAIN_US G_USEC_PER_SEC

static void on_balloon(virConnectPtr vir, virDomainPtr domain, unsigned long long actual, void *data)
{
	(void)vir;
	(void)domain;
	(void)actual;
	np_waiter_fire(data, GONE);
}

static guint64 balloon_size(virDomainPtr domain)
{
	virDomainInfo info = {0};
	return virDomainGetInfo(domain, &info) == 0 ? (guint64)info.memory * 1024 : 0;
}

guint64 np_domain_settle(np_conn *conn, virDomainPtr domain, guint64 bytes, gint64 patience_us)
{
	guint64 size = balloon_size(domain);
	gint64 deadline = g_get_monotonic_time() + patience_us;
	while (size != bytes && g_get_monotonic_time() < deadline) {
		g_autoptr(np_waiter) wait = np_waiter_new(NULL);
		int id = watch(conn, domain, VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon), wait);
		np_waiter_wait(wait, MIN(deadline, g_get_monotonic_time() + LOOK_AGAIN_US));
		unwatch(conn, id);
		guint64 now = balloon_size(domain);
		if (now != size)
			deadline = g_get_monotonic_time() + patience_us;
		size = now;
	}
	return size;
}

bool np_domain_balloon(np_conn *conn, virDomainPtr domain, guint64 bytes, gint64 patience_us, GError **error)
{
	const char *name = virDomainGetName(domain);
	if (virDomainSetMemoryFlags(domain, (unsigned long)(bytes / 1024), VIR_DOMAIN_AFFECT_LIVE) < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "The memory of running domain '%s' cannot be changed at %s", name, conn->uri);
		return false;
	}
	guint64 size = np_domain_settle(conn, domain, bytes, patience_us);
	if (size == bytes)
		return true;
	g_autofree char *is = np_size_human(size);
	g_autofree char *wanted = np_size_human(bytes);
	g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
	            "The guest '%s' has %s of memory and not %s as asked for: it uses it, or its kernel has no balloon driver. Apply "
	            "again later, or restart the guest.", name, is, wanted);
	return false;
}
