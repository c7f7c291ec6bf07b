/* SPDX-License-Identifier: Apache-2.0 */
/* Random labs on libvirt's in-process test driver, with the real libvirt driver: apply A, apply B; the world is B and the plan
 * empty; what somebody changes through libvirt is told by the plan and repaired by an apply; destroy leaves what is not the
 * lab's byte for byte as it was. NP_SEEDS=n: how many seeds; NP_SEED=n: that one only.
 * The test driver has no guests, no secrets and no bytes in volumes: those drivers are fakes. It plugs and re-attaches nothing (the
 * driver redefines instead) and keeps one definition of a network, so these are held by tests/virt and tests/e2e; and a node whose
 * running definition alone was changed is powered off before it is repaired. */
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/conn.h"
#include "lab/lab.h"
#include "run/run.h"
#include "world/observe.h"

#define LAB "prop"
#define URI "test:///default"
#define SEEDS 12
#define MIB ((guint64)1024 * 1024)

static np_conn *conn; /* the one that all sessions share: the test driver forgets everything when the last is closed */

/* ── drivers: the real one for libvirt but for what it cannot do here ── */

static np_conn *shared_open(const char *uri G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return conn;
}

static void shared_close(np_conn *c G_GNUC_UNUSED)
{
}

static GBytes *fake_secret_get(np_conn *c G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_bytes_new_static("0123456789abcdef0123456789abcdef", 32);
}

