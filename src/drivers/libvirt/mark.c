/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/mark.h"

void np_mark_clear(np_mark *mark)
{
	g_free(mark->lab);
	g_free(mark->address);
	g_free(mark->image);
	g_free(mark->inject);
	g_free(mark->accel);
	g_free(mark->ip);
	g_free(mark->nic);
	*mark = (np_mark){0};
}

bool np_mark_read(xmlNode *root, np_mark *ret)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "metadata/np:lab[@name and @address]");
	if (found->len == 0)
		return false;
	xmlNode *mark = g_ptr_array_index(found, 0);
	g_autofree char *site = np_xml_get(mark, "@site");
	*ret = (np_mark){
		.lab = np_xml_get(mark, "@name"),
		.address = np_xml_get(mark, "@address"),
		.image = np_xml_get(mark, "@image"),
		.inject = np_xml_get(mark, "@inject"),
		.accel = np_xml_get(mark, "@accel"),
		.ip = np_xml_get(mark, "@ip"),
		.nic = np_xml_get(mark, "@nic"),
		.site = g_strcmp0(site, "yes") == 0,
	};
	return true;
}

xmlNode *np_mark_write(xmlNode *root, const char *lab, const char *address)
{
	xmlNode *metadata = np_xml_add(root, "metadata", NULL);
	xmlNode *mark = np_xml_add(metadata, "lab", "name", lab, "address", address, NULL);
	xmlSetNs(mark, xmlNewNs(mark, BAD_CAST NP_MARK_URI, BAD_CAST "np"));
	return mark;
}

xmlNode *np_mark_add(xmlNode *mark, const char *name)
{
	xmlNode *node = np_xml_add(mark, name, NULL);
	xmlSetNs(node, mark->ns);
	return node;
}

char *np_mark_format(xmlNode *root)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "metadata/np:lab");
	g_autoptr(xmlDoc) doc = np_xml_new("none");
	xmlNode *mark = xmlDocCopyNode(g_ptr_array_index(found, 0), doc, 1);
	xmlNode *old = xmlDocSetRootElement(doc, mark);
	xmlFreeNode(old);
	g_autoptr(GPtrArray) all = np_xml_find(mark, "descendant-or-self::*");
	for (guint i = 0; i < all->len; i++)
		xmlSetNs(g_ptr_array_index(all, i), NULL);
	xmlFreeNsList(mark->nsDef);
	mark->nsDef = NULL;
	return np_xml_format(doc);
}
