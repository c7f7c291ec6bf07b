/* SPDX-License-Identifier: Apache-2.0 */
/* Golden plans: tests/unit/plans/NAME.test has sections
 *   @HOST kvm | kvm-not-nested | emulate          what the host can do
 *   @HAVE   a lab file: what exists               (optional)
 *   @OFF ADDRESS…   nodes of it that are off      (optional)
 *   @DAMAGED ADDRESS… nodes of it whose root disk is no image (optional)
 *   @UNREADY ADDRESS… nodes of it that run and were never ready (optional)
 *   @UNSETTLED ADDRESS… nodes of it that have all the memory they may have, and never had less
 *   @UNREACHABLE ADDRESS…   hypervisors that run and do not answer
 *   @NOKVM ADDRESS…   hypervisors whose proof failed
 *   @FOREIGN "domain NAME" …   one a line: names that somebody else has at the host, or in "domain NAME in NODE"
 *   @APPLIED  a lab file: what was last applied, as the marks keep it (optional; "same": what exists)
 *   @OLDER    the marks are of nestplan before 0.2: they do not record all that is recorded now
 *   @PAUSED ADDRESS…   @CRASHED ADDRESS…   nodes that are neither running nor off (optional)
 *   @FORGOTTEN ADDRESS FIELD, one a line: what a mark does not keep, as if an older version had written it
 *   @OUTSIDE ADDRESS WHERE FIELD VALUE, one a line: what somebody changed; WHERE is stored, live or both. FIELD of a node: memory, vcpus,
 *           description (- for none), accel, cpu, share, NAME- of a nic or disk (gone), nic NAME=MAC, bus, cache or size NAME=VALUE,
 *           file NAME*=PATH of a disk that is no volume, lost NAME of a disk whose volume is gone; of a network: autostart, active,
 *           mode, mtu, cidr, dhcp, gateway, range (of DHCP), host IP=NAME (gone without NAME)
 *   @LIMIT ADDRESS MEMORY VCPUS, one a line: how far a running node can be raised (default: no further)
 *   @CAPACITY MEMORY CPUS [DISK]   of the host, DISK is what is free (default: unknown)
 *   @RANGES "RANGE NETWORK DEVICE [idle] [in ADDRESS]" …   one a line: libvirt networks of somebody else
 *   @ROUTES "RANGE DEVICE [link]" …   one a line: of the host's kernel
 *   @WANT   a lab file (default: @HAVE)           @DESTROY instead of it: plan of destroy
 *   @TARGET ADDRESS…   @REPLACE ADDRESS…   @REFRESH   @ALL (nothing folded)   @JSON (the plan as JSON instead of text)
 *   @PLANONLY   the steps are checked, and not in @EXPECT: for labs of many nodes
 *   @EXAMPLE NAME   instead of it: examples/NAME/lab.yaml
 *   @GRAPH dot|mermaid [plan] [unfold]   expect the lab's picture instead; with plan: of what the plan does
 *   @EXPECT the plan's text, then the steps with what each needs
 * NP_TEST_REGENERATE=1 rewrites @EXPECT; read the difference. */
#include <glib.h>
#include <string.h>

#include "base/units.h"
#include "check-steps.h"
#include "lab/access.h"
#include "lab/lab.h"
#include "plan/graph.h"
#include "plan/order.h"

typedef struct {
	char *host, *have, *off, *unready, *unsettled, *damaged, *unreachable, *nokvm, *foreign, *capacity, *ranges, *routes, *want, *graph, *expect;
	char *applied, *outside, *limit, *forgotten, *target, *replace, *paused, *crashed;
	bool older, destroy, refresh, all, json, plan_only;
} golden;

static bool listed(const char *list, const char *word)
{
	g_auto(GStrv) words = g_strsplit_set(list ? list : "", " \n", -1);
	return g_strv_contains((const char *const *)words, word);
}

