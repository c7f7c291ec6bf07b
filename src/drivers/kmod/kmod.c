/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel of this machine says about KVM. This folder is the only one that includes libkmod.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/kmod/kmod.h"

/* Of the first processor: vendor, and whole word "svm" or "vmx" in its flags. */
static void take_line(const char *line, np_kernel_facts *ret)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t:", -1);
	const char *const *list = (const char *const *)words;
	if (ret->vendor == NULL && g_str_has_prefix(line, "vendor_id"))
		ret->vendor = g_strstrip(g_strdup(strchr(line, ':') ? strchr(line, ':') + 1 : ""));
	else if (g_str_has_prefix(line, "flags"))
		ret->flag = g_strdup(g_strv_contains(list, "svm") ? "svm" : g_strv_contains(list, "vmx") ? "vmx" : NULL);
}

static bool read_processor(const char *root, np_kernel_facts *ret, GError **error)
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
	for (char **line = lines; *line != NULL; line++) {
		take_line(*line, ret);
		if (g_str_has_prefix(*line, "flags"))
			break;
	}
	return true;
}

/* Without a flag the module that is there: kvm_hv is ppc's; s390x has the parameter on kvm itself. */
static const char *pick_module(const char *root, const char *flag)
{
	if (flag != NULL)
		return strcmp(flag, "svm") == 0 ? "kvm_amd" : "kvm_intel";
	if (np_kmod_exists(root, "/sys/module/kvm_intel"))
		return "kvm_intel";
	if (np_kmod_exists(root, "/sys/module/kvm_amd"))
		return "kvm_amd";
	if (np_kmod_exists(root, "/sys/module/kvm_hv"))
		return "kvm_hv";
	return np_kmod_exists(root, "/sys/module/kvm/parameters/nested") ? "kvm" : NULL;
}

/* Why the device is missing: the module's state says what to do. */
static char *missing_device(const np_kernel_facts *facts)
{
	if (facts->module == NULL)
		return g_strdup("it does not exist, and the processor shows neither vmx nor svm");
	if (facts->state != NP_MODULE_ABSENT)
		return g_strdup_printf("it does not exist although module %s is there: look into the kernel's log",
		                       facts->module);
	if (facts->loadable)
		return g_strdup_printf("it does not exist: module %s is not loaded (modprobe %s)", facts->module,
		                       facts->module);
	return g_strdup_printf("it does not exist: module %s is neither loaded nor installed for this kernel",
	                       facts->module);
}

/* Opening the device proves little: another hypervisor may have the processor's virtualization. */
static char *try_vm(int device)
{
	int vm = ioctl(device, KVM_CREATE_VM, 0);
	int code = errno;
	if (vm >= 0) {
		(void)close(vm);
		return NULL;
	}
	return g_strdup_printf("%s%s", g_strerror(code),
	                       code == EBUSY ? "; another hypervisor (VirtualBox, VMware) uses the processor's virtualization" : "");
}

static void check_device(const char *root, np_kernel_facts *facts)
{
	g_autofree char *path = g_strconcat(root, "/dev/kvm", NULL);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int code = errno;
	facts->device = fd >= 0;
	/* Below a folder that stands for / there is a file, no device. */
	if (fd >= 0 && *root == '\0')
		facts->vm_error = try_vm(fd);
	if (fd >= 0)
		(void)close(fd);
	else if (code == ENOENT)
		facts->device_error = missing_device(facts);
	else if (code == EACCES)
		facts->device_error = g_strdup("this user may not open it: be root or a member of the group kvm");
	else
		facts->device_error = g_strdup(g_strerror(code));
}

static void read_module(const char *root, bool own_file, np_kernel_facts *facts)
{
	g_autoptr(GPtrArray) conf = np_conf_read(root);
	facts->state = np_kmod_state(root, facts->module);
	facts->nested = np_kmod_nested(root, facts->module);
	facts->loadable = np_kmod_loadable(root, facts->module);
	facts->blacklist = np_options_blacklist(conf, facts->module);
	np_options_nested(conf, own_file, facts);
	np_parameters_slow(root, facts->module, conf, facts->slow);
}

static void read_file(np_nesting_file *file, np_kernel_facts *facts)
{
	for (guint i = 0; i < file->labs->len; i++)
		g_ptr_array_add(facts->labs, g_strdup(file->labs->pdata[i]));
	facts->before = file->before;
}

bool np_kmod_facts(const char *root, np_kernel_facts *ret, GError **error)
{
	g_auto(np_kernel_facts) facts;
	np_kernel_facts_init(&facts);
	if (!read_processor(root, &facts, error))
		return false;
	g_auto(np_nesting_file) file = {0};
	np_nesting_file_read(root, &file);
	read_file(&file, &facts);
	facts.module = g_strdup(pick_module(root, facts.flag));
	facts.state = NP_MODULE_ABSENT;
	if (facts.module != NULL)
		read_module(root, file.ours, &facts);
	facts.forbidden = np_kmod_forbidden(root);
	np_holders_find(root, facts.holders);
	np_routes_read(root, facts.routes);
	check_device(root, &facts);
	np_kernel_facts_clear(ret);
	*ret = facts;
	np_kernel_facts_init(&facts);
	return true;
}

static bool kernel_nesting(const char *root, const np_nesting_request *request, GError **error)
{
	return np_switch_run(root, request, &np_loader_kernel, error);
}

const np_kernel_ops np_kmod = {.facts = np_kmod_facts, .nesting = kernel_nesting};
