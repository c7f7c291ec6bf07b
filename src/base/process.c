/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"

/* One running child. Everything is local to the calling thread: no main context is involved. */
typedef struct {
	GPid pid;
	int pidfd;    /* readable when the child has ended */
	int pipes[2]; /* our ends of its stdout and stderr, -1 after end of file */
	GString *text[2];
} child;

void np_process_result_clear(np_process_result *result)
{
	g_clear_pointer(&result->output, g_free);
	g_clear_pointer(&result->errors, g_free);
	result->status = 0;
}

static void fd_clear(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void child_clear(child *c)
{
	fd_clear(&c->pidfd);
	for (unsigned i = 0; i < 2; i++) {
		fd_clear(&c->pipes[i]);
		if (c->text[i] != NULL)
			g_string_free(c->text[i], TRUE);
	}
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(child, child_clear)

typedef int owned_fd;
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(owned_fd, close, -1)

/* Runs between fork and exec: a group of its own keeps ^C at the terminal away from the child; what we ignore it does not. */
static void setup(gpointer data)
{
	(void)data;
	(void)setpgid(0, 0);
	(void)signal(SIGPIPE, SIG_DFL);
}

/* Input is handed over as a file, so that a child that does not read it can neither block nor SIGPIPE us. */
static int input_open(const char *input, GError **error)
{
	g_auto(owned_fd) fd = -1;
	if (input == NULL)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	else
		fd = memfd_create("nestplan-input", MFD_CLOEXEC);
	size_t left = input ? strlen(input) : 0;
	gboolean good = fd >= 0;
	while (good && left > 0) {
		ssize_t n = write(fd, input, left);
		good = n > 0 || (n < 0 && errno == EINTR);
		input += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	if (!good || lseek(fd, 0, SEEK_SET) < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "cannot prepare a program's input: %s",
		            g_strerror(errno));
		return -1;
	}
	int ret = fd;
	fd = -1;
	return ret;
}

static bool pipe_open(int *ret_read, int *ret_write, GError **error)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "cannot make a pipe: %s", g_strerror(errno));
		return false;
	}
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*ret_read = fds[0];
	*ret_write = fds[1];
	return true;
}

static bool child_start(child *c, const char *const *argv, const char *input, GError **error)
{
	g_auto(owned_fd) in = input_open(input, error);
	g_auto(owned_fd) out = -1;
	g_auto(owned_fd) err = -1;
	if (in < 0 || !pipe_open(&c->pipes[0], &out, error) || !pipe_open(&c->pipes[1], &err, error))
		return false;

	g_autoptr(GError) local = NULL;
	if (!g_spawn_async_with_fds(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, setup,
	                            NULL, &c->pid, in, out, err, &local)) {
		gboolean missing = g_error_matches(local, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
		g_set_error(error, NP_ERROR, missing ? NP_ERROR_NOT_FOUND : NP_ERROR_FAILED, "cannot run '%s': %s",
		            argv[0], missing ? "it is not installed" : local->message);
		return false;
	}
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "cannot watch '%s': %s", argv[0], g_strerror(errno));
		(void)kill(c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
		return false;
	}
	return true;
}

/* Takes what is there; closes the pipe at its end. */
static void pipe_drain(child *c, unsigned i)
{
	char buffer[16384];
	while (c->pipes[i] >= 0) {
		ssize_t n = read(c->pipes[i], buffer, sizeof buffer);
		if (n > 0)
			g_string_append_len(c->text[i], buffer, n);
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			fd_clear(&c->pipes[i]);
		else if (errno == EAGAIN)
			return;
	}
}

/* Milliseconds until `deadline` as poll wants them. */
static int poll_timeout(gint64 deadline)
{
	if (deadline < 0)
		return -1;
	gint64 left = (deadline - g_get_monotonic_time() + 999) / 1000;
	return (int)CLAMP(left, 0, 60 * 60 * 1000);
}

/* Collects output until the child ends. What its own children leave running and writing is not waited for. */
static bool child_collect(child *c, gint64 deadline, GCancellable *cancel)
{
	GPollFD cancel_fd = {.fd = -1};
	gboolean have_cancel = cancel != NULL && g_cancellable_make_pollfd(cancel, &cancel_fd);
	gboolean ended = FALSE, stopped = FALSE;
	while (!ended && !stopped) {
		struct pollfd fds[] = {
		        {.fd = c->pidfd, .events = POLLIN},
		        {.fd = c->pipes[0], .events = POLLIN},
		        {.fd = c->pipes[1], .events = POLLIN},
		        {.fd = cancel_fd.fd, .events = POLLIN},
		};
		int n = poll(fds, G_N_ELEMENTS(fds), poll_timeout(deadline));
		ended = n > 0 && fds[0].revents != 0;
		for (unsigned i = 0; i < 2; i++)
			pipe_drain(c, i);
		stopped = g_cancellable_is_cancelled(cancel) || (deadline >= 0 && g_get_monotonic_time() >= deadline);
	}
	if (have_cancel)
		g_cancellable_release_fd(cancel);
	return ended;
}

static int child_reap(child *c)
{
	int status = 0;
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool np_process_run(const char *const *argv, const char *input, guint64 timeout_ms, GCancellable *cancel,
                    np_process_result *ret, GError **error)
{
	g_auto(child) c = {.pidfd = -1, .pipes = {-1, -1}, .text = {g_string_new(NULL), g_string_new(NULL)}};
	if (g_cancellable_is_cancelled(cancel)) {
		g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "'%s' was not run: interrupted", argv[0]);
		return false;
	}
	if (!child_start(&c, argv, input, error))
		return false;

	gint64 now = g_get_monotonic_time();
	gint64 limit = (gint64)MIN(timeout_ms, (guint64)(G_MAXINT64 / 2000)) * 1000;
	gint64 deadline = timeout_ms == 0 ? -1 : limit > G_MAXINT64 - now ? G_MAXINT64 : now + limit;
	if (!child_collect(&c, deadline, cancel)) {
		(void)kill(-c.pid, SIGKILL);
		(void)kill(c.pid, SIGKILL); /* when it was stopped before its setpgid */
		(void)child_reap(&c);
		g_autofree char *limit_text = np_duration_format(timeout_ms);
		if (g_cancellable_is_cancelled(cancel))
			g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "'%s' was interrupted", argv[0]);
		else
			g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
			            "'%s' did not finish within %s and was stopped", argv[0], limit_text);
		return false;
	}
	ret->status = child_reap(&c);
	ret->output = g_string_free(g_steal_pointer(&c.text[0]), FALSE);
	ret->errors = g_string_free(g_steal_pointer(&c.text[1]), FALSE);
	return true;
}