static char *example_text(const char *name)
{
	const char *source = g_getenv("NESTPLAN_SOURCE") ? g_getenv("NESTPLAN_SOURCE") : NP_TEST_DATA "/..";
	g_autofree char *path = g_build_filename(source, "examples", name, "lab.yaml", NULL);
	char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void take(golden *g, const char *name, const char *rest, const char *body)
{
	char **slot = g_str_equal(name, "HOST")          ? &g->host
	              : g_str_equal(name, "HAVE")        ? &g->have
	              : g_str_equal(name, "OFF")         ? &g->off
	              : g_str_equal(name, "DAMAGED")     ? &g->damaged
	              : g_str_equal(name, "UNREADY")     ? &g->unready
	              : g_str_equal(name, "UNSETTLED")   ? &g->unsettled
	              : g_str_equal(name, "PAUSED")      ? &g->paused
	              : g_str_equal(name, "CRASHED")     ? &g->crashed
	              : g_str_equal(name, "UNREACHABLE") ? &g->unreachable
	              : g_str_equal(name, "NOKVM")       ? &g->nokvm
	              : g_str_equal(name, "FOREIGN")     ? &g->foreign
	              : g_str_equal(name, "APPLIED")     ? &g->applied
	              : g_str_equal(name, "OUTSIDE")     ? &g->outside
	              : g_str_equal(name, "LIMIT")       ? &g->limit
	              : g_str_equal(name, "FORGOTTEN")   ? &g->forgotten
	              : g_str_equal(name, "TARGET")      ? &g->target
	              : g_str_equal(name, "REPLACE")     ? &g->replace
	              : g_str_equal(name, "CAPACITY")    ? &g->capacity
	              : g_str_equal(name, "RANGES")      ? &g->ranges
	              : g_str_equal(name, "ROUTES")      ? &g->routes
	              : g_str_equal(name, "WANT")        ? &g->want
	              : g_str_equal(name, "GRAPH")       ? &g->graph
	              : g_str_equal(name, "EXPECT")      ? &g->expect
	                                                 : NULL;
	bool *flag = g_str_equal(name, "DESTROY")   ? &g->destroy
	             : g_str_equal(name, "OLDER")   ? &g->older
	             : g_str_equal(name, "REFRESH") ? &g->refresh
	             : g_str_equal(name, "ALL")     ? &g->all
	             : g_str_equal(name, "JSON")    ? &g->json
	             : g_str_equal(name, "PLANONLY") ? &g->plan_only
	                                            : NULL;
	if (flag)
		*flag = true;
	else if (g_str_equal(name, "EXAMPLE"))
		g->want = example_text(rest);
	else if (slot)
		*slot = g_strdup(*rest ? rest : body);
	else
		g_error("unknown section @%s", name);
}

static void parse_golden(const char *text, golden *g)
{
	g_auto(GStrv) parts = g_strsplit(text, "\n@", -1);
	for (char **part = parts; *part; part++) {
		const char *section = part == parts && **part == '@' ? *part + 1 : *part;
		const char *end = strchr(section, '\n');
		g_autofree char *line = end ? g_strndup(section, (gsize)(end - section)) : g_strdup(section);
		g_auto(GStrv) words = g_strsplit(line, " ", 2);
		take(g, words[0], words[1] ? words[1] : "", end ? end + 1 : "");
	}
}

static np_lab *load(const char *text)
{
	np_diags *diags = NULL;
	np_load_options options = {.file = "lab.yaml", .folder = "/lab"};
	np_lab *lab = np_lab_parse(text, strlen(text), &options, &diags);
	if (!lab) {
		g_autofree char *message = np_diags_render(diags, false);
		g_error("%s", message);
	}
	np_diags_free(diags);
	for (guint i = 0; i < lab->images->len; i++) {
		np_image *image = g_ptr_array_index(lab->images, i);
		g_free(image->id);
		image->id = g_strdup_printf("sha256-%s", image->source);
	}
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	for (guint i = 0; lab->access.authorized_keys && i < lab->access.authorized_keys->len; i++)
		g_ptr_array_add(keys, g_ptr_array_index(lab->access.authorized_keys, i));
	g_ptr_array_add(keys, NULL);
	lab->access.keys_id = np_access_keys_id((const char *const *)keys->pdata);
	return lab;
}

static void set_inject(np_node *node, gpointer data G_GNUC_UNUSED)
{
	GString *text = g_string_new("i");
	for (guint i = 0; node->inject.files && i < node->inject.files->len; i++) {
		const np_file *file = g_ptr_array_index(node->inject.files, i);
		g_string_append_printf(text, "%s=%s", file->path, file->content);
	}
	node->inject_id = g_string_free(text, FALSE);
	if (node->site.nodes->len)
		node->site.share = g_strdup("share-1.raw");
}

static np_proof proven(bool kvm)
{
	np_proof proof = {.gathered = true, .kvm = kvm};
	for (int i = 0; i < NP_CHECK_COUNT; i++) {
		proof.ok[i] = kvm || i == NP_CHECK_FLAG;
		proof.detail[i] = g_strdup_printf("%s was looked at", np_check_names[i]);
	}
	return proof;
}

static void fill_site(np_seen_site *seen, np_site *site, const np_world *world, const golden *g);

static void swap(GPtrArray **a, GPtrArray **b)
{
	GPtrArray *kept = *a;
	*a = *b;
	*b = kept;
}

/* What libvirt would show of a definition that nestplan made from `node`; takes its disks and NICs. */
static void as_defined(np_node *copy, np_node *node, bool kvm)
{
	copy->base.name = g_strdup(node->base.name);
	copy->address = g_strdup(node->address);
	copy->libvirt_name = g_strdup(node->libvirt_name);
	copy->uuid = g_strdup(node->uuid);
	copy->description = g_strdup(node->description);
	copy->level = node->level;
	copy->memory = node->memory;
	copy->vcpus = node->vcpus;
	copy->memory_max = node->memory_max;
	copy->vcpus_max = node->vcpus_max;
	np_object_mark(&np_node_kind, &copy->base, "memory");
	np_object_mark(&np_node_kind, &copy->base, "vcpus");
	copy->accel = kvm ? NP_ACCEL_KVM : NP_ACCEL_EMULATE;
	copy->cpu.mode = node->cpu.mode != NP_CPU_AUTO ? node->cpu.mode : kvm ? NP_CPU_HOST_PASSTHROUGH : NP_CPU_MAXIMUM;
	g_free(copy->cpu.model);
	copy->cpu.model = g_strdup(node->cpu.model);
	swap(&copy->cpu.features, &node->cpu.features);
	swap(&copy->disks, &node->disks);
	swap(&copy->nics, &node->nics);
}

/* Labs of a test while it runs; parts of them move into the world. */
static struct {
	np_lab *stored, *live, *applied;
	bool older;
} having;

static np_seen_node *as_seen(np_node *node, bool kvm)
{
	np_seen_node *seen = np_seen_node_new();
	const np_image *image = node->image ? np_map_find(having.stored->images, node->image) : NULL;
	seen->image_id = g_strdup(image ? image->id : NULL);
	seen->inject_id = g_strdup(node->inject_id);
	seen->share = g_strdup(node->site.share);
	seen->hypervisor = np_node_is_site(node);
	seen->memory_limit = node->memory;
	seen->vcpus_limit = node->vcpus;
	as_defined(seen->node, node, kvm);
	return seen;
}

static GHashTable *as_applied(np_record *record)
{
	GHashTable *applied = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (guint i = 0; i < np_record_length(record); i++) {
		const np_row *row = np_record_row(record, i);
		g_hash_table_insert(applied, g_strdup(row->name), g_strdup(row->value));
	}
	np_record_free(record);
	static const char *const lately[] = {"description", "bridges", "nic", "authorized_keys", "gateway", "dhcp_range", "hosts"};
	for (unsigned i = 0; having.older && i < G_N_ELEMENTS(lately); i++)
		g_hash_table_remove(applied, lately[i]);
	if (having.older && g_strcmp0(g_hash_table_lookup(applied, "image"), NP_IMAGE_NONE) == 0)
		g_hash_table_remove(applied, "image");
	return applied;
}

static void fill_applied(np_seen_node *seen, const char *address, bool kvm)
{
	const np_node *was = having.applied ? np_lab_node(having.applied, address) : NULL;
	if (was)
		seen->applied = as_applied(np_node_record(having.applied, was, NULL, kvm));
}

static void fill_node(np_seen_site *site, np_node *node, const np_world *world, const golden *g)
{
	bool kvm = node->accel != NP_ACCEL_EMULATE && np_site_gives_kvm(world, site->address, world->accel.nested);
	np_seen_node *seen = as_seen(node, kvm);
	seen->power = listed(g->off, node->address)       ? NP_POWER_OFF
	              : listed(g->paused, node->address)  ? NP_POWER_PAUSED
	              : listed(g->crashed, node->address) ? NP_POWER_CRASHED
	                                                  : NP_POWER_RUNNING;
	seen->ready = seen->power == NP_POWER_RUNNING && !listed(g->unready, node->address);
	seen->unsettled = listed(g->unsettled, node->address);
	seen->damaged = listed(g->damaged, node->address) ? g_strdup("root") : NULL;
	const np_nic *access = np_node_access_nic(seen->node);
	seen->ip = access ? access->address : 0;
	fill_applied(seen, node->address, kvm);
	if (seen->power == NP_POWER_RUNNING || seen->power == NP_POWER_PAUSED) {
		seen->live = np_object_new(&np_node_kind, NULL);
		as_defined(seen->live, np_lab_node(having.live, node->address), kvm);
	}
	g_ptr_array_add(site->nodes, seen);
	if (!seen->hypervisor)
		return;
	seen->inside = np_seen_site_new(node->address);
	seen->inside->reachable = seen->power == NP_POWER_RUNNING && !listed(g->unreachable, node->address);
	if (!seen->inside->reachable) {
		seen->inside->why = g_strdup("it does not answer");
		return;
	}
	seen->inside->proof = proven(!listed(g->nokvm, node->address));
	fill_site(seen->inside, &node->site, world, g);
}

static GHashTable *hosts_of(const np_site *site, const np_network *network)
{
	GHashTable *hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = g_ptr_array_index(site->nodes, i);
		for (guint k = 0; k < node->nics->len; k++) {
			const np_nic *nic = g_ptr_array_index(node->nics, k);
			if (nic->address && np_nic_network(node, nic) == network)
				g_hash_table_insert(hosts, np_ip_format(nic->address),
				                    np_host_text(node->base.name, network->dhcp ? nic->mac : NULL));
		}
	}
	return hosts;
}

