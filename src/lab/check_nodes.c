/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/units.h"
#include "lab/check.h"
#include "lab/complete.h"

#define NAME_MAX_LENGTH 31 /* as NP_PATTERN_NAME says */

static gboolean has(const np_node *node, const char *field)
{
	return np_object_has(&np_node_kind, &node->base, field);
}

static np_pos at(const np_node *node, const char *field)
{
	return np_object_at(&np_node_kind, &node->base, field);
}

static void needs_check(np_checker *c, const np_node *node)
{
	static const char *const needed[] = {"image", "memory", "vcpus", NULL};
	for (unsigned i = 0; needed[i] != NULL; i++) {
		np_pos pos = node->base.pos;
		/* One place, three messages: np_check_report would keep only the first. */
		if (has(node, needed[i]) ||
		    !g_hash_table_add(c->seen, g_strdup_printf("%u:%u:%s", pos.line, pos.col, needed[i])))
			continue;
		g_autofree char *hint = g_strdup_printf("set '%s' in the node, in its type or in defaults", needed[i]);
		np_diags_error(c->diags, NP_CODE_NODE_INCOMPLETE, pos, hint, "node '%s' has no %s", node->base.name,
		               needed[i]);
	}
	if (node->image != NULL && node->root_image == NULL) {
		np_unknown unknown = {c->lab->images, node->image, "declare it in the section 'images'"};
		np_check_name(c, NP_CODE_IMAGE_UNKNOWN, at(node, "image"), &unknown, "there is no image '%s'",
		                 node->image);
	}
}

static void cpu_check(np_checker *c, const np_node *node)
{
	const np_cpu *cpu = &node->cpu;
	np_pos pos = np_object_at(&np_cpu_kind, &cpu->base, "mode");
	gboolean custom = cpu->mode == NP_CPU_CUSTOM;
	gboolean has_model = np_object_has(&np_cpu_kind, &cpu->base, "model");
	if (custom && !has_model)
		np_check_error(c, NP_CODE_CPU_MODEL, pos, "add 'model: NAME', for example EPYC",
		               "the CPU of node '%s' is custom, but has no model", node->base.name);
	if (!custom && has_model)
		np_check_error(c, NP_CODE_CPU_MODEL, np_object_at(&np_cpu_kind, &cpu->base, "model"),
		               "add 'mode: custom'", "the CPU of node '%s' has a model, which is for mode custom",
		               node->base.name);
	if (node->accel == NP_ACCEL_EMULATE && cpu->mode == NP_CPU_HOST_PASSTHROUGH)
		np_check_error(c, NP_CODE_CPU_ACCEL, pos.line > 0 ? pos : at(node, "accel"),
		               "use 'maximum', or 'accel: kvm'",
		               "node '%s' is emulated, which cannot pass the host's CPU through", node->base.name);
}

static void maxima_check(np_checker *c, const np_node *node)
{
	if (node->memory_max > 0 && node->memory_max < node->memory) {
		g_autofree char *most = np_size_format(node->memory_max);
		g_autofree char *now = np_size_format(node->memory);
		np_check_error(c, NP_CODE_MAX_BELOW, at(node, "memory_max"), "make it larger, or leave it out",
		               "memory_max %s of node '%s' is less than its memory, %s", most, node->base.name, now);
	}
	if (node->vcpus_max > 0 && node->vcpus_max < node->vcpus)
		np_check_error(c, NP_CODE_MAX_BELOW, at(node, "vcpus_max"), "make it larger, or leave it out",
		               "vcpus_max %" G_GUINT64_FORMAT " of node '%s' is less than its vcpus, %" G_GUINT64_FORMAT,
		               node->vcpus_max, node->base.name, node->vcpus);
}

static void disks_check(np_checker *c, const np_node *node)
{
	for (guint i = 0; i < node->disks->len; i++) {
		const np_disk *disk = node->disks->pdata[i];
		gboolean of_image = strcmp(disk->base.name, "root") == 0 && (node->image != NULL || !has(node, "image"));
		if (!of_image && !np_object_has(&np_disk_kind, &disk->base, "size"))
			np_check_error(c, NP_CODE_DISK_SIZE, disk->base.pos, "as in '100GiB'",
			               "disk '%s' of node '%s' needs a size", disk->base.name, node->base.name);
	}
}

