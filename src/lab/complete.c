/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/complete.h"

#include <string.h>

#include "base/address.h"
#include "base/ident.h"
#include "lab/scalar.h"
#include "lab/walk.h"

static void defaults_fill(const np_kind *kind, gpointer object, gpointer data)
{
	const np_object *base = object;
	(void)data;
	for (unsigned i = 0; i < kind->n_fields; i++) {
		g_auto(np_problem) problem = {0};
		if (kind->fields[i].def == NULL || (base->set >> i & 1) != 0)
			continue;
		gboolean good = np_scalar_store(&kind->fields[i], object, kind->fields[i].def, &problem);
		g_assert(good);
	}
}

gboolean np_path_is_other(const char *text)
{
	static const char *const keys[] = {"ssh-", "ecdsa-", "sk-", NULL};
	for (unsigned i = 0; keys[i] != NULL; i++)
		if (g_str_has_prefix(text, keys[i]) && strchr(text, ' ') != NULL)
			return TRUE;
	return strstr(text, "://") != NULL;
}

static void path_resolve(const char *folder, char **path)
{
	if (*path == NULL || np_path_is_other(*path))
		return;
	gboolean home = (*path)[0] == '~' && ((*path)[1] == '/' || (*path)[1] == '\0');
	g_autofree char *full = home ? g_build_filename(g_get_home_dir(), *path + 1, NULL) : g_strdup(*path);
	g_free(*path);
	*path = g_canonicalize_filename(full, folder);
}

static void paths_resolve(const np_kind *kind, gpointer object, gpointer data)
{
	const char *folder = data;
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		if ((field->flags & NP_FIELD_PATH) == 0)
			continue;
		if (field->type == NP_FIELD_STRING)
			path_resolve(folder, np_field_member(field, object));
		GPtrArray *list =
		        field->type == NP_FIELD_STRINGS ? *(GPtrArray **)np_field_member(field, object) : NULL;
		for (guint k = 0; list != NULL && k < list->len; k++)
			path_resolve(folder, (char **)&list->pdata[k]);
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
		defaults_fill(&np_disk_kind, root, NULL);
	} else if (node->disks->pdata[0] != root) {
		g_ptr_array_remove(node->disks, root);
	} else {
		return;
	}
	g_ptr_array_insert(np_objects_own(&node->disks), 0, root);
}

static void site_complete(np_lab *lab, np_site *site);

static void node_complete(np_lab *lab, np_site *parent, np_node *node)
{
	node->parent = parent;
	if (node->uuid == NULL)
		node->uuid = np_ident_uuid(lab->name, "domain", node->address, NULL);
	/* An image that somebody named so is one. */
	if (g_strcmp0(node->image, NP_IMAGE_NONE) == 0 && np_map_find(lab->images, NP_IMAGE_NONE) == NULL)
		g_clear_pointer(&node->image, g_free);
	node->libvirt_name = g_strconcat(lab->name, ".", node->base.name, NULL);
	for (guint i = 0; i < node->nics->len; i++) {
		np_nic *nic = node->nics->pdata[i];
		if (nic->network == NULL)
			nic->network = g_strdup(nic->base.name);
	}
	root_complete(node);
	node->site.address = node->address;
	node->site.level = node->level;
	node->site.node = node;
	site_complete(lab, &node->site);
}

/* Links, names and ids of what a site carries. Its own address, level and node are set. */
static void site_complete(np_lab *lab, np_site *site)
{
	site->storage = lab->host.storage;
	np_site_index(site);
	for (guint i = 0; i < site->networks->len; i++)
		network_complete(lab, site, site->networks->pdata[i]);
	for (guint i = 0; i < site->nodes->len; i++)
		node_complete(lab, site, site->nodes->pdata[i]);
}

/* Needs the addresses of NICs. */
static void ready_complete(np_node *node, gpointer data)
{
	(void)data;
	if (node->ready.wait != NP_WAIT_AUTO)
		return;
	if (np_node_is_site(node))
		node->ready.wait = NP_WAIT_HYPERVISOR;
	else
		node->ready.wait = np_node_access_nic(node) ? NP_WAIT_SSH : NP_WAIT_BOOT;
}

void np_lab_complete(np_lab *lab, np_diags *diags)
{
	np_object_walk(&np_lab_kind, lab, defaults_fill, NULL);
	np_object_walk(&np_lab_kind, lab, paths_resolve, lab->folder);
	if (lab->name == NULL) /* an error already; the rest is still checked */
		lab->name = g_strdup("lab");
	lab->site.address = "";
	site_complete(lab, &lab->site);
	np_lab_complete_addresses(lab, diags);
	np_lab_foreach_node(&lab->site, ready_complete, NULL);
}
