/* SPDX-License-Identifier: Apache-2.0 */
#include "run/lock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

struct np_lock {
	np_session *session;
	char *usage;
	char *text; /* our description */
	bool held;
};

/* Identifies a process for as long as the machine runs: pids are used again, start times are not. */
static char *process_start(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	const char *end = strrchr(text, ')'); /* the command may contain anything */
	if (!end)
		return NULL;
	g_auto(GStrv) fields = g_strsplit(end + 2, " ", -1);
	return g_strv_length(fields) > 19 ? g_strdup(fields[19]) : NULL;
}

static char *boot_id(void)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
		return g_strdup("unknown");
	return g_strdup(g_strstrip(text));
}

/* "nestplan lock: alice@box pid 12 since 2026-11-22T10:00:00Z [boot start]" */
static char *describe(void)
{
	g_autofree char *boot = boot_id();
	g_autofree char *start = process_start(getpid());
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *when = g_date_time_format_iso8601(now);
	return g_strdup_printf("nestplan lock: %s@%s pid %d since %s [%s %s]", g_get_user_name(), g_get_host_name(), (int)getpid(),
	                       when, boot, start ? start : "-");
}

/* True when the holder was a process of this boot of this machine that no longer exists. */
static bool is_stale(const char *description)
{
	g_autoptr(GRegex) regex = g_regex_new(" pid (\\d+) since \\S+ \\[(\\S+) (\\S+)\\]$", 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	if (!description || !g_regex_match(regex, description, 0, &match))
		return false;
	g_autofree char *pid = g_match_info_fetch(match, 1), *boot = g_match_info_fetch(match, 2);
	g_autofree char *start = g_match_info_fetch(match, 3);
	g_autofree char *ours = boot_id();
	g_autofree char *host = g_strdup_printf("@%s pid ", g_get_host_name());
	if (!strstr(description, host))
		return false;
	if (!g_str_equal(boot, ours))
		return true; /* this machine has been rebooted since */
	g_autofree char *now = process_start(atoi(pid));
	return !now || !g_str_equal(now, start);
}

static void busy(GError **error, const char *lab, const char *holder)
{
	g_autofree char *who = g_strdup(holder ? holder : "somebody");
	char *bracket = strstr(who, " [");
	if (bracket)
		*bracket = '\0';
	const char *text = g_str_has_prefix(who, "nestplan lock: ") ? who + strlen("nestplan lock: ") : who;
	g_set_error(error, NP_ERROR, NP_ERROR_BUSY,
	            "Lab '%s' is being changed by %s. Wait for it (--lock-timeout 10m); if that run is surely gone, remove the lock: "
	            "virsh secret-list, then virsh secret-undefine the UUID of nestplan/%s/lock.", lab, text, lab);
}

/* 1: taken, 0: somebody has it, -1: error */
static int try_once(np_lock *lock, const char *text, GError **error)
{
	const np_hypervisor_ops *ops = np_session_drivers(lock->session)->hypervisor;
	np_conn *root = np_session_root(lock->session);
	g_autoptr(GBytes) value = g_bytes_new_static("lock", 4);
	g_autoptr(GError) local = NULL;
	if (ops->secret_create(root, lock->usage, text, value, &local)) {
		lock->held = true;
		return 1;
	}
	if (g_error_matches(local, NP_ERROR, NP_ERROR_UNSUPPORTED))
		return 1;
	if (g_error_matches(local, NP_ERROR, NP_ERROR_BUSY))
		return 0;
	g_propagate_error(error, g_steal_pointer(&local));
	return -1;
}

static int take(np_lock *lock, const char *text, GError **error)
{
	int got = try_once(lock, text, error);
	if (got != 0)
		return got;
	const np_hypervisor_ops *ops = np_session_drivers(lock->session)->hypervisor;
	np_conn *root = np_session_root(lock->session);
	g_autofree char *holder = ops->secret_describe(root, lock->usage);
	if (!is_stale(holder))
		return 0;
	if (!ops->secret_delete(root, lock->usage, holder, error))
		return -1;
	return try_once(lock, text, error);
}

np_lock *np_lock_acquire(np_session *session, const char *lab, guint64 timeout_ms, GCancellable *cancel, GError **error)
{
	g_autoptr(np_lock) lock = g_new0(np_lock, 1);
	lock->session = session;
	lock->usage = np_secret_usage(lab, "lock");
	lock->text = describe();
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	for (;;) {
		int got = take(lock, lock->text, error);
		if (got > 0)
			return g_steal_pointer(&lock);
		if (got < 0)
			return NULL;
		if (g_get_monotonic_time() >= deadline || g_cancellable_is_cancelled(cancel))
			break;
		g_usleep(200000); /* libvirt 9.0 has secret events only for daemons with a secret driver of their own */
	}
	g_autofree char *holder = np_session_drivers(session)->hypervisor->secret_describe(np_session_root(session), lock->usage);
	busy(error, lab, holder);
	return NULL;
}

void np_lock_release(np_lock *lock)
{
	if (!lock)
		return;
	if (lock->held)
		np_session_drivers(lock->session)
			->hypervisor->secret_delete(np_session_root(lock->session), lock->usage, lock->text, NULL);
	g_free(lock->text);
	g_free(lock->usage);
	g_free(lock);
}
