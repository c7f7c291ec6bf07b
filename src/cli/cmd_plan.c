/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/saved.h"

static void show(const np_plan *plan, const np_options *options)
{
	if (options->json) {
		g_autofree char *json = np_plan_json(plan, true);
		puts(json);
		return;
	}
	np_show_plan(plan, options);
	if (options->out && !plan->problems->len && !options->quiet)
		printf("\nSaved. To do exactly this: nestplan apply %s\n", options->out);
}

int np_cmd_plan(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	int code = np_context_load(&context, options);
	if (code != NP_EXIT_OK)
		return code;
	if (!np_context_resolve(&context, options, NULL, &error) || !np_context_connect(&context, options, &error) ||
	    !np_context_observe(&context, &error)) {
		np_complain(options, error);
		return np_exit_code(error);
	}
	np_plan_options how = np_options_plan(options);
	g_autoptr(np_plan) plan = np_plan_make(context.lab, context.world, &how);
	if (options->out && !plan->problems->len && !np_saved_write(options->out, &context, options, plan, &error)) {
		np_complain(options, error);
		return NP_EXIT_FAILED;
	}
	show(plan, options);
	if (plan->problems->len)
		return NP_EXIT_FAILED;
	return options->detailed && !np_plan_is_empty(plan) ? NP_EXIT_CHANGES : NP_EXIT_OK;
}
