/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/appliance.h"

#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/guestfs/guestlog.h"

#define MEMORY_MIB 768
#define VCPUS      1 /* a second one costs a quarter more CPU time and starts no sooner */

struct np_appliance {
	guestfs_h *handle;
	np_guestlog log;
	GCancellable *cancel;
	gulong cancel_id;
	pid_t thread; /* that launched: QEMU is its child */
	gint launching;
};

/* libguestfs says QEMU's process id only after the launch. Until then: the launching thread's child of that name. */
static void kill_qemu(pid_t thread)
{
	g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)thread);
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	for (unsigned i = 0; words[i] != NULL; i++) {
		pid_t pid = (pid_t)g_ascii_strtoll(words[i], NULL, 10);
		g_autofree char *comm_path = g_strdup_printf("/proc/%d/comm", (int)pid);
		g_autofree char *comm = NULL;
		if (pid > 1 && g_file_get_contents(comm_path, &comm, NULL, NULL) && strstr(comm, "qemu") != NULL)
			(void)kill(pid, SIGKILL);
	}
}

/* Runs in the thread that cancels. The overlays are thrown away, so QEMU need not end well. */
static void cancelled(GCancellable *cancel, gpointer data)
{
	np_appliance *appliance = data;
	(void)cancel;
	(void)guestfs_user_cancel(appliance->handle);
	kill_qemu(appliance->thread);
}

static void event(guestfs_h *handle, void *data, uint64_t kind, int id, int flags, const char *text, size_t length,
                  const uint64_t *array, size_t array_length)
{
	np_appliance *appliance = data;
	(void)handle, (void)id, (void)flags, (void)array, (void)array_length;
	if (kind != GUESTFS_EVENT_PROGRESS)
		np_guestlog_add(&appliance->log, text, length);
	/* Cancelled before QEMU ran: there was nothing to kill yet. */
	if (g_cancellable_is_cancelled(appliance->cancel) && g_atomic_int_get(&appliance->launching))
		kill_qemu(appliance->thread);
}

bool np_appliance_fail(np_appliance *appliance, GError **error, const char *what, ...)
{
	if (g_cancellable_is_cancelled(appliance->cancel)) {
		g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "interrupted while its disk was being written");
		return false;
	}
	const char *why = guestfs_last_error(appliance->handle);
	va_list arguments;
	va_start(arguments, what);
	g_autofree char *text = g_strdup_vprintf(what, arguments);
	va_end(arguments);
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "%s failed: %s", text, why ? why : "libguestfs gave no reason");
	return false;
}

static bool launch_fail(np_appliance *appliance, GError **error)
{
	if (g_cancellable_is_cancelled(appliance->cancel)) {
		g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "interrupted while the libguestfs appliance started");
		return false;
	}
	const char *why = guestfs_last_error(appliance->handle);
	g_autofree char *log = np_guestlog_text(&appliance->log);
	g_autofree char *all = g_strconcat(why ? why : "", "\n", log, NULL);
	const char *hint = np_guestlog_hint(all);
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "the libguestfs appliance did not start: %s%s%s%s%s",
	            hint ? hint : "", hint ? " " : "", why ? why : "libguestfs gave no reason",
	            *log ? "\nIts last messages:\n" : "", log);
	return false;
}

/* The same for every appliance: no network, a process group of its own (^C is ours), and no sync at its end, which
 * takes seconds: each disk has been unmounted before. */
