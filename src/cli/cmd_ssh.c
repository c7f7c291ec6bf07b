/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"

/* How many nodes a count has made of a name: NAME-1, NAME-2, … */
static unsigned counted_nodes(const np_lab *lab, const char *address)
{
	unsigned n = 0;
	for (;; n++) {
		g_autofree char *name = g_strdup_printf("%s-%u", address, n + 1);
		if (!np_lab_node(lab, name))
			return n;
	}
}

static void no_such_node(const np_lab *lab, const char *address)
{
	unsigned n = counted_nodes(lab, address);
	if (n > 0) {
		fprintf(stderr, "error: '%s' has a count: name one of its nodes, from %s-1 to %s-%u.\n", address, address, address, n);
		return;
	}
	fprintf(stderr, "error: Lab '%s' has no node '%s'. 'nestplan status' shows its nodes.\n", lab->name, address);
}

static void session_setup(gpointer data G_GNUC_UNUSED)
{
	signal(SIGPIPE, SIG_DFL);
}

/* The private folder with the key has to be removed after the session, so ssh is a child and not an exec. */
static int run_session(char **argv)
{
	g_autoptr(GError) error = NULL;
	int status = 0;
	signal(SIGINT, SIG_IGN); /* ^C is for the guest */
	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, session_setup, NULL, NULL, NULL, &status,
	                  &error)) {
		fprintf(stderr, "error: ssh cannot be started: %s.\n", error->message);
		return NP_EXIT_FAILED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_session(np_context *context, const np_options *options, const char *address, GError **error)
{
	if (!np_context_connect(context, options, error) || !np_session_open_guests(context->session, false, error))
		return NP_EXIT_FAILED;
	np_guests *guests = np_session_guests(context->session);
	if (!guests) {
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND, "Lab '%s' has not been applied on this host yet: it has no keys there.",
		            context->lab->name);
		return NP_EXIT_FAILED;
	}
	bool interactive = !options->command || !options->command[0];
	g_auto(GStrv) argv = np_session_drivers(context->session)->guest->argv(
		guests, address, (const char *const *)options->command, interactive && isatty(STDIN_FILENO));
	return run_session(argv);
}

int np_cmd_ssh(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	bool has_lab = options->rest[1] != NULL;
	g_autofree char *address = g_strdup(options->rest[has_lab ? 1 : 0]);
	if (!has_lab)
		g_clear_pointer(&options->rest, g_strfreev);
	options->quiet = true; /* warnings of the lab file are no part of a session */
	int code = np_context_load(&context, options);
	if (code != NP_EXIT_OK)
		return code;
	if (!np_lab_node(context.lab, address)) {
		no_such_node(context.lab, address);
		return NP_EXIT_FAILED;
	}
	code = open_session(&context, options, address, &error);
	if (!error)
		return code;
	np_complain(options, error);
	return np_exit_code(error);
}
