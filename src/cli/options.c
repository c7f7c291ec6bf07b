/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table for all commands, an environment twin for each. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/cli.h"

typedef struct {
	const char *name;
	char letter;
	GOptionArg arg;
	size_t offset;
	const char *value, *help;
	bool common;
} option;

#define AT(member) offsetof(np_options, member)
static const option options_table[] = {
	{"file", 'f', G_OPTION_ARG_STRING, AT(file), "LAB", "the lab file (as the argument LAB)", false},
	{"connect", 'c', G_OPTION_ARG_STRING, AT(connect), "URI", "libvirt URI of the host, instead of the lab's host.uri", false},
	{"var", 0, G_OPTION_ARG_STRING_ARRAY, AT(vars), "NAME=VALUE", "set a variable of the lab; may be repeated", false},
	{"var-file", 0, G_OPTION_ARG_STRING_ARRAY, AT(var_files), "FILE", "set variables from a YAML file; may be repeated", false},
	{"strict", 0, G_OPTION_ARG_NONE, AT(strict), NULL, "warnings are errors", false},
	{"print", 0, G_OPTION_ARG_NONE, AT(print), NULL, "write the completed lab with every default", false},
	{"resources", 0, G_OPTION_ARG_NONE, AT(resources), NULL, "show memory, vCPUs and disk of each level in a table", false},
	{"diagnostics", 0, G_OPTION_ARG_NONE, AT(diagnostics), NULL, "explain all codes of diagnostics instead (Markdown)", false},
	{"man", 0, G_OPTION_ARG_NONE, AT(man), NULL, "write the field reference of nestplan-lab(5) instead (roff)", false},
	{"target", 0, G_OPTION_ARG_STRING_ARRAY, AT(targets), "ADDR", "only this node or network (or a glob), what it needs and what is inside; may be repeated", false},
	{"replace", 0, G_OPTION_ARG_STRING_ARRAY, AT(replace), "ADDR", "recreate this node although nothing asks for it; may be repeated", false},
	{"destroy", 0, G_OPTION_ARG_NONE, AT(destroy), NULL, "plan to remove everything, or the targets", false},
	{"refresh-only", 0, G_OPTION_ARG_NONE, AT(refresh_only), NULL, "show what moved outside nestplan; apply keeps it as the new record, and changes nothing else", false},
	{"out", 0, G_OPTION_ARG_FILENAME, AT(out), "FILE", "save the plan; 'nestplan apply FILE' does it", false},
	{"format", 0, G_OPTION_ARG_STRING, AT(format), "FORMAT", "dot (default), mermaid or svg", false},
	{"plan", 0, G_OPTION_ARG_NONE, AT(plan), NULL, "look at the host, and show in colours what apply would do", false},
	{"unfold", 0, G_OPTION_ARG_NONE, AT(unfold), NULL, "draw every node, also many equal ones", false},
	{"auto-approve", 'y', G_OPTION_ARG_NONE, AT(yes), NULL, "do not ask", false},
	{"parallelism", 0, G_OPTION_ARG_STRING, AT(parallelism), "N", "steps done at once (default: 10)", false},
	{"lock-timeout", 0, G_OPTION_ARG_STRING, AT(lock_timeout), "DURATION", "how long to wait for another run (default: 0s)", false},
	{"detailed-exitcode", 0, G_OPTION_ARG_NONE, AT(detailed), NULL, "exit with 2 when there are changes", false},
	{"json", 0, G_OPTION_ARG_NONE, AT(json), NULL, "machine-readable output", false},
	{"all-labs", 0, G_OPTION_ARG_NONE, AT(all_labs), NULL, "list every lab on the host; needs no lab file", false},
	{"adopt", 0, G_OPTION_ARG_NONE, AT(adopt), NULL, "make them the lab's own, so that the next plan is empty", false},
	{"name", 0, G_OPTION_ARG_STRING, AT(name), "NAME", "name of the lab (default: imported)", false},
	{"storage", 0, G_OPTION_ARG_STRING, AT(storage), "FOLDER", "the lab's host.storage (default: /var/lib/nestplan)", false},
	{"no-color", 0, G_OPTION_ARG_NONE, AT(no_color), NULL, "no colours", true},
	{"quiet", 'q', G_OPTION_ARG_NONE, AT(quiet), NULL, "errors only on standard error", true},
	{"verbose", 'v', G_OPTION_ARG_NONE, AT(verbose), NULL, "say more", true},
};