/* As if all of it had been read from libvirt. */
static void mark_all(np_network *network)
{
	for (unsigned i = 0; i < np_network_kind.n_fields; i++)
		np_object_mark(&np_network_kind, &network->base, np_network_kind.fields[i].name);
}

static char *dhcp_range_of(const np_network *network)
{
	np_ip first, last;
	if (!np_network_dhcp_range(network, &first, &last))
		return g_strdup(NP_DHCP_RANGE_NONE);
	g_autofree char *from = np_ip_format(first), *to = np_ip_format(last);
	return g_strconcat(from, "-", to, NULL);
}

static void fill_network(np_seen_site *seen, const np_site *site, np_network *network)
{
	np_seen_network *known = np_seen_network_new();
	known->active = true;
	known->hosts = hosts_of(site, network);
	np_network_free(known->network);
	known->network = network; /* taken out of the lab */
	mark_all(known->network);
	known->network->dhcp_range = dhcp_range_of(network);
	const np_site *runs = np_lab_site(having.live, seen->address);
	known->live = np_map_find(runs->networks, network->base.name);
	known->live_hosts = hosts_of(runs, known->live);
	mark_all(known->live);
	known->live->dhcp_range = dhcp_range_of(known->live);
	known->autostart = true;
	const np_site *was = having.applied ? np_lab_site(having.applied, seen->address) : NULL;
	const np_network *before = was ? np_map_find(was->networks, network->base.name) : NULL;
	if (before)
		known->applied = as_applied(np_network_record(having.applied, before));
	g_ptr_array_add(seen->networks, known);
}

