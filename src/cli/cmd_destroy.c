/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cli/saved.h"
#include "run/lock.h"

/* What the lab has beside nodes and networks: a pool, keys. */
static bool has_storage(np_context *context)
{
	g_autoptr(GBytes) seed = np_session_seed(context->session, NULL);
	return context->world->root->pool || seed;
}

static np_plan *plan_destroy(np_context *context, const np_options *options)
{
	np_plan_options how = np_options_plan(options);
	how.destroy = true;
	return np_plan_make(context->lab, context->world, &how);
}

static int verify(np_context *context, const np_options *options, GError **error)
{
	if (!np_context_observe(context, error))
		return NP_EXIT_FAILED;
	g_autoptr(np_plan) left = plan_destroy(context, options);
	GString *names = g_string_new(NULL);
	for (guint i = 0; i < left->changes->len; i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "", ((np_change *)g_ptr_array_index(left->changes, i))->address);
	if (!left->scope && has_storage(context))
		g_string_append_printf(names, "%sits storage pool or keys", names->len ? ", " : "");
	g_autofree char *text = g_string_free(names, FALSE);
	if (!*text)
		return NP_EXIT_OK;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "Something of lab '%s' is left: %s.", context->lab->name, text);
	return NP_EXIT_FAILED;
}

static void show_nothing(const np_options *options, const np_plan *plan)
{
	if (options->json)
		puts("{\"type\":\"summary\",\"added\":0,\"changed\":0,\"destroyed\":0}");
	else if (!options->quiet)
		printf("Nothing to destroy: lab '%s' has nothing here.\n", plan->lab);
}

static void show(const np_options *options, const np_plan *plan)
{
	if (!np_plan_is_empty(plan) || options->json)
		np_show_plan(plan, options);
	else if (!options->quiet)
		printf("Only storage and keys of lab '%s' are left.\n", plan->lab);
}

static void show_done(const np_options *options, const np_plan *plan)
{
	if (options->json)
		printf("{\"type\":\"summary\",\"added\":0,\"changed\":0,\"destroyed\":%u}\n", plan->destroy);
	else if (!options->quiet && plan->scope)
		printf("\nDestroy complete: %u destroyed.\n", plan->destroy);
	else if (!options->quiet)
		printf("\nDestroy complete: %u destroyed, nothing of lab '%s' is left.\n", plan->destroy, plan->lab);
}

int np_destroy_lab(np_context *context, const np_options *options, const np_saved *saved, GError **error)
{
	if (!np_context_observe(context, error))
		return NP_EXIT_FAILED;
	g_autoptr(np_plan) plan = plan_destroy(context, options);
	if (saved && !np_saved_check(saved, context, plan, error))
		return NP_EXIT_FAILED;
	if (np_plan_is_empty(plan) && !plan->problems->len && (plan->scope || !has_storage(context))) {
		show_nothing(options, plan);
		return NP_EXIT_OK;
	}
	show(options, plan);
	if (plan->problems->len)
		return NP_EXIT_FAILED;
	const char *question = plan->scope ? "Do you really want to destroy these?" : "Do you really want to destroy all of this?";
	if (!saved && !np_confirm(options, question, error))
		return NP_EXIT_FAILED;
	int code = np_execute(context, options, plan);
	if (code == NP_EXIT_OK)
		code = verify(context, options, error);
	if (code == NP_EXIT_OK)
		show_done(options, plan);
	return code;
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
		code = np_destroy_lab(&context, options, NULL, &error);
	g_clear_pointer(&lock, np_lock_release);
	if (!error)
		return code;
	np_complain(options, error);
	return np_exit_code(error);
}
