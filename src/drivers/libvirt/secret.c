/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt secrets, found by usage name. The daemon refuses a second one with the same usage, which makes them locks. */
#include "drivers/libvirt/secret.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/xml.h"

/* Of libvirt's usage types the one that takes any name and needs nothing else. */
#define USAGE_TYPE VIR_SECRET_USAGE_TYPE_CEPH

/* NULL without an error when it is missing. */
static virSecretPtr lookup(np_conn *conn, const char *usage, GError **error)
{
	virSecretPtr secret = virSecretLookupByUsage(conn->vir, USAGE_TYPE, usage);
	if (!secret && !np_virt_error_is(VIR_ERR_NO_SECRET))
		np_virt_error(error, NP_ERROR_FAILED, "Secret '%s' cannot be looked up at %s", usage, conn->uri);
	return secret;
}

GBytes *np_secret_get(np_conn *conn, const char *usage, GError **error)
{
	g_autoptr(virSecret) secret = lookup(conn, usage, error);
	if (!secret)
		return NULL;
	size_t size = 0;
	unsigned char *value = virSecretGetValue(secret, &size, 0);
	if (!value) {
		np_virt_error(
		        error, np_virt_error_is(VIR_ERR_NO_SECRET) ? NP_ERROR_BUSY : NP_ERROR_FAILED,
		        "Secret '%s' at %s has no readable value; if no other nestplan is at work, remove it with "
		        "virsh secret-undefine",
		        usage, conn->uri);
		return NULL;
	}
	GBytes *bytes = g_bytes_new(value, size);
	memset(value, 0, size);
	free(value);
	return bytes;
}

static char *secret_xml(const char *usage, const char *description)
{
	g_autofree char *uuid = g_uuid_string_random();
	g_autoptr(xmlDoc) doc = np_xml_new("secret");
	xmlNode *root = xmlDocGetRootElement(doc);
	np_xml_attr(root, "ephemeral", "no");
	np_xml_attr(root, "private", "no");
	np_xml_add_text(root, "uuid", uuid);
	if (description)
		np_xml_add_text(root, "description", description);
	np_xml_add_text(np_xml_add(root, "usage", "type", "ceph", NULL), "name", usage);
	return np_xml_format(doc);
}

/* A refusal for a secret that is gone a moment later is no refusal: its holder let go in between. libvirt has no code of its own
 * for it (9.0: VIR_ERR_INTERNAL_ERROR), so the question is asked again. */
#define DEFINE_TRIES 100

/* The UUID is a new one, so that libvirt's refusal of the usage is what decides between two that ask at once. */
static virSecretPtr define(np_conn *conn, const char *usage, const char *description, GError **error)
{
	g_autofree char *xml = secret_xml(usage, description);
	GError *local = NULL;
	for (int i = 0; i < DEFINE_TRIES; i++) {
		virSecretPtr secret = virSecretDefineXML(conn->vir, xml, 0);
		if (secret) {
			g_clear_error(&local);
			return secret;
		}
		g_clear_error(&local);
		np_virt_error(&local, NP_ERROR_FAILED, "Secret '%s' cannot be made at %s", usage, conn->uri);
		g_autoptr(virSecret) other = lookup(conn, usage, NULL);
		if (other) {
			local->code = NP_ERROR_BUSY;
			break;
		}
	}
	g_propagate_error(error, local);
	return NULL;
}

bool np_secret_create(np_conn *conn, const char *usage, const char *description, GBytes *value, GError **error)
{
	g_autoptr(virSecret) secret = define(conn, usage, description, error);
	if (!secret)
		return false;
	gsize size = 0;
	const unsigned char *bytes = value ? g_bytes_get_data(value, &size) : NULL;
	if (size == 0 || virSecretSetValue(secret, bytes, size, 0) == 0)
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Secret '%s' at %s does not take its value", usage, conn->uri);
	(void)virSecretUndefine(secret);
	return false;
}

static char *description_of(virSecretPtr secret, const char *usage)
{
	char *text = virSecretGetXMLDesc(secret, 0);
	g_autoptr(xmlDoc) doc = text ? np_xml_parse(text, usage, NULL) : NULL;
	free(text);
	return doc ? np_xml_get(xmlDocGetRootElement(doc), "description") : NULL;
}

char *np_secret_describe(np_conn *conn, const char *usage)
{
	g_autoptr(virSecret) secret = lookup(conn, usage, NULL);
	return secret ? description_of(secret, usage) : NULL;
}

bool np_secret_delete(np_conn *conn, const char *usage, const char *description, GError **error)
{
	GError *local = NULL;
	g_autoptr(virSecret) secret = lookup(conn, usage, &local);
	if (!secret) {
		if (local)
			g_propagate_error(error, local);
		return !local;
	}
	g_autofree char *is = description ? description_of(secret, usage) : NULL;
	if (description && g_strcmp0(is, description) != 0)
		return true; /* another one by now; the handle below is bound to this one's UUID */
	if (virSecretUndefine(secret) == 0 || np_virt_error_is(VIR_ERR_NO_SECRET))
		return true;
	np_virt_error(error, NP_ERROR_FAILED, "Secret '%s' cannot be removed at %s", usage, conn->uri);
	return false;
}

GPtrArray *np_secret_list(np_conn *conn, GError **error)
{
	virSecretPtr *list = NULL;
	int count = virConnectListAllSecrets(conn->vir, &list, 0);
	if (count < 0) {
		np_virt_error(error, NP_ERROR_FAILED, "The secrets at %s cannot be listed", conn->uri);
		return NULL;
	}
	g_autoptr(GPtrArray) secrets = np_virt_list(list, count, (GDestroyNotify)(void (*)(void))virSecretFree);
	GPtrArray *usages = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < secrets->len; i++) {
		virSecretPtr secret = g_ptr_array_index(secrets, i);
		const char *usage = virSecretGetUsageType(secret) == USAGE_TYPE ? virSecretGetUsageID(secret) : NULL;
		if (usage && g_str_has_prefix(usage, NP_SECRET_PREFIX))
			g_ptr_array_add(usages, g_strdup(usage));
	}
	return usages;
}