static bool offers(const np_command *command, const option *o)
{
	if (o->common)
		return true;
	g_auto(GStrv) names = g_strsplit(command->options, " ", -1);
	return g_strv_contains((const char *const *)names, o->name);
}

static void append_option(GString *out, const option *o)
{
	g_autofree char *letter = o->letter ? g_strdup_printf("-%c, ", o->letter) : g_strdup("    ");
	g_autofree char *spelled = g_strdup_printf("%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
	g_string_append_printf(out, "  %-32s %s\n", spelled, o->help);
}

char *np_command_help(const np_command *command)
{
	GString *out = g_string_new(NULL);
	g_string_append_printf(out, "Usage: nestplan %s%s%s [OPTIONS]\n\n%c%s.\n", command->name, *command->arguments ? " " : "",
	                       command->arguments, g_ascii_toupper(command->summary[0]), command->summary + 1);
	if (command->details)
		g_string_append_printf(out, "%s\n", command->details);
	g_string_append(out, "\nOptions:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(options_table); i++)
		if (offers(command, &options_table[i]))
			append_option(out, &options_table[i]);
	g_string_append(out, "  -h, --help                       show this help\n\n"
	                     "Each option can be given in the environment: --lock-timeout is NESTPLAN_LOCK_TIMEOUT.\n");
	return g_string_free(out, FALSE);
}

static char *variable_name(const option *o)
{
	g_autofree char *upper = g_ascii_strup(o->name, -1);
	return g_strconcat("NESTPLAN_", g_strdelimit(upper, "-", '_'), NULL);
}

static bool is_true(const char *value)
{
	return *value && !g_str_equal(value, "0") && g_ascii_strcasecmp(value, "false") != 0 && g_ascii_strcasecmp(value, "no") != 0;
}

/* The environment comes first, so that the command line wins. */
static void add_environment(const np_command *command, GPtrArray *args)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options_table); i++) {
		const option *o = &options_table[i];
		g_autofree char *name = variable_name(o);
		const char *value = g_getenv(name);
		if (!value || !offers(command, o))
			continue;
		if (o->arg != G_OPTION_ARG_NONE)
			g_ptr_array_add(args, g_strdup_printf("--%s=%s", o->name, value));
		else if (is_true(value))
			g_ptr_array_add(args, g_strdup_printf("--%s", o->name));
	}
}

/* Terraform's users type -auto-approve. */
static char *double_dash(const char *arg)
{
	if (arg[0] != '-' || arg[1] == '-' || strlen(arg) < 3)
		return g_strdup(arg);
	size_t length = strcspn(arg + 1, "=");
	for (size_t i = 0; i < G_N_ELEMENTS(options_table); i++)
		if (strlen(options_table[i].name) == length && strncmp(arg + 1, options_table[i].name, length) == 0)
			return g_strconcat("-", arg, NULL);
	return g_strdup(arg);
}

static GPtrArray *gather(const np_command *command, int argc, char **argv, np_options *ret)
{
	GPtrArray *args = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(args, g_strdup(argv[0]));
	add_environment(command, args);
	for (int i = 1; i < argc; i++) {
		if (g_str_equal(argv[i], "--")) {
			ret->command = g_strdupv(argv + i + 1);
			break;
		}
		g_ptr_array_add(args, double_dash(argv[i]));
	}
	g_ptr_array_add(args, NULL);
	return args;
}

