/* SPDX-License-Identifier: Apache-2.0 */
/* What a hypervisor says of itself. */
#include "drivers/libvirt/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/xml.h"

static const char *const flags[] = {"svm", "vmx"};

static char *read_version(np_conn *conn)
{
	unsigned long hypervisor = 0, library = 0;
	const char *type = virConnectGetType(conn->vir);
	(void)virConnectGetVersion(conn->vir, &hypervisor);
	(void)virConnectGetLibVersion(conn->vir, &library);
	return g_strdup_printf("%s %lu.%lu.%lu, libvirt %lu.%lu.%lu", type ? type : "unknown", hypervisor / 1000000,
	                       hypervisor / 1000 % 1000, hypervisor % 1000, library / 1000000, library / 1000 % 1000,
	                       library % 1000);
}

static bool is_local(const np_conn *conn)
{
	g_autoptr(GUri) uri = g_uri_parse(conn->uri, G_URI_FLAGS_ENCODED | G_URI_FLAGS_NON_DNS, NULL);
	if (!uri || conn->mock)
		return false;
	const char *host = g_uri_get_host(uri), *transport = strchr(g_uri_get_scheme(uri), '+');
	return !(host && *host) && (!transport || strcmp(transport, "+unix") == 0);
}

/* In libvirt's host CPU a flag may be named, or implied by the model: then only the expansion shows it. */
static char *read_flag(np_conn *conn, xmlNode *root)
{
	g_autoptr(GPtrArray) cpus = np_xml_find(root, "host/cpu");
	if (cpus->len == 0)
		return NULL;
	xmlNode *cpu = g_ptr_array_index(cpus, 0);
	g_autofree char *text = np_xml_format_node(cpu);
	const char *texts[] = {text};
	char *expanded = virConnectBaselineCPU(conn->vir, texts, 1, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
	g_autoptr(xmlDoc) doc = expanded ? np_xml_parse(expanded, "the host's CPU", NULL) : NULL;
	free(expanded);
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
		g_autofree char *path = g_strdup_printf("feature[@name='%s' and not(@policy='disable')]", flags[i]);
		if (np_xml_has(cpu, path) || (doc && np_xml_has(xmlDocGetRootElement(doc), path)))
			return g_strdup(flags[i]);
	}
	return NULL;
}

/* Bits of the CPU modes that an accelerator supports. */
static unsigned read_modes(xmlNode *root)
{
	unsigned modes = 0;
	for (int mode = NP_CPU_HOST_PASSTHROUGH; mode <= NP_CPU_CUSTOM; mode++) {
		g_autofree char *path =
		        g_strdup_printf("cpu/mode[@name='%s' and @supported='yes']", np_cpu_mode_names[mode]);
		if (np_xml_has(root, path))
			modes |= 1u << mode;
	}
	return modes;
}

/* Name → "yes" or "no": whether guests can really have that model. */
static GHashTable *read_models(xmlNode *root)
{
	GHashTable *models = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) found = np_xml_find(root, "cpu/mode[@name='custom']/model");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *model = g_ptr_array_index(found, i);
		g_hash_table_insert(models, np_xml_get(model, "."), np_xml_get(model, "@usable"));
	}
	return models;
}

/* KVM offers its guests svm or vmx only while nesting is on. In libvirt's host-model vmx is always named; svm belongs to the AMD
 * models, and is named when it is missing. */
static int read_nested(xmlNode *root, const char *flag)
{
	if (!flag || !np_xml_has(root, "cpu/mode[@name='host-model' and @supported='yes']/model"))
		return -1;
	bool svm = strcmp(flag, "svm") == 0;
	if (svm)
		return !np_xml_has(root, "cpu/mode[@name='host-model']/feature[@name='svm' and @policy='disable']");
	return np_xml_has(root, "cpu/mode[@name='host-model']/feature[@name='vmx' and @policy='require']");
}

/* What libvirt says of the guests that an accelerator can have; nothing when it cannot say. */
static void read_domain_capabilities(np_conn *conn, const char *type, np_host_facts *facts)
{
	bool kvm = strcmp(type, "kvm") == 0;
	char *text = virConnectGetDomainCapabilities(conn->vir, NULL, facts->arch, "q35", type, 0);
	g_autoptr(xmlDoc) doc = text ? np_xml_parse(text, "domain capabilities", NULL) : NULL;
	free(text);
	if (!doc)
		return;
	xmlNode *root = xmlDocGetRootElement(doc);
	*(kvm ? &facts->modes_kvm : &facts->modes_qemu) = read_modes(root);
	*(kvm ? &facts->models_kvm : &facts->models_qemu) = read_models(root);
	if (kvm)
		facts->nested = read_nested(root, facts->flag);
}

static bool offers(xmlNode *root, const char *arch, const char *type)
{
	g_autofree char *path = g_strdup_printf("guest[os_type='hvm']/arch[@name='%s']/domain[@type='%s']", arch, type);
	return np_xml_has(root, path);
}

