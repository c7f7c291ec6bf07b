/* SPDX-License-Identifier: Apache-2.0 */
/* What is known to go wrong is said before anything is touched. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "drivers/kmod/kmod.h"

static bool refuse(GError **error, np_error_code code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool refuse(GError **error, np_error_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, NP_ERROR, (int)code, text);
	return false;
}

static bool check_request(const np_nesting_request *request, GError **error)
{
	static const char *const known[] = {"kvm_amd", "kvm_intel", NULL};
	if (request->module == NULL || !g_strv_contains(known, request->module))
		return refuse(error, NP_ERROR_UNSUPPORTED,
		              "nesting of module '%s' cannot be switched by nestplan, only that of kvm_amd and kvm_intel; "
		              "set its parameter as its documentation says", request->module ? request->module : "");
	for (const char *const *lab = request->labs; lab != NULL && *lab != NULL; lab++)
		if (**lab == '\0' || strpbrk(*lab, " \t\r\n\\") != NULL)
			return refuse(error, NP_ERROR_INVALID,
			              "lab name '%s' cannot be written to " NP_NESTING_FILE ": it is empty or has blanks",
			              *lab);
	return true;
}

static bool check_file(const np_switch *s, GError **error)
{
	if (!s->file.exists || s->file.ours)
		return true;
	return refuse(error, NP_ERROR_CLASH,
	              NP_NESTING_FILE " exists and was not written by nestplan, or was edited since; move its options to "
	              "another file of that folder and remove it, for nestplan needs that name");
}

static bool check_processor(const np_switch *s, GError **error)
{
	const np_kernel_facts *facts = &s->facts;
	const char *module = s->request->module;
	if (facts->flag == NULL)
		return refuse(error, NP_ERROR_UNSUPPORTED,
		              "the processor of this machine shows neither vmx nor svm in /proc/cpuinfo, so module %s has "
		              "nothing to work with; switch virtualization on in the firmware, or nesting in the hypervisor "
		              "that runs this machine", module);
	if (g_strcmp0(facts->module, module) != 0)
		return refuse(error, NP_ERROR_UNSUPPORTED,
		              "the processor of this machine (%s, %s) works with module %s, not with %s; switch that one",
		              facts->vendor ? facts->vendor : "vendor unknown", facts->flag, facts->module, module);
	if (facts->state == NP_MODULE_BUILTIN)
		return refuse(error, NP_ERROR_UNSUPPORTED,
		              "module %s is built into the kernel, so its parameter nested cannot change while it runs; "
		              "add %s.nested=%d to the kernel command line in the boot loader's configuration and reboot",
		              module, module, s->on);
	return true;
}

/* The last one that sorts behind our file, if it switches nesting off. */
static const np_option_source *find_override(const np_switch *s)
{
	const char *own = strrchr(NP_NESTING_FILE, '/') + 1;
	const np_option_source *last = NULL;
	for (guint i = 0; i < s->facts.sources->len; i++) {
		const np_option_source *source = s->facts.sources->pdata[i];
		if (source->line == 0 || strcmp(strrchr(source->file, '/') + 1, own) > 0)
			last = source;
	}
	return last != NULL && np_option_source_truth(s->request->module, last) == 0 ? last : NULL;
}

static bool check_sources(const np_switch *s, GError **error)
{
	const char *module = s->request->module;
	const np_option_source *bad = s->facts.bad, *override = s->on ? find_override(s) : NULL;
	if (bad != NULL) {
		g_autofree char *place = np_option_place(bad->file, bad->line);
		return refuse(error, NP_ERROR_FAILED,
		              "%s sets nested=%s for module %s, which takes %s there and would not load; write nested=1 or "
		              "nested=0 there, or remove it", place, bad->value, module,
		              strcmp(module, "kvm_amd") == 0 ? "integers only" : "only Y, N, 1 or 0");
	}
	if (override != NULL && override->line == 0)
		return refuse(error, NP_ERROR_FAILED,
		              "the kernel command line has %s.nested=%s, which overrides every file in modprobe.d; remove it "
		              "from the boot loader's configuration and reboot", module, override->value);
	if (override != NULL)
		return refuse(error, NP_ERROR_FAILED,
		              "%s:%u sets nested=%s for module %s and is read after " NP_NESTING_FILE ", so that it wins; "
		              "remove that option or give its file a name that sorts earlier", override->file,
		              override->line, override->value, module);
	return true;
}

