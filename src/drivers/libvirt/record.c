/* SPDX-License-Identifier: Apache-2.0 */
/* What was last applied, renewed in the mark of what exists. */
#include "drivers/libvirt/record.h"

#include "base/error.h"
#include "drivers/libvirt/describe.h"

bool np_domain_record(np_conn *conn, const char *lab, const char *libvirt_name, const np_record *record, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, lab, libvirt_name, error);
	g_autoptr(xmlDoc) doc = domain ? np_domain_describe(domain, error) : NULL;
	if (!doc)
		return false;
	xmlNode *root = xmlDocGetRootElement(doc);
	np_mark_record(np_mark_find(root), record);
	g_autofree char *xml = np_mark_format(root);
	unsigned flags = VIR_DOMAIN_AFFECT_CONFIG;
	if (virDomainIsActive(domain) == 1)
		flags |= VIR_DOMAIN_AFFECT_LIVE;
	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, xml, "np", NP_MARK_URI, flags) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "The mark of domain '%s' cannot be renewed at %s", libvirt_name, conn->uri);
	return false;
}

/* libvirt has no setter for a network's metadata before 9.7; defining a network that runs leaves it running. */
bool np_network_record_write(np_conn *conn, const char *lab, const char *libvirt_name, const np_record *record, GError **error)
{
	GError *local = NULL;
	g_autoptr(virNetwork) network = np_network_find(conn, lab, libvirt_name, &local);
	if (!network && !local)
		g_set_error(&local, NP_ERROR, NP_ERROR_NOT_FOUND, "Network '%s' does not exist at %s; apply the lab again.", libvirt_name,
		            conn->uri);
	g_autoptr(xmlDoc) doc = network ? np_network_describe(network, &local) : NULL;
	if (!doc) {
		if (local)
			g_propagate_error(error, local);
		return false;
	}
	np_mark_record(np_mark_find(xmlDocGetRootElement(doc)), record);
	g_autofree char *xml = np_xml_format(doc);
	g_autoptr(virNetwork) defined = virNetworkDefineXML(conn->vir, xml);
	if (!defined)
		np_virt_error(error, NP_ERROR_FAILED, "The mark of network '%s' cannot be renewed at %s", libvirt_name, conn->uri);
	return defined != NULL;
}
