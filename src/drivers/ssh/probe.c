/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the banner of sshd: cheaper than logins, which cost an emulated guest seconds each. */
#include "drivers/ssh/guests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

enum { SSH_PORT = 22, CONNECT_MS = 1000, BANNER_MS = 20 * 1000, PAUSE_MS = 200, LOST_MS = 1000 };
enum { PROBE_TIMEOUT = 7, PROBE_NO_TOOL = 8 }; /* exit codes of the script */

typedef int owned_fd;
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(owned_fd, close, -1)

guint64 np_deadline_left(gint64 deadline)
{
	gint64 left = (deadline - g_get_monotonic_time()) / 1000;
	return left > 1 ? (guint64)left : 1;
}

/* True when the descriptor (-1: none) is ready in time. */
static bool ready(int fd, short events, guint64 ms, GCancellable *cancel)
{
	GPollFD cancel_fd = {.fd = -1};
	bool have = cancel != NULL && g_cancellable_make_pollfd(cancel, &cancel_fd);
	struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = cancel_fd.fd, .events = POLLIN}};
	int n = poll(fds, G_N_ELEMENTS(fds), (int)MIN(ms, (guint64)G_MAXINT));
	if (have)
		g_cancellable_release_fd(cancel);
	return n > 0 && fds[0].revents != 0;
}

static bool cancelled(GCancellable *cancel, GError **error)
{
	if (!g_cancellable_is_cancelled(cancel))
		return false;
	g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "waiting for the guest was interrupted");
	return true;
}

bool np_pause(guint64 ms, GCancellable *cancel, GError **error)
{
	if (!cancelled(cancel, NULL))
		(void)ready(-1, 0, ms, cancel);
	return !cancelled(cancel, error);
}

/* A short connect timeout asks anew instead of waiting for the kernel's growing retransmission times. */
static bool banner_seen(np_ip ip, guint64 left, GCancellable *cancel)
{
	g_auto(owned_fd) fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SSH_PORT), .sin_addr.s_addr = htonl(ip)};
	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 &&
	    (errno != EINPROGRESS || !ready(fd, POLLOUT, MIN(left, (guint64)CONNECT_MS), cancel)))
		return false;
	char text[4];
	if (!ready(fd, POLLIN, MIN(left, (guint64)BANNER_MS), cancel))
		return false;
	ssize_t n = recv(fd, text, sizeof text, 0);
	return n == (ssize_t)sizeof text && memcmp(text, "SSH-", sizeof text) == 0;
}

static void silent(np_guests *guests, np_guest *guest, const char *why, GError **error)
{
	g_autofree char *ip = np_guest_ip(guests, guest);
	g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
	            "node '%s' does not answer on port 22 of %s%s%s; look at its console", guest->address, ip,
	            why ? ": " : "", why ? why : "");
}

static bool wait_direct(np_guests *guests, np_guest *guest, gint64 deadline, GCancellable *cancel, GError **error)
{
	for (;;) {
		g_autofree char *text = np_guest_ip(guests, guest);
		np_ip ip = 0;
		if (np_ip_parse(text, &ip) && banner_seen(ip, np_deadline_left(deadline), cancel))
			return !cancelled(cancel, error);
		if (g_get_monotonic_time() >= deadline) {
			silent(guests, guest, NULL, error);
			return false;
		}
		if (!np_pause(PAUSE_MS, cancel, error))
			return false;
	}
}

/* Loops on the machine before the node, so that there is no login for each try. It counts by uptime, since the clock of
 * a guest may jump, and writes as it goes, so that it dies when nobody listens any more. */
static const char script[] =
        "ip=%s\n"
        "uptime() { read -r up _ < /proc/uptime; up=${up%%%%.*}; }\n"
        "if command -v bash > /dev/null && command -v timeout > /dev/null; then\n"
        "	probe() { timeout 10 bash -c 'exec 3<>/dev/tcp/$0/22 && IFS= read -r -n 4 -u 3 got &&\n"
        "		[ \"$got\" = SSH- ]' \"$ip\" 2> /dev/null; }\n"
        "elif command -v nc > /dev/null; then\n"
        "	probe() { [ \"$(nc -w 2 \"$ip\" 22 < /dev/null 2> /dev/null | head -c 4)\" = SSH- ]; }\n"
        "else\n"
        "	exit %d\n"
        "fi\n"
        "uptime\n"
        "end=$((up + %" G_GUINT64_FORMAT "))\n"
        "until probe; do\n"
        "	uptime\n"
        "	[ \"$up\" -lt \"$end\" ] || exit %d\n"
        "	printf .\n"
        "	sleep 0.2\n"
        "done\n";

static bool run_before(np_guests *guests, np_guest *guest, const char *text, guint64 timeout_ms, GCancellable *cancel,
                       np_process_result *ret, GError **error)
{
	if (guest->parent != NULL)
		return np_guest_run(guests, guest->parent, text, timeout_ms, cancel, ret, error);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_extend(argv, guests->hop->argv, NULL, NULL);
	const char *const rest[] = {"-T", "--", guests->hop->host, "sh", "-s", NULL};
	for (gsize i = 0; i < G_N_ELEMENTS(rest); i++)
		g_ptr_array_add(argv, (char *)rest[i]);
	return np_process_run((const char *const *)argv->pdata, text, timeout_ms, cancel, ret, error);
}

/* One connection to the machine before the node; it usually lasts until the answer. */
static bool wait_behind_once(np_guests *guests, np_guest *guest, gint64 deadline, GCancellable *cancel, bool *ret_again,
                             char **ret_why, GError **error)
{
	g_auto(np_process_result) result = {0};
	guint64 left = np_deadline_left(deadline);
	g_autofree char *ip = np_guest_ip(guests, guest);
	g_autofree char *text = g_strdup_printf(script, ip, PROBE_NO_TOOL, left / 1000 + 1, PROBE_TIMEOUT);
	g_autoptr(GError) local = NULL;
	if (!run_before(guests, guest, text, left, cancel, &result, &local)) {
		*ret_again = g_error_matches(local, NP_ERROR, NP_ERROR_UNREACHABLE);
		if (*ret_again && g_get_monotonic_time() < deadline) /* else the time was over, which says nothing */
			*ret_why = g_strdup(local->message);
		else if (!*ret_again)
			g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	*ret_again = result.status != 0 && result.status != PROBE_NO_TOOL;
	if (result.status == PROBE_NO_TOOL)
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "node '%s' cannot be waited for: the machine it runs on has neither "
		            "bash with timeout nor nc; add one of them to its image",
		            guest->address);
	else if (*ret_again && result.status != PROBE_TIMEOUT)
		*ret_why = np_last_line(result.errors);
	return result.status == 0;
}

static bool wait_behind(np_guests *guests, np_guest *guest, gint64 deadline, GCancellable *cancel, GError **error)
{
	for (;;) {
		bool again = false;
		g_autofree char *why = NULL;
		if (wait_behind_once(guests, guest, deadline, cancel, &again, &why, error))
			return true;
		if (!again)
			return false;
		if (g_get_monotonic_time() >= deadline) {
			silent(guests, guest, why && *why ? why : NULL, error);
			return false;
		}
		if (!np_pause(MIN((guint64)LOST_MS, np_deadline_left(deadline)), cancel, error))
			return false;
	}
}

bool np_probe_wait(np_guests *guests, np_guest *guest, gint64 deadline, GCancellable *cancel, GError **error)
{
	if (guest->parent == NULL && guests->hop == NULL)
		return wait_direct(guests, guest, deadline, cancel, error);
	return wait_behind(guests, guest, deadline, cancel, error);
}
