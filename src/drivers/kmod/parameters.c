/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters that, when off, make nested guests slow (Linux, Documentation/virt/kvm/x86/running-nested-guests.rst). */
#include <string.h>

#include "drivers/kmod/kmod.h"

typedef struct {
	const char *module, *name;
	const char *effect; /* what it costs when off */
} parameter;

static const parameter parameters[] = {
	{"kvm_intel", "ept", "page tables are shadowed in software, so each change a nested guest makes to them leaves the guest"},
	{"kvm_intel", "enable_shadow_vmcs", "each access of a hypervisor in a guest to its VMCS leaves the guest"},
	{"kvm_intel", "enable_apicv", "interrupts of guests are delivered by software and make them leave to the host"},
	{"kvm_intel", "unrestricted_guest", "real mode of guests is emulated, so that they boot slowly"},
	{"kvm_amd", "npt", "page tables are shadowed in software, so each change a nested guest makes to them leaves the guest"},
};

static bool is_off(const char *root, const parameter *p)
{
	g_autofree char *name = g_strconcat("parameters/", p->name, NULL);
	g_autofree char *path = np_kmod_sys(p->module, name);
	g_autofree char *text = np_kmod_read(root, path);
	return text != NULL && *text != '\0' && strchr("Nn0", *text) != NULL;
}

void np_parameters_slow(const char *root, const char *module, const GPtrArray *conf, GPtrArray *ret)
{
	for (gsize i = 0; i < G_N_ELEMENTS(parameters); i++) {
		const parameter *p = &parameters[i];
		if (strcmp(p->module, module) != 0 || !is_off(root, p))
			continue;
		g_autofree char *origin = np_options_origin(conf, module, p->name);
		g_autofree char *fix = origin != NULL
			? g_strdup_printf("%s sets it: remove that option and load the module again", origin)
			: g_strdup_printf("no file sets it, so the processor (or the hypervisor below this machine) does not "
			                  "offer it, or the module was loaded so by hand: try %s=1 in modprobe.d", p->name);
		g_ptr_array_add(ret, g_strdup_printf("parameter %s of module %s is off: %s; %s", p->name, module,
		                                     p->effect, fix));
	}
}
