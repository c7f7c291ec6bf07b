/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness and proof: what is waited for is always said, and a guest that dies says its last words. */
#include <string.h>

#include "base/error.h"
#include "run/runner.h"
#include "world/observe.h"

#define CONSOLE_KEPT 4000 /* bytes of console output that are kept */
#define CONSOLE_SHOWN 12  /* lines of it that an error shows */

/* Watches a guest, and its serial console, while something is waited for. */
typedef struct {
	GMutex lock;
	GString *text;
	GCancellable *cancel;    /* fired on a panic, on `until`, when the guest stops, and with the run's own */
	const char *until;       /* text that ends the wait; NULL: none */
	const char *found;       /* "panic" or `until` */
	const char *stopped;     /* how the guest stopped; NULL: it runs */
	bool off;                /* then: it has no power */
	gpointer handle, watch;
	GCancellable *outer;
	gulong outer_id;
	const np_hypervisor_ops *ops;
} console;

static void on_outer_cancel(GCancellable *outer G_GNUC_UNUSED, gpointer data)
{
	g_cancellable_cancel(((console *)data)->cancel);
}

static void on_console(const char *text, gsize length, gpointer data)
{
	console *c = data;
	const char *found = NULL;
	g_mutex_lock(&c->lock);
	g_string_append_len(c->text, text, (gssize)length);
	if (strstr(c->text->str, "Kernel panic"))
		found = "panic";
	else if (c->until && strstr(c->text->str, c->until))
		found = c->until;
	if (found)
		c->found = found;
	if (c->text->len > CONSOLE_KEPT)
		g_string_erase(c->text, 0, (gssize)(c->text->len - CONSOLE_KEPT / 2));
	g_mutex_unlock(&c->lock);
	if (found)
		g_cancellable_cancel(c->cancel);
}

static void on_stopped(bool off, const char *how, gpointer data)
{
	console *c = data;
	g_mutex_lock(&c->lock);
	if (!c->stopped) {
		c->stopped = how;
		c->off = off;
	}
	g_mutex_unlock(&c->lock);
	g_cancellable_cancel(c->cancel);
}

static console *console_watch(np_runner *runner, np_conn *conn, const np_node *node, const char *until)
{
	console *c = g_new0(console, 1);
	g_mutex_init(&c->lock);
	c->text = g_string_new(NULL);
	c->until = until;
	c->ops = runner->drivers->hypervisor;
	c->cancel = g_cancellable_new();
	c->outer = runner->options->cancel;
	if (c->outer)
		c->outer_id = g_cancellable_connect(c->outer, G_CALLBACK(on_outer_cancel), c, NULL);
	/* Somebody else may hold the console: then there are no last words, and nothing else is lost. */
	c->handle = c->ops->console_open ? c->ops->console_open(conn, node->libvirt_name, on_console, c, NULL) : NULL;
	c->watch = c->ops->domain_watch ? c->ops->domain_watch(conn, node->libvirt_name, on_stopped, c, NULL) : NULL;
	return c;
}

static void console_free(console *c)
{
	c->ops->console_close(c->handle);
	if (c->watch)
		c->ops->domain_unwatch(c->watch);
	if (c->outer)
		g_cancellable_disconnect(c->outer, c->outer_id);
	g_object_unref(c->cancel);
	g_string_free(c->text, TRUE);
	g_mutex_clear(&c->lock);
	g_free(c);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(console, console_free)

/* Consoles are untrusted: control characters do not reach the terminal. */
static char *last_words(console *c)
{
	g_mutex_lock(&c->lock);
	g_autofree char *text = g_utf8_make_valid(c->text->str, (gssize)c->text->len);
	g_mutex_unlock(&c->lock);
	for (char *p = text; *p; p++)
		if ((guchar)*p < 0x20 && *p != '\n')
			*p = ' ';
	g_auto(GStrv) lines = g_strsplit(g_strstrip(text), "\n", -1);
	guint count = g_strv_length(lines);
	GString *out = g_string_new(NULL);
	for (guint i = count > CONSOLE_SHOWN ? count - CONSOLE_SHOWN : 0; i < count; i++)
		if (*g_strstrip(lines[i]))
			g_string_append_printf(out, "\n    | %s", lines[i]);
	return g_string_free(out, FALSE);
}

static void add_last_words(console *c, const np_node *node, GError **error)
{
	if (!error || !*error || g_cancellable_is_cancelled(c->outer))
		return;
	g_mutex_lock(&c->lock);
	if (c->stopped) {
		g_clear_error(error);
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "%s.", c->stopped);
	}
	g_mutex_unlock(&c->lock);
	g_autofree char *words = last_words(c);
	const char *panic = g_strcmp0(c->found, "panic") == 0 ? " Its kernel panicked." : "";
	g_autofree char *message = g_strdup_printf("Node '%s' (level %u) is not ready: %s%s%s%s", node->address, node->level,
	                                           (*error)->message, panic, *words ? " The last lines of its console:" : "", words);
	g_error_free(*error);
	*error = g_error_new_literal(NP_ERROR, NP_ERROR_UNREACHABLE, message);
}

