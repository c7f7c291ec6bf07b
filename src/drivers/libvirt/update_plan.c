/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/update_plan.h"

#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "drivers/libvirt/domain_keep.h"
#include "drivers/libvirt/domain_xml.h"
#include "drivers/libvirt/names.h"

typedef struct {
	const np_domain_spec *spec;
	xmlNode *wanted, *live;
	GHashTable *sizes;
	GPtrArray *steps;
	int ports;       /* needed more than given back */
	bool controller; /* the one of SCSI disks is being plugged */
} planner;

static void step_free(gpointer data)
{
	np_update_step *step = data;
	g_free(step->what);
	g_free(step->device);
	g_free(step->volume);
	g_free(step->xml);
	g_free(step);
}

/* Takes the texts. */
static void add(planner *p, np_update_step step)
{
	g_ptr_array_add(p->steps, g_memdup2(&step, sizeof(step)));
}

static bool refuse(const planner *p, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool refuse(const planner *p, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *why = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED, "Domain '%s': %s", p->spec->node->libvirt_name, why);
	return false;
}

static bool equal(xmlNode *a, xmlNode *b, const char *path)
{
	g_autofree char *x = np_xml_get(a, path);
	g_autofree char *y = np_xml_get(b, path);
	return g_strcmp0(x, y) == 0;
}

/* ── memory and vCPUs ── */

static bool plan_memory(planner *p, GError **error)
{
	guint64 want = p->spec->node->memory / 1024;
	guint64 is = np_xml_get_uint(p->live, "currentMemory"), most = np_xml_get_uint(p->live, "memory");
	is = is ? is : most;
	if (want == is)
		return true;
	g_autofree char *wanted = np_size_format(want * 1024);
	g_autofree char *limit = np_size_format(most * 1024);
	if (want > most)
		return refuse(p, error, "its memory cannot become %s while it runs: it was started with at most %s.", wanted, limit);
	if (!np_xml_has(p->live, "devices/memballoon[@model='virtio']"))
		return refuse(p, error, "its memory cannot become %s while it runs: it has no memory balloon.", wanted);
	add(p, (np_update_step){NP_UPDATE_MEMORY, g_strdup("memory"), .value = want * 1024});
	return true;
}

static bool plan_vcpus(planner *p, GError **error)
{
	guint64 want = p->spec->node->vcpus;
	guint64 most = np_xml_get_uint(p->live, "vcpu"), is = np_xml_get_uint(p->live, "vcpu/@current");
	is = is ? is : most;
	if (want == is)
		return true;
	if (want > most)
		return refuse(p, error,
		              "it cannot have %" G_GUINT64_FORMAT " vCPUs while it runs: it was started with at most %" G_GUINT64_FORMAT ".",
		              want, most);
	if (want < is)
		return refuse(p, error, "%" G_GUINT64_FORMAT " of its %" G_GUINT64_FORMAT " vCPUs cannot be taken from it while it runs.",
		              is - want, is);
	add(p, (np_update_step){NP_UPDATE_VCPUS, g_strdup("vCPUs"), .value = want});
	return true;
}

/* ── NICs ── */

static char *nic_words(xmlNode *interface)
{
	g_autofree char *alias = np_xml_get(interface, "alias/@name");
	const char *name = alias && g_str_has_prefix(alias, NP_NIC_ALIAS) ? alias + strlen(NP_NIC_ALIAS) : alias;
	return g_strdup_printf("NIC '%s'", name ? name : "?");
}

static void unplug(planner *p, xmlNode *device, char *what)
{
	add(p, (np_update_step){NP_UPDATE_UNPLUG, what, .device = np_xml_get(device, "alias/@name")});
	p->ports -= np_xml_has(device, "address[@type='pci']");
}

/* libvirt changes none of these in place. A running interface shows the MTU that its bridge happens to have. */
static bool is_another(xmlNode *interface, xmlNode *live)
{
	return !equal(interface, live, "mac/@address") || !equal(interface, live, "model/@type") ||
	       (np_xml_has(interface, "mtu") && !equal(interface, live, "mtu/@size"));
}

static void plan_lost_interfaces(planner *p)
{
	g_autoptr(GPtrArray) found = np_xml_find(p->live, "devices/interface");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *live = g_ptr_array_index(found, i);
		g_autofree char *alias = np_xml_get(live, "alias/@name");
		xmlNode *interface = np_domain_interface(p->wanted, alias);
		if (!interface || is_another(interface, live))
			unplug(p, live, nic_words(live));
	}
}

