/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel of this machine says about KVM. The only folder that includes libkmod.h. */
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/driver.h"

typedef struct kmod_ctx kmod_ctx;
typedef struct kmod_module kmod_module;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kmod_ctx, kmod_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kmod_module, kmod_module_unref)

static void silence(void *data, int priority, const char *file, int line, const char *fn, const char *format,
                    va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn, (void)format, (void)args;
}

/* Only names are looked up: an empty vector keeps modprobe.d out of it. */
static kmod_ctx *context_new(void)
{
	const char *const no_config[] = {NULL};
	kmod_ctx *ctx = kmod_new(NULL, no_config);
	if (ctx != NULL)
		kmod_set_log_fn(ctx, silence, NULL);
	return ctx;
}

static char *sys_path(const char *root, const char *module, const char *rest)
{
	return g_strdup_printf("%s/sys/module/%s%s%s", root, module, *rest ? "/" : "", rest);
}

static char *sys_read(const char *root, const char *module, const char *rest)
{
	g_autofree char *path = sys_path(root, module, rest);
	char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	return g_strchomp(text);
}

static bool sys_exists(const char *root, const char *module, const char *rest)
{
	g_autofree char *path = sys_path(root, module, rest);
	return access(path, F_OK) == 0;
}

/* Whole word "svm" or "vmx" in the first processor's flags. */
static bool read_flag(const char *root, const char **ret_flag, GError **error)
{
	g_autofree char *path = g_strconcat(root, "/proc/cpuinfo", NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) local = NULL;
	if (!g_file_get_contents(path, &text, NULL, &local)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "the processor's features cannot be read: %s",
		            local->message);
		return false;
	}
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	*ret_flag = NULL;
	for (char **line = lines; *line != NULL; line++) {
		if (!g_str_has_prefix(*line, "flags"))
			continue;
		g_auto(GStrv) words = g_strsplit_set(*line, " \t:", -1);
		const char *const *list = (const char *const *)words;
		*ret_flag = g_strv_contains(list, "svm") ? "svm" : g_strv_contains(list, "vmx") ? "vmx" : NULL;
		break;
	}
	return true;
}

static const char *pick_module(const char *root, const char *flag)
{
	if (flag != NULL)
		return strcmp(flag, "svm") == 0 ? "kvm_amd" : "kvm_intel";
	if (sys_exists(root, "kvm_intel", ""))
		return "kvm_intel";
	return sys_exists(root, "kvm_amd", "") ? "kvm_amd" : NULL;
}

static np_module_state state_from_files(const char *root, const char *module)
{
	g_autofree char *text = sys_read(root, module, "initstate");
	if (text != NULL)
		return strcmp(text, "live") == 0 ? NP_MODULE_LIVE : NP_MODULE_OTHER;
	return sys_exists(root, module, "") ? NP_MODULE_BUILTIN : NP_MODULE_ABSENT;
}

/* libkmod calls a built-in module "coming" when the index of built-in modules is not that of this kernel; a folder
 * without initstate tells them apart. */
static np_module_state state_from_kernel(kmod_ctx *ctx, const char *name)
{
	g_autoptr(kmod_module) module = NULL;
	if (ctx == NULL || kmod_module_new_from_name(ctx, name, &module) < 0 ||
	    (sys_exists("", name, "") && !sys_exists("", name, "initstate")))
		return state_from_files("", name);
	int state = kmod_module_get_initstate(module);
	if (state < 0)
		return NP_MODULE_ABSENT;
	if (state == KMOD_MODULE_BUILTIN)
		return NP_MODULE_BUILTIN;
	return state == KMOD_MODULE_LIVE ? NP_MODULE_LIVE : NP_MODULE_OTHER;
}

/* The lookup returns 0 and no module when there is none. */
static bool is_installed(kmod_ctx *ctx, const char *name)
{
	g_autoptr(kmod_module) module = NULL;
	return ctx != NULL && kmod_module_new_from_name_lookup(ctx, name, &module) >= 0 && module != NULL;
}

/* kvm_intel says Y or N, kvm_amd 1 or 0. */
static int read_nested(const char *root, const char *module)
{
	g_autofree char *text = sys_read(root, module, "parameters/nested");
	if (text == NULL || *text == '\0')
		return -1;
	if (strchr("Yy1", *text) != NULL)
		return 1;
	return strchr("Nn0", *text) != NULL ? 0 : -1;
}

/* Why the device is missing: the module's state says what to do. */
static char *missing_device(const np_kernel_facts *facts, bool installed)
{
	if (facts->module == NULL)
		return g_strdup("it does not exist, and the processor shows neither vmx nor svm");
	if (facts->state != NP_MODULE_ABSENT)
		return g_strdup_printf("it does not exist although module %s is there: look into the kernel's log",
		                       facts->module);
	if (installed)
		return g_strdup_printf("it does not exist: module %s is not loaded (modprobe %s)", facts->module,
		                       facts->module);
	return g_strdup_printf("it does not exist: module %s is neither loaded nor installed for this kernel",
	                       facts->module);
}

static void check_device(const char *root, bool installed, np_kernel_facts *facts)
{
	g_autofree char *path = g_strconcat(root, "/dev/kvm", NULL);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int code = errno;
	facts->device = fd >= 0;
	if (fd >= 0)
		(void)close(fd);
	else if (code == ENOENT)
		facts->device_error = missing_device(facts, installed);
	else if (code == EACCES)
		facts->device_error = g_strdup("this user may not open it: be root or a member of the group kvm");
	else
		facts->device_error = g_strdup(g_strerror(code));
}

static bool kernel_facts(const char *root, np_kernel_facts *ret, GError **error)
{
	const char *flag;
	if (!read_flag(root, &flag, error))
		return false;
	bool real = *root == '\0';
	const char *module = pick_module(root, flag);
	g_autoptr(kmod_ctx) ctx = real && module != NULL ? context_new() : NULL;
	np_kernel_facts_clear(ret);
	np_kernel_facts_init(ret);
	ret->flag = g_strdup(flag);
	ret->module = g_strdup(module);
	ret->state = NP_MODULE_ABSENT;
	if (module != NULL) {
		ret->state = real ? state_from_kernel(ctx, module) : state_from_files(root, module);
		ret->nested = read_nested(root, module);
	}
	check_device(root, !real || (module != NULL && is_installed(ctx, module)), ret);
	return true;
}

const np_kernel_ops np_kmod = {.facts = kernel_facts};