static void fill_site(np_seen_site *seen, np_site *site, const np_world *world, const golden *g)
{
	for (guint i = 0; i < site->networks->len; i++)
		fill_network(seen, site, g_ptr_array_index(site->networks, i));
	for (guint i = 0; i < site->nodes->len; i++)
		fill_node(seen, g_ptr_array_index(site->nodes, i), world, g);
	g_ptr_array_set_size(site->networks, 0);
	g_ptr_array_set_size(np_lab_site(having.live, seen->address)->networks, 0);
}

static guint64 size_of(const char *text)
{
	guint64 bytes;
	const char *why;
	g_assert_true(np_size_parse(text, &bytes, &why));
	return bytes;
}

static void drop(GPtrArray *map, const char *name, const np_kind *kind)
{
	gpointer object = np_map_find(map, name);
	g_assert_nonnull(object);
	g_ptr_array_remove(map, object);
	np_object_free(kind, object);
}

static int index_of(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (g_str_equal(names[i], name))
			return i;
	g_error("unknown value %s", name);
}

static void change_nic(np_node *node, const char *name, const char *mac)
{
	np_nic *nic = np_map_find(node->nics, name);
	if (!nic) {
		nic = np_object_new(&np_nic_kind, name);
		nic->network = g_strdup("mgmt");
		g_ptr_array_add(np_objects_own(&node->nics), nic);
	}
	g_free(nic->mac);
	nic->mac = g_strdup(mac);
}