static bool fake_secret_create(np_conn *c G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, const char *description G_GNUC_UNUSED,
                               GBytes *value G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

static char *fake_secret_describe(np_conn *c G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED)
{
	return NULL;
}

static bool fake_secret_delete(np_conn *c G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, const char *description G_GNUC_UNUSED,
                               GError **error G_GNUC_UNUSED)
{
	return true;
}

static GPtrArray *fake_secrets(np_conn *c G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_ptr_array_new();
}

static np_guests *fake_guests_open(const np_lab *lab G_GNUC_UNUSED, GBytes *seed G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return (np_guests *)g_strdup("guests");
}

static void fake_guests_close(np_guests *guests)
{
	g_free(guests);
}

static bool fake_run(np_guests *guests G_GNUC_UNUSED, const char *address G_GNUC_UNUSED, const char *script G_GNUC_UNUSED,
                     guint64 timeout_ms G_GNUC_UNUSED, GCancellable *cancel G_GNUC_UNUSED, np_process_result *ret,
                     GError **error G_GNUC_UNUSED)
{
	*ret = (np_process_result){.output = g_strdup(""), .errors = g_strdup("")};
	return true;
}

static bool fake_wait(np_guests *guests G_GNUC_UNUSED, const char *address G_GNUC_UNUSED, guint64 timeout_ms G_GNUC_UNUSED,
                      GCancellable *cancel G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

static bool fake_key(GBytes *seed G_GNUC_UNUSED, const char *lab G_GNUC_UNUSED, const char *address, np_keypair *ret,
                     GError **error G_GNUC_UNUSED)
{
	ret->public_line = g_strdup(address ? address : "client");
	ret->private_openssh = g_strdup("private");
	return true;
}

static void fake_forget(np_guests *guests G_GNUC_UNUSED, const char *address G_GNUC_UNUSED)
{
}

/* A file that says its virtual size as qcow2 does. */
static bool fake_build(const np_disk_job *jobs, unsigned n_jobs, bool kvm G_GNUC_UNUSED, np_progress_fn progress G_GNUC_UNUSED,
                       gpointer data G_GNUC_UNUSED, GCancellable *cancel G_GNUC_UNUSED, int *failed G_GNUC_UNUSED, GError **error)
{
	for (unsigned i = 0; i < n_jobs; i++) {
		guint32 header[26] = {GUINT32_TO_BE(0x514649fb), GUINT32_TO_BE(3), 0, 0, 0, GUINT32_TO_BE(16)};
		header[6] = GUINT32_TO_BE((guint32)(jobs[i].size >> 32));
		header[7] = GUINT32_TO_BE((guint32)jobs[i].size);
		if (!g_file_set_contents(jobs[i].path, (const char *)header, sizeof(header), error))
			return false;
	}
	return true;
}

static const np_guest_ops fake_guest = {.open = fake_guests_open, .close = fake_guests_close, .run = fake_run, .wait = fake_wait,
                                        .key = fake_key, .forget = fake_forget};
static char *fake_script(const np_node *node G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_strdup("");
}

static const np_disk_ops fake_disk = {.build = fake_build, .network_script = fake_script};
static np_hypervisor_ops hypervisor;
static const np_drivers drivers = {.hypervisor = &hypervisor, .disk = &fake_disk, .guest = &fake_guest};

static void make_drivers(void)
{
	hypervisor = np_libvirt;
	hypervisor.open = shared_open;
	hypervisor.close = shared_close;
	hypervisor.secret_get = fake_secret_get;
	hypervisor.secret_create = fake_secret_create;
	hypervisor.secret_describe = fake_secret_describe;
	hypervisor.secret_delete = fake_secret_delete;
	hypervisor.secrets = fake_secrets;
}

/* ── random labs ── */

static unsigned below(GRand *rand, unsigned n)
{
	return (unsigned)g_rand_int_range(rand, 0, (gint32)n);
}

static bool chance(GRand *rand, unsigned percent)
{
	return below(rand, 100) < percent;
}

static const char *any(GRand *rand, const char *const *words)
{
	return words[below(rand, g_strv_length((char **)words))];
}

/* Returns how many networks there are: n0, n1, … */
static unsigned write_networks(GRand *rand, GString *text)
{
	static const char *const modes[] = {"nat", "isolated", "route", "open", NULL};
	unsigned count = 1 + below(rand, 3), shift = below(rand, 5);
	g_string_append(text, "networks:\n");
	for (unsigned i = 0; i < count; i++) {
		g_string_append_printf(text, "  n%u: {cidr: 10.77.%u.0/24, mode: %s, dhcp: %s", i, (i + shift) % 5, any(rand, modes),
		                       chance(rand, 70) ? "true" : "false");
		g_string_append(text, chance(rand, 20) ? ", mtu: 1400}\n" : "}\n");
	}
	return count;
}

static void write_disks(GRand *rand, GString *text)
{
	static const char *const buses[] = {"virtio", "scsi", "sata", NULL}, *const caches[] = {"default", "none", "unsafe", NULL};
	g_string_append_printf(text, "disks: {root: %uGiB", 1 + below(rand, 2));
	for (unsigned i = 0; i < 2; i++)
		if (chance(rand, 40))
			g_string_append_printf(text, ", d%u: {size: %uGiB, bus: %s, cache: %s}", i, 1 + below(rand, 3), any(rand, buses),
			                       any(rand, caches));
	g_string_append(text, "}");
}

static void write_nics(GRand *rand, GString *text, unsigned networks)
{
	g_string_append(text, "nics: [n0");
	for (unsigned i = 1; i < networks; i++)
		if (chance(rand, 50))
			g_string_append_printf(text, ", n%u", i);
	g_string_append(text, "]");
}

static void write_nodes(GRand *rand, GString *text, unsigned networks)
{
	static const char *const images[] = {"one", "two", NULL}, *const waits[] = {"none", "ssh", NULL};
	static const char *const cpus[] = {"auto", "{mode: custom, model: EPYC}", "host-model", "auto", NULL};
	unsigned written = 0;
	g_string_append(text, "nodes:\n");
	for (unsigned i = 0; i < 5; i++) {
		if (chance(rand, 40) && (written || i < 4))
			continue;
		written++;
		g_string_append_printf(text, "  w%u: {image: %s, memory: %uMiB, vcpus: %u, accel: emulate, cpu: %s, ready: {wait: %s}, ", i,
		                       any(rand, images), 64 * (1 + below(rand, 4)), 1 + below(rand, 3), any(rand, cpus),
		                       any(rand, waits));
		if (chance(rand, 20))
			g_string_append_printf(text, "count: %u, ", 1 + below(rand, 3));
		if (chance(rand, 20))
			g_string_append(text, "inject: {files: [{path: /etc/motd, content: hello}]}, ");
		write_disks(rand, text);
		g_string_append(text, ", ");
		write_nics(rand, text, networks);
		g_string_append(text, "}\n");
	}
}

static void resolve(np_node *node, gpointer data G_GNUC_UNUSED)
{
	node->inject_id = g_strdup(node->inject.files->len ? "inject-1" : "inject-0");
}

static np_lab *random_lab(GRand *rand)
{
	g_autoptr(GString) text = g_string_new("version: 1\nname: " LAB "\nhost: {overcommit: true}\n"
	                                       "images: {one: {source: one.qcow2}, two: {source: two.qcow2}}\n");
	unsigned networks = write_networks(rand, text);
	write_nodes(rand, text, networks);
	np_diags *diags = NULL;
	np_load_options options = {.file = "lab.yaml", .folder = "/lab"};
	np_lab *lab = np_lab_parse(text->str, text->len, &options, &diags);
	if (!lab) {
		g_autofree char *message = np_diags_render(diags, false);
		g_error("%s\n%s", text->str, message);
	}
	np_diags_free(diags);
	g_test_message("%s", text->str);
	for (guint i = 0; i < lab->images->len; i++) {
		np_image *image = g_ptr_array_index(lab->images, i);
		image->id = g_strdup_printf("sha256-%s", image->base.name);
		image->path = g_strdup(__FILE__);
		image->format = NP_FORMAT_QCOW2;
		image->virtual_size = MIB;
	}
	np_lab_foreach_node(&lab->site, resolve, NULL);
	return lab;
}

/* ── plan and apply ── */

typedef struct {
	np_session *session;
	np_world *world;
	np_plan *plan;
	GPtrArray *steps;
	GPtrArray *replace;
} round;

static void round_clear(round *r)
{
	g_clear_pointer(&r->steps, g_ptr_array_unref);
	g_clear_pointer(&r->plan, np_plan_free);
	g_clear_pointer(&r->world, np_world_free);
	g_clear_pointer(&r->session, np_session_free);
	g_clear_pointer(&r->replace, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(round, round_clear)

/* A disk never shrinks: the plan says what to do instead. */
static GPtrArray *nodes_to_replace(const np_plan *plan)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < plan->problems->len; i++) {
		const char *problem = g_ptr_array_index(plan->problems, i), *at = strstr(problem, "`--replace ");
		if (!at)
			g_error("%s", problem);
		at += strlen("`--replace ");
		g_ptr_array_add(names, g_strndup(at, strcspn(at, "`")));
	}
	g_ptr_array_add(names, NULL);
	return names;
}

static void look(round *r, const np_lab *lab, bool destroy)
{
	g_autoptr(GError) error = NULL;
	r->session = np_session_new(&drivers, lab, URI, &error);
	g_assert_no_error(error);
	g_assert_true(np_session_open_guests(r->session, true, &error));
	r->world = np_observe(r->session, lab, &(np_observe_options){.inside = true}, &error);
	g_assert_no_error(error);
	r->plan = np_plan_make(lab, r->world, &(np_plan_options){.destroy = destroy});
	if (r->plan->problems->len) {
		r->replace = nodes_to_replace(r->plan);
		np_plan_free(r->plan);
		r->plan = np_plan_make(lab, r->world, &(np_plan_options){.replace = (const char *const *)r->replace->pdata});
	}
	g_assert_cmpuint(r->plan->problems->len, ==, 0);
	r->steps = np_order_make(lab, r->world, r->plan);
}

static virDomainPtr domain_of(const char *node)
{
	g_autofree char *name = g_strconcat(LAB ".", node, NULL);
	virDomainPtr domain = virDomainLookupByName(conn->vir, name);
	g_assert_nonnull(domain);
	return domain;
}

static bool power_off(const char *node)
{
	g_autoptr(virDomain) domain = domain_of(node);
	return virDomainIsActive(domain) == 1 && virDomainDestroy(domain) == 0;
}

static bool differs_live(const np_change *change)
{
	for (guint i = 0; i < change->fields->len; i++)
		if (g_strcmp0(((np_field_change *)g_ptr_array_index(change->fields, i))->where, "live") == 0)
			return true;
	return false;
}

/* What the test driver cannot put right in a node that runs. */
static bool make_way(const round *r)
{
	bool changed = false;
	for (guint i = 0; i < r->steps->len; i++) {
		const np_step *step = g_ptr_array_index(r->steps, i);
		if (step->kind == NP_STEP_UPDATE && differs_live(np_plan_find(r->plan, step->address)))
			changed |= power_off(step->address);
	}
	return changed;
}

static void note(const np_event *event, gpointer data)
{
	if (event->kind == NP_EVENT_FAILED)
		g_string_append_printf(data, "%s: %s\n", event->step->label, event->text);
}

static void execute(const np_lab *lab, const round *r)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) failures = g_string_new(NULL);
	np_run_options options = {.parallelism = 4, .event = note, .data = failures};
	np_run_result result;
	g_assert_true(np_run(r->session, lab, r->steps, &options, &result, &error));
	g_assert_cmpstr(failures->str, ==, "");
	g_assert_cmpuint(result.done, ==, r->steps->len);
}