/* boot: the console shows that the guest got to its login prompt. */
static bool wait_boot(console *c, guint64 timeout_ms, GError **error)
{
	if (!c->handle) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "its console cannot be opened, so `ready: {wait: boot}` cannot be told.");
		return false;
	}
	GPollFD fd;
	if (g_cancellable_make_pollfd(c->cancel, &fd)) {
		g_poll(&fd, 1, (gint)MIN(timeout_ms, G_MAXINT));
		g_cancellable_release_fd(c->cancel);
	}
	g_mutex_lock(&c->lock);
	bool booted = c->found && c->found == c->until;
	g_mutex_unlock(&c->lock);
	if (!booted) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
		            "its console did not show a login prompt within %" G_GUINT64_FORMAT " s.", timeout_ms / 1000);
	}
	return booted;
}

static bool wait_once(np_runner *runner, const np_step *step, np_conn *conn, guint64 timeout_ms, bool *off, GError **error)
{
	const np_node *node = step->node;
	bool boot = node->ready.wait == NP_WAIT_BOOT;
	g_autoptr(console) c = console_watch(runner, conn, node, boot ? "login:" : NULL);
	np_runner_stage(runner, step, boot ? "waiting for its login prompt" : "waiting for ssh");
	bool ok = boot ? wait_boot(c, timeout_ms, error)
	               : runner->drivers->guest->wait(np_session_guests(runner->session), node->address, timeout_ms, c->cancel,
	                                              error);
	if (!ok)
		add_last_words(c, node, error);
	if (off)
		*off = c->off;
	return ok;
}

