/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "cli/cli.h"

#define LAB_OPTIONS "file connect var var-file"

const np_command np_commands[] = {
	{"validate", "[LAB]", "check the lab file; touches nothing", "All problems are shown at once, with their places and codes (docs/diagnostics.md).",
	 "file var var-file strict print resources json", 0, 1, np_cmd_validate},
	{"plan", "[LAB]", "show what apply would change",
	 "With --detailed-exitcode the exit code is 0 without changes, 2 with changes and 1 after an error. With --verbose nothing is "
	 "folded. --out saves the plan for 'nestplan apply FILE', which refuses it when lab or world have moved. Images that a URL names are "
	 "downloaded, for their content is part of the plan.",
	 LAB_OPTIONS " target replace destroy refresh-only out detailed-exitcode json", 0, 1, np_cmd_plan},
	{"apply", "[LAB|PLAN]", "make what is there match the lab file",
	 "Shows the plan, asks, and does it: networks, disks and nodes of every level, each hypervisor proven to have KVM inside before "
	 "its nodes are made. A failed step stops only what needs it; another apply goes on from there. PLAN is a file that 'plan --out' made.",
	 LAB_OPTIONS " target replace refresh-only auto-approve parallelism lock-timeout json", 0, 1, np_cmd_apply},
	{"destroy", "[LAB]", "remove everything that the lab owns",
	 "Children first. What does not carry the lab's mark is never touched. Images that no other lab uses go as well.",
	 LAB_OPTIONS " target auto-approve parallelism lock-timeout json", 0, 1, np_cmd_destroy},
	{"status", "[LAB]", "show the tree of levels: power, address, accelerator, proof", "The proof is gathered anew each time.",
	 LAB_OPTIONS " json all-labs", 0, 1, np_cmd_status},
	{"doctor", "[LAB]", "check this host: virtualization, nesting, libvirt, storage",
	 "A checklist, each line good, warning or bad, with the fix. With LAB it also looks at what that lab needs. Exit code 1 when "
	 "something is bad.",
	 LAB_OPTIONS " json", 0, 1, np_cmd_doctor},
	{"ssh", "[LAB] ADDRESS [-- COMMAND…]", "log in to a node at any level, or run a command there",
	 "ADDRESS is a node's path, such as compute-1/guest-2. The lab's own key is used and the guests' host keys are pinned.",
	 LAB_OPTIONS, 1, 2, np_cmd_ssh},
	{"graph", "[LAB]", "draw the lab: nested boxes, level in level, and the networks between them",
	 "Writes a picture, or text for one. With --plan each box has a sign and a colour for what apply would do to it; without, nothing but "
	 "the lab file is looked at. Five and more siblings that are equal but for names and addresses are one box.",
	 LAB_OPTIONS " format plan unfold", 0, 1, np_cmd_graph},
	{"import", "[DOMAIN…]", "write a lab file of domains that others made",
	 "Without DOMAIN of all that no lab owns. What a lab file has no word for becomes comments. Nothing is changed, but with --adopt: "
	 "domains that are off are renamed, marked and started; their disks get a second name in the lab's pool, their networks stay as they are.",
	 "connect name storage adopt auto-approve lock-timeout", 0, G_MAXUSHORT, np_cmd_import},
	{"schema", "", "print the JSON Schema of the lab file", NULL, "diagnostics man", 0, 0, np_cmd_schema},
	{"version", "", "print the version", NULL, "json", 0, 0, np_cmd_version},
	{NULL},
};

char *np_main_help(void)
{
	GString *out = g_string_new("Usage: nestplan COMMAND [LAB] [OPTIONS]\n\n"
	                            "Builds labs of virtual machines in virtual machines from one file, and proves that each level\n"
	                            "has hardware virtualization. LAB is a lab file (default: lab.yaml here), - is standard input.\n\n"
	                            "Commands:\n");
	for (const np_command *command = np_commands; command->name; command++)
		g_string_append_printf(out, "  %-10s %s\n", command->name, command->summary);
	g_string_append(out, "\n'nestplan COMMAND --help' tells the options of a command.\n"
	                     "Exit codes: 0 done, 1 failed, 2 changes (plan --detailed-exitcode), 3 invalid lab file, 64 usage, 130 interrupted.\n");
	return g_string_free(out, FALSE);
}

static const np_command *find_command(const char *name)
{
	for (const np_command *command = np_commands; command->name; command++)
		if (g_str_equal(command->name, name))
			return command;
	return NULL;
}

static int unknown_command(const char *name)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (const np_command *command = np_commands; command->name; command++)
		g_ptr_array_add(names, (gpointer)command->name);
	g_ptr_array_add(names, NULL);
	const char *near = np_nearest(name, (const char *const *)names->pdata);
	fprintf(stderr, "error: There is no command '%s'.%s%s%s See 'nestplan --help'.\n", name, near ? " Did you mean '" : "",
	        near ? near : "", near ? "'?" : "");
	return NP_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	/* libvirt writes to connections whose other end may be gone; that must not end us before what we say has been written. */
	signal(SIGPIPE, SIG_IGN);
	g_setenv("KMOD_LOG", "crit", FALSE); /* libkmod complains of lines in modprobe.d on stderr before it can be told not to */
	if (argc < 2 || g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h") || g_str_equal(argv[1], "help")) {
		g_autofree char *help = np_main_help();
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? NP_EXIT_USAGE : NP_EXIT_OK;
	}
	if (g_str_equal(argv[1], "--version"))
		argv[1] = (char *)"version";
	const np_command *command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	np_options options = {0};
	int code = NP_EXIT_OK;
	if (np_options_parse(command, argc - 1, argv + 1, &options, &code))
		code = command->run(command, &options);
	np_options_clear(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE) /* who reads only the beginning, as head does, knows */
			fprintf(stderr, "error: Standard output cannot be written: %s.\n", g_strerror(errno));
		return code == NP_EXIT_OK ? NP_EXIT_FAILED : code;
	}
	return code;
}
