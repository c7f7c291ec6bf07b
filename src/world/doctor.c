/* SPDX-License-Identifier: Apache-2.0 */
#include "world/doctor.h"

#include <string.h>

#include "base/units.h"
#include "lab/lab.h"

#define FREE_WANTED ((guint64)10 << 30) /* bytes: a hypervisor image, its share, and disks that grow */

const char *const np_verdict_names[] = {"good", "warning", "bad", NULL};

typedef struct {
	GPtrArray *findings;
	const np_lab *lab;
	const np_world *world;
	const np_local_facts *local;
} exam;

static void finding_free(gpointer data)
{
	np_finding *finding = data;
	g_free(finding->text);
	g_free(finding->fix);
	g_free(finding);
}

/* Takes text and fix. */
static void add(exam *e, const char *name, np_verdict verdict, char *text, char *fix)
{
	np_finding *finding = g_new0(np_finding, 1);
	*finding = (np_finding){name, verdict, text, fix};
	g_ptr_array_add(e->findings, finding);
}

/* True when some node at the host's level refuses to be emulated; without a lab that is what people want. */
static bool demands_kvm(const np_lab *lab)
{
	for (guint i = 0; lab && i < lab->site.nodes->len; i++)
		if (((const np_node *)g_ptr_array_index(lab->site.nodes, i))->accel == NP_ACCEL_KVM)
			return true;
	return !lab;
}

static np_verdict without_kvm(const exam *e)
{
	return demands_kvm(e->lab) ? NP_VERDICT_BAD : NP_VERDICT_WARNING;
}

static void examine_cpu(exam *e)
{
	const np_kernel_facts *kernel = &e->world->kernel;
	const np_host_facts *facts = &e->world->root->facts;
	const char *flag = e->world->has_kernel ? kernel->flag : facts->flag;
	if (!e->world->has_kernel && !e->world->root->reachable)
		return;
	if (facts->arch && !g_str_equal(facts->arch, "x86_64"))
		add(e, "cpu", without_kvm(e), g_strdup_printf("the CPU is %s, and the nodes of labs are x86_64: they can only be emulated, "
		    NP_EMULATION_COST, facts->arch), g_strdup("take a host with an x86_64 CPU"));
	else if (flag)
		add(e, "cpu", NP_VERDICT_GOOD, g_strdup_printf("the CPU shows %s%s%s%s", flag, kernel->vendor ? " (" : "",
		    kernel->vendor ? kernel->vendor : "", kernel->vendor ? ")" : ""), NULL);
	else
		add(e, "cpu", without_kvm(e), g_strdup("the CPU shows neither vmx nor svm: nodes can only be emulated, " NP_EMULATION_COST),
		    g_strdup("switch virtualization on in the firmware (VT-x, AMD-V, SVM); on a virtual machine, in the hypervisor below it"));
}

static void examine_module(exam *e)
{
	const np_kernel_facts *kernel = &e->world->kernel;
	if (!kernel->module)
		return;
	static const char *const words[] = {[NP_MODULE_ABSENT] = "not loaded", [NP_MODULE_LIVE] = "loaded",
	                                    [NP_MODULE_BUILTIN] = "built into the kernel", [NP_MODULE_OTHER] = "coming or going"};
	bool there = kernel->state == NP_MODULE_LIVE || kernel->state == NP_MODULE_BUILTIN;
	add(e, "module", there ? NP_VERDICT_GOOD : without_kvm(e), g_strdup_printf("module %s is %s", kernel->module, words[kernel->state]),
	    there ? NULL : g_strdup_printf("modprobe %s%s%s", kernel->module, kernel->blacklist ? "; it is blacklisted in " : "",
	                                   kernel->blacklist ? kernel->blacklist : ""));
	if (kernel->device && !kernel->vm_error)
		add(e, "device", NP_VERDICT_GOOD, g_strdup("/dev/kvm opens, and KVM creates a virtual machine"), NULL);
	else if (kernel->device)
		add(e, "device", without_kvm(e), g_strdup_printf("/dev/kvm opens, but KVM creates no virtual machine: %s", kernel->vm_error),
		    g_strdup("stop other hypervisors on this machine; the kernel's log (dmesg) may say more"));
	else
		add(e, "device", without_kvm(e), g_strdup_printf("/dev/kvm cannot be used: %s", kernel->device_error),
		    g_strdup("see above; as another user than root: be a member of the group kvm"));
}

