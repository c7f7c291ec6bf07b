/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one const table of commands generates the help; only this folder prints and exits. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "lab/lab.h"
#include "plan/plan.h"
#include "run/run.h"
#include "world/session.h"

enum {
	NP_EXIT_OK = 0,
	NP_EXIT_FAILED = 1,
	NP_EXIT_CHANGES = 2,
	NP_EXIT_INVALID = 3,
	NP_EXIT_USAGE = 64,
	NP_EXIT_INTERRUPTED = 130,
};

/* Values of all options; a command offers those that its table names. */
typedef struct {
	char *file, *connect, *lock_timeout, *parallelism, *out;
	char *name, *storage; /* of import */
	char **vars, **var_files, **targets, **replace, **rest;
	gboolean destroy, refresh_only;
	gboolean strict, print, resources, diagnostics, man; /* of validate; of schema */
	char *format;          /* of graph, as the two below */
	gboolean plan, unfold;
	gboolean json, quiet, verbose, no_color, yes, detailed, all_labs, adopt;
	/* worked out of the above */
	guint64 lock_timeout_ms;
	unsigned jobs;
	char **command; /* what follows "--" */
} np_options;

typedef struct np_command {
	const char *name, *arguments, *summary, *details;
	const char *options; /* names of long options beside the common ones, space separated */
	int min_args, max_args;
	int (*run)(const struct np_command *command, np_options *options);
} np_command;

extern const np_command np_commands[]; /* ends with name NULL */

/* Parses argv after the command's name. Returns false with *exit_code set when the program is to end (help, usage error). */
bool np_options_parse(const np_command *command, int argc, char **argv, np_options *ret, int *exit_code);
void np_options_clear(np_options *options);
/* Help of one command; caller frees. */
char *np_command_help(const np_command *command);
char *np_main_help(void);

int np_cmd_validate(const np_command *command, np_options *options);
int np_cmd_plan(const np_command *command, np_options *options);
int np_cmd_apply(const np_command *command, np_options *options);
int np_cmd_destroy(const np_command *command, np_options *options);
int np_cmd_status(const np_command *command, np_options *options);
int np_cmd_doctor(const np_command *command, np_options *options);
int np_cmd_ssh(const np_command *command, np_options *options);
int np_cmd_graph(const np_command *command, np_options *options);
int np_cmd_import(const np_command *command, np_options *options);
int np_cmd_schema(const np_command *command, np_options *options);
int np_cmd_version(const np_command *command, np_options *options);

/* ── terminal ── */
bool np_colour(FILE *stream, const np_options *options);
/* Whether standard error is a terminal on which a line can be drawn again, and progress is wanted. */
bool np_live(const np_options *options);
/* The text of a message after `used` columns: wrapped on a terminal, else as it is, so that programs find one in a line. Caller frees. */
char *np_message(FILE *stream, const char *text, unsigned used);
/* "error: …" on stderr. */
void np_complain(const np_options *options, const GError *error);
/* Exit code for an error. */
int np_exit_code(const GError *error);
/* Asks on stderr; only "yes" is yes. Without a terminal on stdin: an error that names --auto-approve. */
bool np_confirm(const np_options *options, const char *question, GError **error);
/* Fired by the first ^C or SIGTERM; the second ends the program. */
GCancellable *np_interrupt_cancellable(void);

/* ── a lab and its world, opened ── */
typedef struct {
	np_lab *lab;
	char *name;
	np_session *session;
	GPtrArray *keys; /* of char*: access.authorized_keys, NULL-terminated */
	np_world *world;
} np_context;
void np_context_clear(np_context *context);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_context, np_context_clear)

/* Loads and prints the diagnostics; NP_EXIT_OK or the exit code. np_context_load_checked looks at the files that the lab names as
 * well and with --json prints the diagnostics as JSON. */
int np_context_load_checked(np_context *context, const np_options *options);
int np_context_load(np_context *context, const np_options *options);
/* Looks at images, keys and files that the lab names; downloads images that URLs name. cancel may be NULL. */
bool np_context_resolve(np_context *context, const np_options *options, GCancellable *cancel, GError **error);
/* Its part about images. */
bool np_images_resolve(np_lab *lab, const np_options *options, GCancellable *cancel, GError **error);
bool np_context_connect(np_context *context, const np_options *options, GError **error);
bool np_context_observe(np_context *context, GError **error);

/* What the options ask of a plan; borrows from them. */
np_plan_options np_options_plan(const np_options *options);
/* Flags of np_plan_render for a stream. */
unsigned np_render_flags(FILE *stream, const np_options *options);

/* ── progress of a run ── */
typedef struct np_progress np_progress;
/* secrets: hides the values of sensitive variables in what steps say; borrowed; NULL: there are none. */
np_progress *np_progress_new(const np_options *options, unsigned steps, const np_diags *secrets);
void np_progress_event(const np_event *event, gpointer progress);
/* Ends the display and prints what failed. NULL-tolerant. */
void np_progress_free(np_progress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_progress, np_progress_free)

/* Executes a plan with progress; NP_EXIT_OK, FAILED or INTERRUPTED. */
int np_execute(np_context *context, const np_options *options, const np_plan *plan);
/* Prints the plan, with --json as an object of a line; problems on stderr. */
void np_show_plan(const np_plan *plan, const np_options *options);

typedef struct np_saved np_saved;
/* Destroys the lab of an opened context, under its lock. saved: the plan that was agreed to, or NULL: it is asked about. */
int np_destroy_lab(np_context *context, const np_options *options, const np_saved *saved, GError **error);
