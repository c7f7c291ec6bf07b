/* SPDX-License-Identifier: Apache-2.0 */
/* Values of sensitive variables are taken out of all that a plan says. */
#include "base/diag.h"
#include "lab/lab.h"
#include "plan/diff.h"

static void hide(const np_plan *plan, char **text)
{
	if (!*text)
		return;
	char *hidden = np_diags_clean(plan->secrets, *text);
	g_free(*text);
	*text = hidden;
}

static void hide_all(const np_plan *plan, GPtrArray *texts)
{
	for (guint i = 0; i < texts->len; i++)
		hide(plan, (char **)&texts->pdata[i]);
}

static void hide_change(const np_plan *plan, np_change *change)
{
	hide(plan, &change->reason);
	for (guint i = 0; i < change->fields->len; i++) {
		np_field_change *field = g_ptr_array_index(change->fields, i);
		hide(plan, &field->name); /* "hosts.10.0.0.2" */
		hide(plan, &field->before);
		hide(plan, &field->after);
	}
}

void np_plan_conceal(np_plan *plan, const np_lab *lab)
{
	g_autoptr(np_diags) secrets = np_lab_secrets(lab);
	if (!secrets->secrets->len)
		return;
	plan->secrets = g_steal_pointer(&secrets);
	hide_all(plan, plan->problems);
	hide_all(plan, plan->warnings);
	for (guint i = 0; i < plan->changes->len; i++)
		hide_change(plan, g_ptr_array_index(plan->changes, i));
}

char *np_plan_hide(const np_plan *plan, char *text)
{
	if (plan->secrets)
		hide(plan, &text);
	return text;
}
