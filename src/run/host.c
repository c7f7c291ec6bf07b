/* SPDX-License-Identifier: Apache-2.0 */
/* The host's kernel: shared by labs, so writers take turns. */
#include "base/error.h"
#include "run/lock.h"
#include "run/runner.h"

#define HOST_LOCK ".host" /* no lab can have this name */
#define HOST_LOCK_TIMEOUT_MS 300000
enum { BUSY_TRIES = 5, BUSY_PAUSE_US = 400000 };

/* Labs that need nesting once this step is done, NULL-terminated. Borrowed from the facts and the lab. */
static GPtrArray *labs_after(const np_kernel_facts *facts, const char *lab, bool needed)
{
	GPtrArray *labs = g_ptr_array_new();
	for (guint i = 0; i < facts->labs->len; i++)
		if (!g_str_equal(g_ptr_array_index(facts->labs, i), lab))
			g_ptr_array_add(labs, g_ptr_array_index(facts->labs, i));
	if (needed)
		g_ptr_array_add(labs, (gpointer)lab);
	g_ptr_array_add(labs, NULL);
	return labs;
}

/* libvirtd starts a QEMU for a moment when it looks what it can do, and that one holds the module. */
static bool nesting(np_runner *runner, const np_nesting_request *request, GError **error)
{
	for (unsigned i = 1;; i++) {
		g_autoptr(GError) local = NULL;
		if (runner->drivers->kernel->nesting("", request, &local))
			return true;
		if (i == BUSY_TRIES || !g_error_matches(local, NP_ERROR, NP_ERROR_BUSY)) {
			g_propagate_error(error, g_steal_pointer(&local));
			return false;
		}
		g_usleep(BUSY_PAUSE_US); /* the kernel tells nobody when a module becomes idle */
	}
}

static bool switch_on(np_runner *runner, const np_kernel_facts *facts, np_nesting_request *request, GError **error)
{
	request->reload = facts->nested == 0;
	return nesting(runner, request, error);
}

/* What cannot be undone now is no failure of the teardown: it is said, and the next boot undoes it. */
static bool switch_off(np_runner *runner, const np_step *step, const np_kernel_facts *facts, np_nesting_request *request, GError **error)
{
	g_autoptr(GError) local = NULL;
	request->reload = !request->labs[0] && facts->nested == 1 && facts->before == 0;
	if (nesting(runner, request, &local))
		return true;
	if (!g_error_matches(local, NP_ERROR, NP_ERROR_BUSY)) {
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	g_autofree char *text = g_strdup_printf("warning: nesting stays on until %s is loaded anew: %s", facts->module, local->message);
	np_runner_stage(runner, step, text);
	request->reload = false;
	return runner->drivers->kernel->nesting("", request, error);
}

bool np_action_nesting(np_runner *runner, const np_step *step, GError **error)
{
	g_autoptr(np_lock) lock =
		np_lock_acquire(runner->session, HOST_LOCK, HOST_LOCK_TIMEOUT_MS, runner->options->cancel, error);
	g_auto(np_kernel_facts) facts = {0};
	if (!lock || !runner->drivers->kernel->facts("", &facts, error))
		return false;
	g_autoptr(GPtrArray) labs = labs_after(&facts, runner->lab->name, step->nesting);
	np_nesting_request request = {.module = facts.module, .labs = (const char *const *)labs->pdata};
	return step->nesting ? switch_on(runner, &facts, &request, error) : switch_off(runner, step, &facts, &request, error);
}