static GOptionEntry *entries_for(const np_command *command, np_options *ret)
{
	GOptionEntry *entries = g_new0(GOptionEntry, G_N_ELEMENTS(options_table) + 2);
	size_t n = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(options_table); i++) {
		const option *o = &options_table[i];
		if (offers(command, o))
			entries[n++] = (GOptionEntry){o->name, o->letter, 0, o->arg, (char *)ret + o->offset, NULL, NULL};
	}
	entries[n] = (GOptionEntry){G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &ret->rest, NULL, NULL};
	return entries;
}

static int usage(const np_command *command, const char *message)
{
	fprintf(stderr, "error: %s See 'nestplan %s --help'.\n", message, command->name);
	return NP_EXIT_USAGE;
}

static int check(const np_command *command, np_options *ret)
{
	int count = ret->rest ? (int)g_strv_length(ret->rest) : 0;
	if (count < command->min_args)
		return usage(command, "An argument is missing.");
	if (count > command->max_args)
		return usage(command, "There are too many arguments.");
	if (ret->refresh_only && (ret->destroy || ret->replace))
		return usage(command, "--refresh-only changes nothing, so it goes with neither --destroy nor --replace.");
	if (ret->destroy && ret->replace)
		return usage(command, "--destroy and --replace exclude each other.");
	const char *why = NULL;
	if (ret->lock_timeout && !np_duration_parse(ret->lock_timeout, &ret->lock_timeout_ms, &why))
		return usage(command, "--lock-timeout takes a duration with a unit, such as 30s or 10m.");
	static const char *const formats[] = {"dot", "mermaid", "svg", NULL};
	if (ret->format && !g_strv_contains(formats, ret->format))
		return usage(command, "--format takes dot, mermaid or svg.");
	if (ret->parallelism) {
		char *end;
		unsigned long jobs = strtoul(ret->parallelism, &end, 10);
		if (*end || end == ret->parallelism || jobs < 1 || jobs > 1000 || ret->parallelism[0] == '-')
			return usage(command, "--parallelism takes a number from 1 to 1000.");
		ret->jobs = (unsigned)jobs;
	}
	return NP_EXIT_OK;
}

bool np_options_parse(const np_command *command, int argc, char **argv, np_options *ret, int *exit_code)
{
	for (int i = 1; i < argc && !g_str_equal(argv[i], "--"); i++)
		if (g_str_equal(argv[i], "--help") || g_str_equal(argv[i], "-h")) {
			g_autofree char *help = np_command_help(command);
			fputs(help, stdout);
			return false;
		}
	g_autoptr(GPtrArray) args = gather(command, argc, argv, ret);
	g_autofree GOptionEntry *entries = entries_for(command, ret);
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_add_main_entries(context, entries, NULL);
	g_autoptr(GError) error = NULL;
	/* GOption takes the strings out of the vector; the array keeps them. */
	g_autofree char **vector = g_memdup2(args->pdata, sizeof(char *) * args->len);
	int count = (int)args->len - 1;
	if (!g_option_context_parse(context, &count, &vector, &error)) {
		g_autofree char *message = g_strdup_printf("%s.", error->message);
		*exit_code = usage(command, message);
		return false;
	}
	*exit_code = check(command, ret);
	return *exit_code == NP_EXIT_OK;
}

void np_options_clear(np_options *options)
{
	g_free(options->file);
	g_free(options->connect);
	g_free(options->lock_timeout);
	g_free(options->parallelism);
	g_free(options->out);
	g_free(options->format);
	g_free(options->name);
	g_free(options->storage);
	g_strfreev(options->vars);
	g_strfreev(options->var_files);
	g_strfreev(options->targets);
	g_strfreev(options->replace);
	g_strfreev(options->rest);
	g_strfreev(options->command);
	*options = (np_options){0};
}
