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

/* A context has all functions of XPath registered, and a path is compiled before it is looked up: to do that once and not for
 * each look is most of what a host with many domains costs here. One for each thread. */
typedef struct {
	xmlXPathContext *context;
	GHashTable *paths; /* text → xmlXPathCompExpr* */
} evaluator;

static void evaluator_free(gpointer data)
{
	evaluator *e = data;
	g_hash_table_destroy(e->paths);
	xmlXPathFreeContext(e->context);
	g_free(e);
}

static GPrivate evaluators = G_PRIVATE_INIT(evaluator_free);

static evaluator *evaluator_of_thread(void)
{
	evaluator *e = g_private_get(&evaluators);
	if (e)
		return e;
	e = g_new0(evaluator, 1);
	e->context = xmlXPathNewContext(NULL);
	e->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)xmlXPathFreeCompExpr);
	xmlXPathRegisterNs(e->context, BAD_CAST "np", BAD_CAST NP_MARK_URI);
	g_private_set(&evaluators, e);
	return e;
}

/* Paths are written in the code, but for a few that hold a name. */
#define PATHS_KEPT 256

static xmlXPathObject *evaluate(xmlNode *node, const char *path)
{
	evaluator *e = evaluator_of_thread();
	xmlXPathCompExpr *compiled = g_hash_table_lookup(e->paths, path);
	if (!compiled) {
		if (g_hash_table_size(e->paths) >= PATHS_KEPT)
			g_hash_table_remove_all(e->paths);
		compiled = xmlXPathCtxtCompile(e->context, BAD_CAST path);
		g_hash_table_insert(e->paths, g_strdup(path), compiled);
	}
	e->context->doc = node->doc;
	e->context->node = node;
	xmlXPathObject *result = xmlXPathCompiledEval(compiled, e->context);
	e->context->doc = NULL;
	e->context->node = NULL;
	return result;
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