static void change_disk(np_node *node, const char *field, const char *name, const char *value)
{
	np_disk *disk = np_map_find(node->disks, name);
	if (!disk)
		g_ptr_array_add(np_objects_own(&node->disks), disk = np_object_new(&np_disk_kind, name));
	if (g_str_equal(field, "bus"))
		disk->bus = index_of(np_bus_names, value);
	else if (g_str_equal(field, "cache"))
		disk->cache = index_of(np_cache_names, value);
	else if (g_str_equal(field, "file"))
		disk->source = g_strdup(value), disk->bus = NP_BUS_VIRTIO;
	else if (g_str_equal(field, "lost"))
		disk->lost = true, disk->size = 0;
	else
		disk->size = size_of(value);
}

static void change_part(np_node *node, const char *field, const char *value)
{
	g_auto(GStrv) pair = g_strsplit(value, "=", 2);
	g_autofree char *gone = g_str_has_suffix(value, "-") ? g_strndup(value, strlen(value) - 1) : NULL;
	if (g_str_equal(field, "nic") && gone)
		drop(node->nics, gone, &np_nic_kind);
	else if (g_str_equal(field, "disk") && gone)
		drop(node->disks, gone, &np_disk_kind);
	else if (g_str_equal(field, "nic"))
		change_nic(node, pair[0], pair[1]);
	else
		change_disk(node, field, pair[0], pair[1]);
}

static void change_outside(np_node *node, const char *field, const char *value)
{
	if (g_str_equal(field, "memory"))
		node->memory = size_of(value);
	else if (g_str_equal(field, "vcpus"))
		node->vcpus = (guint64)atoi(value);
	else if (g_str_equal(field, "description"))
		g_free(node->description), node->description = *value == '-' ? NULL : g_strdup(value);
	else if (g_str_equal(field, "accel"))
		node->accel = index_of(np_accel_names, value);
	else if (g_str_equal(field, "cpu"))
		node->cpu.mode = index_of(np_cpu_mode_names, value);
	else
		change_part(node, field, value);
}

static void change_network(np_network *network, GHashTable *hosts, const char *field, const char *value)
{
	const char *why;
	g_auto(GStrv) pair = g_strsplit(value, "=", 2);
	if (g_str_equal(field, "mode"))
		network->mode = index_of(np_net_mode_names, value);
	else if (g_str_equal(field, "mtu"))
		network->mtu = (guint64)atoi(value);
	else if (g_str_equal(field, "dhcp"))
		network->dhcp = g_str_equal(value, "yes");
	else if (g_str_equal(field, "gateway"))
		g_assert_true(np_ip_parse(value, &network->gateway));
	else if (g_str_equal(field, "range"))
		g_free(network->dhcp_range), network->dhcp_range = g_strdup(value);
	else if (g_str_equal(field, "cidr"))
		g_assert_true(np_cidr_parse(value, &network->cidr, &why));
	else if (g_str_equal(field, "host") && pair[1])
		g_hash_table_insert(hosts, g_strdup(pair[0]), g_strdup(pair[1]));
	else if (g_str_equal(field, "host"))
		g_assert_true(g_hash_table_remove(hosts, pair[0]));
	else
		g_error("unknown field %s", field);
}

static np_seen_network *network_at(const np_world *world, const char *address)
{
	const char *slash = strrchr(address, '/');
	g_autofree char *site = g_strndup(address, slash ? (gsize)(slash - address) : 0);
	return np_seen_site_network(np_world_site(world, site), strrchr(address, '.') + 1);
}

