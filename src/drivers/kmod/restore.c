/* SPDX-License-Identifier: Apache-2.0 */
/* The way back when a switch of nesting fails halfway. */
#include <string.h>

#include "base/error.h"
#include "drivers/kmod/kmod.h"

/* The message with something added; keeps the code. */
static void extend(GError **error, const char *more)
{
	g_autoptr(GError) old = g_steal_pointer(error);
	g_set_error(error, old->domain, old->code, "%s; %s", old->message, more);
}

static bool same_file(const np_nesting_file *a, const np_nesting_file *b)
{
	if (!a->exists || !b->exists)
		return a->exists == b->exists;
	return a->bytes != NULL && b->bytes != NULL && g_bytes_equal(a->bytes, b->bytes);
}

/* What is wrong with the file now, NULL: it is as it was. */
static char *restore_file(np_switch *s)
{
	g_auto(np_nesting_file) now = {0};
	g_autoptr(GError) local = NULL;
	np_nesting_file_read(s->root, &now);
	if (!s->file_touched || same_file(&now, &s->file) ||
	    np_nesting_file_put(s->root, s->file.bytes, &local))
		return NULL;
	if (s->file.bytes == NULL)
		return g_strdup_printf("%s; run: rm %s", local->message, NP_NESTING_FILE);
	/* It was ours, so it has no quotes. */
	g_autofree char *text = g_strndup(g_bytes_get_data(s->file.bytes, NULL), g_bytes_get_size(s->file.bytes));
	g_autofree char *escaped = g_strescape(text, NULL);
	return g_strdup_printf("%s; run: printf '%s' > %s", local->message, escaped, NP_NESTING_FILE);
}

/* Loads it as it was, in one of two ways. */
static bool reload(np_switch *s, bool configured, GError **error)
{
	int former = s->facts.nested;
	g_autofree char *extra = former < 0 ? NULL : g_strdup_printf("nested=%d", former);
	const char *options = extra;
	if (configured && np_options_effective(s->root, s->request->module) == former)
		options = NULL;
	return np_switch_unload(s, error) && np_switch_load(s, configured, options, former, error);
}

/* "module kvm_amd is not loaded; run: modprobe kvm_amd nested=0" */
static char *describe(const np_switch *s, const GError *cause)
{
	const char *module = s->request->module;
	int former = s->facts.nested, nested = np_kmod_nested(s->root, module);
	const char *values[] = {"", " nested=0", " nested=1"};
	if (s->facts.state == NP_MODULE_ABSENT)
		return g_strdup_printf("module %s is still loaded (%s); run: modprobe -r %s", module, cause->message, module);
	if (np_kmod_state(s->root, module) != NP_MODULE_LIVE)
		return g_strdup_printf("module %s is not loaded (%s); run: modprobe %s%s", module, cause->message, module,
		                       values[former + 1]);
	return g_strdup_printf("module %s is loaded with%s instead of%s (%s); run: modprobe -r %s && modprobe %s%s", module,
	                       nested < 0 ? " an unknown nested" : values[nested + 1], values[former + 1], cause->message,
	                       module, module, values[former + 1]);
}

static bool is_former(const np_switch *s)
{
	return np_kmod_state(s->root, s->request->module) == NP_MODULE_LIVE &&
	       (s->facts.nested < 0 || np_kmod_nested(s->root, s->request->module) == s->facts.nested);
}

/* What is wrong with the module now, NULL: it is as it was. */
static char *restore_module(np_switch *s)
{
	g_autoptr(GError) first = NULL;
	g_autoptr(GError) second = NULL;
	if (!s->module_touched)
		return NULL;
	if (s->facts.state == NP_MODULE_ABSENT)
		return np_switch_unload(s, &first) ? NULL : describe(s, first);
	if (is_former(s))
		return NULL;
	/* With the machine's own configuration first, for it may set other parameters too; without when that fails. */
	if (reload(s, true, &first) || reload(s, false, &second))
		return NULL;
	return describe(s, second);
}

bool np_switch_restore(np_switch *s, GError **error)
{
	if (!s->file_touched && !s->module_touched) {
		extend(error, "nothing was changed");
		return false;
	}
	g_autofree char *file = restore_file(s);
	g_autofree char *module = restore_module(s);
	if (file == NULL && module == NULL) {
		extend(error, "the former state is back");
		return false;
	}
	extend(error, "the former state could not be put back");
	if (file != NULL)
		extend(error, file);
	if (module != NULL)
		extend(error, module);
	return false;
}
