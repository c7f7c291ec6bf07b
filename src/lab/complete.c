/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/complete.h"

#include <string.h>

#include "base/address.h"
#include "base/ident.h"
#include "base/units.h"
#include "lab/scalar.h"
#include "lab/walk.h"

typedef struct {
	np_lab *lab;
	GHashTable *images; /* name → np_image*; borrowed */
	np_addresses *addresses;
	const np_walk *defaults, *paths; /* through a node */
	np_origin *origin;
} completer;

/* What objects are not born with: all their members are 0. */
static gboolean has_default(const np_field *field)
{
	gboolean is_zero = field->def != NULL &&
	                   ((field->type == NP_FIELD_ENUM && strcmp(field->def, field->values[0]) == 0) ||
	                    (field->type == NP_FIELD_BOOL && strcmp(field->def, "false") == 0));
	return field->def != NULL && !is_zero;
}

static gboolean is_path(const np_field *field)
{
	return (field->flags & NP_FIELD_PATH) != 0;
}

static void defaults_fill(const np_walk *walk, gpointer object, gpointer data)
{
	const np_object *base = object;
	(void)data;
	for (guint i = 0; i < walk->fields->len; i++) {
		const np_field *field = walk->fields->pdata[i];
		g_auto(np_problem) problem = {0};
		if ((base->set >> (field - walk->kind->fields) & 1) != 0)
			continue;
		gboolean good = np_scalar_store(field, object, field->def, &problem);
		g_assert(good);
	}
}

static void path_resolve(const np_field *field, const char *folder, char **path)
{
	if (*path == NULL || np_path_is_other(field, *path))
		return;
	g_autofree char *full =
	        np_path_is_home(*path) ? g_build_filename(g_get_home_dir(), *path + 1, NULL) : g_strdup(*path);
	g_free(*path);
	*path = g_canonicalize_filename(full, folder);
}

static void paths_resolve(const np_walk *walk, gpointer object, gpointer data)
{
	const char *folder = data;
	for (guint i = 0; i < walk->fields->len; i++) {
		const np_field *field = walk->fields->pdata[i];
		if (field->type == NP_FIELD_STRING)
			path_resolve(field, folder, np_field_member(field, object));
		GPtrArray *list =
		        field->type == NP_FIELD_STRINGS ? *(GPtrArray **)np_field_member(field, object) : NULL;
		for (guint k = 0; list != NULL && k < list->len; k++)
			path_resolve(field, folder, (char **)&list->pdata[k]);
	}
}

static void network_complete(const np_lab *lab, const np_site *site, np_network *network)
{
	g_autofree char *leaf = g_strconcat("network.", network->base.name, NULL);
	g_autofree char *digits = NULL;
	network->address = np_address_join(site->address, leaf);
	network->uuid = np_ident_uuid(lab->name, "network", network->address, NULL);
	network->libvirt_name = g_strdup_printf("%s.%s", lab->name, network->base.name);
	digits = np_ident_short(8, lab->name, "network", network->address, NULL);
	network->device = g_strconcat("np", digits, NULL);
	if (network->mode == NP_NET_BRIDGE && !np_object_has(&np_network_kind, &network->base, "dhcp"))
		network->dhcp = FALSE;
	const np_nic *nic = network->mode == NP_NET_BRIDGE && network->nic != NULL && site->node != NULL
	                            ? np_map_find(site->node->nics, network->nic)
	                            : NULL;
	network->outer = nic ? np_nic_network(site->node, nic) : NULL;
	if (network->mode != NP_NET_BRIDGE && np_cidr_is_set(network->cidr))
		network->gateway = network->cidr.base + 1;
}

/* The root disk is there in every node with an image, and first. */
static void root_complete(np_node *node)
{
	np_disk *root = np_map_find(node->disks, "root");
	if (root == NULL && node->image == NULL)
		return;
	if (root == NULL) {
		root = np_object_new(&np_disk_kind, "root");
	} else if (node->disks->pdata[0] != root) {
		g_ptr_array_remove(node->disks, root);
	} else {
		return;
	}
	g_ptr_array_insert(np_objects_own(&node->disks), 0, root);
}

