/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a domain: asked for, waited for by event, and forced after a time. */
#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/domain.h"
#include "drivers/libvirt/waiter.h"

/* A guest that is still booting does not hear the power button, so it is pressed again. */
/* The event ends the wait; with many connections' events at once libvirt's test driver loses some. */
#define LOOK_AGAIN_US (1 * G_USEC_PER_SEC)
#define PRESS_AGAIN_US (10 * G_USEC_PER_SEC)

enum { STOPPED = 1, CANCELLED = 2 };

static int on_lifecycle(virConnectPtr vir, virDomainPtr domain, int event, int detail, void *data)
{
	(void)vir;
	(void)domain;
	(void)detail;
	if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_UNDEFINED || event == VIR_DOMAIN_EVENT_CRASHED)
		np_waiter_fire(data, STOPPED);
	return 0;
}

static void on_cancel(GCancellable *cancel, gpointer data)
{
	(void)cancel;
	np_waiter_fire(data, CANCELLED);
}

/* Without flags libvirt asks the guest agent when it is connected, else it presses the ACPI button. */
static void ask(virDomainPtr domain, np_waiter *wait, gint64 deadline)
{
	gint64 press = 0;
	while (virDomainIsActive(domain) == 1 && !(np_waiter_fired(wait) & CANCELLED)) {
		gint64 now = g_get_monotonic_time();
		/* A guest that cannot be asked is waited for all the same: it may be on its way down. */
		if (now >= deadline)
			return;
		if (now >= press) {
			(void)virDomainShutdown(domain);
			press = now + PRESS_AGAIN_US;
		}
		np_waiter_wait(wait, MIN(deadline, now + LOOK_AGAIN_US));
	}
}

static void shut_down(np_conn *conn, virDomainPtr domain, guint64 timeout_ms, GCancellable *cancel)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)MIN(timeout_ms, G_MAXINT32) * 1000;
	g_autoptr(np_waiter) wait = np_waiter_new(NULL);
	int id = virConnectDomainEventRegisterAny(conn->vir, domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
	                                          VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), np_waiter_ref(wait),
	                                          np_waiter_unref);
	if (id < 0)
		np_waiter_unref(wait);
	gulong handler = cancel ? g_cancellable_connect(cancel, G_CALLBACK(on_cancel), wait, NULL) : 0;
	ask(domain, wait, deadline);
	if (handler)
		g_cancellable_disconnect(cancel, handler);
	if (id >= 0)
		(void)virConnectDomainEventDeregisterAny(conn->vir, id);
}

static bool cut_power(np_conn *conn, virDomainPtr domain, GError **error)
{
	/* It may have ended by itself just before: then the operation is not valid any more. */
	if (virDomainDestroy(domain) == 0 || np_virt_error_is(VIR_ERR_OPERATION_INVALID) ||
	    np_virt_error_is(VIR_ERR_NO_DOMAIN))
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be stopped at %s", virDomainGetName(domain),
	              conn->uri);
	return false;
}

bool np_domain_stop(np_conn *conn, const char *lab, const char *libvirt_name, guint64 timeout_ms, GCancellable *cancel,
                    GError **error)
{
	GError *local = NULL;
	g_autoptr(virDomain) domain = np_domain_find(conn, lab, libvirt_name, &local);
	if (!domain) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	if (virDomainIsActive(domain) == 0)
		return true;
	if (timeout_ms > 0)
		shut_down(conn, domain, timeout_ms, cancel);
	if (g_cancellable_is_cancelled(cancel)) {
		g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "The wait for domain '%s' to stop was cancelled.",
		            libvirt_name);
		return false;
	}
	return virDomainIsActive(domain) == 0 || cut_power(conn, domain, error);
}
