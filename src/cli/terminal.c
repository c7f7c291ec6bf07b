/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/wrap.h"
#include "cli/cli.h"

bool np_colour(FILE *stream, const np_options *options)
{
	const char *no_color = g_getenv("NO_COLOR");
	const char *term = g_getenv("TERM");
	return !options->no_color && !(no_color && *no_color) && isatty(fileno(stream)) && term && !g_str_equal(term, "dumb");
}

bool np_live(const np_options *options)
{
	const char *term = g_getenv("TERM");
	return !options->quiet && isatty(STDERR_FILENO) && term && !g_str_equal(term, "dumb");
}

void np_complain(const np_options *options, const GError *error)
{
	bool colour = np_colour(stderr, options);
	fflush(stdout);
	g_autofree char *message = np_message(stderr, error->message, strlen("error: "));
	fprintf(stderr, "%serror:%s %s\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "", message);
}

char *np_message(FILE *stream, const char *text, unsigned used)
{
	return isatty(fileno(stream)) ? np_wrap(text, used, NP_WIDTH, used) : g_strdup(text);
}

int np_exit_code(const GError *error)
{
	if (g_error_matches(error, NP_ERROR, NP_ERROR_INVALID))
		return NP_EXIT_INVALID;
	if (g_error_matches(error, NP_ERROR, NP_ERROR_USAGE))
		return NP_EXIT_USAGE;
	if (g_error_matches(error, NP_ERROR, NP_ERROR_CANCELLED) || g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		return NP_EXIT_INTERRUPTED;
	return NP_EXIT_FAILED;
}

bool np_confirm(const np_options *options, const char *question, GError **error)
{
	if (options->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "Standard input is no terminal, so nobody can be asked. Give --auto-approve (-y) to go on without asking.");
		return false;
	}
	fflush(stdout);
	fprintf(stderr, "\n%s Only 'yes' goes on: ", question);
	char answer[64];
	bool yes = fgets(answer, sizeof(answer), stdin) && g_str_equal(g_strstrip(answer), "yes");
	if (!yes)
		g_set_error(error, NP_ERROR, g_cancellable_is_cancelled(np_interrupt_cancellable()) ? NP_ERROR_CANCELLED : NP_ERROR_FAILED,
		            "Not approved; none of it was done.");
	return yes;
}

static int interrupt_pipe[2] = {-1, -1};

static void on_signal(int number)
{
	int saved = errno;
	char byte = (char)number;
	if (write(interrupt_pipe[1], &byte, 1) < 0) { /* nothing can be done in a handler */
	}
	errno = saved;
}

static gpointer interrupt_thread(gpointer data)
{
	char byte;
	if (read(interrupt_pipe[0], &byte, 1) != 1)
		return NULL;
	static const char text[] = "\nInterrupted: finishing what runs; again ends at once.\n";
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) { /* the display is only a courtesy */
	}
	g_cancellable_cancel(data);
	if (read(interrupt_pipe[0], &byte, 1) == 1)
		_exit(NP_EXIT_INTERRUPTED);
	return NULL;
}

static gpointer interrupt_start(gpointer data G_GNUC_UNUSED)
{
	GCancellable *cancel = g_cancellable_new();
	if (pipe2(interrupt_pipe, O_CLOEXEC) != 0)
		return cancel;
	g_thread_unref(g_thread_new("interrupt", interrupt_thread, cancel));
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return cancel;
}

GCancellable *np_interrupt_cancellable(void)
{
	static GOnce once = G_ONCE_INIT;
	return g_once(&once, interrupt_start, NULL);
}
