/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

static void count(np_node *node, gpointer data)
{
	unsigned *counts = data; /* nodes, deepest level */
	counts[0]++;
	counts[1] = MAX(counts[1], node->level);
}

int np_cmd_validate(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	int code = np_context_load(&context, options);
	if (code != NP_EXIT_OK)
		return code;
	unsigned counts[2] = {0, 0};
	np_lab_foreach_node(&context.lab->site, count, counts);
	if (!options->quiet)
		printf("%s: lab '%s' is valid: %u node%s on %u level%s.\n", context.lab->file, context.lab->name, counts[0],
		       counts[0] == 1 ? "" : "s", counts[1], counts[1] == 1 ? "" : "s");
	return NP_EXIT_OK;
}