/* The device as it is to be attached: where it was, or where libvirt finds room. */
static char *plug_xml(planner *p, xmlNode *device)
{
	g_autofree char *place = np_device_place(device);
	g_autoptr(GPtrArray) others = np_xml_find(p->live, "devices/*[address]");
	bool taken = false;
	for (guint i = 0; place && i < others->len; i++) {
		g_autofree char *other = np_device_place(g_ptr_array_index(others, i));
		taken = taken || g_strcmp0(place, other) == 0;
	}
	if (!taken)
		return np_xml_format_node(device);
	xmlNode *copy = xmlDocCopyNode(device, device->doc, 1);
	g_autoptr(GPtrArray) address = np_xml_find(copy, "address");
	xmlUnlinkNode(g_ptr_array_index(address, 0));
	xmlFreeNode(g_ptr_array_index(address, 0));
	char *xml = np_xml_format_node(copy);
	xmlFreeNode(copy);
	return xml;
}

static void plan_interfaces(planner *p)
{
	g_autoptr(GPtrArray) found = np_xml_find(p->wanted, "devices/interface");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *interface = g_ptr_array_index(found, i);
		g_autofree char *alias = np_xml_get(interface, "alias/@name");
		xmlNode *live = np_domain_interface(p->live, alias);
		if (!live || is_another(interface, live)) {
			add(p, (np_update_step){NP_UPDATE_PLUG, nic_words(interface), .xml = plug_xml(p, interface)});
			p->ports++;
		} else if (!equal(interface, live, "source/@network")) {
			add(p, (np_update_step){NP_UPDATE_MOVE, nic_words(interface), .xml = np_xml_format_node(interface)});
		}
	}
}

/* ── disks ── */

static char *disk_words(const char *name)
{
	return g_strdup_printf("disk '%s'", name);
}

static bool can_be_plugged(const planner *p, xmlNode *disk, const char *name, GError **error)
{
	if (strcmp(name, "root") == 0)
		return refuse(p, error, "its root disk cannot be exchanged while it runs.");
	g_autofree char *bus = np_xml_get(disk, "target/@bus");
	if (g_strcmp0(bus, "virtio") == 0 || g_strcmp0(bus, "scsi") == 0)
		return true;
	return refuse(p, error, "disk '%s' is on bus %s, where nothing is plugged or unplugged while it runs.", name, bus);
}

/* What others attached: what it holds stays theirs. */
static bool plan_foreign_disks(planner *p, GError **error)
{
	g_autoptr(GPtrArray) found = np_xml_find(p->live, NP_FOREIGN_DISKS);
	for (guint i = 0; i < found->len; i++) {
		xmlNode *disk = g_ptr_array_index(found, i);
		g_autofree char *target = np_xml_get(disk, "target/@dev");
		g_autofree char *name = np_foreign_disk_name(target);
		if (!can_be_plugged(p, disk, name, error))
			return false;
		unplug(p, disk, disk_words(name));
	}
	return true;
}

/* Volumes that are not the node's are others' affair. */
static bool plan_lost_disks(planner *p, GError **error)
{
	g_autoptr(GPtrArray) found = np_xml_find(p->live, "devices/disk[@type='volume' and not(serial='" NP_SHARE_SERIAL "')]");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *disk = g_ptr_array_index(found, i);
		g_autofree char *volume = np_xml_get(disk, "source/@volume");
		g_autofree char *name = np_disk_of_volume(p->spec->node->base.name, volume);
		if (!name || np_domain_disk(p->wanted, volume))
			continue;
		if (!can_be_plugged(p, disk, name, error))
			return false;
		unplug(p, disk, disk_words(name));
	}
	return true;
}

static bool plan_size(planner *p, const np_disk *disk, const char *volume, xmlNode *live, GError **error)
{
	const guint64 *is = g_hash_table_lookup(p->sizes, volume);
	if (!is || disk->size == 0 || *is == disk->size)
		return true;
	if (*is > disk->size) {
		g_autofree char *has = np_size_format(*is);
		g_autofree char *wanted = np_size_format(disk->size);
		return refuse(p, error, "its disk '%s' has %s and cannot shrink to %s; write %s, or rebuild the node with a smaller one.",
		              disk->base.name, has, wanted, has);
	}
	add(p, (np_update_step){NP_UPDATE_GROW, disk_words(disk->base.name), .volume = g_strdup(volume), .value = disk->size,
	                        .device = live ? np_xml_get(live, "target/@dev") : NULL});
	return true;
}

