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
	g_clear_pointer(&mark->applied, g_hash_table_unref);
	*mark = (np_mark){0};
}

xmlNode *np_mark_find(xmlNode *root)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, "metadata/np:lab[@name and @address]");
	return found->len ? g_ptr_array_index(found, 0) : NULL;
}

static GHashTable *read_record(xmlNode *mark)
{
	g_autoptr(GPtrArray) found = np_xml_find(mark, "np:field[@name]");
	if (!found->len)
		return NULL;
	GHashTable *applied = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (guint i = 0; i < found->len; i++) {
		xmlNode *field = g_ptr_array_index(found, i);
		g_hash_table_insert(applied, np_xml_get(field, "@name"), np_xml_get(field, "@value"));
	}
	return applied;
}

void np_mark_record(xmlNode *mark, const np_record *record)
{
	g_autoptr(GPtrArray) old = np_xml_find(mark, "np:field");
	for (guint i = 0; i < old->len; i++) {
		xmlUnlinkNode(g_ptr_array_index(old, i));
		xmlFreeNode(g_ptr_array_index(old, i));
	}
	for (guint i = 0; i < np_record_length(record); i++) {
		const np_row *row = np_record_row(record, i);
		xmlNode *field = np_mark_add(mark, "field");
		np_xml_attr(field, "name", row->name);
		np_xml_attr(field, "value", row->value);
	}
}

bool np_mark_read(xmlNode *root, np_mark *ret)
{
	xmlNode *mark = np_mark_find(root);
	if (!mark)
		return false;
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
		.applied = read_record(mark),
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