static bool configure(np_appliance *appliance, const char *const *paths, bool kvm, GError **error)
{
	guestfs_h *g = appliance->handle;
	guestfs_set_error_handler(g, NULL, NULL);
	bool good = guestfs_set_backend(g, "direct") == 0 && guestfs_set_network(g, 0) == 0 &&
	            guestfs_set_pgroup(g, 1) == 0 && guestfs_set_autosync(g, 0) == 0 &&
	            guestfs_set_memsize(g, MEMORY_MIB) == 0 && guestfs_set_smp(g, VCPUS) == 0;
	if (good && !kvm)
		good = guestfs_set_backend_setting(g, "force_tcg", "1") == 0;
	if (!good)
		return np_appliance_fail(appliance, error, "configuring the libguestfs appliance");
	if (guestfs_set_event_callback(g, event,
	                               GUESTFS_EVENT_APPLIANCE | GUESTFS_EVENT_LIBRARY | GUESTFS_EVENT_PROGRESS, 0,
	                               appliance) == -1)
		return np_appliance_fail(appliance, error, "watching the libguestfs appliance");
	for (unsigned i = 0; paths[i] != NULL; i++)
		/* Thrown away unless all goes well: no flush in between is worth its time. */
		if (guestfs_add_drive_opts(g, paths[i], GUESTFS_ADD_DRIVE_OPTS_FORMAT, "qcow2",
		                           GUESTFS_ADD_DRIVE_OPTS_CACHEMODE, "unsafe", -1) == -1)
			return np_appliance_fail(appliance, error, "adding the disk '%s' to the libguestfs appliance",
			                         paths[i]);
	return true;
}

static bool launch(np_appliance *appliance, GError **error)
{
	g_atomic_int_set(&appliance->launching, 1);
	int result = guestfs_launch(appliance->handle);
	g_atomic_int_set(&appliance->launching, 0);
	return result == 0 || launch_fail(appliance, error);
}

np_appliance *np_appliance_open(const char *const *paths, bool kvm, GCancellable *cancel, GError **error)
{
	g_autoptr(np_appliance) appliance = g_new0(np_appliance, 1);
	np_guestlog_init(&appliance->log);
	appliance->thread = gettid();
	appliance->handle = guestfs_create_flags(GUESTFS_CREATE_NO_CLOSE_ON_EXIT);
	if (appliance->handle == NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "libguestfs cannot be used: %s", g_strerror(errno));
		return NULL;
	}
	if (!configure(appliance, paths, kvm, error))
		return NULL;
	if (cancel != NULL) {
		appliance->cancel = g_object_ref(cancel);
		appliance->cancel_id = g_cancellable_connect(cancel, G_CALLBACK(cancelled), appliance, NULL);
	}
	if (g_cancellable_is_cancelled(cancel)) {
		(void)launch_fail(appliance, error);
		return NULL;
	}
	if (!launch(appliance, error))
		return NULL;
	return g_steal_pointer(&appliance);
}

bool np_appliance_close(np_appliance *appliance, GError **error)
{
	bool good = guestfs_shutdown(appliance->handle) == 0;
	if (!good)
		(void)np_appliance_fail(appliance, error, "shutting down the libguestfs appliance");
	np_appliance_free(appliance);
	return good;
}

void np_appliance_free(np_appliance *appliance)
{
	if (appliance == NULL)
		return;
	/* Waits for a handler that runs: afterwards none touches the handle. */
	if (appliance->cancel_id != 0)
		g_cancellable_disconnect(appliance->cancel, appliance->cancel_id);
	if (appliance->handle != NULL)
		guestfs_close(appliance->handle);
	g_clear_object(&appliance->cancel);
	np_guestlog_clear(&appliance->log);
	g_free(appliance);
}

guestfs_h *np_appliance_handle(np_appliance *appliance)
{
	return appliance->handle;
}

/* libguestfs names them so in the order of adding, whatever the kernel calls them; asking for the list costs a second.
 */
char *np_appliance_device(unsigned index)
{
	g_autofree char *letters = g_strdup("");
	for (unsigned n = index + 1; n > 0; n = (n - 1) / 26) {
		char *longer = g_strdup_printf("%c%s", 'a' + (char)((n - 1) % 26), letters);
		g_free(letters);
		letters = longer;
	}
	return g_strconcat("/dev/sd", letters, NULL);
}

char *np_appliance_version(void)
{
	guestfs_h *handle = guestfs_create();
	struct guestfs_version *version = handle ? guestfs_version(handle) : NULL;
	char *text = version ? g_strdup_printf("%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT, version->major,
	                                       version->minor, version->release)
	                     : g_strdup("of unknown version");
	if (version)
		guestfs_free_version(version);
	if (handle)
		guestfs_close(handle);
	return text;
}
