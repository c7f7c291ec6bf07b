/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/describe.h"

#include <string.h>

#include "base/error.h"

static xmlDoc *parse(char *text, const char *kind, const char *name, GError **error)
{
	g_autofree char *what = g_strdup_printf("%s '%s'", kind, name);
	if (!text) {
		if (!np_virt_error_is(VIR_ERR_NO_DOMAIN) && !np_virt_error_is(VIR_ERR_NO_NETWORK))
			np_virt_error(error, NP_ERROR_FAILED, "The description of %s cannot be read", what);
		return NULL;
	}
	xmlDoc *doc = np_xml_parse(text, what, error);
	free(text);
	return doc;
}

xmlDoc *np_domain_describe(virDomainPtr domain, GError **error)
{
	const char *name = virDomainGetName(domain);
	return parse(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE), "domain", name, error);
}

xmlDoc *np_domain_describe_live(virDomainPtr domain, GError **error)
{
	return parse(virDomainGetXMLDesc(domain, 0), "domain", virDomainGetName(domain), error);
}

xmlDoc *np_network_describe_live(virNetworkPtr network, GError **error)
{
	return parse(virNetworkGetXMLDesc(network, 0), "network", virNetworkGetName(network), error);
}

xmlDoc *np_network_describe(virNetworkPtr network, GError **error)
{
	const char *name = virNetworkGetName(network);
	char *text = virNetworkGetXMLDesc(network, VIR_NETWORK_XML_INACTIVE);
	/* The test driver has only one description of a network. */
	if (!text && np_virt_error_is(VIR_ERR_INVALID_ARG))
		text = virNetworkGetXMLDesc(network, 0);
	return parse(text, "network", name, error);
}

static bool owned(xmlDoc *doc, const char *lab)
{
	g_auto(np_mark) mark = {0};
	return np_mark_read(xmlDocGetRootElement(doc), &mark) && strcmp(mark.lab, lab) == 0;
}

bool np_domain_is_of(virDomainPtr domain, const char *lab)
{
	g_autoptr(xmlDoc) doc = np_domain_describe(domain, NULL);
	return doc && owned(doc, lab);
}

static void set_clash(np_conn *conn, const char *kind, const char *remedy, const char *lab, const char *name,
                      GError **error)
{
	g_set_error(error, NP_ERROR, NP_ERROR_CLASH,
	            "%s '%s' exists at %s and does not carry the mark of lab '%s'; rename the %s or remove that %s.",
	            kind, name, conn->uri, lab, remedy, strcmp(remedy, "node") == 0 ? "domain" : "network");
}

virDomainPtr np_domain_find(np_conn *conn, const char *lab, const char *name, GError **error)
{
	g_autoptr(virDomain) domain = virDomainLookupByName(conn->vir, name);
	if (!domain) {
		if (!np_virt_error_is(VIR_ERR_NO_DOMAIN))
			np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be looked up at %s", name, conn->uri);
		return NULL;
	}
	g_autoptr(xmlDoc) doc = np_domain_describe(domain, error);
	if (!doc)
		return NULL;
	if (!owned(doc, lab)) {
		set_clash(conn, "Domain", "node", lab, name, error);
		return NULL;
	}
	return g_steal_pointer(&domain);
}

virDomainPtr np_domain_need(np_conn *conn, const char *lab, const char *name, GError **error)
{
	GError *local = NULL;
	virDomainPtr domain = np_domain_find(conn, lab, name, &local);
	if (!domain && !local)
		g_set_error(&local, NP_ERROR, NP_ERROR_NOT_FOUND,
		            "Domain '%s' does not exist at %s; apply the lab again.", name, conn->uri);
	if (local)
		g_propagate_error(error, local);
	return domain;
}

virNetworkPtr np_network_find(np_conn *conn, const char *lab, const char *name, GError **error)
{
	g_autoptr(virNetwork) network = virNetworkLookupByName(conn->vir, name);
	if (!network) {
		if (!np_virt_error_is(VIR_ERR_NO_NETWORK))
			np_virt_error(error, NP_ERROR_FAILED, "Network '%s' cannot be looked up at %s", name,
			              conn->uri);
		return NULL;
	}
	g_autoptr(xmlDoc) doc = np_network_describe(network, error);
	if (!doc)
		return NULL;
	if (!owned(doc, lab)) {
		set_clash(conn, "Network", "network", lab, name, error);
		return NULL;
	}
	return g_steal_pointer(&network);
}

GPtrArray *np_domain_list(np_conn *conn, unsigned flags, GError **error)
{
	virDomainPtr *list = NULL;
	int count = virConnectListAllDomains(conn->vir, &list, flags);
	if (count < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "The domains at %s cannot be listed", conn->uri);
		return NULL;
	}
	return np_virt_list(list, count, (GDestroyNotify)(void (*)(void))virDomainFree);
}

GPtrArray *np_network_list(np_conn *conn, GError **error)
{
	virNetworkPtr *list = NULL;
	int count = virConnectListAllNetworks(conn->vir, &list, 0);
	if (count < 0 && !np_virt_error_is(VIR_ERR_NO_SUPPORT)) {
		np_virt_error(error, NP_ERROR_FAILED, "The networks at %s cannot be listed", conn->uri);
		return NULL;
	}
	return np_virt_list(list, MAX(count, 0), (GDestroyNotify)(void (*)(void))virNetworkFree);
}
