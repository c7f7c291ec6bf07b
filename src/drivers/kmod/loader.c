/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that changes the kernel. */
#include <errno.h>

#include "drivers/kmod/kmod.h"

/* Without KMOD_REMOVE_FORCE: a module in use stays. It removes no other module: kvm stays. */
static int kernel_remove(const np_loader *loader, const char *root, const char *name)
{
	(void)loader;
	g_autoptr(kmod_ctx) ctx = *root ? NULL : np_kmod_context(root, false);
	g_autoptr(kmod_module) module = NULL;
	if (ctx == NULL)
		return *root ? -EOPNOTSUPP : -ENOMEM;
	int code = kmod_module_new_from_name(ctx, name, &module);
	return code < 0 ? code : kmod_module_remove_module(module, KMOD_REMOVE_NOWAIT);
}

/* Without FAIL_ON_LOADED the answer is 0 as well when the other vendor's module is in the way. */
static int kernel_insert(const np_loader *loader, const char *root, const char *name, bool configured,
                         const char *options)
{
	(void)loader;
	g_autoptr(kmod_ctx) ctx = *root ? NULL : np_kmod_context(root, configured);
	g_autoptr(kmod_module) module = NULL;
	if (ctx == NULL)
		return *root ? -EOPNOTSUPP : -ENOMEM;
	int code = kmod_module_new_from_name_lookup(ctx, name, &module);
	if (code < 0 || module == NULL)
		return code < 0 ? code : -ENOENT;
	return kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST | KMOD_PROBE_FAIL_ON_LOADED, options,
	                                       NULL, NULL, NULL);
}

const np_loader np_loader_kernel = {.remove = kernel_remove, .insert = kernel_insert};
