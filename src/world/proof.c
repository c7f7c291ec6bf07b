/* SPDX-License-Identifier: Apache-2.0 */
#include "world/proof.h"

#include <string.h>

const char *const np_check_names[] = {"flag", "module", "nested", "device", "vm", "capabilities", NULL};

const char np_proof_script[] =
	"flag=$(grep -o -w -m1 -e svm -e vmx /proc/cpuinfo | head -n1)\n"
	"case $flag in vmx) module=kvm_intel;; *) module=kvm_amd;; esac\n"
	"echo \"flag=$flag\"\n"
	"echo \"wanted=$module\"\n"
	"[ -d /sys/module/$module ] && echo \"module=$module\"\n"
	"echo \"nested=$(cat /sys/module/$module/parameters/nested 2>/dev/null)\"\n"
	"if [ -c /dev/kvm ]; then\n"
	"  if message=$( (exec 3<>/dev/kvm) 2>&1 ); then echo device=ok; else echo \"device=$message\"; fi\n"
	"else echo 'device=/dev/kvm does not exist'; fi\n"
	/* KVM_CREATE_VM (0xAE01, linux/kvm.h), by whichever interpreter is there; Debian always has perl, Red Hat python. */
	"if command -v perl >/dev/null; then\n"
	"  perl -e 'sysopen(F, \"/dev/kvm\", 2) or die \"$!\\n\"; defined(ioctl(F, 0xAE01, 0)) or die \"$!\\n\"; print \"vm=ok\\n\"' 2>&1 || :\n"
	"else\n"
	"  python=$(command -v python3 || command -v /usr/libexec/platform-python) && $python -c '\n"
	"import fcntl, os\n"
	"fcntl.ioctl(os.open(\"/dev/kvm\", os.O_RDWR), 0xAE01, 0)\n"
	"print(\"vm=ok\")' 2>&1\n"
	"  [ -n \"$python\" ] || echo vm=unknown\n"
	"fi | sed -e '$!d' -e '/^vm=/!s/^/vm=/'\n"
	"[ -d /sys/module/$module ] || echo \"log=$(dmesg 2>/dev/null | grep -i \"kvm\" | tail -n1)\"\n";

void np_proof_clear(np_proof *proof)
{
	for (int i = 0; i < NP_CHECK_COUNT; i++)
		g_free(proof->detail[i]);
	*proof = (np_proof){0};
}

static const char *value_of(char **lines, const char *key)
{
	size_t length = strlen(key);
	for (char **line = lines; *line; line++)
		if (strncmp(*line, key, length) == 0 && (*line)[length] == '=')
			return *line + length + 1;
	return "";
}

static void put(np_proof *proof, np_check check, bool ok, char *detail)
{
	proof->ok[check] = ok;
	g_free(proof->detail[check]);
	proof->detail[check] = detail;
}

void np_proof_read(np_proof *proof, const char *output)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
	const char *flag = value_of(lines, "flag");
	const char *module = value_of(lines, "module");
	const char *nested = value_of(lines, "nested");
	const char *device = value_of(lines, "device");
	const char *log = value_of(lines, "log");

	put(proof, NP_CHECK_FLAG, *flag != '\0',
	    *flag ? g_strdup(flag) : g_strdup("the CPU shows neither vmx nor svm"));
	if (*module)
		put(proof, NP_CHECK_MODULE, true, g_strdup(module));
	else
		put(proof, NP_CHECK_MODULE, false,
		    g_strdup_printf("the module %s is not loaded%s%s", value_of(lines, "wanted"),
		                    *log ? "; its kernel says: " : "", log));
	bool on = *nested && strchr("Yy1", *nested);
	put(proof, NP_CHECK_NESTED, on,
	    *nested ? g_strdup_printf("nested=%s", nested) : g_strdup("the parameter nested cannot be read"));
	bool usable = strcmp(device, "ok") == 0;
	put(proof, NP_CHECK_DEVICE, usable, g_strdup(usable ? "/dev/kvm opens" : device));
	/* Without an interpreter it is libvirt's word: its daemon creates one when it probes QEMU. */
	const char *vm = value_of(lines, "vm");
	bool created = strcmp(vm, "ok") == 0 || strcmp(vm, "unknown") == 0;
	put(proof, NP_CHECK_VM, created,
	    strcmp(vm, "ok") == 0 ? g_strdup("KVM created a VM")
	    : created             ? g_strdup("not tried: there is neither perl nor python3")
	                          : g_strdup_printf("KVM does not create a VM: %s", *vm ? vm : "no answer"));
	proof->gathered = true;
}

void np_proof_finish(np_proof *proof, const np_host_facts *facts)
{
	put(proof, NP_CHECK_CAPABILITIES, facts->offers_kvm,
	    g_strdup(facts->offers_kvm ? "libvirt offers kvm" : "libvirt does not offer kvm"));
	proof->kvm = proof->gathered;
	for (int i = 0; i < NP_CHECK_COUNT; i++)
		proof->kvm = proof->kvm && proof->ok[i];
}

void np_proof_host(np_proof *proof, const np_kernel_facts *kernel, const np_host_facts *facts)
{
	bool there = kernel->state == NP_MODULE_LIVE || kernel->state == NP_MODULE_BUILTIN;
	const char *module = kernel->module ? kernel->module : "of KVM";
	put(proof, NP_CHECK_FLAG, kernel->flag != NULL,
	    g_strdup(kernel->flag ? kernel->flag : "the CPU shows neither vmx nor svm"));
	put(proof, NP_CHECK_MODULE, there,
	    there ? g_strdup(module) : g_strdup_printf("the module %s is not loaded", module));
	put(proof, NP_CHECK_NESTED, kernel->nested == 1,
	    kernel->nested < 0 ? g_strdup("the parameter nested cannot be read") : g_strdup_printf("nested=%d", kernel->nested));
	put(proof, NP_CHECK_DEVICE, kernel->device,
	    kernel->device ? g_strdup("/dev/kvm opens") : g_strdup_printf("/dev/kvm: %s", kernel->device_error));
	bool created = kernel->device && !kernel->vm_error;
	put(proof, NP_CHECK_VM, created,
	    created ? g_strdup("KVM created a VM")
	            : g_strdup_printf("KVM does not create a VM: %s", kernel->vm_error ? kernel->vm_error : "its device does not open"));
	proof->gathered = true;
	np_proof_finish(proof, facts);
}

char *np_proof_missing(const np_proof *proof)
{
	if (!proof->gathered)
		return g_strdup("nothing was gathered inside it yet");
	static const char *const fixes[NP_CHECK_COUNT] = {
		[NP_CHECK_FLAG] = "let the level below pass it on: nesting on in its kernel, and a CPU mode that has it (`cpu: auto`)",
		[NP_CHECK_MODULE] = "look at `modprobe` and /etc/modprobe.d in it; an option that the module refuses keeps it out",
		[NP_CHECK_NESTED] = "put `nested=1` into /etc/modprobe.d in it and load the module anew",
		[NP_CHECK_DEVICE] = "its udev or its permissions; the module makes it",
		[NP_CHECK_VM] = "something else may use the CPU's virtualization; see the kernel's log in it",
		[NP_CHECK_CAPABILITIES] = "restart libvirtd in it, and see that its QEMU was built with KVM",
	};
	for (int i = 0; i < NP_CHECK_COUNT; i++)
		if (!proof->ok[i])
			return g_strdup_printf("%s (fix: %s)", proof->detail[i] ? proof->detail[i] : np_check_names[i], fixes[i]);
	return NULL;
}
