/* SPDX-License-Identifier: Apache-2.0 */
#include <json-glib/json-glib.h>

#include "base/error.h"
#include "cli/saved.h"
#include "run/lock.h"

#define ROUNDS_MAX 66 /* levels at most, and one */

/* A later round is asked about only when it does more than was agreed to: the first plan could not look inside. */
static bool is_harmless(const np_plan *plan)
{
	for (guint i = 0; i < plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(plan->changes, i);
		if (change->action != NP_ACTION_CREATE && !change->start_only)
			return false;
	}
	return true;
}

static void summarize(const np_options *options, const unsigned totals[3])
{
	if (options->json)
		printf("{\"type\":\"summary\",\"added\":%u,\"changed\":%u,\"destroyed\":%u}\n", totals[0], totals[1], totals[2]);
	else if (!options->quiet)
		printf("\nApply complete: %u added, %u changed, %u destroyed.\n", totals[0], totals[1], totals[2]);
}

typedef struct {
	np_context *context;
	const np_options *options;
	const np_saved *saved; /* NULL: the plan is made now */
	char **replace;        /* what --replace named and is not done yet; NULL: nothing */
	unsigned totals[3];
} apply;

static np_plan *make_plan(apply *a)
{
	np_plan_options how = np_options_plan(a->options);
	how.replace = (const char *const *)a->replace;
	np_plan *plan = np_plan_make(a->context->lab, a->context->world, &how);
	char **later = np_plan_replace_later(plan, how.replace);
	g_strfreev(a->replace);
	a->replace = later;
	return plan;
}

/* Who saved a plan has agreed to it, and to nothing that comes to light when a hypervisor of it is up. */
static bool agree(const apply *a, const np_plan *plan, unsigned round, GError **error)
{
	if (round == 0 ? a->saved != NULL : is_harmless(plan))
		return true;
	if (np_confirm(a->options, "Do you want to make these changes?", error))
		return true;
	if (round > 0)
		g_prefix_error(error, "What is inside a hypervisor was known only once it was up, and these changes there were not agreed to; none "
		                      "of them was made. ");
	return false;
}

/* One plan, agreed to and done. Sets *again when something could only be seen once a hypervisor is up. */
static int apply_round(apply *a, unsigned round, bool *again, GError **error)
{
	if (!np_context_observe(a->context, error))
		return NP_EXIT_FAILED;
	g_autoptr(np_plan) plan = make_plan(a);
	if (round == 0 && a->saved && !np_saved_check(a->saved, a->context, plan, error))
		return NP_EXIT_FAILED;
	bool empty = np_plan_is_empty(plan);
	if (round == 0 || !empty || plan->problems->len)
		np_show_plan(plan, a->options);
	if (plan->problems->len)
		return NP_EXIT_FAILED;
	if (empty)
		return NP_EXIT_OK;
	if (!agree(a, plan, round, error))
		return NP_EXIT_FAILED;
	if (!np_session_open_guests(a->context->session, true, error))
		return NP_EXIT_FAILED;
	int code = np_execute(a->context, a->options, plan);
	a->totals[0] += plan->add;
	a->totals[1] += plan->change;
	a->totals[2] += plan->destroy;
	*again = plan->deferred > 0;
	return code;
}

static int apply_all(apply *a, GError **error)
{
	bool again = true;
	int code = NP_EXIT_OK;
	unsigned round = 0;
	for (; again && code == NP_EXIT_OK && round < ROUNDS_MAX; round++) {
		again = false;
		code = apply_round(a, round, &again, error);
	}
	if (code == NP_EXIT_OK && (a->totals[0] || a->totals[1] || a->totals[2]))
		summarize(a->options, a->totals);
	return code;
}

static int apply_locked(np_context *context, const np_options *options, const np_saved *saved, GError **error)
{
	g_autoptr(np_lock) lock =
		np_lock_acquire(context->session, context->lab->name, options->lock_timeout_ms, np_interrupt_cancellable(), error);
	if (!lock)
		return NP_EXIT_FAILED;
	if (options->destroy)
		return np_destroy_lab(context, options, saved, error);
	apply a = {.context = context, .options = options, .saved = saved, .replace = g_strdupv(options->replace)};
	int code = apply_all(&a, error);
	g_strfreev(a.replace);
	return code;
}

static int apply_lab(np_options *options, const np_saved *saved, GError **error)
{
	g_auto(np_context) context = {0};
	int code = np_context_load(&context, options);
	if (code != NP_EXIT_OK)
		return code;
	if (!np_context_resolve(&context, options, np_interrupt_cancellable(), error) || !np_context_connect(&context, options, error))
		return NP_EXIT_FAILED;
	if (saved && !np_saved_check_host(saved, &context, error)) /* before there is a lock at another hypervisor */
		return NP_EXIT_FAILED;
	return apply_locked(&context, options, saved, error);
}

int np_cmd_apply(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_autoptr(GError) error = NULL;
	const char *file = options->file ? options->file : options->rest ? options->rest[0] : NULL;
	g_autoptr(np_saved) saved = file ? np_saved_read(file, &error) : NULL;
	int code = NP_EXIT_FAILED;
	if (!error && (!saved || np_saved_apply_options(saved, options, &error)))
		code = apply_lab(options, saved, &error);
	if (!error)
		return code;
	np_complain(options, error);
	return np_exit_code(error);
}