static void apply(const np_lab *lab)
{
	for (bool ready = false; !ready;) {
		g_auto(round) r = {0};
		look(&r, lab, false);
		ready = !make_way(&r);
		if (ready)
			execute(lab, &r);
	}
}

/* The plan as text: "" when there is nothing to do. */
static char *plan_text(const np_lab *lab)
{
	g_auto(round) r = {0};
	look(&r, lab, false);
	return np_plan_is_empty(r.plan) ? g_strdup("") : np_plan_render(r.plan, NP_RENDER_ALL);
}

static void assert_no_changes(const np_lab *lab)
{
	g_autofree char *text = plan_text(lab);
	g_assert_cmpstr(text, ==, "");
}

/* ── the world, by libvirt's own words ── */

static void check_domain(const np_node *node)
{
	g_autoptr(virDomain) domain = domain_of(node->base.name);
	virDomainInfo info;
	g_assert_cmpint(virDomainGetInfo(domain, &info), ==, 0);
	g_assert_cmpint(info.state, ==, VIR_DOMAIN_RUNNING);
	g_assert_cmpuint(info.memory, ==, node->memory / 1024);
	g_assert_cmpuint(info.nrVirtCpu, ==, node->vcpus);
	g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
	for (guint i = 0; i < node->nics->len; i++)
		g_assert_nonnull(strstr(xml, ((np_nic *)g_ptr_array_index(node->nics, i))->mac));
	g_auto(GStrv) nics = g_strsplit(xml, "<interface ", -1), disks = g_strsplit(xml, "<disk ", -1);
	g_assert_cmpuint(g_strv_length(nics) - 1, ==, node->nics->len);
	g_assert_cmpuint(g_strv_length(disks) - 1, ==, node->disks->len);
}

