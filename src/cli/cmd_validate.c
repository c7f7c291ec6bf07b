/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

static void count(np_node *node, gpointer data)
{
	unsigned *counts = data; /* nodes, deepest level */
	counts[0]++;
	counts[1] = MAX(counts[1], node->level);
}

static void summary(const np_lab *lab)
{
	unsigned counts[2] = {0, 0};
	np_lab_foreach_node(&lab->site, count, counts);
	printf("%s: lab '%s' is valid: %u node%s on %u level%s.\n", lab->file, lab->name, counts[0], counts[0] == 1 ? "" : "s",
	       counts[1], counts[1] == 1 ? "" : "s");
}

int np_cmd_validate(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	if (options->print + options->resources + options->json > 1) {
		fprintf(stderr, "error: --print, --resources and --json are three outputs; choose one of them.\n");
		return NP_EXIT_USAGE;
	}
	g_auto(np_context) context = {0};
	int code = np_context_load_checked(&context, options);
	if (code != NP_EXIT_OK || options->json)
		return code;
	if (options->print || options->resources) {
		g_autofree char *text = options->print ? np_lab_print(context.lab) : np_resources_render(context.lab);
		fputs(text, stdout);
	} else if (!options->quiet) {
		summary(context.lab);
	}
	return NP_EXIT_OK;
}