/* The test driver takes any domain; it stands for a host where everything works, so that whole plans can be tested. */
static void assume_mock(np_host_facts *facts)
{
	g_free(facts->arch);
	facts->arch = g_strdup("x86_64");
	facts->offers_kvm = facts->offers_qemu = true;
	facts->memory = facts->cpus = 0;
	facts->flag = g_strdup("svm");
	facts->modes_kvm = facts->modes_qemu =
	        1u << NP_CPU_HOST_PASSTHROUGH | 1u << NP_CPU_HOST_MODEL | 1u << NP_CPU_MAXIMUM | 1u << NP_CPU_CUSTOM;
	facts->modes_qemu &= ~(1u << NP_CPU_HOST_PASSTHROUGH);
}

/* "apparmor, dac", and QEMU's user from the label "+64055:+64055". */
static void read_security(xmlNode *root, np_host_facts *facts)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "host/secmodel/model");
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < found->len; i++) {
		g_autofree char *name = np_xml_get(g_ptr_array_index(found, i), ".");
		g_string_append_printf(names, "%s%s", i ? ", " : "", name);
	}
	facts->security = names->len ? g_strdup(names->str) : NULL;
	g_autofree char *label = np_xml_get(root, "host/secmodel[model='dac']/baselabel[1]");
	int uid, gid;
	if (label && sscanf(label, "+%d:+%d", &uid, &gid) == 2) {
		facts->qemu_uid = uid;
		facts->qemu_gid = gid;
	}
}

/* The kernel's MemTotal, in bytes. virNodeGetInfo sums up the NUMA cells instead; where memory was added to a running machine
 * those were seen to lack it (13068500 of 24684092 KiB), so it only is what is left. */
static guint64 read_memory(np_conn *conn, unsigned long kib)
{
	int n = 0;
	if (virNodeGetMemoryStats(conn->vir, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0) < 0 || n <= 0)
		n = 0;
	g_autofree virNodeMemoryStats *stats = g_new0(virNodeMemoryStats, (gsize)n);
	if (n && virNodeGetMemoryStats(conn->vir, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &n, 0) < 0)
		n = 0;
	for (int i = 0; i < n; i++)
		if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_TOTAL) == 0)
			return (guint64)stats[i].value * 1024;
	return (guint64)kib * 1024;
}

static bool read_node_info(np_conn *conn, np_host_facts *facts, GError **error)
{
	virNodeInfo info;
	if (virNodeGetInfo(conn->vir, &info) < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "The hypervisor at %s does not tell its memory and CPUs",
		              conn->uri);
		return false;
	}
	facts->memory = read_memory(conn, info.memory);
	facts->cpus = info.cpus;
	return true;
}

static bool ask(np_conn *conn, np_host_facts *ret, GError **error)
{
	g_auto(np_host_facts) facts = {.nested = -1, .qemu_uid = -1, .qemu_gid = -1};
	char *text = virConnectGetCapabilities(conn->vir);
	if (!text) {
		np_virt_error(error, NP_ERROR_FAILED, "The hypervisor at %s does not tell its capabilities", conn->uri);
		return false;
	}
	g_autoptr(xmlDoc) doc = np_xml_parse(text, "the host's capabilities", error);
	free(text);
	if (!doc || !read_node_info(conn, &facts, error))
		return false;
	xmlNode *root = xmlDocGetRootElement(doc);
	g_autofree char *uuid = np_xml_get(root, "host/uuid");
	facts.uuid = uuid ? g_ascii_strdown(uuid, -1) : NULL;
	facts.arch = np_xml_get(root, "host/cpu/arch");
	facts.version = read_version(conn);
	facts.local = is_local(conn);
	read_security(root, &facts);
	if (conn->mock) {
		assume_mock(&facts);
	} else if (facts.arch) {
		facts.offers_kvm = offers(root, facts.arch, "kvm");
		facts.offers_qemu = offers(root, facts.arch, "qemu");
		facts.flag = read_flag(conn, root);
	}
	*ret = facts;
	facts = (np_host_facts){0};
	return true;
}

void np_facts_cpus(np_conn *conn, np_host_facts *facts)
{
	if (conn->mock || !facts->arch)
		return;
	if (facts->offers_kvm)
		read_domain_capabilities(conn, "kvm", facts);
	if (facts->offers_qemu)
		read_domain_capabilities(conn, "qemu", facts);
}

static void copy(const np_host_facts *from, np_host_facts *ret)
{
	*ret = *from;
	ret->uuid = g_strdup(from->uuid);
	ret->arch = g_strdup(from->arch);
	ret->version = g_strdup(from->version);
	ret->flag = g_strdup(from->flag);
	ret->security = g_strdup(from->security);
}

bool np_facts_read(np_conn *conn, np_host_facts *ret, GError **error)
{
	g_mutex_lock(&conn->lock);
	if (!conn->facts) {
		g_auto(np_host_facts) facts = {0};
		if (ask(conn, &facts, error)) {
			conn->facts = g_new0(np_host_facts, 1);
			copy(&facts, conn->facts);
		}
	}
	bool ok = conn->facts != NULL;
	if (ok)
		copy(conn->facts, ret);
	g_mutex_unlock(&conn->lock);
	return ok;
}