static void check_volumes(const np_lab *lab)
{
	g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(conn->vir, "nestplan-" LAB);
	int wanted = 0;
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		for (guint k = 0; k < node->disks->len; k++, wanted++) {
			const np_disk *disk = g_ptr_array_index(node->disks, k);
			g_autofree char *name = g_strdup_printf("%s.%s.qcow2", node->base.name, disk->base.name);
			g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
			virStorageVolInfo info;
			g_assert_nonnull(volume);
			g_assert_cmpint(virStorageVolGetInfo(volume, &info), ==, 0);
			g_assert_cmpuint(info.capacity, ==, disk->size);
		}
	}
	g_assert_cmpint(virStoragePoolNumOfVolumes(pool), ==, wanted);
}

static unsigned count_names(char **names, int count)
{
	unsigned ours = 0;
	for (int i = 0; i < count; i++) {
		ours += g_str_has_prefix(names[i], LAB ".n") || g_str_has_prefix(names[i], LAB ".w");
		free(names[i]);
	}
	return ours;
}

static unsigned count_domains(void)
{
	virDomainPtr *list = NULL;
	int count = virConnectListAllDomains(conn->vir, &list, 0);
	g_autofree char **names = g_new0(char *, (gsize)count + 1);
	for (int i = 0; i < count; i++) {
		names[i] = strdup(virDomainGetName(list[i]));
		virDomainFree(list[i]);
	}
	free(list);
	return count_names(names, count);
}

static unsigned count_networks(void)
{
	virNetworkPtr *list = NULL;
	int count = virConnectListAllNetworks(conn->vir, &list, 0);
	g_autofree char **names = g_new0(char *, (gsize)count + 1);
	for (int i = 0; i < count; i++) {
		names[i] = strdup(virNetworkGetName(list[i]));
		virNetworkFree(list[i]);
	}
	free(list);
	return count_names(names, count);
}

static void check_network(const np_network *network)
{
	g_autoptr(virNetwork) vir = virNetworkLookupByName(conn->vir, network->libvirt_name);
	int autostart = 0;
	g_assert_nonnull(vir);
	g_assert_cmpint(virNetworkIsActive(vir), ==, 1);
	g_assert_cmpint(virNetworkGetAutostart(vir, &autostart), ==, 0);
	g_assert_cmpint(autostart, ==, 1);
	g_autofree char *xml = virNetworkGetXMLDesc(vir, 0), *gateway = np_ip_format(network->cidr.base + 1);
	g_assert_nonnull(strstr(xml, gateway));
	g_assert_true(!strstr(xml, "<range ") == !network->dhcp);
}