/* The gateway's, the range's own or its broadcast address. */
static gboolean is_reserved(const np_network *network, np_ip ip)
{
	return np_cidr_is_set(network->cidr) && (ip == network->gateway || ip == network->cidr.base ||
	                                         ip == np_cidr_broadcast(network->cidr));
}

/* The network that has the address for itself: this one, or another whose wire it is on; NULL when none has. */
static const np_network *reserved_find(const np_network *network, np_ip ip)
{
	while (network != NULL && !is_reserved(network, ip))
		network = network->outer;
	return network;
}

/* Which addresses are right; NULL: the network has none. Caller frees. */
static char *addresses_hint(const np_network *network)
{
	np_ip first, last;
	char from[NP_IP_TEXT], to[NP_IP_TEXT];
	if (!np_network_static_range(network, &first, &last))
		return NULL;
	return g_strdup_printf("use one from %s to %s", np_ip_text(first, from), np_ip_text(last, to));
}

/* `owner` has the address for itself. */
static void reserved_report(np_checker *c, const np_node *node, const np_nic *nic, const np_network *network,
                            const np_network *owner)
{
	np_pos pos = np_object_at(&np_nic_kind, &nic->base, "address");
	g_autofree char *hint = addresses_hint(network);
	g_autofree char *address = np_ip_format(nic->address);
	g_autofree char *range = np_cidr_format(owner->cidr);
	g_autofree char *whose = owner == network ? g_strdup("")
	                                          : g_strdup_printf(" of '%s', whose wire it is on,", owner->address);
	if (nic->address == owner->gateway && owner == network)
		np_check_error(c, NP_CODE_ADDRESS_GATEWAY, pos, hint,
		               "address %s of node '%s' is that of the network's own gateway", address, node->address);
	else if (nic->address == owner->gateway)
		np_check_error(c, NP_CODE_ADDRESS_GATEWAY, pos, hint,
		               "address %s of node '%s' is that of the gateway of '%s', whose wire it is on", address,
		               node->address, owner->address);
	else
		np_check_error(c, NP_CODE_ADDRESS_EDGE, pos, hint,
		               "address %s of node '%s' is the first or last of the range %s%s and not a machine's",
		               address, node->address, range, whose);
}

/* A network has reservations for the nodes of its own site, and for none on bridges over its wire. */
static void dhcp_check(np_checker *c, const np_node *node, const np_nic *nic, const np_network *network)
{
	np_ip first, last;
	const np_network *server = network->outer;
	while (server != NULL && !(np_network_dhcp_range(server, &first, &last) && nic->address >= first && nic->address <= last))
		server = server->outer;
	if (server == NULL)
		return;
	g_autofree char *hint = addresses_hint(network), *address = np_ip_format(nic->address);
	np_check_warning(c, NP_CODE_ADDRESS_DHCP, np_object_at(&np_nic_kind, &nic->base, "address"), hint,
	                 "address %s of node '%s' is among those that '%s', whose wire it is on, gives to others by DHCP", address,
	                 node->address, server->address);
}

static void nic_address_check(np_checker *c, const np_node *node, const np_nic *nic, const np_network *network)
{
	gboolean inside = np_cidr_contains(network->cidr, nic->address);
	const np_network *owner = reserved_find(network, nic->address);
	if (inside && owner == NULL) {
		dhcp_check(c, node, nic, network);
		return;
	}
	np_pos pos = np_object_at(&np_nic_kind, &nic->base, "address");
	g_autofree char *address = np_ip_format(nic->address);
	g_autofree char *range = np_cidr_format(network->cidr);
	g_autofree char *hint = addresses_hint(network);
	if (!np_cidr_is_set(network->cidr))
		np_check_error(c, NP_CODE_ADDRESS_RANGE, pos, "add the key 'cidr' to the network",
		               "address %s of node '%s' is on network '%s', whose range is not known", address,
		               node->address, network->address);
	else if (!inside)
		np_check_error(c, NP_CODE_ADDRESS_OUTSIDE, pos, hint,
		               "address %s of node '%s' is not in the range %s of network '%s'", address, node->address,
		               range, network->address);
	else
		reserved_report(c, node, nic, network, owner);
}

