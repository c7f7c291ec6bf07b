/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "drivers/kmod/kmod.h"

/* Bit of <linux/capability.h>; it is part of the kernel's interface. */
#define CAP_SYS_MODULE_BIT 16

char *np_kmod_read(const char *root, const char *path)
{
	g_autofree char *full = g_strconcat(root, path, NULL);
	char *text = NULL;
	if (!g_file_get_contents(full, &text, NULL, NULL))
		return NULL;
	return g_strchomp(text);
}

bool np_kmod_exists(const char *root, const char *path)
{
	g_autofree char *full = g_strconcat(root, path, NULL);
	return access(full, F_OK) == 0;
}

char *np_kmod_sys(const char *module, const char *rest)
{
	return g_strdup_printf("/sys/module/%s%s%s", module, *rest ? "/" : "", rest);
}

static bool sys_exists(const char *root, const char *module, const char *rest)
{
	g_autofree char *path = np_kmod_sys(module, rest);
	return np_kmod_exists(root, path);
}

static void silence(void *data, int priority, const char *file, int line, const char *fn, const char *format,
                    va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn, (void)format, (void)args;
}

static char *modules_folder(const char *root)
{
	struct utsname name;
	if (uname(&name) != 0)
		return NULL;
	return g_strdup_printf("%s/lib/modules/%s", root, name.release);
}

/* NULL as paths: libkmod's own folders, whatever this build of it has. An empty vector: no files. */
kmod_ctx *np_kmod_context(const char *root, bool configured)
{
	g_autofree char *folder = *root ? modules_folder(root) : NULL;
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; configured && *root && np_conf_folders[i] != NULL; i++)
		g_ptr_array_add(paths, g_strconcat(root, np_conf_folders[i], NULL));
	g_ptr_array_add(paths, NULL);
	bool defaults = configured && *root == '\0';
	kmod_ctx *ctx = kmod_new(folder, defaults ? NULL : (const char *const *)paths->pdata);
	if (ctx != NULL)
		kmod_set_log_fn(ctx, silence, NULL);
	return ctx;
}

static np_module_state state_from_files(const char *root, const char *module)
{
	g_autofree char *path = np_kmod_sys(module, "initstate");
	g_autofree char *text = np_kmod_read(root, path);
	if (text != NULL)
		return strcmp(text, "live") == 0 ? NP_MODULE_LIVE : NP_MODULE_OTHER;
	return sys_exists(root, module, "") ? NP_MODULE_BUILTIN : NP_MODULE_ABSENT;
}

/* libkmod calls a built-in module "coming" when the index of built-in modules is not that of this kernel; a folder
 * without initstate tells them apart. It knows no other root than /. */
np_module_state np_kmod_state(const char *root, const char *name)
{
	g_autoptr(kmod_ctx) ctx = *root ? NULL : np_kmod_context(root, false);
	g_autoptr(kmod_module) module = NULL;
	if (ctx == NULL || kmod_module_new_from_name(ctx, name, &module) < 0 ||
	    (sys_exists(root, name, "") && !sys_exists(root, name, "initstate")))
		return state_from_files(root, name);
	int state = kmod_module_get_initstate(module);
	if (state < 0)
		return NP_MODULE_ABSENT;
	if (state == KMOD_MODULE_BUILTIN)
		return NP_MODULE_BUILTIN;
	return state == KMOD_MODULE_LIVE ? NP_MODULE_LIVE : NP_MODULE_OTHER;
}

/* kvm_intel says Y or N, kvm_amd an integer. */
int np_kmod_nested(const char *root, const char *module)
{
	g_autofree char *path = np_kmod_sys(module, "parameters/nested");
	g_autofree char *text = np_kmod_read(root, path);
	return text != NULL ? np_option_truth(strchr("YyNn", *text) ? "kvm_intel" : "kvm_amd", text) : -1;
}

/* The lookup returns 0 and no module when there is none, and one without a path when it is built in. */
bool np_kmod_loadable(const char *root, const char *name)
{
	g_autoptr(kmod_ctx) ctx = np_kmod_context(root, false);
	g_autoptr(kmod_module) module = NULL;
	if (ctx == NULL || kmod_module_new_from_name_lookup(ctx, name, &module) < 0 || module == NULL)
		return false;
	const char *path = kmod_module_get_path(module);
	return path != NULL && access(path, F_OK) == 0;
}

/* A kernel that does not tell the capabilities is asked by trying. */
static bool may_load(const char *root)
{
	g_autofree char *text = np_kmod_read(root, "/proc/self/status");
	const char *line = text != NULL ? strstr(text, "\nCapEff:") : NULL;
	if (line == NULL)
		return true;
	return g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16) >> CAP_SYS_MODULE_BIT & 1;
}

char *np_kmod_forbidden(const char *root)
{
	g_autofree char *disabled = np_kmod_read(root, "/proc/sys/kernel/modules_disabled");
	if (disabled != NULL && strcmp(disabled, "1") == 0)
		return g_strdup("the kernel neither loads nor unloads modules until it is booted again "
		                "(/proc/sys/kernel/modules_disabled is 1); boot it without \"nomodule\" and without what "
		                "sets kernel.modules_disabled");
	if (!may_load(root))
		return g_strdup("this process may not load kernel modules (it lacks CAP_SYS_MODULE); be root, and "
		                "outside of any container");
	return NULL;
}