static void change_network_outside(np_seen_network *seen, char **words)
{
	bool stored = !g_str_equal(words[1], "live"), live = !g_str_equal(words[1], "stored");
	if (g_str_equal(words[2], "autostart")) {
		seen->autostart = g_str_equal(words[3], "yes");
		return;
	}
	if (g_str_equal(words[2], "active")) {
		seen->active = false;
		g_clear_pointer(&seen->live, np_network_free);
		g_clear_pointer(&seen->live_hosts, g_hash_table_unref);
		return;
	}
	if (stored)
		change_network(seen->network, seen->hosts, words[2], words[3]);
	if (live)
		change_network(seen->live, seen->live_hosts, words[2], words[3]);
}

static void change_all_outside(const np_world *world, const golden *g)
{
	g_auto(GStrv) lines = g_strsplit(g->outside ? g->outside : "", "\n", -1);
	for (char **line = lines; *line && **line; line++) {
		g_auto(GStrv) words = g_strsplit(*line, " ", -1);
		g_assert_cmpuint(g_strv_length(words), ==, 4);
		if (strstr(words[0], "network.")) {
			change_network_outside(network_at(world, words[0]), words);
			continue;
		}
		np_seen_node *seen = np_world_node(world, words[0]);
		if (g_str_equal(words[2], "share")) {
			g_clear_pointer(&seen->share, g_free);
			continue;
		}
		if (!g_str_equal(words[1], "live"))
			change_outside(seen->node, words[2], words[3]);
		if (!g_str_equal(words[1], "stored"))
			change_outside(seen->live, words[2], words[3]);
	}
}

static void set_limits(const np_world *world, const golden *g)
{
	g_auto(GStrv) lines = g_strsplit(g->limit ? g->limit : "", "\n", -1);
	for (char **line = lines; *line && **line; line++) {
		g_auto(GStrv) words = g_strsplit(*line, " ", -1);
		np_seen_node *seen = np_world_node(world, words[0]);
		seen->memory_limit = size_of(words[1]);
		seen->vcpus_limit = (guint64)atoi(words[2]);
	}
}

static void forget(np_world *world, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	bool network = strstr(words[0], "network.") != NULL;
	GHashTable *applied = network ? network_at(world, words[0])->applied : np_world_node(world, words[0])->applied;
	g_assert_true(g_hash_table_remove(applied, words[1]));
}

static void add_source(np_world *world, const char *file, unsigned line, const char *value)
{
	np_option_source *source = g_new0(np_option_source, 1);
	*source = (np_option_source){g_strdup(file), line, g_strdup(value)};
	g_ptr_array_add(world->kernel.sources, source);
}

static void add_holder(np_world *world, const char *domain)
{
	np_holder *holder = g_new0(np_holder, 1);
	*holder = (np_holder){.pid = 4711, .command = g_strdup("qemu-system-x86"), .domain = g_strdup(domain)};
	g_ptr_array_add(world->kernel.holders, holder);
}

/* One word after @HOST. */
static void read_host_word(np_world *world, const char *word)
{
	np_kernel_facts *kernel = &world->kernel;
	const char *equals = strchr(word, '=');
	const char *value = equals ? equals + 1 : NULL;
	if (g_str_equal(word, "kvm-not-nested"))
		kernel->nested = 0;
	else if (g_str_equal(word, "builtin"))
		kernel->state = NP_MODULE_BUILTIN;
	else if (g_str_equal(word, "not-installed"))
		kernel->loadable = false;
	else if (g_str_equal(word, "remote"))
		world->has_kernel = false;
	else if (g_str_equal(word, "bad"))
		add_source(world, "/etc/modprobe.d/kvm.conf", 3, "Y"), kernel->bad = g_ptr_array_index(kernel->sources, 0);
	else if (g_str_equal(word, "cmdline"))
		add_source(world, "/proc/cmdline", 0, "0");
	else if (g_str_equal(word, "later-file"))
		add_source(world, "/etc/modprobe.d/zzz.conf", 2, "0");
	else if (g_str_equal(word, "foreign-file"))
		add_source(world, NP_NESTING_FILE, 1, "1");
	else if (g_str_has_prefix(word, "forbidden"))
		kernel->forbidden = g_strdup("this process lacks CAP_SYS_MODULE; run nestplan as root");
	else if (g_str_has_prefix(word, "blacklist"))
		kernel->blacklist = g_strdup("/etc/modprobe.d/no.conf:1");
	else if (g_str_has_prefix(word, "domain="))
		add_holder(world, value);
	else if (g_str_equal(word, "process"))
		add_holder(world, NULL);
	else if (g_str_has_prefix(word, "lab="))
		g_ptr_array_add(kernel->labs, g_strdup(value));
	else if (g_str_has_prefix(word, "before="))
		kernel->before = atoi(value);
	else
		g_assert_cmpstr(word, ==, "kvm");
}

