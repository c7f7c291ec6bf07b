/* SPDX-License-Identifier: Apache-2.0 */
/* Master connections: one handshake a node, shared by all that follows (libvirt's connection included). ssh itself
 * keeps the master in the background and ends it when it was idle for ControlPersist. */
#include "drivers/ssh/guests.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum { LOGIN_MS = 60 * 1000, END_MS = 5000, GONE_MS = 2000, SSH_FAILED = 255 };

char *np_last_line(const char *text)
{
	g_autofree char *copy = g_strdup(text ? text : "");
	g_strchomp(copy);
	const char *line = strrchr(copy, '\n');
	char *ret = g_strdup(line ? line + 1 : copy);
	return g_strstrip(ret);
}

bool np_master_exists(const np_guest *guest)
{
	return access(guest->socket, F_OK) == 0;
}

void np_master_end(const np_guests *guests, const np_guest *guest)
{
	if (!np_master_exists(guest))
		return;
	const char *argv[] = {guests->ssh, "-F", guests->config, "-O", "exit", guest->alias, NULL};
	g_auto(np_process_result) result = {0};
	bool asked = np_process_run(argv, NULL, END_MS, NULL, &result, NULL) && result.status == 0;
	/* it removes the socket as it ends; a new master must not be made before, or it would lose its own */
	for (unsigned ms = 0; asked && ms < GONE_MS && np_master_exists(guest); ms += 10)
		g_usleep(10 * 1000);
	(void)g_unlink(guest->socket);
}

/* What ssh says, and what it means for whoever waits. sshd of a booting guest closes connections or says so. */
static np_login classify(int status, const char *text)
{
	static const struct {
		const char *text;
		np_login means;
	} messages[] = {
	        {"REMOTE HOST IDENTIFICATION HAS CHANGED", NP_LOGIN_FOREIGN},
	        {"Host key verification failed", NP_LOGIN_FOREIGN},
	        {"no matching host key type", NP_LOGIN_FOREIGN},
	        {"System is booting up", NP_LOGIN_RETRY},
	        {"Permission denied", NP_LOGIN_REFUSED},
	        {"Too many authentication failures", NP_LOGIN_REFUSED},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
		if (strstr(text, messages[i].text) != NULL)
			return messages[i].means;
	}
	/* other codes are those of what was run instead of our command: "Please login as the user …" */
	return status == SSH_FAILED ? NP_LOGIN_RETRY : NP_LOGIN_REFUSED;
}

static char *refusal(int status, const np_process_result *result)
{
	g_autofree char *line = np_last_line(result->errors);
	if (*line == '\0' && status != SSH_FAILED) {
		g_free(line);
		line = np_last_line(result->output);
	}
	return *line ? g_steal_pointer(&line) : g_strdup_printf("ssh ended with code %d", status);
}

np_login np_master_login(const np_guests *guests, np_guest *guest, bool try, guint64 timeout_ms, GCancellable *cancel,
                         char **ret_message, GError **error)
{
	const char *const tried[] = {guests->ssh, "-F",         guests->config, "-o",   "ControlMaster=auto",
	                             "-T",        guest->alias, "--",           "true", NULL};
	const char *const only[] = {guests->ssh, "-F", guests->config, "-o", "ControlMaster=auto", "-N", guest->alias, NULL};
	const char *const *argv = try ? tried : only;
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) local = NULL;
	if (!np_process_run(argv, NULL, MIN(timeout_ms, (guint64)LOGIN_MS * np_guest_patience(guest)), cancel, &result, &local)) {
		if (!g_error_matches(local, NP_ERROR, NP_ERROR_UNREACHABLE)) {
			g_propagate_error(error, g_steal_pointer(&local));
			return NP_LOGIN_ERROR;
		}
		*ret_message = g_strdup("the login took too long");
		return NP_LOGIN_RETRY;
	}
	if (result.status == 0)
		return NP_LOGIN_DONE;
	*ret_message = refusal(result.status, &result);
	return classify(result.status, result.errors);
}

/* Only one thread makes the connection; the others find its socket. */
static bool ensure_one(np_guests *guests, np_guest *guest, guint64 timeout_ms, GCancellable *cancel, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->master);
	if (np_master_exists(guest))
		return true;
	g_autofree char *message = NULL;
	switch (np_master_login(guests, guest, false, timeout_ms, cancel, &message, error)) {
	case NP_LOGIN_DONE: return true;
	case NP_LOGIN_ERROR: return false;
	case NP_LOGIN_FOREIGN: np_guest_foreign(guests, guest, message, error); return false;
	case NP_LOGIN_RETRY:
	case NP_LOGIN_REFUSED: break;
	}
	g_autofree char *ip = np_guest_ip(guests, guest);
	g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "node '%s' (%s) cannot be logged in to: %s", guest->address,
	            ip, message);
	return false;
}

bool np_master_ensure(np_guests *guests, np_guest *guest, guint64 timeout_ms, GCancellable *cancel, GError **error)
{
	if (np_master_exists(guest))
		return true;
	if (guest->parent != NULL && !np_master_ensure(guests, guest->parent, timeout_ms, cancel, error))
		return false;
	return ensure_one(guests, guest, timeout_ms, cancel, error);
}