static void check_world(const np_lab *lab)
{
	g_assert_cmpuint(count_domains(), ==, lab->site.nodes->len);
	g_assert_cmpuint(count_networks(), ==, lab->site.networks->len);
	for (guint i = 0; i < lab->site.nodes->len; i++)
		check_domain(g_ptr_array_index(lab->site.nodes, i));
	for (guint i = 0; i < lab->site.networks->len; i++)
		check_network(g_ptr_array_index(lab->site.networks, i));
	check_volumes(lab);
}

/* ── what somebody else does ── */

typedef struct {
	const char *name;
	void (*act)(virDomainPtr domain);
} domain_act;

static void act_destroy(virDomainPtr domain)
{
	g_assert_cmpint(virDomainDestroy(domain), ==, 0);
}

static void act_shutdown(virDomainPtr domain)
{
	g_assert_cmpint(virDomainShutdown(domain), ==, 0);
}

static void act_suspend(virDomainPtr domain)
{
	g_assert_cmpint(virDomainSuspend(domain), ==, 0);
}

static void act_undefine(virDomainPtr domain)
{
	g_assert_cmpint(virDomainDestroy(domain), ==, 0);
	g_assert_cmpint(virDomainUndefine(domain), ==, 0);
}

static void act_memory(virDomainPtr domain)
{
	g_assert_cmpint(virDomainSetMemoryFlags(domain, 32 * 1024, VIR_DOMAIN_AFFECT_CONFIG), ==, 0);
}

static void act_memory_live(virDomainPtr domain)
{
	g_assert_cmpint(virDomainSetMemoryFlags(domain, 32 * 1024, VIR_DOMAIN_AFFECT_LIVE), ==, 0);
}

static void act_vcpus(virDomainPtr domain)
{
	g_assert_cmpint(virDomainSetVcpusFlags(domain, 7, VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_AFFECT_CONFIG), ==, 0);
	g_assert_cmpint(virDomainSetVcpusFlags(domain, 7, VIR_DOMAIN_AFFECT_CONFIG), ==, 0);
}

static const domain_act domain_acts[] = {
	{"destroy", act_destroy},   {"shutdown", act_shutdown}, {"suspend", act_suspend},
	{"undefine", act_undefine}, {"memory", act_memory},     {"live memory", act_memory_live},
	{"vcpus", act_vcpus},
};

static void network_stop(virNetworkPtr network)
{
	g_assert_cmpint(virNetworkDestroy(network), ==, 0);
}

static void network_undefine(virNetworkPtr network)
{
	g_assert_cmpint(virNetworkDestroy(network), ==, 0);
	g_assert_cmpint(virNetworkUndefine(network), ==, 0);
}

static void network_autostart(virNetworkPtr network)
{
	g_assert_cmpint(virNetworkSetAutostart(network, 0), ==, 0);
}

static const struct {
	const char *name;
	void (*act)(virNetworkPtr network);
} network_acts[] = {{"stop", network_stop}, {"undefine", network_undefine}, {"autostart", network_autostart}};

/* Returns the address of what was changed. */
static const char *change_something(GRand *rand, const np_lab *lab)
{
	if (chance(rand, 30)) {
		const np_network *network = g_ptr_array_index(lab->site.networks, below(rand, lab->site.networks->len));
		unsigned act = below(rand, G_N_ELEMENTS(network_acts));
		g_autoptr(virNetwork) vir = virNetworkLookupByName(conn->vir, network->libvirt_name);
		g_test_message("somebody: %s %s", network_acts[act].name, network->address);
		network_acts[act].act(vir);
		return network->address;
	}
	const np_node *node = g_ptr_array_index(lab->site.nodes, below(rand, lab->site.nodes->len));
	unsigned act = below(rand, G_N_ELEMENTS(domain_acts));
	g_autoptr(virDomain) domain = domain_of(node->base.name);
	g_test_message("somebody: %s %s", domain_acts[act].name, node->address);
	domain_acts[act].act(domain);
	return node->address;
}

