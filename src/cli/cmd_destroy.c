/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cli/cli.h"
#include "run/lock.h"

/* What the lab has beside nodes and networks: a pool, keys. */
static bool has_storage(np_context *context)
{
	g_autoptr(GBytes) seed = np_session_seed(context->session, NULL);
	return context->world->root->pool || seed;
}

static int verify(np_context *context, GError **error)
{
	if (!np_context_observe(context, error))
		return NP_EXIT_FAILED;
	g_autoptr(np_plan) left = np_plan_destroy(context->lab, context->world);
	GString *names = g_string_new(NULL);
	for (guint i = 0; i < left->changes->len; i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "", ((np_change *)g_ptr_array_index(left->changes, i))->address);
	if (has_storage(context))
		g_string_append_printf(names, "%sits storage pool or keys", names->len ? ", " : "");
	g_autofree char *text = g_string_free(names, FALSE);
	if (!*text)
		return NP_EXIT_OK;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "Something of lab '%s' is left: %s.", context->lab->name, text);
	return NP_EXIT_FAILED;
}

static void show(const np_options *options, const np_plan *plan, bool storage)
{
	if (options->json) {
		g_autofree char *json = np_plan_json(plan, false);
		printf("{\"type\":\"plan\",\"plan\":%s}\n", json);
		return;
	}
	FILE *stream = plan->problems->len ? stderr : stdout;
	g_autofree char *text = np_plan_is_empty(plan) && storage
	                                ? g_strdup_printf("Only storage and keys of lab '%s' are left.\n", plan->lab)
	                                : np_plan_render(plan, np_colour(stream, options));
	if (!options->quiet || plan->problems->len)
		fputs(text, stream);
}

static int destroy(np_context *context, const np_options *options, GError **error)
{
	if (!np_context_observe(context, error))
		return NP_EXIT_FAILED;
	g_autoptr(np_plan) plan = np_plan_destroy(context->lab, context->world);
	bool storage = has_storage(context);
	if (np_plan_is_empty(plan) && !storage) {
		if (options->json)
			puts("{\"type\":\"summary\",\"added\":0,\"changed\":0,\"destroyed\":0}");
		else if (!options->quiet)
			printf("Nothing to destroy: lab '%s' has nothing here.\n", context->lab->name);
		return NP_EXIT_OK;
	}
	show(options, plan, storage);
	if (plan->problems->len)
		return NP_EXIT_FAILED;
	if (!np_confirm(options, "Do you really want to destroy all of this?", error))
		return NP_EXIT_FAILED;
	int code = np_execute(context, options, plan, true);
	if (code == NP_EXIT_OK)
		code = verify(context, error);
	if (code != NP_EXIT_OK)
		return code;
	if (options->json)
		printf("{\"type\":\"summary\",\"added\":0,\"changed\":0,\"destroyed\":%u}\n", plan->destroy);
	else if (!options->quiet)
		printf("\nDestroy complete: %u destroyed, nothing of lab '%s' is left.\n", plan->destroy, context->lab->name);
	return NP_EXIT_OK;
}

int np_cmd_destroy(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	int code = np_context_load(&context, options);
	if (code != NP_EXIT_OK)
		return code;
	np_interrupt_cancellable();
	if (!np_context_connect(&context, options, &error)) {
		np_complain(options, error);
		return np_exit_code(error);
	}
	g_autoptr(np_lock) lock =
		np_lock_acquire(context.session, context.lab->name, options->lock_timeout_ms, np_interrupt_cancellable(), &error);
	if (lock)
		code = destroy(&context, options, &error);
	g_clear_pointer(&lock, np_lock_release);
	if (!error)
		return code;
	np_complain(options, error);
	return np_exit_code(error);
}
