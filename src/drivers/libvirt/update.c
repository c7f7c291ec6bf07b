/* SPDX-License-Identifier: Apache-2.0 */
/* A domain brought up to date without interruption: first all that is known to be possible, then the definition. */
#include "drivers/libvirt/update.h"

#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/domain_keep.h"
#include "drivers/libvirt/mark.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/unplug.h"
#include "drivers/libvirt/update_plan.h"
#include "drivers/libvirt/volume.h"

#define PATIENCE_US (60 * G_USEC_PER_SEC) /* an emulated guest that is busy is slow to let go of a device */

typedef struct {
	np_conn *conn;
	const np_domain_spec *spec;
	virDomainPtr domain;
	gint64 patience_us;
} updater;

static xmlNode *root_of(xmlDoc *doc)
{
	return doc ? xmlDocGetRootElement(doc) : NULL;
}

/* ── what is there ── */

/* NULL without an error when it does not run. */
static xmlDoc *describe_live(updater *u, GError **error)
{
	/* The test driver can plug nothing: its definition is all there is of a domain. */
	if (u->conn->mock || virDomainIsActive(u->domain) != 1)
		return NULL;
	char *text = virDomainGetXMLDesc(u->domain, 0);
	if (!text) {
		np_virt_error(error, NP_ERROR_FAILED, "The description of running domain '%s' cannot be read",
		              virDomainGetName(u->domain));
		return NULL;
	}
	xmlDoc *doc = np_xml_parse(text, virDomainGetName(u->domain), error);
	free(text);
	return doc;
}

static GHashTable *read_sizes(updater *u, GError **error)
{
	g_autofree char *pool = np_pool_name(u->spec->lab);
	g_autoptr(GPtrArray) volumes = np_volumes_read(u->conn, pool, NULL, error);
	if (!volumes)
		return NULL;
	GHashTable *sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (guint i = 0; i < volumes->len; i++) {
		const np_volume_info *info = g_ptr_array_index(volumes, i);
		g_hash_table_insert(sizes, g_strdup(info->name), g_memdup2(&info->capacity, sizeof(info->capacity)));
	}
	return sizes;
}

/* ── doing ── */

static bool done(const updater *u, int result, const np_update_step *step, const char *verb, GError **error)
{
	if (result >= 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' at %s: its %s cannot be %s", u->spec->node->libvirt_name, u->conn->uri,
	              step->what, verb);
	return false;
}

static bool grow(updater *u, const np_update_step *step, GError **error)
{
	g_autofree char *pool = np_pool_name(u->spec->lab);
	if (!step->device)
		return np_volume_grow(u->conn, pool, step->volume, step->value, error);
	int result = virDomainBlockResize(u->domain, step->device, step->value, VIR_DOMAIN_BLOCK_RESIZE_BYTES);
	return done(u, result, step, "grown", error);
}

static bool execute(updater *u, const np_update_step *step, GError **error)
{
	switch (step->kind) {
	case NP_UPDATE_UNPLUG: return np_domain_unplug(u->conn, u->domain, step->device, step->what, u->patience_us, error);
	case NP_UPDATE_GROW: return grow(u, step, error);
	case NP_UPDATE_PLUG:
		return done(u, virDomainAttachDeviceFlags(u->domain, step->xml, VIR_DOMAIN_AFFECT_LIVE), step, "plugged", error);
	case NP_UPDATE_MOVE:
		return done(u, virDomainUpdateDeviceFlags(u->domain, step->xml, VIR_DOMAIN_AFFECT_LIVE), step,
		            "moved to another network", error);
	case NP_UPDATE_VCPUS:
		return done(u, virDomainSetVcpusFlags(u->domain, (unsigned)step->value, VIR_DOMAIN_AFFECT_LIVE), step, "added", error);
	case NP_UPDATE_MEMORY: return np_domain_balloon(u->conn, u->domain, step->value, u->patience_us, error);
	}
	g_return_val_if_reached(false);
}

static bool execute_all(updater *u, const GPtrArray *steps, GError **error)
{
	for (guint i = 0; i < steps->len; i++)
		if (!execute(u, g_ptr_array_index(steps, i), error))
			return false;
	return true;
}

/* ── the definition ── */

static bool note_live(updater *u, xmlNode *wanted, GError **error)
{
	g_autofree char *mark = np_mark_format(wanted);
	const char *description = u->spec->node->description;
	if (virDomainSetMetadata(u->domain, VIR_DOMAIN_METADATA_ELEMENT, mark, "np", NP_MARK_URI, VIR_DOMAIN_AFFECT_LIVE) == 0 &&
	    virDomainSetMetadata(u->domain, VIR_DOMAIN_METADATA_DESCRIPTION, description, NULL, NULL, VIR_DOMAIN_AFFECT_LIVE) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "The mark of running domain '%s' cannot be written at %s", u->spec->node->libvirt_name,
	              u->conn->uri);
	return false;
}

static bool define(updater *u, xmlNode *stored, GError **error)
{
	GError *local = NULL;
	g_autoptr(xmlDoc) live = describe_live(u, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	g_autoptr(xmlDoc) wanted = np_domain_keep(u->spec, stored, root_of(live));
	g_autofree char *xml = np_xml_format(wanted);
	if (live && !note_live(u, root_of(wanted), error))
		return false;
	g_autoptr(virDomain) domain = virDomainDefineXMLFlags(u->conn->vir, xml, VIR_DOMAIN_DEFINE_VALIDATE);
	if (domain)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Domain '%s' cannot be defined anew at %s", u->spec->node->libvirt_name, u->conn->uri);
	return false;
}

static bool update(updater *u, GError **error)
{
	GError *local = NULL;
	g_autoptr(xmlDoc) stored = np_domain_describe(u->domain, &local);
	g_autoptr(xmlDoc) live = stored ? describe_live(u, &local) : NULL;
	g_autoptr(GHashTable) sizes = local ? NULL : read_sizes(u, &local);
	if (local || !stored) {
		if (local)
			g_propagate_error(error, local);
		else
			g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND, "Domain '%s' has gone from %s meanwhile; apply the lab again.",
			            u->spec->node->libvirt_name, u->conn->uri);
		return false;
	}
	g_autoptr(xmlDoc) wanted = np_domain_keep(u->spec, root_of(stored), root_of(live));
	g_autoptr(GPtrArray) steps = np_update_plan(u->spec, root_of(wanted), root_of(live), sizes, error);
	return steps && execute_all(u, steps, error) && define(u, root_of(stored), error);
}

bool np_domain_update_patient(np_conn *conn, const np_domain_spec *spec, gint64 patience_us, GError **error)
{
	g_autoptr(virDomain) domain = np_domain_need(conn, spec->lab, spec->node->libvirt_name, error);
	updater u = {.conn = conn, .spec = spec, .domain = domain, .patience_us = patience_us};
	return domain && update(&u, error);
}

bool np_domain_update(np_conn *conn, const np_domain_spec *spec, GError **error)
{
	return np_domain_update_patient(conn, spec, PATIENCE_US, error);
}
