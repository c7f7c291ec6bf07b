/* SPDX-License-Identifier: Apache-2.0 */
/* From foreign domains to a lab's own. Each step is noted with its way back before the next one begins. */
#include "drivers/libvirt/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/libvirt/domain_xml.h"
#include "drivers/libvirt/import.h"
#include "drivers/libvirt/network.h"
#include "drivers/libvirt/pool.h"

typedef struct {
	np_conn *conn;
	const np_lab *lab;
	const np_adoption *taken;
	GPtrArray *steps; /* of step*: what has been done */
	char *folder;     /* of the lab's pool */
	char *pool;
} adoption;

typedef struct {
	bool (*back)(adoption *a, const char *name, const char *former, GError **error);
	char *name, *former;
} step;

static void step_free(gpointer data)
{
	step *s = data;
	g_free(s->name);
	g_free(s->former);
	g_free(s);
}

static void done(adoption *a, bool (*back)(adoption *, const char *, const char *, GError **), const char *name,
                 const char *former)
{
	step *s = g_new0(step, 1);
	*s = (step){back, g_strdup(name), g_strdup(former)};
	g_ptr_array_add(a->steps, s);
}

/* ── the ways back ── */

static bool pool_back(adoption *a, const char *name, const char *former, GError **error)
{
	(void)former;
	return np_pool_delete(a->conn, name, error);
}

static bool link_back(adoption *a, const char *name, const char *former, GError **error)
{
	(void)a;
	if (unlink(name) == 0 || errno == ENOENT)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' (the second name of '%s') cannot be removed: %s.", name,
	            former, g_strerror(errno));
	return false;
}

static bool network_back(adoption *a, const char *name, const char *former, GError **error)
{
	(void)former;
	return np_network_delete(a->conn, a->lab->name, name, error);
}

static bool name_back(adoption *a, const char *name, const char *former, GError **error)
{
	g_autoptr(virDomain) domain = virDomainLookupByName(a->conn->vir, name);
	if (domain && virDomainRename(domain, former, 0) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot get its name '%s' back", name, former);
	return false;
}

/* `former` is the whole definition. libvirt wants the name that it has now. */
static bool definition_back(adoption *a, const char *name, const char *former, GError **error)
{
	g_autoptr(xmlDoc) doc = np_xml_parse(former, name, error);
	if (!doc)
		return false;
	g_autoptr(GPtrArray) names = np_xml_find(xmlDocGetRootElement(doc), "name");
	xmlNodeSetContent(g_ptr_array_index(names, 0), NULL);
	xmlNodeAddContent(g_ptr_array_index(names, 0), BAD_CAST name);
	g_autofree char *xml = np_xml_format(doc);
	g_autoptr(virDomain) domain = virDomainDefineXML(a->conn->vir, xml);
	if (domain)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot get its definition back", name);
	return false;
}

/* All steps are tried, whatever becomes of one. */
static void go_back(adoption *a, GError **error)
{
	g_autoptr(GString) left = g_string_new(NULL);
	for (guint i = a->steps->len; i-- > 0;) {
		const step *s = g_ptr_array_index(a->steps, i);
		g_autoptr(GError) local = NULL;
		if (!s->back(a, s->name, s->former, &local))
			g_string_append_printf(left, " %s", local->message);
	}
	g_autofree char *cause = g_strdup(error && *error ? (*error)->message : "");
	if (!error || !*error)
		return;
	g_free((*error)->message);
	(*error)->message = left->len ? g_strdup_printf("%s Not all of it could be put back:%s", cause, left->str)
	                              : g_strdup_printf("%s All is as it was before.", cause);
}

/* ── disks ── */

char *np_disk_path(np_conn *conn, xmlNode *disk)
{
	char *file = np_xml_get(disk, "source/@file");
	g_autofree char *pool_name = np_xml_get(disk, "source/@pool");
	g_autofree char *volume_name = np_xml_get(disk, "source/@volume");
	if (file || !pool_name || !volume_name)
		return file;
	g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(conn->vir, pool_name);
	g_autoptr(virStorageVol) volume = pool ? virStorageVolLookupByName(pool, volume_name) : NULL;
	char *path = volume ? virStorageVolGetPath(volume) : NULL;
	char *copy = g_strdup(path);
	free(path);
	return copy;
}

static bool make_pool(adoption *a, GError **error)
{
	if (np_pool_exists(a->conn, a->pool)) {
		g_set_error(error, NP_ERROR, NP_ERROR_CLASH,
		            "Storage pool '%s' exists already; choose another name for the lab.", a->pool);
		return false;
	}
	if (!np_pool_ensure(a->conn, a->pool, a->folder, error))
		return false;
	done(a, pool_back, a->pool, NULL);
	return true;
}

/* A second name for the same file: nothing is copied, and the first name still leads to it when the lab is destroyed.
 */
static bool link_disk(adoption *a, const np_node *node, const np_disk *disk, xmlNode *element, GError **error)
{
	g_autofree char *path = np_disk_path(a->conn, element);
	g_autofree char *volume = np_volume_name(node->base.name, disk->base.name);
	g_autofree char *name = g_build_filename(a->folder, volume, NULL);
	if (path && linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
		done(a, link_back, name, path);
		return true;
	}
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "Disk '%s' of node '%s' cannot be linked to '%s': %s.",
	            path ? path : disk->base.name, node->base.name, name, path ? g_strerror(errno) : "it has no file");
	return false;
}

