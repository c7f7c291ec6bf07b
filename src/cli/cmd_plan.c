/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int np_cmd_plan(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	int code = np_context_load(&context, options);
	if (code != NP_EXIT_OK)
		return code;
	if (!np_context_resolve(&context, &error) || !np_context_connect(&context, options, &error) ||
	    !np_context_observe(&context, &error)) {
		np_complain(options, error);
		return np_exit_code(error);
	}
	g_autoptr(np_plan) plan = np_plan_make(context.lab, context.world);
	if (options->json) {
		g_autofree char *json = np_plan_json(plan, true);
		puts(json);
	} else {
		bool failed = plan->problems->len > 0;
		g_autofree char *text = np_plan_render(plan, np_colour(failed ? stderr : stdout, options));
		fputs(text, failed ? stderr : stdout);
	}
	if (plan->problems->len)
		return NP_EXIT_FAILED;
	return options->detailed && !np_plan_is_empty(plan) ? NP_EXIT_CHANGES : NP_EXIT_OK;
}
