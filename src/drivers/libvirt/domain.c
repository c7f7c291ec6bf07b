/* SPDX-License-Identifier: Apache-2.0 */
/* A domain's life but for its end, which is in stop.c. */
#include "drivers/libvirt/domain.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/domain_xml.h"

bool np_domain_define(np_conn *conn, const np_domain_spec *spec, GError **error)
{
	const char *name = spec->node->libvirt_name;
	GError *local = NULL;
	g_autoptr(virDomain) old = np_domain_find(conn, spec->lab, name, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	g_autofree char *xml = np_domain_xml(spec);
	g_autoptr(virDomain) domain = virDomainDefineXMLFlags(conn->vir, xml, VIR_DOMAIN_DEFINE_VALIDATE);
	if (domain)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be defined at %s", name, conn->uri);
	return false;
}

/* The flag that the definition requires for nesting, NULL: none. Borrowed, static. */
static const char *required_flag(xmlNode *root)
{
	if (np_xml_has(root, "cpu/feature[@name='svm' and @policy='require']"))
		return "svm";
	return np_xml_has(root, "cpu/feature[@name='vmx' and @policy='require']") ? "vmx" : NULL;
}

/* QEMU starts a guest without a required feature that its accelerator lacks; only the live XML tells. */
static bool check_live(virDomainPtr domain, xmlNode *wanted, GError **error)
{
	const char *name = virDomainGetName(domain), *flag = required_flag(wanted);
	char *text = virDomainGetXMLDesc(domain, 0);
	if (!text) {
		np_virt_error(error, NP_ERROR_FAILED, "The description of running domain '%s' cannot be read", name);
		return false;
	}
	g_autoptr(xmlDoc) doc = np_xml_parse(text, name, error);
	free(text);
	if (!doc)
		return false;
	xmlNode *live = xmlDocGetRootElement(doc);
	g_autofree char *is = np_xml_get(live, "@type");
	g_autofree char *asked = np_xml_get(wanted, "@type");
	if (g_strcmp0(is, asked) != 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "Domain '%s' runs as type '%s', defined as '%s'; stop it and apply again.", name, is,
		            asked);
		return false;
	}
	g_autofree char *path = g_strdup_printf("cpu/feature[@name='%s' and @policy='disable']", flag ? flag : "");
	if (flag && np_xml_has(live, path)) {
		g_set_error(
		        error, NP_ERROR, NP_ERROR_FAILED,
		        "Domain '%s' was started without CPU feature '%s', which the hypervisor below does not give; "
		        "no machine can be nested in it.",
		        name, flag);
		return false;
	}
	return true;
}

static bool run(np_conn *conn, virDomainPtr domain, bool *started, GError **error)
{
	int state = VIR_DOMAIN_NOSTATE;
	(void)virDomainGetState(domain, &state, NULL, 0);
	*started = false;
	if (state == VIR_DOMAIN_PAUSED && virDomainResume(domain) == 0)
		return true;
	if (virDomainIsActive(domain) == 1 && state != VIR_DOMAIN_PAUSED)
		return true;
	if (state != VIR_DOMAIN_PAUSED && virDomainCreate(domain) == 0) {
		*started = true;
		return true;
	}
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be started at %s", virDomainGetName(domain),
	              conn->uri);
	return false;
}

/* In the live definition only, so that it goes when the domain stops. */
#define READY_URI "urn:nestplan:ready:1"

bool np_domain_ready(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, lab, libvirt_name, error);
	if (!domain)
		return false;
	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "<ready/>", "npr", READY_URI, VIR_DOMAIN_AFFECT_LIVE) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' at %s cannot be noted as ready", libvirt_name, conn->uri);
	return false;
}

bool np_domain_is_ready(virDomainPtr domain)
{
	char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, READY_URI, VIR_DOMAIN_AFFECT_LIVE);
	free(text);
	return text != NULL;
}

bool np_domain_reset(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, lab, libvirt_name, error);
	if (!domain)
		return false;
	if (virDomainReset(domain, 0) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be reset at %s", libvirt_name, conn->uri);
	return false;
}

bool np_domain_start(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, lab, libvirt_name, error);
	if (!domain)
		return false;
	g_autoptr(xmlDoc) wanted = np_domain_describe(domain, error);
	bool started;
	if (!wanted || !run(conn, domain, &started, error))
		return false;
	if (check_live(domain, xmlDocGetRootElement(wanted), error))
		return true;
	/* One that ran before is not cut off for it. */
	if (started)
		(void)virDomainDestroy(domain);
	return false;
}

bool np_domain_undefine(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	GError *local = NULL;
	g_autoptr(virDomain) domain = np_domain_find(conn, lab, libvirt_name, &local);
	if (!domain) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	if (virDomainIsActive(domain) == 1) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "Domain '%s' is running at %s; it must be stopped before it is removed.", libvirt_name,
		            conn->uri);
		return false;
	}
	/* From most to least: drivers and daemons differ in the flags that they know. */
	static const unsigned flags[] = {
		VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
		        VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA,
		VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
		0,
	};
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
		if (virDomainUndefineFlags(domain, flags[i]) == 0 || np_virt_error_is(VIR_ERR_NO_DOMAIN))
			return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be removed at %s", libvirt_name, conn->uri);
	return false;
}