static bool wait_until_ready(np_runner *runner, const np_step *step, np_conn *conn, GError **error)
{
	const np_node *node = step->node;
	g_autoptr(GError) local = NULL;
	guint64 patience = step->fragile ? node->ready.timeout * 2 / 5 : node->ready.timeout;
	bool off = false;
	if (wait_once(runner, step, conn, patience, &off, &local))
		return true;
	if (!step->fragile || off || g_cancellable_is_cancelled(runner->options->cancel)) {
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	/* QEMU's emulator (seen with 7.2) now and then enters a nested guest with its hypervisor's registers; the guest then
	 * faults on one instruction for ever, or runs into what is no code and is paused. It is gone after a reset. With KVM below, a
	 * guest that is not ready is the user's. */
	np_runner_stage(runner, step, "warning: no answer, or it was paused; resetting it once, since emulated nesting can hang a guest");
	return runner->drivers->hypervisor->domain_reset(conn, runner->lab->name, node->libvirt_name, error) &&
	       wait_once(runner, step, conn, node->ready.timeout - patience, NULL, error);
}

/* A node that was changed while it was off has something left to do inside. That its keys are others is recorded only then: who is
 * to be let in no longer is not forgotten when the guest does not come up. */
static bool follow(np_runner *runner, const np_step *step, np_conn *conn, GError **error)
{
	g_mutex_lock(&runner->lock);
	const np_changed *changed = g_hash_table_lookup(runner->changed, step->address);
	g_mutex_unlock(&runner->lock);
	if (!changed)
		return true;
	const np_hypervisor_ops *ops = runner->drivers->hypervisor;
	if (changed->record && !(np_inside_let_in(runner, step, changed->before, error) &&
	                         ops->domain_record(conn, runner->lab->name, step->node->libvirt_name, changed->record, error)))
		return false;
	return step->node->ready.wait == NP_WAIT_NONE || np_inside_follow(runner, step, changed->before, error);
}

bool np_action_ready(np_runner *runner, const np_step *step, GError **error)
{
	const np_node *node = step->node;
	np_conn *conn = np_runner_conn(runner, step->site, error);
	if (node->ready.wait == NP_WAIT_NONE)
		return conn && follow(runner, step, conn, error);
	return conn && wait_until_ready(runner, step, conn, error) && follow(runner, step, conn, error) &&
	       runner->drivers->hypervisor->domain_ready(conn, runner->lab->name, node->libvirt_name, error);
}

/* libvirtd starts after sshd; its socket appears when it is ready. The images of the nodes inside may come later still, or not at
 * all when the machine was too slow for its init's patience; a pool that is refreshed before would be empty. */
static const char wait_inside[] =
	"i=0\n"
	"again() { i=$((i+1)); [ $i -le 600 ] && sleep 0.2; }\n"
	"until [ -S /run/libvirt/libvirt-sock ]; do\n"
	"  again || { echo 'its libvirtd did not start' >&2; exit 1; }\n"
	"done\n"
	"images=%s\n"
	"until [ -z \"$images\" ] || mountpoint -q \"$images\" || why=$(mount \"$images\" 2>&1); do\n"
	"  again || { echo \"the disk with the images of its nodes is not mounted: $why\" >&2; exit 1; }\n"
	"done\n";

static bool wait_for_libvirtd(np_runner *runner, const np_node *node, GCancellable *cancel, GError **error)
{
	g_auto(np_process_result) result = {0};
	g_autofree char *folder = g_build_filename(node->site.storage, "images", NULL);
	g_autofree char *images = g_shell_quote(node->site.share ? folder : "");
	g_autofree char *script = g_strdup_printf(wait_inside, images);
	if (!runner->drivers->guest->run(np_session_guests(runner->session), node->address, script, node->ready.timeout, cancel,
	                                 &result, error))
		return false;
	if (result.status == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "it is up, but %s", g_strstrip(result.errors));
	return false;
}

static bool demands_kvm(const np_node *node)
{
	bool any = node->site.nodes->len == 0;
	for (guint i = 0; i < node->site.nodes->len; i++) {
		const np_node *child = g_ptr_array_index(node->site.nodes, i);
		any = any || child->accel == NP_ACCEL_KVM;
	}
	return any;
}

static bool judge(np_runner *runner, const np_step *step, const np_proof *proof, GError **error)
{
	if (proof->kvm)
		return true;
	const np_node *node = step->node;
	g_autofree char *missing = np_proof_missing(proof);
	if (demands_kvm(node)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "KVM does not work inside node '%s' (level %u): %s. Its nodes would be emulated; that is refused unless they "
		            "say `accel: auto` or `accel: emulate`.", node->address, node->level, missing);
		return false;
	}
	g_mutex_lock(&runner->lock);
	g_hash_table_add(runner->no_kvm, g_strdup(node->address));
	g_mutex_unlock(&runner->lock);
	g_autofree char *text = g_strdup_printf("warning: its nodes will be emulated, " NP_EMULATION_COST ": %s", missing);
	np_runner_stage(runner, step, text);
	return true;
}

bool np_action_prove(np_runner *runner, const np_step *step, GError **error)
{
	const np_node *node = step->node;
	np_conn *conn = np_runner_conn(runner, step->site, error);
	if (!conn)
		return false;
	if (!np_session_guests(runner->session)) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "The lab has no SSH key, so node '%s' cannot be looked into.", node->address);
		return false;
	}
	g_autoptr(console) c = console_watch(runner, conn, node, NULL);
	np_runner_stage(runner, step, "waiting for libvirtd");
	bool ok = wait_for_libvirtd(runner, node, c->cancel, error);
	g_autoptr(np_seen_site) site = np_seen_site_new(node->address);
	if (ok) {
		np_runner_stage(runner, step, "gathering the proof");
		ok = np_observe_site(runner->session, runner->lab->name, node->address, node->uuid, c->cancel, site, error);
	}
	if (!ok)
		add_last_words(c, node, error);
	return ok && judge(runner, step, &site->proof, error);
}