static void make_host(np_world *world, const char *words)
{
	world->kernel.flag = g_strdup("svm");
	world->kernel.module = g_strdup("kvm_amd");
	world->kernel.state = NP_MODULE_LIVE;
	world->kernel.device = world->kernel.loadable = true;
	world->kernel.nested = 1;
	g_auto(GStrv) list = g_strsplit(words, " ", -1);
	for (char **word = list; *word; word++)
		read_host_word(world, *word);
	world->root->facts.flag = g_strdup("svm");
	world->root->facts.nested = world->kernel.nested;
}

static np_lab *load_resolved(const char *text)
{
	np_lab *lab = load(text);
	np_lab_foreach_node(&lab->site, set_inject, NULL);
	return lab;
}

static void load_having(const golden *g)
{
	having.stored = load_resolved(g->have);
	having.live = load_resolved(g->have);
	having.older = g->older;
	if (g->applied)
		having.applied = load_resolved(g_str_has_prefix(g->applied, "same") ? g->have : g->applied);
}

static void set_capacity(np_world *world, char *text)
{
	const char *why;
	g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", -1);
	np_host_facts *facts = &world->root->facts;
	g_assert_true(np_size_parse(words[0], &facts->memory, &why));
	facts->cpus = (unsigned)strtoul(words[1], NULL, 10);
	if (words[2])
		g_assert_true(np_size_parse(words[2], &world->room, &why));
}

static np_cidr read_range(const char *text)
{
	np_cidr range;
	const char *why;
	g_assert_true(np_cidr_parse(text, &range, &why));
	return range;
}

/* RANGE NETWORK DEVICE [idle] [in ADDRESS] */
static void add_range(np_world *world, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	const char *in = strstr(line, " in ");
	np_seen_site *site = np_world_site(world, in ? in + strlen(" in ") : "");
	g_assert_nonnull(site);
	g_ptr_array_add(site->ranges, np_foreign_range_new(read_range(words[0]), g_strdup(words[1]), g_strdup(words[2]),
	                                                   !listed(line, "idle")));
}

static void add_route(np_world *world, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_ptr_array_add(world->kernel.routes, np_route_new(read_range(words[0]), g_strdup(words[1]), listed(line, "link")));
}

static void add_foreign(np_world *world, const char *line)
{
	g_auto(GStrv) parts = g_strsplit(line, " in ", 2);
	g_hash_table_add(np_world_site(world, parts[1] ? parts[1] : "")->foreign, g_strdup(parts[0]));
}

static void each_line(np_world *world, const char *text, void (*fn)(np_world *world, const char *line))
{
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (char **line = lines; *line; line++)
		if (**line)
			fn(world, *line);
}

static np_world *make_world(const golden *g, const char *name)
{
	np_world *world = np_world_new(name);
	world->has_kernel = true;
	world->root->reachable = true;
	world->root->facts.arch = g_strdup("x86_64");
	world->root->facts.offers_kvm = true;
	if (g_strcmp0(g->host, "emulate") != 0)
		make_host(world, g->host);
	np_accel_decide(&world->root->facts, world->has_kernel ? &world->kernel : NULL, &world->accel);
	if (g->have) {
		load_having(g);
		fill_site(world->root, &having.stored->site, world, g);
		change_all_outside(world, g);
		set_limits(world, g);
	}
	if (g->capacity)
		set_capacity(world, g->capacity);
	each_line(world, g->forgotten, forget);
	each_line(world, g->foreign, add_foreign);
	each_line(world, g->ranges, add_range);
	each_line(world, g->routes, add_route);
	return world;
}

