/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "plan/order.h"

int np_execute(np_context *context, const np_options *options, const np_plan *plan, bool teardown)
{
	g_autoptr(GPtrArray) steps = np_order_make(context->lab, context->world, plan, teardown);
	g_autoptr(np_progress) progress = np_progress_new(options, steps->len);
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
