/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/graph.h"

#include "base/error.h"
#include "base/process.h"
#include "cli/cli.h"

/* The plan whose colours the picture gets; NULL with *code set when there is none to show. */
static np_plan *make_plan(np_context *context, const np_options *options, int *code)
{
	g_autoptr(GError) error = NULL;
	if (!np_context_resolve(context, options, NULL, &error) || !np_context_connect(context, options, &error) ||
	    !np_context_observe(context, &error)) {
		np_complain(options, error);
		*code = np_exit_code(error);
		return NULL;
	}
	g_autoptr(np_plan) plan = np_plan_make(context->lab, context->world, NULL);
	if (plan->problems->len == 0)
		return g_steal_pointer(&plan);
	g_autofree char *text = np_plan_render(plan, np_colour(stderr, options));
	fputs(text, stderr);
	*code = NP_EXIT_FAILED;
	return NULL;
}

/* DOT as SVG, by Graphviz. Caller frees. */
static char *draw(const char *dot, GError **error)
{
	static const char *const argv[] = {"dot", "-Tsvg", NULL};
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) local = NULL;
	if (!np_process_run(argv, dot, 0, np_interrupt_cancellable(), &result, &local)) {
		if (!g_error_matches(local, NP_ERROR, NP_ERROR_NOT_FOUND))
			g_propagate_error(error, g_steal_pointer(&local));
		else
			g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND,
			            "SVG is drawn by the program 'dot', which is not installed. Install the package "
			            "'graphviz', or take "
			            "--format dot or mermaid.");
		return NULL;
	}
	if (result.status != 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The program 'dot' ended with %d: %s", result.status,
		            g_strstrip(result.errors));
		return NULL;
	}
	return g_steal_pointer(&result.output);
}

int np_cmd_graph(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(np_plan) plan = NULL;
	int code = np_context_load(&context, options);
	if (code == NP_EXIT_OK && options->plan)
		plan = make_plan(&context, options, &code);
	if (code != NP_EXIT_OK)
		return code;
	bool mermaid = g_strcmp0(options->format, "mermaid") == 0;
	g_autofree char *text =
	        np_graph_render(context.lab, plan, mermaid ? NP_GRAPH_MERMAID : NP_GRAPH_DOT, options->unfold);
	if (g_strcmp0(options->format, "svg") == 0) {
		g_autoptr(GError) error = NULL;
		g_autofree char *svg = draw(text, &error);
		if (!svg) {
			np_complain(options, error);
			return np_exit_code(error);
		}
		fputs(svg, stdout);
	} else {
		fputs(text, stdout);
	}
	return NP_EXIT_OK;
}
