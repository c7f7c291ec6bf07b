/* SPDX-License-Identifier: Apache-2.0 */
/* A network that is started anew has a new bridge, on which nothing is; running domains keep their end of the wire. */
#include "drivers/libvirt/reattach.h"

#include "base/error.h"
#include "drivers/libvirt/describe.h"

static void set_source(xmlNode *interface, const char *type, const char *attribute, const char *value)
{
	g_autoptr(GPtrArray) old = np_xml_find(interface, "source");
	for (guint i = 0; i < old->len; i++) {
		xmlUnlinkNode(g_ptr_array_index(old, i));
		xmlFreeNode(g_ptr_array_index(old, i));
	}
	xmlSetProp(interface, BAD_CAST "type", BAD_CAST type);
	np_xml_add(interface, "source", attribute, value, NULL);
}

static bool update(np_conn *conn, virDomainPtr domain, xmlNode *interface, const char *network, GError **error)
{
	g_autofree char *xml = np_xml_format_node(interface);
	if (virDomainUpdateDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Running domain '%s' at %s cannot be attached to network '%s' again",
	              virDomainGetName(domain), conn->uri, network);
	return false;
}

/* libvirt leaves alone what is on the same network as before, so the interface is on the bridge itself for a moment. */
static bool reattach(np_conn *conn, virDomainPtr domain, xmlNode *interface, const char *network, const char *bridge,
                     GError **error)
{
	set_source(interface, "bridge", "bridge", bridge);
	if (!update(conn, domain, interface, network, error))
		return false;
	set_source(interface, "network", "network", network);
	return update(conn, domain, interface, network, error);
}

static bool reattach_domain(np_conn *conn, virDomainPtr domain, const char *network, const char *bridge, GError **error)
{
	char *text = virDomainGetXMLDesc(domain, 0);
	g_autoptr(xmlDoc) doc = text ? np_xml_parse(text, virDomainGetName(domain), error) : NULL;
	free(text);
	/* One that has stopped meanwhile finds the bridge when it starts. */
	if (!doc)
		return !error || !*error;
	g_autoptr(GPtrArray) found = np_xml_find(xmlDocGetRootElement(doc), "devices/interface[source/@network]");
	for (guint i = 0; i < found->len; i++) {
		xmlNode *interface = g_ptr_array_index(found, i);
		g_autofree char *on = np_xml_get(interface, "source/@network");
		if (g_strcmp0(on, network) == 0 && !reattach(conn, domain, interface, network, bridge, error))
			return false;
	}
	return true;
}

static bool reattach_all(np_conn *conn, const char *lab, const char *network, const char *bridge, GError **error)
{
	g_autoptr(GPtrArray) domains = np_domain_list(conn, 0, error);
	if (!domains)
		return false;
	for (guint i = 0; i < domains->len; i++) {
		virDomainPtr domain = g_ptr_array_index(domains, i);
		if (virDomainIsActive(domain) != 1 || !np_domain_is_of(domain, lab))
			continue;
		if (!reattach_domain(conn, domain, network, bridge, error))
			return false;
	}
	return true;
}

bool np_network_reattach(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	GError *local = NULL;
	g_autoptr(virNetwork) network = np_network_find(conn, lab, libvirt_name, &local);
	/* The test driver has no wires. */
	if (conn->mock || local) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	char *name = network ? virNetworkGetBridgeName(network) : NULL;
	if (!name) {
		np_virt_error(error, NP_ERROR_NOT_FOUND, "Network '%s' at %s has no bridge to attach domains to", libvirt_name, conn->uri);
		return false;
	}
	g_autofree char *bridge = g_strdup(name);
	free(name);
	return reattach_all(conn, lab, libvirt_name, bridge, error);
}
