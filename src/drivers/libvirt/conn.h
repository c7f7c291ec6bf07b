/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a libvirt daemon, shared by threads. */
#pragma once
#include "drivers/driver.h"
#include "drivers/libvirt/handles.h"

struct np_conn {
	virConnectPtr vir;
	char *uri;   /* canonical */
	bool mock;   /* libvirt's in-process test driver: objects without bytes, no secrets, no domain capabilities */
	GMutex lock; /* guards pools and facts */
	np_host_facts *facts; /* asked for once: each question makes a daemon probe its emulators; NULL: not yet */
	GHashTable *pools; /* name → GMutex: libvirt refuses to refresh a pool that is being written to */
};

np_conn *np_conn_open(const char *uri, GError **error);
void np_conn_close(np_conn *conn);
bool np_conn_alive(np_conn *conn);
char *np_conn_uri(np_conn *conn);

/* Lock of a pool's name, made when first asked for; borrowed. */
GMutex *np_conn_pool_lock(np_conn *conn, const char *pool);

/* The one converter of libvirt's last error: "PREFIX: libvirt's words". `code` is used unless the library says that the
 * driver cannot do it (UNSUPPORTED) or that the connection broke (UNREACHABLE). A macro, because every libvirt call
 * forgets the last error, even the one that gets a name for the message. */
#define np_virt_error(error, code, ...)                                                                                \
	do {                                                                                                           \
		virErrorPtr np_cause = virSaveLastError();                                                             \
		int np_code = (code);                                                                                  \
		np_virt_error_from(np_cause, error, np_code, __VA_ARGS__);                                             \
	} while (0)
/* Takes cause. */
void np_virt_error_from(virErrorPtr cause, GError **error, int code, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* True when libvirt's last error in this thread has that code. */
bool np_virt_error_is(int code);

/* An array of handles as libvirt's ListAll functions fill it, into one that frees them. Takes the list. */
GPtrArray *np_virt_list(gpointer list, int count, GDestroyNotify free_handle);
