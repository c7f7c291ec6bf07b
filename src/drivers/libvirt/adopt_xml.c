/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/adopt.h"
#include "drivers/libvirt/import.h"

static xmlNode *first(xmlNode *root, const char *path)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, path);
	return found->len ? g_ptr_array_index(found, 0) : NULL;
}

static void drop(xmlNode *node)
{
	if (!node)
		return;
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

/* Replaces the child of that name by the one of ours. */
static void take_child(xmlNode *element, xmlNode *ours, const char *name)
{
	xmlNode *theirs = first(ours, name);
	drop(first(element, name));
	if (theirs)
		xmlAddChild(element, xmlDocCopyNode(theirs, element->doc, 1));
}

/* What others keep in the metadata stays. */
static void take_mark(xmlNode *root, xmlNode *ours)
{
	xmlNode *metadata = first(root, "metadata");
	if (!metadata)
		metadata = np_xml_add(root, "metadata", NULL);
	g_autoptr(GPtrArray) marks = np_xml_find(ours, "metadata/*");
	for (guint i = 0; i < marks->len; i++)
		xmlAddChild(metadata, xmlDocCopyNode(g_ptr_array_index(marks, i), root->doc, 1));
}

static void take_each(xmlNode *ours, GPtrArray *elements, const char *path, const char *type, const char *also)
{
	g_autoptr(GPtrArray) wanted = np_xml_find(ours, path);
	for (guint i = 0; i < elements->len && i < wanted->len; i++) {
		xmlNode *element = g_ptr_array_index(elements, i);
		xmlSetProp(element, BAD_CAST "type", BAD_CAST type);
		take_child(element, g_ptr_array_index(wanted, i), "source");
		if (also)
			take_child(element, g_ptr_array_index(wanted, i), also);
	}
}

void np_adopt_graft(xmlNode *root, xmlNode *ours)
{
	g_autoptr(GPtrArray) disks = np_import_disks(root);
	g_autoptr(GPtrArray) interfaces = np_xml_find(root, "devices/interface");
	take_child(root, ours, "name");
	take_mark(root, ours);
	take_each(ours, disks, "devices/disk", "volume", NULL);
	take_each(ours, interfaces, "devices/interface", "network", "alias");
}
