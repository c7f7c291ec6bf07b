/* SPDX-License-Identifier: Apache-2.0 */
/* Tells at once when a domain that is waited for stops to run. */
#include "drivers/libvirt/watch.h"

#include "base/error.h"
#include "drivers/libvirt/conn.h"

typedef struct {
	gatomicrefcount refs; /* the caller's and libvirt's, which lets go some time after the callback is deregistered */
	GRecMutex lock;       /* held while fn runs, so that unwatch returns only when it is over */
	np_conn *conn;
	int id;
	bool open;
	np_stopped_fn fn;
	gpointer data;
} watch;

static void watch_unref(void *data)
{
	watch *self = data;
	if (!g_atomic_ref_count_dec(&self->refs))
		return;
	g_rec_mutex_clear(&self->lock);
	g_free(self);
}

static void tell(watch *self, bool off, const char *how)
{
	g_rec_mutex_lock(&self->lock);
	if (self->open)
		self->fn(off, how, self->data);
	g_rec_mutex_unlock(&self->lock);
}

/* libvirt has no reason of its own for what KVM cannot go on with; QEMU's log has the registers. */
static const char *paused_how(int reason)
{
	switch (reason) {
	case VIR_DOMAIN_PAUSED_USER: return "somebody suspended it";
	case VIR_DOMAIN_PAUSED_IOERROR: return "its hypervisor paused it after an error of a disk, which may be full";
	case VIR_DOMAIN_PAUSED_WATCHDOG: return "its watchdog paused it";
	case VIR_DOMAIN_PAUSED_CRASHED: return "its kernel crashed, and its hypervisor paused it";
	case VIR_DOMAIN_PAUSED_SAVE:
	case VIR_DOMAIN_PAUSED_SNAPSHOT:
	case VIR_DOMAIN_PAUSED_MIGRATION: return "it is paused while it is saved or migrated";
	default: return "its hypervisor paused it, for its CPU cannot go on (an internal error of KVM)";
	}
}

/* Whether it has stopped, and how: NULL when it runs. */
static const char *look(virDomainPtr domain, bool *off)
{
	int state = VIR_DOMAIN_NOSTATE, reason = 0;
	*off = true;
	if (virDomainGetState(domain, &state, &reason, 0) < 0)
		return NULL;
	switch (state) {
	case VIR_DOMAIN_PAUSED: *off = false; return paused_how(reason);
	case VIR_DOMAIN_CRASHED: return "its kernel crashed";
	case VIR_DOMAIN_SHUTOFF: return reason == VIR_DOMAIN_SHUTOFF_DESTROYED ? "somebody cut its power" : "it switched itself off";
	default: return NULL;
	}
}

/* Asked of libvirt's event thread, which may not ask libvirt: what the event says has to do. */
static int on_lifecycle(virConnectPtr vir G_GNUC_UNUSED, virDomainPtr domain G_GNUC_UNUSED, int event, int detail, void *data)
{
	switch (event) {
	case VIR_DOMAIN_EVENT_SUSPENDED:
		tell(data, false, detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR ? paused_how(VIR_DOMAIN_PAUSED_IOERROR)
		                  : detail == VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG ? paused_how(VIR_DOMAIN_PAUSED_WATCHDOG)
		                                                                  : "somebody or its hypervisor paused it; `virsh "
		                                                                    "domstate --reason` tells which");
		break;
	case VIR_DOMAIN_EVENT_STOPPED:
		tell(data, true, detail == VIR_DOMAIN_EVENT_STOPPED_DESTROYED ? "somebody cut its power"
		                 : detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED ? "it crashed"
		                 : detail == VIR_DOMAIN_EVENT_STOPPED_FAILED  ? "its QEMU ended with an error"
		                                                              : "it switched itself off");
		break;
	case VIR_DOMAIN_EVENT_CRASHED: tell(data, true, "its kernel crashed"); break;
	default: break;
	}
	return 0;
}

gpointer np_domain_watch(np_conn *conn, const char *libvirt_name, np_stopped_fn fn, gpointer data, GError **error)
{
	g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, libvirt_name);
	if (!domain) {
		np_virt_error(error, NP_ERROR_NOT_FOUND, "Domain '%s' cannot be looked up at %s", libvirt_name, conn->uri);
		return NULL;
	}
	watch *self = g_new0(watch, 1);
	g_atomic_ref_count_init(&self->refs);
	g_rec_mutex_init(&self->lock);
	self->conn = conn;
	self->open = true;
	self->fn = fn;
	self->data = data;
	g_atomic_ref_count_inc(&self->refs);
	self->id = virConnectDomainEventRegisterAny(conn->vir, domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
	                                            VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), self, watch_unref);
	if (self->id < 0)
		watch_unref(self);
	/* It may have stopped before. */
	bool off;
	const char *how = look(domain, &off);
	if (how)
		tell(self, off, how);
	return self;
}

void np_domain_unwatch(gpointer data)
{
	watch *self = data;
	if (!self)
		return;
	g_rec_mutex_lock(&self->lock);
	self->open = false;
	g_rec_mutex_unlock(&self->lock);
	if (self->id >= 0)
		(void)virConnectDomainEventDeregisterAny(self->conn->vir, self->id);
	watch_unref(self);
}
