/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/domain_keep.h"

#include <string.h>

#include "drivers/libvirt/domain_xml.h"

static bool attr_is(xmlNode *node, const char *path, const char *wanted)
{
	g_autofree char *value = np_xml_get(node, path);
	return g_strcmp0(value, wanted) == 0;
}

/* First element at `path` whose value at `key` is that; NULL: none. */
static xmlNode *find_by(xmlNode *root, const char *path, const char *key, const char *value)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, path);
	for (guint i = 0; value && i < found->len; i++)
		if (attr_is(g_ptr_array_index(found, i), key, value))
			return g_ptr_array_index(found, i);
	return NULL;
}

xmlNode *np_domain_disk(xmlNode *root, const char *volume)
{
	return find_by(root, "devices/disk[@type='volume']", "source/@volume", volume);
}

xmlNode *np_domain_interface(xmlNode *root, const char *alias)
{
	return find_by(root, "devices/interface", "alias/@name", alias);
}

char *np_device_place(xmlNode *device)
{
	static const char *const parts[] = {"address/@domain", "address/@bus", "address/@slot", "address/@function"};
	if (!np_xml_has(device, "address[@type='pci']"))
		return NULL;
	guint64 numbers[G_N_ELEMENTS(parts)];
	for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *text = np_xml_get(device, parts[i]);
		numbers[i] = text ? g_ascii_strtoull(text, NULL, 0) : 0; /* 0x03 */
	}
	return g_strdup_printf("%04x:%02x:%02x.%x", (unsigned)numbers[0], (unsigned)numbers[1], (unsigned)numbers[2],
	                       (unsigned)numbers[3]);
}

/* Puts copies of the elements of that name in place of one's own. */
static void replace_children(xmlNode *to, xmlNode *from, const char *name)
{
	g_autoptr(GPtrArray) own = np_xml_find(to, name);
	g_autoptr(GPtrArray) others = np_xml_find(from, name);
	for (guint i = 0; others->len > 0 && i < own->len; i++) {
		xmlUnlinkNode(g_ptr_array_index(own, i));
		xmlFreeNode(g_ptr_array_index(own, i));
	}
	for (guint i = 0; i < others->len; i++)
		xmlAddChild(to, xmlDocCopyNode(g_ptr_array_index(others, i), to->doc, 1));
}

typedef struct {
	xmlNode *root;       /* of the domain in the making */
	GHashTable *places;  /* np_device_place of what has one */
	GHashTable *targets; /* "vda" of disks that have theirs */
} keeper;

/* Gives a device the place of its old self, unless another has it. */
static void keep_place(keeper *k, xmlNode *device, xmlNode *old)
{
	char *place = old ? np_device_place(old) : NULL;
	if (old && (!place || g_hash_table_add(k->places, place)))
		replace_children(device, old, "address");
}

static void keep_disk(keeper *k, xmlNode *disk, xmlNode *old)
{
	g_autofree char *bus = np_xml_get(disk, "target/@bus");
	if (!old || !attr_is(old, "target/@bus", bus) || !g_hash_table_add(k->targets, np_xml_get(old, "target/@dev")))
		return;
	replace_children(disk, old, "target");
	keep_place(k, disk, old);
}

static void keep_disks(keeper *k, xmlNode *from)
{
	g_autoptr(GPtrArray) disks = np_xml_find(k->root, "devices/disk[not(address)]");
	for (guint i = 0; i < disks->len; i++) {
		xmlNode *disk = g_ptr_array_index(disks, i);
		g_autofree char *volume = np_xml_get(disk, "source/@volume");
		keep_disk(k, disk, np_domain_disk(from, volume));
	}
}

static void keep_interfaces(keeper *k, xmlNode *from)
{
	g_autoptr(GPtrArray) interfaces = np_xml_find(k->root, "devices/interface[not(address)]");
	for (guint i = 0; i < interfaces->len; i++) {
		xmlNode *interface = g_ptr_array_index(interfaces, i);
		g_autofree char *alias = np_xml_get(interface, "alias/@name");
		keep_place(k, interface, np_domain_interface(from, alias));
	}
}

/* Devices of which there is one of a kind. */
static void keep_small_devices(keeper *k, xmlNode *from)
{
	static const char *const kinds[] = {"devices/channel", "devices/memballoon", "devices/rng"};
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GPtrArray) own = np_xml_find(k->root, kinds[i]);
		g_autoptr(GPtrArray) old = np_xml_find(from, kinds[i]);
		if (own->len == 1 && old->len == 1)
			keep_place(k, g_ptr_array_index(own, 0), g_ptr_array_index(old, 0));
	}
}