/* A machine that asks for less than a whole unit gets the whole one: what it has would differ from what it asked for, for ever. */
static void sizes_complete(np_node *node)
{
	node->memory = np_size_up(node->memory, NP_MEMORY_UNIT);
	node->memory_max = np_size_up(node->memory_max, NP_MEMORY_UNIT);
	for (guint i = 0; i < node->disks->len; i++) {
		np_disk *disk = node->disks->pdata[i];
		disk->size = np_size_up(disk->size, NP_DISK_UNIT);
	}
}

static void image_complete(const completer *c, np_node *node)
{
	node->root_image = node->image ? g_hash_table_lookup(c->images, node->image) : NULL;
	/* An image that somebody named so is one. */
	if (node->root_image == NULL && g_strcmp0(node->image, NP_IMAGE_NONE) == 0)
		g_clear_pointer(&node->image, g_free);
}

static void protect_note(const np_node *node)
{
	for (np_node *above = node->parent->node; above != NULL && !above->protects; above = above->parent->node)
		above->protects = TRUE;
}

static void site_complete(const completer *c, np_site *site);

/* Everything that can be done by what came before it in the file is done in one go: a large lab does not fit into the processor's
 * cache, and each pass over it takes as long as what is done in it. */
static void node_complete(const completer *c, np_site *parent, guint position)
{
	np_node *node = parent->nodes->pdata[position];
	const np_lab *lab = c->lab;
	node->parent = parent;
	image_complete(c, node);
	if (node->protect)
		protect_note(node);
	root_complete(node);
	np_walk_object(c->defaults, node, defaults_fill, NULL);
	sizes_complete(node);
	np_walk_object(c->paths, node, paths_resolve, lab->folder);
	if (node->uuid == NULL)
		node->uuid = np_ident_uuid(lab->name, "domain", node->address, NULL);
	node->libvirt_name = g_strconcat(lab->name, ".", node->base.name, NULL);
	for (guint i = 0; i < node->nics->len; i++) {
		np_nic *nic = node->nics->pdata[i];
		if (nic->network == NULL)
			nic->network = g_strdup(nic->base.name);
	}
	node->site.address = node->address;
	node->site.level = node->level;
	node->site.node = node;
	c->origin->node = node;
	np_addresses_reserve(c->addresses, node, position);
	site_complete(c, &node->site);
}

/* Links, names and ids of what a site carries. Its own address, level and node are set. */
static void site_complete(const completer *c, np_site *site)
{
	site->storage = c->lab->host.storage;
	np_site_index(site);
	for (guint i = 0; i < site->networks->len; i++)
		network_complete(c->lab, site, site->networks->pdata[i]);
	for (guint i = 0; i < site->nodes->len; i++)
		node_complete(c, site, i);
}

/* What needs to know which addresses are taken. */
static void node_finish(np_node *node, gpointer data)
{
	const completer *c = data;
	c->origin->node = node;
	np_addresses_derive(c->addresses, node);
	if (node->ready.wait != NP_WAIT_AUTO)
		return;
	if (np_node_is_site(node))
		node->ready.wait = NP_WAIT_HYPERVISOR;
	else
		node->ready.wait = np_node_access_nic(node) ? NP_WAIT_SSH : NP_WAIT_BOOT;
}

void np_lab_complete(np_lab *lab, np_diags *diags, np_origin *origin)
{
	g_autoptr(np_walk) defaults = np_walk_new(&np_node_kind, has_default), paths = np_walk_new(&np_node_kind, is_path);
	g_autoptr(np_walk) lab_defaults = np_walk_new(&np_lab_kind, has_default), lab_paths = np_walk_new(&np_lab_kind, is_path);
	g_autoptr(np_addresses) addresses = np_addresses_new(lab, diags);
	g_autoptr(GHashTable) images = g_hash_table_new(g_str_hash, g_str_equal);
	completer c = {lab, images, addresses, defaults, paths, origin};
	for (guint i = 0; i < lab->images->len; i++)
		g_hash_table_insert(images, ((np_object *)lab->images->pdata[i])->name, lab->images->pdata[i]);
	np_walk_object(lab_defaults, lab, defaults_fill, NULL);
	np_walk_object(lab_paths, lab, paths_resolve, lab->folder);
	if (lab->name == NULL) /* an error already; the rest is still checked */
		lab->name = g_strdup("lab");
	lab->site.address = "";
	site_complete(&c, &lab->site);
	np_lab_foreach_node(&lab->site, node_finish, &c);
	origin->node = NULL;
	np_addresses_report(addresses);
}