static bool link_disks(adoption *a, const np_node *node, xmlNode *root, GError **error)
{
	g_autoptr(GPtrArray) elements = np_import_disks(root);
	if (elements->len != node->disks->len) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "Node '%s' has %u disks, and its domain %u; import again.", node->base.name,
		            node->disks->len, elements->len);
		return false;
	}
	for (guint i = 0; i < elements->len; i++)
		if (!link_disk(a, node, g_ptr_array_index(node->disks, i), g_ptr_array_index(elements, i), error))
			return false;
	return true;
}

static bool refresh_pool(adoption *a, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(np_conn_pool_lock(a->conn, a->pool));
	g_autoptr(virStoragePool) pool = np_pool_need(a->conn, a->pool, error);
	return pool && np_pool_refresh(a->conn, pool, error);
}

/* ── domains ── */

static virDomainPtr find(adoption *a, const char *name, GError **error)
{
	virDomainPtr domain = virDomainLookupByName(a->conn->vir, name);
	if (!domain)
		np_virt_error(error, NP_ERROR_NOT_FOUND, "Domain '%s' cannot be found at %s", name, a->conn->uri);
	return domain;
}

/* The whole definition, passwords of its display included, for it is written back. */
static xmlDoc *describe(adoption *a, virDomainPtr domain, GError **error)
{
	const char *name = virDomainGetName(domain);
	char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
	if (!text) {
		np_virt_error(error, NP_ERROR_FAILED, "The description of domain '%s' cannot be read at %s", name,
		              a->conn->uri);
		return NULL;
	}
	xmlDoc *doc = np_xml_parse(text, name, error);
	free(text);
	return doc;
}

static xmlDoc *our_definition(adoption *a, guint i, xmlNode *root, GError **error)
{
	g_autofree char *type = np_xml_get(root, "@type");
	const np_node *node = g_ptr_array_index(a->lab->site.nodes, i);
	np_domain_spec spec = {
	        .lab = a->lab->name,
	        .node = node,
	        .kvm = g_strcmp0(type, "kvm") == 0,
	        .flag = "svm",
	        .record = g_ptr_array_index(a->taken->nodes, i),
	};
	g_autofree char *xml = np_domain_xml(&spec);
	return np_xml_parse(xml, node->libvirt_name, error);
}

