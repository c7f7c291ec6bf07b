/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/import.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/adopt.h"
#include "drivers/libvirt/describe.h"

#define DISK_MIN (1024 * 1024) /* as the field table says */

typedef struct {
	virDomainPtr domain;
	xmlDoc *doc;
} found;

static void found_free(gpointer data)
{
	found *f = data;
	virDomainFree(f->domain);
	if (f->doc)
		xmlFreeDoc(f->doc);
	g_free(f);
}

void np_import_free(np_import *import)
{
	if (!import)
		return;
	np_lab_free(import->lab);
	g_ptr_array_unref(import->origins);
	g_ptr_array_unref(import->remarks);
	g_free(import);
}

/* ── which domains ── */

/* Takes the domain. A missing description (it is gone meanwhile) is no error. */
static bool keep(GPtrArray *founds, virDomainPtr domain, bool marked_too, GError **error)
{
	g_autoptr(virDomain) owned = domain;
	GError *local = NULL;
	g_autoptr(xmlDoc) doc = np_domain_describe(domain, &local);
	g_auto(np_mark) mark = {0};
	if (local)
		g_propagate_error(error, local);
	if (!doc || (!marked_too && np_mark_read(xmlDocGetRootElement(doc), &mark)))
		return !local;
	found *f = g_new0(found, 1);
	*f = (found){g_steal_pointer(&owned), g_steal_pointer(&doc)};
	g_ptr_array_add(founds, f);
	return true;
}

static bool find_named(np_conn *conn, const char *const *names, GPtrArray *founds, GError **error)
{
	for (; *names; names++) {
		virDomainPtr domain = virDomainLookupByName(conn->vir, *names);
		if (!domain) {
			np_virt_error(error, NP_ERROR_NOT_FOUND, "Domain '%s' cannot be found at %s", *names,
			              conn->uri);
			return false;
		}
		for (guint i = 0; i < founds->len; i++)
			if (strcmp(virDomainGetName(((found *)g_ptr_array_index(founds, i))->domain), *names) == 0) {
				g_set_error(error, NP_ERROR, NP_ERROR_USAGE, "Domain '%s' is named twice.", *names);
				virDomainFree(domain);
				return false;
			}
		if (!keep(founds, domain, true, error))
			return false;
	}
	return true;
}

static bool find_foreign(np_conn *conn, GPtrArray *founds, GError **error)
{
	g_autoptr(GPtrArray) all = np_domain_list(conn, 0, error);
	for (guint i = 0; all && i < all->len; i++) {
		virDomainPtr domain = g_ptr_array_index(all, i);
		virDomainRef(domain);
		if (!keep(founds, domain, false, error))
			return false;
	}
	if (all && !founds->len)
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND,
		            "There is nothing to import at %s: no domain without the mark of a lab.", conn->uri);
	return founds->len > 0;
}

static bool is_lab_name(const char *name)
{
	return g_regex_match_simple(np_kind_field(&np_lab_kind, "name")->pattern, name, 0, 0);
}

/* Names that a lab can have come first, and so are kept. */
static int compare_founds(gconstpointer a, gconstpointer b)
{
	const found *const *x = a, *const *y = b;
	const char *left = virDomainGetName((*x)->domain), *right = virDomainGetName((*y)->domain);
	int odd = is_lab_name(right) - is_lab_name(left);
	return odd ? odd : strcmp(left, right);
}

static GPtrArray *find(np_conn *conn, const char *const *names, GError **error)
{
	g_autoptr(GPtrArray) founds = g_ptr_array_new_with_free_func(found_free);
	if (names && *names ? !find_named(conn, names, founds, error) : !find_foreign(conn, founds, error))
		return NULL;
	g_ptr_array_sort(founds, compare_founds);
	return g_steal_pointer(&founds);
}

/* ── their networks ── */

static void read_leases(np_importer *importer, virNetworkPtr network)
{
	virNetworkDHCPLeasePtr *leases = NULL;
	int count = virNetworkGetDHCPLeases(network, NULL, &leases, 0);
	for (int i = 0; i < count; i++) {
		np_ip ip;
		char *mac = leases[i]->mac ? g_ascii_strdown(leases[i]->mac, -1) : NULL;
		if (mac && leases[i]->type == VIR_IP_ADDR_TYPE_IPV4 &&
		    !g_hash_table_contains(importer->addresses, mac) && np_ip_parse(leases[i]->ipaddr, &ip))
			g_hash_table_insert(importer->addresses, g_steal_pointer(&mac), GUINT_TO_POINTER(ip));
		g_free(mac);
		virNetworkDHCPLeaseFree(leases[i]);
	}
	free(leases);
}

