/* SPDX-License-Identifier: Apache-2.0 */
#include "world/world.h"

void np_accel_answer_clear(np_accel_answer *answer)
{
	g_free(answer->reason);
	g_free(answer->switch_commands);
	*answer = (np_accel_answer){0};
}

/* What is missing for KVM on this machine, NULL when nothing is. A /dev/kvm that opens and a libvirt that lists kvm are no
 * proof: KVM counts only where the CPU shows vmx or svm. */
static char *kvm_missing(const np_host_facts *host, const np_kernel_facts *kernel)
{
	if (kernel) {
		if (!kernel->flag)
			return g_strdup("its CPU shows neither vmx nor svm");
		if (kernel->state == NP_MODULE_ABSENT)
			return g_strdup_printf("the kernel module %s is not loaded; run: modprobe %s", kernel->module,
			                       kernel->module);
		if (!kernel->device)
			return g_strdup_printf("/dev/kvm cannot be used: %s",
			                       kernel->device_error ? kernel->device_error : "it does not exist");
		if (kernel->vm_error)
			return g_strdup_printf("KVM makes no virtual machine: %s", kernel->vm_error);
	} else if (!host->flag) {
		return g_strdup("libvirt reports neither vmx nor svm for its CPU");
	}
	if (!host->offers_kvm)
		return g_strdup("libvirt does not offer kvm there (see: virsh domcapabilities --virttype kvm)");
	return NULL;
}

static char *switch_commands(const char *module)
{
	return g_strdup_printf("echo 'options %s nested=1' > /etc/modprobe.d/kvm.conf && "
	                       "modprobe -r %s && modprobe %s   (stop all virtual machines first)", module, module, module);
}

/* A remote host: what libvirt offers its guests tells whether its kernel nests. */
static void decide_remote(const np_host_facts *host, np_accel_answer *ret)
{
	ret->nested = host->nested != 0;
	ret->needs_switch = host->nested == 0;
	ret->reason = g_strdup_printf("libvirt offers kvm, the CPU shows %s, and guests are %s", ret->flag,
	                              host->nested == 0  ? "not given it: nested virtualization is off in the host's kernel"
	                              : host->nested > 0 ? "given it"
	                                                 : "perhaps given it (libvirt does not tell)");
	if (ret->needs_switch)
		ret->switch_commands = switch_commands(g_str_equal(ret->flag, "svm") ? "kvm_amd" : "kvm_intel");
}

static void decide_local(const np_kernel_facts *kernel, np_accel_answer *ret)
{
	ret->nested = kernel->nested != 0;
	ret->needs_switch = kernel->nested == 0;
	ret->reason = g_strdup_printf("the CPU shows %s, %s is %s with nested=%s, and /dev/kvm can be used", ret->flag,
	                              kernel->module, kernel->state == NP_MODULE_BUILTIN ? "built in" : "loaded",
	                              kernel->nested < 0 ? "unknown" : kernel->nested ? "1" : "0");
	if (ret->needs_switch)
		ret->switch_commands = switch_commands(kernel->module);
}

void np_accel_decide(const np_host_facts *host, const np_kernel_facts *kernel, np_accel_answer *ret)
{
	*ret = (np_accel_answer){0};
	const char *seen = kernel ? kernel->flag : host->flag;
	bool x86 = g_strcmp0(host->arch, "x86_64") == 0;
	g_autofree char *missing = kvm_missing(host, kernel);
	if (!missing) {
		ret->flag = g_strcmp0(seen, "vmx") == 0 ? "vmx" : "svm";
		ret->kvm = true;
		if (kernel)
			decide_local(kernel, ret);
		else
			decide_remote(host, ret);
		return;
	}
	/* QEMU's emulator has AMD SVM with nested paging, and no VMX (QEMU 7.2 target/i386/cpu.c). */
	ret->flag = x86 ? "svm" : NULL;
	ret->nested = x86;
	ret->reason = g_strdup_printf("KVM cannot be used on this host: %s", missing);
}