static void add_source(GString *out, const char *file, unsigned line, const char *value)
{
	g_string_append_printf(out, "%s%s", out->len ? ", then " : "; set by ", file);
	if (line)
		g_string_append_printf(out, ":%u", line);
	g_string_append_printf(out, " (nested=%s)", value);
}

static bool is_read_after_ours(const np_option_source *source)
{
	const char *name = strrchr(source->file, '/'), *ours = strrchr(NP_NESTING_FILE, '/');
	return source->line == 0 || g_strcmp0(name, ours) > 0;
}

/* In the order in which they are read. */
static char *sources_text(const np_kernel_facts *kernel)
{
	GString *out = g_string_new(NULL);
	bool ours = kernel->labs->len > 0;
	guint count = kernel->sources->len + ours;
	for (guint i = 0; i < kernel->sources->len; i++) {
		const np_option_source *source = g_ptr_array_index(kernel->sources, i);
		if (ours && is_read_after_ours(source)) {
			add_source(out, NP_NESTING_FILE, 0, "1");
			ours = false;
		}
		add_source(out, source->file, source->line, source->value);
	}
	if (ours)
		add_source(out, NP_NESTING_FILE, 0, "1");
	if (count > 1)
		g_string_append(out, ", which wins");
	return g_string_free(out, FALSE);
}

/* What `nested` is worth on other machines: it is read there, and never switched. */
static char *switch_elsewhere(const np_kernel_facts *kernel)
{
	return g_str_equal(kernel->module, "kvm_hv")
		? g_strdup("nestplan does not switch it on this kind of machine: echo Y > /sys/module/kvm_hv/parameters/nested")
		: g_strdup_printf("nestplan does not switch it on this kind of machine: load module %s with nested=1", kernel->module);
}

static void examine_options(exam *e)
{
	const np_kernel_facts *kernel = &e->world->kernel;
	if (kernel->bad)
		add(e, "options", NP_VERDICT_BAD, g_strdup_printf("%s:%u sets nested=%s, which %s refuses: it does not load with it",
		    kernel->bad->file, kernel->bad->line, kernel->bad->value, kernel->module), g_strdup("write nested=1 there"));
	for (guint i = 0; i < kernel->slow->len; i++)
		add(e, "parameters", NP_VERDICT_WARNING, g_strdup(g_ptr_array_index(kernel->slow, i)),
		    g_strdup("see its last part; what holds the module must be stopped first"));
}

static void examine_nesting(exam *e)
{
	const np_kernel_facts *kernel = &e->world->kernel;
	if (!e->world->has_kernel || !kernel->module)
		return;
	examine_options(e);
	if (kernel->state == NP_MODULE_ABSENT)
		return;
	g_autofree char *sources = sources_text(kernel);
	if (kernel->nested == 1)
		add(e, "nesting", NP_VERDICT_GOOD, g_strdup_printf("nested virtualization is on in %s%s", kernel->module, sources), NULL);
	else if (kernel->nested < 0)
		add(e, "nesting", NP_VERDICT_WARNING, g_strdup_printf("%s does not tell whether it nests", kernel->module),
		    g_strdup("look at /sys/module/*/parameters/nested"));
	else {
		g_autofree char *obstacle = kernel->flag ? np_nesting_obstacle(kernel) : switch_elsewhere(kernel);
		add(e, "nesting", obstacle ? NP_VERDICT_BAD : NP_VERDICT_WARNING,
		    g_strdup_printf("nested virtualization is off in %s%s", kernel->module, sources),
		    obstacle ? g_strdup(obstacle) : g_strdup("`nestplan apply` switches it on, and `nestplan destroy` off again"));
	}
}

static void examine_remote(exam *e)
{
	const np_host_facts *facts = &e->world->root->facts;
	if (e->world->has_kernel || !e->world->root->reachable || facts->nested < 0)
		return;
	if (facts->nested)
		add(e, "nesting", NP_VERDICT_GOOD, g_strdup("libvirt gives its guests the CPU's virtualization flag"), NULL);
	else
		add(e, "nesting", NP_VERDICT_BAD, g_strdup("libvirt gives its guests no virtualization flag: nesting is off there"),
		    g_strdup(e->world->accel.switch_commands));
}

