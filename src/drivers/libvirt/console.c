/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's serial console, read by the event thread. */
#include "drivers/libvirt/console.h"

#include "base/error.h"

#define CHUNK 4096

typedef struct {
	GRecMutex lock; /* held while fn runs, so that close returns only when it is over; fn may close */
	virStreamPtr stream;
	bool open;
	np_console_fn fn;
	gpointer data;
} console;

static void console_free(int timer, void *data)
{
	console *self = data;
	virEventRemoveTimeout(timer);
	g_rec_mutex_clear(&self->lock);
	virStreamFree(self->stream);
	g_free(self);
}

/* A callback may be on its way when it is removed, and the remote driver never calls its free function (libvirt 9.0,
 * remoteStreamCallbackFree). The event thread is past it when it comes to a timer that was set afterwards. */
static void free_later(console *self)
{
	(void)virStreamAbort(self->stream);
	(void)virEventAddTimeout(0, console_free, self, NULL);
}

/* Reads what is there. Returns false when there will be no more. */
static bool drain(console *self)
{
	char text[CHUNK];
	while (self->open) {
		int got = virStreamRecv(self->stream, text, sizeof(text));
		if (got == -2)
			return true;
		if (got <= 0)
			return false;
		self->fn(text, (gsize)got, self->data);
	}
	return true;
}

static void on_stream(virStreamPtr stream, int events, void *data)
{
	console *self = data;
	g_rec_mutex_lock(&self->lock);
	bool more = self->open;
	if (more && (events & VIR_STREAM_EVENT_READABLE))
		more = drain(self);
	else if (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP))
		more = false;
	/* Else the loop would report the end for ever. */
	if (!more && self->open)
		(void)virStreamEventUpdateCallback(stream, 0);
	g_rec_mutex_unlock(&self->lock);
}

static virStreamPtr attach(np_conn *conn, const char *libvirt_name, GError **error)
{
	g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, libvirt_name);
	g_autoptr(virStream) stream = domain ? virStreamNew(conn->vir, VIR_STREAM_NONBLOCK) : NULL;
	/* Not by force: another reader of the console keeps it. */
	if (stream && virDomainOpenConsole(domain, NULL, stream, 0) == 0)
		return g_steal_pointer(&stream);
	np_virt_error(error, NP_ERROR_FAILED, "The console of domain '%s' cannot be opened at %s", libvirt_name,
	              conn->uri);
	return NULL;
}

gpointer np_console_open(np_conn *conn, const char *libvirt_name, np_console_fn fn, gpointer data, GError **error)
{
	virStreamPtr stream = attach(conn, libvirt_name, error);
	if (!stream)
		return NULL;
	console *self = g_new0(console, 1);
	g_rec_mutex_init(&self->lock);
	self->stream = stream;
	self->open = true;
	self->fn = fn;
	self->data = data;
	if (virStreamEventAddCallback(stream,
	                              VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP,
	                              on_stream, self, NULL) == 0)
		return self;
	np_virt_error(error, NP_ERROR_FAILED, "The console of domain '%s' cannot be read at %s", libvirt_name,
	              conn->uri);
	free_later(self);
	return NULL;
}

void np_console_close(gpointer data)
{
	console *self = data;
	if (!self)
		return;
	g_rec_mutex_lock(&self->lock);
	self->open = false;
	g_rec_mutex_unlock(&self->lock);
	(void)virStreamEventRemoveCallback(self->stream);
	free_later(self);
}
