/* SPDX-License-Identifier: Apache-2.0 */
/* What is done in a node: waiting for its login, and running scripts. */
#include "drivers/ssh/guests.h"

#include "base/error.h"

enum { SSH_FAILED = 255, MASTER_MS = 30 * 1000, PAUSE_MS = 1000, REFUSALS = 4 };

void np_guest_foreign(np_guests *guests, np_guest *guest, const char *message, GError **error)
{
	g_autofree char *ip = np_guest_ip(guests, guest);
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
	            "what answers at %s is not node '%s': it shows another SSH host key (%s); "
	            "another machine may have its address, or its disk was not made by this lab",
	            ip, guest->address, message);
}

bool np_guest_run(np_guests *guests, np_guest *guest, const char *script, guint64 timeout_ms, GCancellable *cancel,
                  np_process_result *ret, GError **error)
{
	gint64 start = g_get_monotonic_time();
	if (!np_master_ensure(guests, guest, timeout_ms > 0 ? timeout_ms : G_MAXUINT64, cancel, error))
		return false;
	guint64 left = timeout_ms;
	if (timeout_ms > 0)
		left = np_deadline_left(start + (gint64)MIN(timeout_ms, (guint64)G_MAXINT) * 1000);

	const char *argv[] = {guests->ssh, "-F", guests->config, "-T", guest->alias, "--", "sh", "-s", NULL};
	g_auto(np_process_result) result = {0};
	if (!np_process_run(argv, script, left, cancel, &result, error)) {
		g_prefix_error(error, "node '%s': ", guest->address);
		return false;
	}
	if (result.status == SSH_FAILED) {
		g_autofree char *line = np_last_line(result.errors);
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "the connection to node '%s' was lost: %s",
		            guest->address, line);
		return false;
	}
	*ret = result;
	result = (np_process_result){0};
	return true;
}

/* A master that is left from before a reboot looks alive: only a command that comes back proves it. */
static bool master_works(np_guests *guests, np_guest *guest, guint64 left, GCancellable *cancel)
{
	if (!np_master_exists(guest))
		return false;
	g_auto(np_process_result) result = {0};
	const char *argv[] = {guests->ssh, "-F", guests->config, "-T", guest->alias, "--", "true", NULL};
	bool works =
	        np_process_run(argv, NULL, MIN(left, (guint64)MASTER_MS * np_guest_patience(guest)), cancel, &result, NULL) && result.status == 0;
	if (!works && !g_cancellable_is_cancelled(cancel))
		np_master_end(guests, guest);
	return works;
}

static void never_in(np_guests *guests, np_guest *guest, const char *message, GError **error)
{
	g_autofree char *ip = np_guest_ip(guests, guest);
	g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
	            "node '%s' answers on port 22 of %s, but root cannot log in: %s", guest->address, ip, message);
}

static bool wait_login(np_guests *guests, np_guest *guest, gint64 deadline, GCancellable *cancel, GError **error)
{
	for (unsigned refused = 0;;) {
		g_autofree char *message = NULL;
		g_mutex_lock(&guest->master);
		np_login login = np_master_login(guests, guest, true, np_deadline_left(deadline), cancel, &message, error);
		g_mutex_unlock(&guest->master);
		if (login == NP_LOGIN_DONE || login == NP_LOGIN_ERROR)
			return login == NP_LOGIN_DONE;
		if (login == NP_LOGIN_FOREIGN) {
			np_guest_foreign(guests, guest, message, error);
			return false;
		}
		refused += login == NP_LOGIN_REFUSED;
		if (refused >= REFUSALS || g_get_monotonic_time() >= deadline) {
			never_in(guests, guest, message, error);
			return false;
		}
		if (!np_pause(MIN((guint64)PAUSE_MS, np_deadline_left(deadline)), cancel, error))
			return false;
	}
}

bool np_guest_wait(np_guests *guests, np_guest *guest, guint64 timeout_ms, GCancellable *cancel, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)MIN(timeout_ms, (guint64)G_MAXINT) * 1000;
	if (master_works(guests, guest, np_deadline_left(deadline), cancel))
		return true;
	return np_probe_wait(guests, guest, deadline, cancel, error) &&
	       wait_login(guests, guest, deadline, cancel, error);
}
