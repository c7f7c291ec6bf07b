/* SPDX-License-Identifier: Apache-2.0 */
/* The little of libxml2 that libvirt's documents need: a tree to write, paths to read. */
#pragma once
#include <glib.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlBuffer, xmlBufferFree)

/* A document with its root element; g_autoptr(xmlDoc). */
xmlDoc *np_xml_new(const char *root);
/* Appends an element. Attributes follow as name, value pairs up to NULL; a pair with value NULL is left out. Borrowed.
 */
xmlNode *np_xml_add(xmlNode *parent, const char *name, ...) G_GNUC_NULL_TERMINATED;
/* Appends an element with text inside. Borrowed. */
xmlNode *np_xml_add_text(xmlNode *parent, const char *name, const char *text);
void np_xml_attr(xmlNode *node, const char *name, const char *value);
void np_xml_attr_uint(xmlNode *node, const char *name, guint64 value);
/* Indented text without the XML declaration. Caller frees. */
char *np_xml_format(xmlDoc *doc);
/* As np_xml_format for one element. Caller frees. */
char *np_xml_format_node(xmlNode *node);

/* `what` names the document in the error ("domain 'x'"). */
xmlDoc *np_xml_parse(const char *text, const char *what, GError **error);
/* Elements at a path below `node` (prefix np is nestplan's mark), in document order; an array of borrowed xmlNode*. */
GPtrArray *np_xml_find(xmlNode *node, const char *path);
/* String value of the first match, NULL: none. Caller frees. */
char *np_xml_get(xmlNode *node, const char *path);
/* Number at a path, 0 when there is none. */
guint64 np_xml_get_uint(xmlNode *node, const char *path);
gboolean np_xml_has(xmlNode *node, const char *path);