static char *render_steps(const GPtrArray *steps)
{
	GString *out = g_string_new("Steps:\n");
	for (guint i = 0; i < steps->len; i++) {
		const np_step *step = g_ptr_array_index(steps, i);
		g_string_append_printf(out, "%2u %s", i, step->label);
		for (unsigned k = 0; k < step->needs.n; k++)
			g_string_append_printf(out, "%s%u", k ? "," : " <- ", step->needs.ids[k]);
		for (unsigned k = 0; k < step->after.n; k++)
			g_string_append_printf(out, " after %u", step->after.ids[k]);
		g_string_append_c(out, '\n');
	}
	return g_string_free(out, FALSE);
}

static GStrv words_of(const char *list)
{
	return list ? g_strsplit(g_strchomp(g_strdelimit((char *)list, "\n", ' ')), " ", -1) : NULL;
}

static char *picture(const golden *g, const np_lab *lab, const np_plan *plan)
{
	np_graph_language language = listed(g->graph, "mermaid") ? NP_GRAPH_MERMAID : NP_GRAPH_DOT;
	return np_graph_render(lab, listed(g->graph, "plan") ? plan : NULL, language, listed(g->graph, "unfold"));
}

static char *outcome(const golden *g)
{
	g_autoptr(np_lab) lab = load_resolved(g->want ? g->want : g->have);
	g_autoptr(np_world) world = make_world(g, lab->name);
	g_auto(GStrv) targets = words_of(g->target), replace = words_of(g->replace);
	np_plan_options options = {(const char *const *)targets, (const char *const *)replace, g->destroy, g->refresh};
	g_autoptr(np_plan) plan = np_plan_make(lab, world, &options);
	if (g->graph)
		return picture(g, lab, plan);
	if (g->json) {
		g_autoptr(GPtrArray) steps = np_order_make(lab, world, plan);
		if (!plan->problems->len)
			check_steps(lab, world, plan, steps);
		g_autofree char *json = np_plan_json(plan, true);
		return g_strconcat(json, "\n", NULL);
	}
	g_autofree char *text = np_plan_render(plan, g->all ? NP_RENDER_ALL : 0);
	if (plan->problems->len || (np_plan_is_empty(plan) && !g->destroy))
		return g_steal_pointer(&text);
	g_autoptr(GPtrArray) steps = np_order_make(lab, world, plan);
	check_steps(lab, world, plan, steps);
	if (g->plan_only)
		return g_steal_pointer(&text);
	g_autofree char *order = render_steps(steps);
	return g_strconcat(text, order, NULL);
}

static void golden_clear(golden *g)
{
	char *texts[] = {g->host, g->have,   g->off,    g->unready, g->unsettled, g->damaged, g->unreachable, g->nokvm, g->foreign,
	                 g->want, g->expect, g->applied, g->outside, g->limit,   g->forgotten, g->target,      g->replace, g->graph,
	                 g->capacity, g->ranges, g->routes, g->paused, g->crashed};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(texts[i]);
	g_clear_pointer(&having.stored, np_lab_free);
	g_clear_pointer(&having.live, np_lab_free);
	g_clear_pointer(&having.applied, np_lab_free);
}

static void test_golden(gconstpointer data)
{
	const char *path = data;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	golden g = {0};
	parse_golden(text, &g);
	g_autofree char *got = outcome(&g);
	g_autofree char *expect = g_strdup(g.expect);
	golden_clear(&g);
	if (g_getenv("NP_TEST_REGENERATE")) {
		char *at = strstr(text, "@EXPECT\n");
		g_assert_nonnull(at);
		*at = '\0';
		g_autofree char *all = g_strconcat(text, "@EXPECT\n", got, NULL);
		g_assert_true(g_file_set_contents(path, all, -1, NULL));
		return;
	}
	if (g_strcmp0(got, expect) != 0)
		g_test_message("got:\n%s", got);
	g_assert_cmpstr(got, ==, expect);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *folder = g_build_filename(NP_TEST_DATA, "unit", "plans", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_assert_nonnull(dir);
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
		if (!g_str_has_suffix(name, ".test"))
			continue;
		g_autofree char *test = g_strconcat("/plan/", name, NULL);
		g_test_add_data_func_full(test, g_build_filename(folder, name, NULL), test_golden, g_free);
	}
	return g_test_run();
}