static bool take_name(adoption *a, virDomainPtr domain, const np_node *node, GError **error)
{
	g_autofree char *former = g_strdup(virDomainGetName(domain));
	if (strcmp(former, node->libvirt_name) == 0)
		return true;
	if (virDomainRename(domain, node->libvirt_name, 0) < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be renamed to '%s'", former,
		              node->libvirt_name);
		return false;
	}
	done(a, name_back, node->libvirt_name, former);
	return true;
}

static bool take_definition(adoption *a, guint i, xmlDoc *doc, GError **error)
{
	const np_node *node = g_ptr_array_index(a->lab->site.nodes, i);
	g_autoptr(xmlDoc) ours = our_definition(a, i, xmlDocGetRootElement(doc), error);
	if (!ours)
		return false;
	g_autofree char *former = np_xml_format(doc);
	np_adopt_graft(xmlDocGetRootElement(doc), xmlDocGetRootElement(ours));
	g_autofree char *xml = np_xml_format(doc);
	g_autoptr(virDomain) domain = virDomainDefineXML(a->conn->vir, xml);
	if (!domain) {
		np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be defined at %s", node->libvirt_name,
		              a->conn->uri);
		return false;
	}
	done(a, definition_back, node->libvirt_name, former);
	return true;
}

static bool take_domain(adoption *a, guint i, GError **error)
{
	g_autoptr(virDomain) domain = find(a, g_ptr_array_index(a->taken->origins, i), error);
	g_autoptr(xmlDoc) doc = domain ? describe(a, domain, error) : NULL;
	return doc && take_name(a, domain, g_ptr_array_index(a->lab->site.nodes, i), error) && take_definition(a, i, doc, error);
}

static bool take_disks(adoption *a, GError **error)
{
	const GPtrArray *nodes = a->lab->site.nodes;
	bool any = false;
	for (guint i = 0; i < nodes->len; i++) {
		const np_node *node = g_ptr_array_index(nodes, i);
		if (!node->disks->len)
			continue;
		g_autoptr(virDomain) domain = find(a, g_ptr_array_index(a->taken->origins, i), error);
		g_autoptr(xmlDoc) doc = domain ? describe(a, domain, error) : NULL;
		if (!doc || (!any && !make_pool(a, error)) || !link_disks(a, node, xmlDocGetRootElement(doc), error))
			return false;
		any = true;
	}
	return !any || refresh_pool(a, error);
}

static bool take_networks(adoption *a, GError **error)
{
	for (guint i = 0; i < a->lab->site.networks->len; i++) {
		const np_network *network = g_ptr_array_index(a->lab->site.networks, i);
		GError *local = NULL;
		bool good = np_network_ensure(a->conn, a->lab, network, g_ptr_array_index(a->taken->networks, i), &local);
		if (!g_error_matches(local, NP_ERROR, NP_ERROR_CLASH)) /* that one is not ours */
			done(a, network_back, network->libvirt_name, NULL);
		if (good)
			continue;
		g_propagate_error(error, local);
		return false;
	}
	return true;
}

static bool take_all(adoption *a, GError **error)
{
	if (!take_disks(a, error) || !take_networks(a, error))
		return false;
	for (guint i = 0; i < a->lab->site.nodes->len; i++)
		if (!take_domain(a, i, error))
			return false;
	return true;
}

bool np_adopt(np_conn *conn, const np_lab *lab, const np_adoption *taken, GError **error)
{
	adoption a = {
	        .conn = conn,
	        .lab = lab,
	        .taken = taken,
	        .steps = g_ptr_array_new_with_free_func(step_free),
	        .folder = g_build_filename(lab->site.storage, lab->name, NULL),
	        .pool = np_pool_name(lab->name),
	};
	g_autoptr(GError) local = NULL;
	bool good = take_all(&a, &local);
	if (!good) {
		go_back(&a, &local);
		g_propagate_error(error, g_steal_pointer(&local));
	}
	g_ptr_array_unref(a.steps);
	g_free(a.folder);
	g_free(a.pool);
	return good;
}