static void check_repair(GRand *rand, const np_lab *lab)
{
	const char *address = change_something(rand, lab);
	g_autofree char *text = plan_text(lab), *named = g_strdup_printf(" %s  ", address);
	if (!strstr(text, named))
		g_error("the plan does not tell of '%s':\n%s", address, text);
	apply(lab);
	assert_no_changes(lab);
	check_world(lab);
}

/* ── what is not the lab's ── */

static const char *const foreign_domains[] = {LAB ".x0", LAB "-2.w0", LAB "w0", "w0", NULL};

static void make_foreign(GRand *rand)
{
	for (unsigned i = 0; foreign_domains[i]; i++) {
		bool marked = i == 1;
		g_autofree char *xml = g_strdup_printf(
			"<domain type='test'><name>%s</name>%s<memory unit='KiB'>%u</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>",
			foreign_domains[i],
			marked ? "<metadata><np:lab xmlns:np='urn:nestplan:1' name='" LAB "-2' address='w0'/></metadata>" : "",
			1024 * (1 + below(rand, 64)));
		g_autoptr(virDomain) domain = virDomainDefineXML(conn->vir, xml);
		g_assert_nonnull(domain);
		if (chance(rand, 50))
			g_assert_cmpint(virDomainCreate(domain), ==, 0);
	}
	g_autoptr(virNetwork) network = virNetworkDefineXML(
		conn->vir, "<network><name>" LAB ".x0</name><bridge name='x0'/><ip address='10.99.0.1' netmask='255.255.255.0'/></network>");
	g_assert_nonnull(network);
	g_assert_cmpint(virNetworkCreate(network), ==, 0);
}

static void add_text(GString *text, char *xml)
{
	g_string_append(text, xml);
	free(xml);
}

/* All of them, as libvirt describes them. */
static char *foreign_text(void)
{
	GString *text = g_string_new(NULL);
	static const char *const domains[] = {LAB ".x0", LAB "-2.w0", LAB "w0", "w0", "test", NULL};
	for (unsigned i = 0; domains[i]; i++) {
		g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, domains[i]);
		g_assert_nonnull(domain);
		add_text(text, virDomainGetXMLDesc(domain, 0));
		add_text(text, virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE));
	}
	static const char *const networks[] = {LAB ".x0", "default", NULL};
	for (unsigned i = 0; networks[i]; i++) {
		g_autoptr(virNetwork) network = virNetworkLookupByName(conn->vir, networks[i]);
		g_assert_nonnull(network);
		g_string_append_printf(text, "%d\n", virNetworkIsActive(network));
		add_text(text, virNetworkGetXMLDesc(network, 0));
	}
	g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(conn->vir, "default-pool");
	g_assert_nonnull(pool);
	add_text(text, virStoragePoolGetXMLDesc(pool, 0));
	return g_string_free(text, FALSE);
}

/* ── one seed ── */

static void destroy(const np_lab *lab)
{
	g_auto(round) r = {0};
	look(&r, lab, true);
	execute(lab, &r);
}

static void test_seed(gconstpointer data)
{
	guint32 seed = GPOINTER_TO_UINT(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
	g_test_message("NP_SEED=%u repeats this", seed);
	conn = np_libvirt.open(URI, &error);
	g_assert_no_error(error);
	make_foreign(rand);
	g_autofree char *foreign = foreign_text();
	g_autoptr(np_lab) a = random_lab(rand), b = random_lab(rand);
	apply(a);
	assert_no_changes(a);
	check_world(a);
	apply(b);
	assert_no_changes(b);
	check_world(b);
	for (unsigned i = 0; i < 3; i++)
		check_repair(rand, b);
	destroy(b);
	g_assert_cmpuint(count_domains() + count_networks(), ==, 0);
	g_assert_null(virStoragePoolLookupByName(conn->vir, "nestplan-" LAB));
	g_autofree char *after = foreign_text();
	g_assert_cmpstr(after, ==, foreign);
	np_libvirt.close(conn);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	make_drivers();
	const char *one = g_getenv("NP_SEED"), *many = g_getenv("NP_SEEDS");
	guint first = one ? (guint)g_ascii_strtoull(one, NULL, 10) : 1;
	guint count = one ? 1 : many ? (guint)g_ascii_strtoull(many, NULL, 10) : SEEDS;
	for (guint seed = first; seed < first + count; seed++) {
		g_autofree char *name = g_strdup_printf("/property/%u", seed);
		g_test_add_data_func(name, GUINT_TO_POINTER(seed), test_seed);
	}
	return g_test_run();
}