static xmlNode *own_controller(keeper *k, xmlNode *old)
{
	g_autofree char *type = np_xml_get(old, "@type");
	g_autoptr(GPtrArray) own = np_xml_find(k->root, "devices/controller");
	for (guint i = 0; i < own->len; i++) {
		xmlNode *controller = g_ptr_array_index(own, i);
		if (attr_is(controller, "@type", type) && np_xml_get_uint(controller, "@index") == np_xml_get_uint(old, "@index"))
			return controller;
	}
	return NULL;
}

/* All of them, also those that libvirt added: buses keep their numbers. An own one of another model goes before. */
static void keep_controllers(keeper *k, xmlNode *from)
{
	g_autoptr(GPtrArray) devices = np_xml_find(k->root, "devices");
	g_autoptr(GPtrArray) old = np_xml_find(from, "devices/controller[not(@type='usb')]");
	for (guint i = 0; i < old->len; i++) {
		xmlNode *controller = g_ptr_array_index(old, i);
		xmlNode *own = own_controller(k, controller);
		g_autofree char *model = own ? np_xml_get(own, "@model") : NULL;
		if (own && !attr_is(own, "@type", "pci") && !attr_is(controller, "@model", model))
			continue;
		char *place = np_device_place(controller);
		if (place)
			g_hash_table_add(k->places, place);
		xmlNode *copy = xmlDocCopyNode(controller, k->root->doc, 1);
		if (own) {
			xmlReplaceNode(own, copy);
			xmlFreeNode(own);
		} else {
			xmlAddChild(g_ptr_array_index(devices, 0), copy);
		}
	}
}

/* The controller of SCSI disks that came while the domain ran. */
static void keep_new_controller(keeper *k, xmlNode *from)
{
	g_autoptr(GPtrArray) own = np_xml_find(k->root, "devices/controller[@type='scsi' and not(address)]");
	g_autoptr(GPtrArray) old = np_xml_find(from, "devices/controller[@type='scsi' and @model='virtio-scsi']");
	if (own->len == 1 && old->len == 1)
		keep_place(k, g_ptr_array_index(own, 0), g_ptr_array_index(old, 0));
}

/* The type that `q35` stood for when the domain was made. */
static void keep_machine(keeper *k, xmlNode *from)
{
	g_autoptr(GPtrArray) type = np_xml_find(k->root, "os/type");
	g_autofree char *machine = np_xml_get(from, "os/type/@machine");
	if (machine && type->len == 1)
		xmlSetProp(g_ptr_array_index(type, 0), BAD_CAST "machine", BAD_CAST machine);
}

/* Where the lab file names none, the domain stays the one that it is. */
static void keep_uuid(keeper *k, const np_node *node, xmlNode *from)
{
	if (!np_object_has(&np_node_kind, &node->base, "uuid"))
		replace_children(k->root, from, "uuid");
}

/* New disks were numbered as if there were no others. */
static void move_new_targets(keeper *k)
{
	g_autoptr(GPtrArray) targets = np_xml_find(k->root, "devices/disk[not(address)]/target");
	for (guint i = 0; i < targets->len; i++) {
		xmlNode *target = g_ptr_array_index(targets, i);
		g_autofree char *bus = np_xml_get(target, "@bus");
		const char *prefix = strcmp(bus, "virtio") == 0 ? "vd" : "sd";
		char *name = np_xml_get(target, "@dev");
		for (unsigned n = 0; g_hash_table_contains(k->targets, name); n++) {
			g_free(name);
			name = np_target_name(prefix, n);
		}
		xmlSetProp(target, BAD_CAST "dev", BAD_CAST name);
		g_hash_table_add(k->targets, name);
	}
}

xmlDoc *np_domain_keep(const np_domain_spec *spec, xmlNode *stored, xmlNode *live)
{
	g_autofree char *xml = np_domain_xml(spec);
	xmlDoc *doc = np_xml_parse(xml, spec->node->libvirt_name, NULL);
	xmlNode *const sources[] = {stored, live};
	g_autoptr(GHashTable) places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	keeper k = {.root = xmlDocGetRootElement(doc), .places = places, .targets = targets};
	if (stored) {
		keep_machine(&k, stored);
		keep_uuid(&k, spec->node, stored);
		keep_controllers(&k, stored);
		keep_small_devices(&k, stored);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++) {
		if (!sources[i])
			continue;
		keep_disks(&k, sources[i]);
		keep_interfaces(&k, sources[i]);
		keep_new_controller(&k, sources[i]);
	}
	move_new_targets(&k);
	return doc;
}