static void examine_confinement(exam *e)
{
	const char *security = e->world->root->facts.security;
	if (security && strstr(security, "selinux"))
		add(e, "selinux", NP_VERDICT_WARNING, g_strdup("SELinux confines QEMU: files in other folders than libvirt's own need a label"),
		    g_strdup("semanage fcontext -a -t virt_image_t '/var/lib/nestplan(/.*)?' && restorecon -R /var/lib/nestplan"));
	/* https://bugs.launchpad.net/bugs/1677398 */
	if (security && strstr(security, "apparmor"))
		add(e, "apparmor", NP_VERDICT_WARNING, g_strdup("AppArmor confines QEMU: libvirt's helper does not always find the images below "
		    "a volume, and then a node does not start (“Permission denied”)"),
		    g_strdup("echo '\"/var/lib/nestplan/**\" rwk,' >> /etc/apparmor.d/local/abstractions/libvirt-qemu"));
}

/* libvirt's daemon of one user has no networks of its own, and cannot bring its guests to others'. */
static void examine_uri(exam *e)
{
	const char *uri = e->local ? e->local->uri : NULL;
	if (uri && g_str_has_suffix(uri, "/session"))
		add(e, "uri", NP_VERDICT_BAD, g_strdup_printf("%s is libvirt of one user, which makes no networks for guests", uri),
		    g_strdup("use `--connect qemu:///system` (or host.uri in the lab); as another user than root: be a member of the group libvirt"));
}

static void examine_libvirt(exam *e)
{
	const np_seen_site *root = e->world->root;
	const np_host_facts *facts = &root->facts;
	if (!root->reachable) {
		add(e, "libvirt", NP_VERDICT_BAD, g_strdup(root->why), g_strdup("start its daemon (systemctl start libvirtd), or name "
		    "another one with --connect; as another user than root: be a member of the group libvirt"));
		return;
	}
	add(e, "libvirt", NP_VERDICT_GOOD, g_strdup_printf("%s%s%s", facts->version, facts->security ? ", confinement: " : "",
	    facts->security ? facts->security : ""), NULL);
	examine_uri(e);
	if (e->world->accel.kvm)
		add(e, "kvm", NP_VERDICT_GOOD, g_strdup("libvirt offers kvm"), NULL);
	else if (facts->offers_kvm)
		add(e, "kvm", without_kvm(e), g_strdup_printf("libvirt offers kvm, but %s", e->world->accel.reason),
		    g_strdup("`accel: auto` emulates here"));
	else
		add(e, "kvm", without_kvm(e), g_strdup("libvirt does not offer kvm"), g_strdup("virt-host-validate qemu; restart libvirtd "
		    "after the module was loaded"));
	examine_confinement(e);
}

static void examine_local(exam *e)
{
	const np_local_facts *local = e->local;
	if (!local)
		return;
	const np_kernel_facts *kernel = &e->world->kernel;
	const char *how = !e->world->has_kernel                                     ? ""
	                  : kernel->flag && kernel->device && !kernel->vm_error ? ", its appliance uses KVM"
	                                                                        : ", its appliance is emulated";
	add(e, "guestfs", NP_VERDICT_GOOD, g_strdup_printf("libguestfs %s%s", local->guestfs, how), NULL);
	for (guint i = 0; i < local->missing->len; i++)
		add(e, "programs", NP_VERDICT_BAD, g_strdup_printf("the program %s is missing", (char *)g_ptr_array_index(local->missing, i)),
		    g_strdup("install it; contrib/deps.sh knows the packages"));
	if (!e->world->root->facts.local)
		return; /* its folders are those of another machine, or nobody says who runs QEMU */
	if (local->kvm_denied)
		add(e, "kvm-user", NP_VERDICT_BAD, g_strdup_printf("the user that runs QEMU (uid %d) may not open /dev/kvm: guests cannot use "
		    "KVM, and libvirt looks at QEMU anew for each question, seconds at a time", e->world->root->facts.qemu_uid),
		    g_strdup("chgrp kvm /dev/kvm && chmod 0660 /dev/kvm, with that user in the group kvm; a rule of udev makes it last"));
	g_autofree char *room = np_size_human(local->free);
	if (local->denied)
		add(e, "storage", NP_VERDICT_BAD, g_strdup_printf("the user that runs QEMU (uid %d) may not pass %s, on the way to %s",
		    e->world->root->facts.qemu_uid, local->denied, local->storage), g_strdup_printf("chmod o+x %s, or choose another host.storage",
		    local->denied));
	else
		add(e, "storage", NP_VERDICT_GOOD, g_strdup_printf("%s can be used by QEMU", local->storage), NULL);
	add(e, "space", local->free < FREE_WANTED ? NP_VERDICT_WARNING : NP_VERDICT_GOOD, g_strdup_printf("%s free in %s", room, local->storage),
	    local->free < FREE_WANTED ? g_strdup("make room: guests that cannot write their disks are paused") : NULL);
}