static bool plan_sizes(planner *p, GError **error)
{
	for (guint i = 0; i < p->spec->node->disks->len; i++) {
		const np_disk *disk = g_ptr_array_index(p->spec->node->disks, i);
		g_autofree char *volume = np_volume_name(p->spec->node->base.name, disk->base.name);
		if (!plan_size(p, disk, volume, p->live ? np_domain_disk(p->live, volume) : NULL, error))
			return false;
	}
	return true;
}

static void plug_controller(planner *p)
{
	g_autoptr(GPtrArray) own = np_xml_find(p->wanted, "devices/controller[@type='scsi']");
	if (p->controller || own->len == 0 || np_xml_has(p->live, "devices/controller[@type='scsi' and @model='virtio-scsi']"))
		return;
	add(p, (np_update_step){NP_UPDATE_PLUG, g_strdup("SCSI controller"), .xml = plug_xml(p, g_ptr_array_index(own, 0))});
	p->controller = true;
	p->ports++;
}

static bool plan_disk(planner *p, xmlNode *disk, const char *name, xmlNode *live, GError **error)
{
	if (live && (!equal(disk, live, "target/@bus") || !equal(disk, live, "driver/@cache")))
		return refuse(p, error, "bus and cache of its disk '%s' cannot be changed while it runs.", name);
	if (live)
		return true;
	if (!can_be_plugged(p, disk, name, error))
		return false;
	g_autofree char *bus = np_xml_get(disk, "target/@bus");
	if (strcmp(bus, "scsi") == 0)
		plug_controller(p);
	else
		p->ports++;
	add(p, (np_update_step){NP_UPDATE_PLUG, disk_words(name), .xml = plug_xml(p, disk)});
	return true;
}

static bool plan_disks(planner *p, GError **error)
{
	g_autoptr(GPtrArray) found = np_xml_find(p->wanted, "devices/disk");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *disk = g_ptr_array_index(found, i);
		g_autofree char *volume = np_xml_get(disk, "source/@volume");
		g_autofree char *name = np_disk_of_volume(p->spec->node->base.name, volume);
		xmlNode *live = np_domain_disk(p->live, volume);
		if (!name && !live)
			return refuse(p, error, "the images for its nodes cannot be exchanged while it runs.");
		if (name && !plan_disk(p, disk, name, live, error))
			return false;
	}
	return true;
}

/* ── */

/* Ports of the running machine that nothing sits on. */
static int free_ports(xmlNode *live)
{
	g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) addresses = np_xml_find(live, "devices/*/address[@type='pci']");
	for (guint i = 0; i < addresses->len; i++) {
		g_autofree char *bus = np_xml_get(g_ptr_array_index(addresses, i), "@bus");
		g_hash_table_add(used, GUINT_TO_POINTER(bus ? g_ascii_strtoull(bus, NULL, 0) : 0));
	}
	int n_free = 0;
	g_autoptr(GPtrArray) ports = np_xml_find(live, "devices/controller[@type='pci' and @model='pcie-root-port']");
	for (guint i = 0; i < ports->len; i++)
		n_free += !g_hash_table_contains(used, GUINT_TO_POINTER(np_xml_get_uint(g_ptr_array_index(ports, i), "@index")));
	return n_free;
}

static bool plan_running(planner *p, GError **error)
{
	plan_lost_interfaces(p);
	if (!plan_foreign_disks(p, error) || !plan_lost_disks(p, error) || !plan_sizes(p, error))
		return false;
	plan_interfaces(p);
	if (!plan_disks(p, error) || !plan_vcpus(p, error) || !plan_memory(p, error))
		return false;
	int n_free = free_ports(p->live);
	return p->ports <= n_free ||
	       refuse(p, error, "more devices can be plugged into it while it runs: %d; needed: %d.", n_free, p->ports);
}

GPtrArray *np_update_plan(const np_domain_spec *spec, xmlNode *wanted, xmlNode *live, GHashTable *sizes, GError **error)
{
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(step_free);
	planner p = {.spec = spec, .wanted = wanted, .live = live, .sizes = sizes, .steps = steps};
	bool possible = live ? plan_running(&p, error) : plan_sizes(&p, error);
	return possible ? g_steal_pointer(&steps) : NULL;
}
