/* SPDX-License-Identifier: Apache-2.0 */
/* A domain's life but for its end, which is in stop.c. */
#include "drivers/libvirt/domain.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/domain_keep.h"
#include "drivers/libvirt/unplug.h"

bool np_domain_define(np_conn *conn, const np_domain_spec *spec, GError **error)
{
	const char *name = spec->node->libvirt_name;
	GError *local = NULL;
	g_autoptr(virDomain) old = np_domain_find(conn, spec->lab, name, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	g_autoptr(xmlDoc) stored = old ? np_domain_describe(old, error) : NULL;
	if (old && !stored)
		return false;
	g_autoptr(xmlDoc) doc = np_domain_keep(spec, stored ? xmlDocGetRootElement(stored) : NULL, NULL);
	g_autofree char *xml = np_xml_format(doc);
	g_autoptr(virDomain) domain = virDomainDefineXMLFlags(conn->vir, xml, VIR_DOMAIN_DEFINE_VALIDATE);
	if (domain)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be defined at %s", name, conn->uri);
	return false;
}

/* First feature that the definition requires and the running domain was not given, NULL: none. Caller frees. */
static char *lost_feature(xmlNode *wanted, xmlNode *live)
{
	g_autoptr(GPtrArray) required = np_xml_find(wanted, "cpu/feature[@policy='require' or @policy='force']");
	g_autoptr(GPtrArray) disabled = np_xml_find(live, "cpu/feature[@policy='disable']");
	for (guint i = 0; i < required->len; i++) {
		g_autofree char *name = np_xml_get(g_ptr_array_index(required, i), "@name");
		for (guint k = 0; k < disabled->len; k++) {
			g_autofree char *lost = np_xml_get(g_ptr_array_index(disabled, k), "@name");
			if (g_strcmp0(name, lost) == 0)
				return g_steal_pointer(&name);
		}
	}
	return NULL;
}

/* QEMU starts a guest without a required feature that its accelerator lacks; only the live XML tells. */
static bool check_live(virDomainPtr domain, xmlNode *wanted, GError **error)
{
	const char *name = virDomainGetName(domain);
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
	g_autofree char *lost = lost_feature(wanted, live);
	if (!lost)
		return true;
	bool nests = strcmp(lost, "svm") == 0 || strcmp(lost, "vmx") == 0;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
	            "Domain '%s' was started without CPU feature '%s', which its definition requires and the hypervisor below does not "
	            "give%s.", name, lost, nests ? "; no machine can be nested in it" : "; take it out of `cpu: {features: …}`");
	return false;
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

#define SETTLE_US (10 * G_USEC_PER_SEC)

/* A guest that may have more memory than it has now starts with all of it, and gives it back while it boots. Until then it
 * looks as if somebody had changed it. */
static bool settle(np_conn *conn, virDomainPtr domain)
{
	g_autoptr(xmlDoc) doc = conn->mock ? NULL : np_domain_describe(domain, NULL);
	guint64 bytes = doc ? np_xml_get_uint(xmlDocGetRootElement(doc), "currentMemory") * 1024 : 0;
	return bytes == 0 || np_domain_settle(conn, domain, bytes, SETTLE_US) == bytes;
}

bool np_domain_ready(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, lab, libvirt_name, error);
	if (!domain)
		return false;
	const char *note = settle(conn, domain) ? "<ready settled='yes'/>" : "<ready/>";
	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, note, "npr", READY_URI, VIR_DOMAIN_AFFECT_LIVE) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' at %s cannot be noted as ready", libvirt_name, conn->uri);
	return false;
}

bool np_domain_is_ready(xmlNode *live)
{
	return np_xml_has(live, "metadata/*[local-name()='ready' and namespace-uri()='" READY_URI "']");
}

bool np_domain_is_settled(xmlNode *live)
{
	return np_xml_has(live, "metadata/*[local-name()='ready' and namespace-uri()='" READY_URI "' and @settled='yes']");
}

bool np_domain_reset(np_conn *conn, const char *lab, const char *libvirt_name, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, lab, libvirt_name, error);
	if (!domain)
		return false;
	int state = VIR_DOMAIN_NOSTATE;
	if (virDomainReset(domain, 0) == 0 &&
	    (virDomainGetState(domain, &state, NULL, 0) < 0 || state != VIR_DOMAIN_PAUSED || virDomainResume(domain) == 0))
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
