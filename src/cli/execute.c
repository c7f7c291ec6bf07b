/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/cli.h"
#include "plan/order.h"

int np_execute(np_context *context, const np_options *options, const np_plan *plan)
{
	g_autoptr(GPtrArray) steps = np_order_make(context->lab, context->world, plan);
	g_autoptr(np_progress) progress = np_progress_new(options, steps->len, plan->secrets);
	np_run_options how = {
		.parallelism = options->jobs,
		.event = np_progress_event,
		.data = progress,
		.authorized_keys = context->keys ? (const char *const *)context->keys->pdata : NULL,
		.cancel = np_interrupt_cancellable(),
	};
	np_run_result result;
	g_autoptr(GError) error = NULL;
	if (!np_run(context->session, context->lab, steps, &how, &result, &error)) {
		g_clear_pointer(&progress, np_progress_free);
		np_complain(options, error);
		return np_exit_code(error);
	}
	g_clear_pointer(&progress, np_progress_free);
	if (result.cancelled)
		return NP_EXIT_INTERRUPTED;
	return result.failed ? NP_EXIT_FAILED : NP_EXIT_OK;
}

np_plan_options np_options_plan(const np_options *options)
{
	return (np_plan_options){
		.targets = (const char *const *)options->targets,
		.replace = (const char *const *)options->replace,
		.destroy = options->destroy,
		.refresh_only = options->refresh_only,
	};
}

unsigned np_render_flags(FILE *stream, const np_options *options)
{
	return (np_colour(stream, options) ? NP_RENDER_COLOUR : 0) | (options->verbose ? NP_RENDER_ALL : 0) |
	       (isatty(fileno(stream)) ? NP_RENDER_WRAP : 0);
}

void np_show_plan(const np_plan *plan, const np_options *options)
{
	if (options->json) {
		g_autofree char *json = np_plan_json(plan, false);
		printf("{\"type\":\"plan\",\"plan\":%s}\n", json);
		fflush(stdout);
		return;
	}
	FILE *stream = plan->problems->len ? stderr : stdout;
	g_autofree char *text = np_plan_render(plan, np_render_flags(stream, options));
	if (!options->quiet || plan->problems->len)
		fputs(text, stream);
	fflush(stream);
}