static void check_network(np_importer *importer, virNetworkPtr network, const char *name)
{
	if (importer->request->adopt && virNetworkIsActive(network) != 1) {
		g_autofree char *about = g_strdup_printf("network '%s'", name);
		np_obstacle_add(importer, importer->import->lab, about,
		                "it is not active, so its bridge is missing; virsh net-start %s", name);
	}
}

static bool read_network(np_importer *importer, np_conn *conn, const char *key, GError **error)
{
	const char *name = strchr(key, ' ') + 1;
	if (g_str_has_prefix(key, "bridge ")) {
		np_import_bridge(importer, key, name);
		return true;
	}
	GError *local = NULL;
	g_autoptr(virNetwork) network = virNetworkLookupByName(conn->vir, name);
	g_autoptr(xmlDoc) doc = network ? np_network_describe(network, &local) : NULL;
	if (doc) {
		np_import_network(importer, key, xmlDocGetRootElement(doc));
		read_leases(importer, network);
		check_network(importer, network, name);
	} else if (!local) { /* a domain may name one that does not exist */
		g_hash_table_insert(importer->networks, g_strdup(key), NULL);
	}
	if (local)
		g_propagate_error(error, local);
	return !local;
}

static bool read_networks(np_importer *importer, np_conn *conn, const GPtrArray *founds, GError **error)
{
	for (guint i = 0; i < founds->len; i++) {
		xmlNode *root = xmlDocGetRootElement(((found *)g_ptr_array_index(founds, i))->doc);
		g_autoptr(GPtrArray) interfaces = np_xml_find(root, "devices/interface");
		for (guint k = 0; k < interfaces->len; k++) {
			g_autofree char *key = np_import_network_key(g_ptr_array_index(interfaces, k));
			if (key && !g_hash_table_contains(importer->networks, key) &&
			    !read_network(importer, conn, key, error))
				return false;
		}
	}
	return true;
}

/* ── sizes of disks ── */

static guint64 volume_size(np_conn *conn, xmlNode *element)
{
	g_autofree char *path = np_disk_path(conn, element);
	g_autoptr(virStorageVol) volume = path ? virStorageVolLookupByPath(conn->vir, path) : NULL;
	virStorageVolInfo info;
	return volume && virStorageVolGetInfo(volume, &info) == 0 ? info.capacity : 0;
}

static guint64 disk_size(np_conn *conn, virDomainPtr domain, xmlNode *element)
{
	virDomainBlockInfo info;
	g_autofree char *target = np_xml_get(element, "target/@dev");
	/* The test driver makes a number up. */
	if (target && !conn->mock && virDomainGetBlockInfo(domain, target, &info, 0) == 0 && info.capacity)
		return info.capacity;
	return volume_size(conn, element);
}

/* A disk without a size is none that a lab could have; what was said of it is said of its node. */
static void drop_disk(np_importer *importer, np_node *node, np_disk *disk)
{
	g_autofree char *about = g_strdup_printf("node '%s'", node->base.name);
	GPtrArray *remarks = importer->import->remarks;
	for (guint i = 0; i < remarks->len; i++) {
		np_remark *remark = g_ptr_array_index(remarks, i);
		if (remark->object == disk)
			remark->object = node;
	}
	np_obstacle_add(importer, node, about, "not expressed: disk '%s', whose size cannot be read", disk->base.name);
	g_ptr_array_remove(node->disks, disk);
	np_object_free(&np_disk_kind, disk);
}

static void read_sizes(np_importer *importer, np_conn *conn, const found *f, np_node *node)
{
	g_autoptr(GPtrArray) elements = np_import_disks(xmlDocGetRootElement(f->doc));
	for (guint i = elements->len; i-- > 0;) {
		np_disk *disk = g_ptr_array_index(node->disks, i);
		disk->size = disk_size(conn, f->domain, g_ptr_array_index(elements, i));
		if (disk->size >= DISK_MIN)
			np_object_mark(&np_disk_kind, &disk->base, "size");
		else
			drop_disk(importer, node, disk);
	}
}

/* ── addresses ── */

static bool is_on(const np_nic *nic, const np_network *network)
{
	return strcmp(nic->network ? nic->network : nic->base.name, network->base.name) == 0;
}

static void forget_address(np_importer *importer, np_nic *nic)
{
	g_autofree char *ip = nic->address ? np_ip_format(nic->address) : NULL;
	if (ip)
		np_remark_add(importer, nic, NULL, "has address %s of its network's DHCP server", ip);
	nic->address = 0;
	np_object_unmark(&np_nic_kind, &nic->base, "address");
}

