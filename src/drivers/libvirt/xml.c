/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/libvirt/xml.h"

#include <libxml/parser.h>
#include <libxml/xpathInternals.h>
#include <string.h>

#include "base/error.h"
#include "drivers/driver.h"

xmlDoc *np_xml_new(const char *root)
{
	xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
	xmlDocSetRootElement(doc, xmlNewDocNode(doc, NULL, BAD_CAST root, NULL));
	return doc;
}

void np_xml_attr(xmlNode *node, const char *name, const char *value)
{
	if (value)
		xmlNewProp(node, BAD_CAST name, BAD_CAST value);
}

void np_xml_attr_uint(xmlNode *node, const char *name, guint64 value)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
	np_xml_attr(node, name, text);
}

xmlNode *np_xml_add(xmlNode *parent, const char *name, ...)
{
	xmlNode *node = xmlNewTextChild(parent, NULL, BAD_CAST name, NULL);
	va_list args;
	va_start(args, name);
	for (const char *attr = va_arg(args, const char *); attr; attr = va_arg(args, const char *))
		np_xml_attr(node, attr, va_arg(args, const char *));
	va_end(args);
	return node;
}

xmlNode *np_xml_add_text(xmlNode *parent, const char *name, const char *text)
{
	return xmlNewTextChild(parent, NULL, BAD_CAST name, BAD_CAST text);
}

char *np_xml_format_node(xmlNode *node)
{
	g_autoptr(xmlBuffer) buffer = xmlBufferCreate();
	xmlNodeDump(buffer, node->doc, node, 0, 1);
	return g_strdup((const char *)xmlBufferContent(buffer));
}

char *np_xml_format(xmlDoc *doc)
{
	return np_xml_format_node(xmlDocGetRootElement(doc));
}

xmlDoc *np_xml_parse(const char *text, const char *what, GError **error)
{
	xmlDoc *doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL,
	                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
	if (!doc)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "libvirt's description of %s is not well-formed XML.",
		            what);
	return doc;
}

static xmlXPathObject *evaluate(xmlNode *node, const char *path)
{
	g_autoptr(xmlXPathContext) context = xmlXPathNewContext(node->doc);
	xmlXPathRegisterNs(context, BAD_CAST "np", BAD_CAST NP_MARK_URI);
	return xmlXPathNodeEval(node, BAD_CAST path, context);
}

GPtrArray *np_xml_find(xmlNode *node, const char *path)
{
	GPtrArray *found = g_ptr_array_new();
	g_autoptr(xmlXPathObject) result = evaluate(node, path);
	if (!result || !result->nodesetval)
		return found;
	for (int i = 0; i < result->nodesetval->nodeNr; i++)
		g_ptr_array_add(found, result->nodesetval->nodeTab[i]);
	return found;
}

char *np_xml_get(xmlNode *node, const char *path)
{
	g_autoptr(xmlXPathObject) result = evaluate(node, path);
	if (!result || !result->nodesetval || result->nodesetval->nodeNr == 0)
		return NULL;
	xmlChar *text = xmlNodeGetContent(result->nodesetval->nodeTab[0]);
	char *copy = g_strdup((const char *)text);
	xmlFree(text);
	return copy;
}

guint64 np_xml_get_uint(xmlNode *node, const char *path)
{
	g_autofree char *text = np_xml_get(node, path);
	return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

gboolean np_xml_has(xmlNode *node, const char *path)
{
	g_autoptr(xmlXPathObject) result = evaluate(node, path);
	return result && result->nodesetval && result->nodesetval->nodeNr > 0;
}