static void nics_check(np_checker *c, const np_node *node)
{
	for (guint i = 0; i < node->nics->len; i++) {
		const np_nic *nic = node->nics->pdata[i];
		const np_network *network = np_nic_network(node, nic);
		if (network == NULL) {
			const char *name = nic->network ? nic->network : nic->base.name;
			np_unknown unknown = {node->parent->networks, name,
			                      "a NIC is on a network of the site that carries its node"};
			np_check_name(c, NP_CODE_NETWORK_UNKNOWN, np_object_at(&np_nic_kind, &nic->base, "network"),
			                 &unknown, "NIC '%s' of node '%s' is on network '%s', which %s has not",
			                 nic->base.name, node->base.name, name,
			                 node->parent->node ? "the node around it" : "the host");
		} else if (nic->address != 0) {
			nic_address_check(c, node, nic, network);
		}
	}
}

static void file_check(np_checker *c, const np_file *file)
{
	gboolean source = np_object_has(&np_file_kind, &file->base, "source");
	gboolean content = np_object_has(&np_file_kind, &file->base, "content");
	const char *path = file->path ? file->path : "?";
	if (source && content)
		np_check_error(c, NP_CODE_FILE_SOURCE, np_object_at(&np_file_kind, &file->base, "content"),
		               "keep one of them", "file '%s' has both 'source' and 'content'", path);
	if (!source && !content)
		np_check_error(c, NP_CODE_FILE_SOURCE, file->base.pos, "add one of them",
		               "file '%s' has neither 'source' nor 'content'", path);
	if (content && np_object_has(&np_file_kind, &file->base, "template") && !file->expand)
		np_check_error(c, NP_CODE_TEMPLATE_CONTENT, np_object_at(&np_file_kind, &file->base, "template"),
		               "write $${ where ${ is meant as it stands",
		               "${…} in the content of file '%s' is always expanded", path);
}

/* Whether a NIC has an address, or only another mistake keeps it from one. */
static gboolean is_meant_to_have_address(const np_node *node, const np_nic *nic)
{
	const np_network *network = np_nic_network(node, nic);
	return nic->address != 0 || np_object_has(&np_nic_kind, &nic->base, "address") || network == NULL ||
	       network->mode != NP_NET_BRIDGE || np_object_has(&np_network_kind, &network->base, "cidr");
}

static gboolean is_reachable(const np_node *node)
{
	for (guint i = 0; i < node->nics->len; i++)
		if (is_meant_to_have_address(node, node->nics->pdata[i]))
			return TRUE;
	return FALSE;
}

/* One of vmx (Intel) and svm (AMD) is enough, so what switches one off is wrong unless the other is asked for. */
static void nesting_check(np_checker *c, const np_node *node)
{
	static const char *const flags[] = {"vmx", "svm"};
	const np_feature *off[G_N_ELEMENTS(flags)] = {NULL};
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
		const np_feature *feature = np_map_find(node->cpu.features, flags[i]);
		if (feature != NULL && feature->policy != NP_POLICY_DISABLE && feature->policy != NP_POLICY_FORBID)
			return;
		off[i] = feature;
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
		if (off[i] != NULL)
			np_check_error(c, NP_CODE_CPU_NESTING, np_object_at(&np_feature_kind, &off[i]->base, "policy"),
			               "remove it, or write require", "node '%s' carries nodes, but its CPU has no %s",
			               node->base.name, flags[i]);
}

/* What a site must have to be one. */
static void carrier_check(np_checker *c, const np_node *node)
{
	if (!np_node_is_site(node))
		return;
	const char *what = node->site.nodes->len > 0 ? "nodes" : "networks";
	if (node->nics->len == 0)
		np_check_error(
		        c, NP_CODE_SITE_UNREACHABLE, node->base.pos, "add 'nics' with a network that has a range",
		        "node '%s' carries %s, but has no NIC to reach its hypervisor by", node->base.name, what);
	else if (!is_reachable(node))
		np_check_error(c, NP_CODE_SITE_UNREACHABLE, node->base.pos, "put one NIC on a network that has a range",
		               "node '%s' carries %s, but none of its NICs has an address to reach its hypervisor by",
		               node->base.name, what);
	if (node->site.nodes->len > 0)
		nesting_check(c, node);
}