/* Calls fn for each NIC on the network. */
static void each_nic(np_importer *importer, const np_network *network, void (*fn)(np_importer *importer, np_nic *nic))
{
	const GPtrArray *nodes = importer->import->lab->site.nodes;
	for (guint i = 0; i < nodes->len; i++) {
		const np_node *node = g_ptr_array_index(nodes, i);
		for (guint k = 0; k < node->nics->len; k++)
			if (is_on(g_ptr_array_index(node->nics, k), network))
				fn(importer, g_ptr_array_index(node->nics, k));
	}
}

static bool knows_all(const np_import *import, const np_network *network)
{
	for (guint i = 0; i < import->lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(import->lab->site.nodes, i);
		for (guint k = 0; k < node->nics->len; k++) {
			const np_nic *nic = g_ptr_array_index(node->nics, k);
			if (is_on(nic, network) && !nic->address)
				return false;
		}
	}
	return true;
}

static void remark_address(np_importer *importer, np_nic *nic)
{
	if (!nic->address)
		np_remark_add(importer, nic, NULL,
		              "its address is not known: it has no lease; without the key one is derived");
}

/* On a network with a range every NIC of a lab has an address, derived where none is written. On a bridge of somebody
 * else's such an address would be made up: there the range is left out unless all are known. */
static void settle_addresses(np_importer *importer)
{
	const GPtrArray *networks = importer->import->lab->site.networks;
	for (guint i = 0; i < networks->len; i++) {
		np_network *network = g_ptr_array_index(networks, i);
		if (network->mode != NP_NET_BRIDGE)
			each_nic(importer, network, remark_address);
		if (network->mode != NP_NET_BRIDGE || !np_cidr_is_set(network->cidr) ||
		    knows_all(importer->import, network))
			continue;
		g_autofree char *range = np_cidr_format(network->cidr);
		np_remark_add(importer, network, NULL,
		              "its range is %s, left out here: not all addresses in it are known", range);
		network->cidr = (np_cidr){0};
		np_object_unmark(&np_network_kind, &network->base, "cidr");
		each_nic(importer, network, forget_address);
	}
}

/* ── the lab ── */

static void read_lab(np_importer *importer, const char *uri)
{
	const np_import_request *request = importer->request;
	np_lab *lab = importer->import->lab;
	lab->version = 1;
	np_object_mark(&np_lab_kind, &lab->base, "version");
	lab->name = g_strdup(request->name);
	np_object_mark(&np_lab_kind, &lab->base, "name");
	lab->host.uri = g_strdup(request->uri);
	if (request->uri)
		np_object_mark(&np_host_kind, &lab->host.base, "uri");
	lab->host.storage = g_strdup(request->storage);
	if (request->storage)
		np_object_mark(&np_host_kind, &lab->host.base, "storage");
	np_remark_add(importer, lab, NULL, "Written by nestplan import, from what is at %s.", uri);
	if (request->adopt) {
		np_remark_add(
		        importer, lab, NULL,
		        "These machines are the lab's now. protect keeps their disks from plans that would lose them.");
		np_remark_add(importer, lab, NULL,
		              "A change that needs a restart writes a machine's definition anew, without what is 'not "
		              "expressed'.");
	} else {
		np_remark_add(importer, lab, NULL,
		              "Nothing there was changed, and none of it is this lab's: apply would make machines "
		              "beside these,");
		np_remark_add(
		        importer, lab, NULL,
		        "with empty disks, or from images where 'image' names one. import --adopt hands these over.");
	}
}

static bool read_all(np_importer *importer, np_conn *conn, GError **error)
{
	g_autoptr(GPtrArray) founds = find(conn, importer->request->domains, error);
	if (!founds)
		return false;
	read_lab(importer, conn->uri);
	if (!read_networks(importer, conn, founds, error))
		return false;
	for (guint i = 0; i < founds->len; i++) {
		const found *f = g_ptr_array_index(founds, i);
		xmlNode *root = xmlDocGetRootElement(f->doc);
		np_node *node = np_import_domain(importer, root);
		read_sizes(importer, conn, f, node);
		if (importer->request->adopt)
			np_import_obstacles(importer, conn, f->domain, root, node);
	}
	settle_addresses(importer);
	return true;
}

static GHashTable *set_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

np_import *np_import_read(np_conn *conn, const np_import_request *request, GError **error)
{
	g_autoptr(np_import) import = g_new0(np_import, 1);
	import->lab = np_object_new(&np_lab_kind, NULL);
	import->origins = g_ptr_array_new_with_free_func(g_free);
	import->remarks = np_remarks_new();
	g_autoptr(GHashTable) names = set_new(), networks = set_new(), addresses = set_new(), taken = set_new();
	np_importer importer = {request, import, names, networks, addresses, taken};
	return read_all(&importer, conn, error) ? g_steal_pointer(&import) : NULL;
}