static void examine_memory(exam *e)
{
	np_demand wanted = np_site_demand(&e->lab->site);
	const np_host_facts *facts = &e->world->root->facts;
	g_autofree char *memory = np_size_human(wanted.memory), *there = np_size_human(facts->memory);
	bool over = facts->memory && wanted.memory > facts->memory;
	np_verdict verdict = !over ? NP_VERDICT_GOOD : e->lab->host.overcommit ? NP_VERDICT_WARNING : NP_VERDICT_BAD;
	if (facts->memory)
		add(e, "memory", verdict, g_strdup_printf("the lab's nodes take %s of the host's %s", memory, there),
		    over ? g_strdup("give the nodes less memory, or have fewer of them") : NULL);
	bool crowded = np_demand_is_crowded(&wanted, facts->cpus);
	if (facts->cpus)
		add(e, "vcpus", crowded ? NP_VERDICT_WARNING : NP_VERDICT_GOOD,
		    g_strdup_printf("the lab's nodes have %" G_GUINT64_FORMAT " vCPUs, the host %u CPUs", wanted.vcpus, facts->cpus),
		    crowded ? g_strdup("more than 4 vCPUs a CPU: expect slow boots; --parallelism 2 helps") : NULL);
}

static void examine_disk(exam *e)
{
	const np_seen_site *root = e->world->root;
	guint64 sum = 0, room = e->local->free;
	for (guint i = 0; i < e->lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(e->lab->site.nodes, i);
		sum += MIN(np_disk_growth(node, np_seen_site_node(root, node->base.name)), G_MAXUINT64 - sum);
	}
	g_autofree char *wanted = np_size_human(sum), *there = np_size_human(room);
	if (root->facts.local)
		add(e, "disk", sum > room ? NP_VERDICT_WARNING : NP_VERDICT_GOOD,
		    g_strdup_printf("the disks that the lab would add may take %s, %s are free in %s", wanted, there, e->local->storage),
		    sum > room ? g_strdup("make room, or give the nodes smaller disks") : NULL);
}

/* Speed: host-passthrough > host-model > custom; migration the other way round. */
static void examine_modes(exam *e, const np_site *site)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		int mode = node->cpu.mode;
		if (mode == NP_CPU_CUSTOM || mode == NP_CPU_HOST_MODEL)
			add(e, "cpu-mode", NP_VERDICT_WARNING, g_strdup_printf("node '%s' has CPU mode %s: %s", node->address, np_cpu_mode_names[mode],
			    mode == NP_CPU_CUSTOM ? "the slowest for nesting, and the one that migrates to most hosts"
			                          : "slower for nesting than host-passthrough, and migrates to hosts with the same CPU or a newer one"),
			    g_strdup("`cpu: host-passthrough` (or auto) is fastest; it migrates to identical hosts only"));
		examine_modes(e, &node->site);
	}
}

GPtrArray *np_doctor_examine(const np_lab *lab, const np_world *world, const np_local_facts *local)
{
	exam e = {g_ptr_array_new_with_free_func(finding_free), lab, world, local};
	examine_cpu(&e);
	examine_module(&e);
	examine_nesting(&e);
	examine_remote(&e);
	examine_libvirt(&e);
	examine_local(&e);
	if (lab) {
		if (world->root->reachable) {
			examine_memory(&e);
			examine_disk(&e);
		}
		examine_modes(&e, &lab->site);
	}
	return e.findings;
}
