/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the way of switching nesting on in the host's kernel. */
#include <string.h>

#include "world/world.h"

static char *cmdline_key(const np_kernel_facts *kernel)
{
	return g_strdup_printf("%s.nested", kernel->module);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* What is read after nestplan's file, and says no: files that sort behind it, then the kernel command line. The last wins. */
static const np_option_source *overriding(const np_kernel_facts *kernel)
{
	const np_option_source *last = NULL;
	for (guint i = 0; i < kernel->sources->len; i++) {
		const np_option_source *source = g_ptr_array_index(kernel->sources, i);
		if (source->line == 0 || strcmp(base_name(source->file), base_name(NP_NESTING_FILE)) > 0)
			last = source;
	}
	return last && *last->value && strchr("Nn0", *last->value) ? last : NULL;
}

static bool is_foreign(const np_kernel_facts *kernel)
{
	for (guint i = 0; i < kernel->sources->len; i++)
		if (g_str_equal(((const np_option_source *)g_ptr_array_index(kernel->sources, i))->file, NP_NESTING_FILE))
			return true;
	return false;
}

static char *override_text(const np_kernel_facts *kernel)
{
	const np_option_source *source = overriding(kernel);
	if (!source)
		return NULL;
	if (source->line == 0)
		return g_strdup_printf("the kernel command line says %s.nested=%s, which wins over every file: change it in the boot loader "
		                       "and reboot", kernel->module, source->value);
	return g_strdup_printf("%s:%u sets nested=%s and is read after " NP_NESTING_FILE ": remove that option, or give its file a name "
	                       "that sorts earlier", source->file, source->line, source->value);
}

char *np_nesting_holders(const np_kernel_facts *kernel, const char *lab)
{
	g_autofree char *prefix = lab ? g_strconcat(lab, ".", NULL) : NULL;
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < kernel->holders->len; i++) {
		const np_holder *holder = g_ptr_array_index(kernel->holders, i);
		if (prefix && holder->domain && g_str_has_prefix(holder->domain, prefix))
			continue;
		if (out->len)
			g_string_append(out, ", ");
		if (holder->domain)
			g_string_append_printf(out, "domain '%s' (pid %d)", holder->domain, holder->pid);
		else
			g_string_append_printf(out, "process %d (%s)", holder->pid, holder->command);
	}
	return out->len ? g_string_free(out, FALSE) : (g_string_free(out, TRUE), NULL);
}

char *np_nesting_obstacle(const np_kernel_facts *kernel)
{
	const char *module = kernel->module;
	if (kernel->state == NP_MODULE_BUILTIN) {
		g_autofree char *key = cmdline_key(kernel);
		return g_strdup_printf("%s is built into this kernel, so it cannot be reloaded: add %s=1 to the kernel command line and reboot",
		                       module, key);
	}
	if (!kernel->loadable)
		return g_strdup_printf("no file of module %s is installed for the running kernel, so it could not be loaded again: install "
		                       "the kernel's modules, or reboot into the installed kernel", module);
	if (kernel->bad)
		return g_strdup_printf("%s:%u sets nested=%s, which %s refuses (it takes a number): write nested=1 there", kernel->bad->file,
		                       kernel->bad->line, kernel->bad->value, module);
	if (kernel->blacklist)
		return g_strdup_printf("%s blacklists module %s, so it would not come back: remove that line", kernel->blacklist, module);
	char *override = override_text(kernel);
	if (override)
		return override;
	if (is_foreign(kernel))
		return g_strdup(NP_NESTING_FILE " exists and was not written by nestplan: move its options to another file and remove it");
	if (kernel->forbidden)
		return g_strdup_printf("modules cannot be loaded: %s", kernel->forbidden);
	g_autofree char *holders = np_nesting_holders(kernel, NULL);
	if (holders)
		return g_strdup_printf("%s is in use by %s: stop what uses it and try again", module, holders);
	return NULL;
}