static bool check_loading(const np_switch *s, GError **error)
{
	const np_kernel_facts *facts = &s->facts;
	const char *module = s->request->module;
	if (*s->root != '\0' && s->loader == &np_loader_kernel)
		return refuse(error, NP_ERROR_UNSUPPORTED,
		              "module %s cannot be loaded for %s: that folder only stands for a system", module, s->root);
	if (facts->state == NP_MODULE_OTHER)
		return refuse(error, NP_ERROR_BUSY,
		              "module %s is being loaded or unloaded at this moment; try again", module);
	if (!facts->loadable)
		return refuse(error, NP_ERROR_UNSUPPORTED,
		              "no file of module %s is installed for the running kernel, so it could not be loaded again; "
		              "install the kernel's modules, or reboot when the kernel was updated", module);
	if (facts->forbidden != NULL)
		return refuse(error, NP_ERROR_FAILED, "module %s cannot be loaded again: %s", module, facts->forbidden);
	if (facts->blacklist != NULL)
		return refuse(error, NP_ERROR_FAILED,
		              "module %s is kept from being loaded by %s (a blacklist or install line); remove that line",
		              module, facts->blacklist);
	return true;
}

/* What happens to the module afterwards needs no look at it when only the file goes. */
bool np_switch_allowed(const np_switch *s, GError **error)
{
	if (!check_request(s->request, error) || !check_file(s, error))
		return false;
	if ((s->on || s->reload) && (!check_processor(s, error) || !check_sources(s, error)))
		return false;
	return !s->reload || (check_loading(s, error) && np_switch_idle(s, error));
}

static void add_modules(const np_switch *s, GPtrArray *who)
{
	g_autofree char *path = np_kmod_sys(s->request->module, "holders");
	g_autofree char *full = g_strconcat(s->root, path, NULL);
	g_autoptr(GDir) dir = g_dir_open(full, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		g_ptr_array_add(who, g_strdup_printf("module %s", name));
}

/* "domain 'web', pid 123 (qemu-system-x86); pid 456 (crosvm)". NULL: nobody. */
static char *find_users(const np_switch *s)
{
	g_auto(np_kernel_facts) now;
	np_kernel_facts_init(&now);
	np_holders_find(s->root, now.holders);
	g_autoptr(GPtrArray) who = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < now.holders->len; i++) {
		const np_holder *holder = now.holders->pdata[i];
		g_autofree char *domain = holder->domain ? g_strdup_printf("domain '%s', ", holder->domain) : g_strdup("");
		g_ptr_array_add(who, g_strdup_printf("%spid %d (%s)", domain, holder->pid, holder->command));
	}
	add_modules(s, who);
	g_autofree char *path = np_kmod_sys(s->request->module, "refcnt");
	g_autofree char *count = np_kmod_read(s->root, path);
	if (who->len == 0 && count != NULL && atoi(count) > 0)
		g_ptr_array_add(who, g_strdup_printf("something that is not seen from here (its reference count is %s)", count));
	g_ptr_array_add(who, NULL);
	return who->pdata[0] != NULL ? g_strjoinv("; ", (char **)who->pdata) : NULL;
}

bool np_switch_idle(const np_switch *s, GError **error)
{
	g_autofree char *who = find_users(s);
	if (who == NULL)
		return true;
	return refuse(error, NP_ERROR_BUSY, "module %s is in use and cannot be loaded anew: stop %s, and try again",
	              s->request->module, who);
}