static void ready_check(np_checker *c, const np_node *node)
{
	gboolean needs_address = node->ready.wait == NP_WAIT_SSH || node->ready.wait == NP_WAIT_HYPERVISOR;
	gboolean has_wait = np_object_has(&np_ready_kind, &node->ready.base, "wait");
	np_pos at_wait = np_object_at(&np_ready_kind, &node->ready.base, "wait");
	if (needs_address && has_wait && node->nics->len == 0)
		np_check_error(c, NP_CODE_READY_NIC, at_wait, "use 'boot', or add 'nics'",
		               "node '%s' has no NIC, so nothing in it can be waited for by %s", node->base.name,
		               np_wait_names[node->ready.wait]);
	else if (needs_address && has_wait && !np_node_is_site(node) && !is_reachable(node))
		np_check_error(c, NP_CODE_READY_NIC, at_wait, "use 'boot', or put a NIC on a network that has a range",
		               "node '%s' has no address, so nothing in it can be waited for by %s", node->base.name,
		               np_wait_names[node->ready.wait]);
}

/* Node names are unique at a site, also after count has made more of them. */
static void name_check(np_checker *c, const np_node *node)
{
	const np_node *first = np_site_node(node->parent, node->base.name);
	if (first != node)
		np_check_error(c, NP_CODE_NODE_TWICE, node->base.pos, "with count, NAME stands for NAME-1, NAME-2, …",
		               "node '%s' is there twice; the other is in line %u", node->base.name,
		               first->base.pos.line);
	if (strlen(node->base.name) > NAME_MAX_LENGTH)
		np_check_error(c, NP_CODE_NODE_NAME_LONG, node->base.pos, "make the name shorter",
		               "with its number the node's name '%s' has more than %d characters", node->base.name,
		               NAME_MAX_LENGTH);
}

static void uuid_check(np_checker *c, np_node *node)
{
	if (!has(node, "uuid"))
		return;
	const np_node *other = g_hash_table_lookup(c->uuids, node->uuid);
	if (other == NULL)
		g_hash_table_insert(c->uuids, node->uuid, node);
	else
		np_check_error(c, NP_CODE_UUID_TWICE, at(node, "uuid"), "leave it out, and one is derived",
		               "UUID %s of node '%s' is already that of node '%s'", node->uuid, node->address,
		               other->address);
}

/* Of two that have the same name, the later one; NULL names are another mistake. */
static void twice_check(np_checker *c, const GPtrArray *objects, const np_kind *kind, const char *key)
{
	const np_field *field = np_kind_field(kind, key);
	g_autoptr(GHashTable) names = objects->len > 1 ? g_hash_table_new(g_str_hash, g_str_equal) : NULL;
	for (guint i = 0; names != NULL && i < objects->len; i++) {
		char *name = *(char **)np_field_member(field, objects->pdata[i]);
		if (name != NULL && !g_hash_table_add(names, name))
			np_check_error(c, NP_CODE_NAME_TWICE, np_object_at(kind, objects->pdata[i], key), "remove one of them",
			               "%s '%s' is there twice", kind->name, name);
	}
}

void np_check_node(np_checker *c, np_node *node)
{
	np_walk_object(c->required, node, np_check_required, c);
	name_check(c, node);
	uuid_check(c, node);
	needs_check(c, node);
	cpu_check(c, node);
	maxima_check(c, node);
	disks_check(c, node);
	nics_check(c, node);
	for (guint i = 0; i < node->inject.files->len; i++)
		file_check(c, node->inject.files->pdata[i]);
	twice_check(c, node->inject.files, &np_file_kind, "path");
	twice_check(c, node->inject.users, &np_user_kind, "name");
	carrier_check(c, node);
	np_check_capacity(c, node);
	ready_check(c, node);
}
