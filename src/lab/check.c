/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/check.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "lab/lab.h"
#include "lab/walk.h"

void np_check_report(np_checker *c, np_code code, np_severity severity, np_pos pos, const char *hint,
                     const char *format, ...)
{
	/* The format tells the mistake; the arguments only tell the copies of one node apart. */
	if (pos.line > 0 && !g_hash_table_add(c->seen, g_strdup_printf("%u:%u:%s", pos.line, pos.col, format)))
		return;
	va_list arguments;
	va_start(arguments, format);
	g_autofree char *message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	np_diags_add(c->diags, code, severity, pos, hint, "%s", message);
}

char *np_check_hint(const GPtrArray *map, const char *name, const char *otherwise)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < map->len; i++)
		g_ptr_array_add(names, ((const np_object *)map->pdata[i])->name);
	g_ptr_array_add(names, NULL);
	const char *nearest = np_nearest(name, (const char *const *)names->pdata);
	return nearest ? g_strdup_printf("did you mean '%s'?", nearest) : g_strdup(otherwise);
}

static void required_check(const np_kind *kind, gpointer object, gpointer data)
{
	np_checker *c = data;
	const np_object *base = object;
	for (unsigned i = 0; i < kind->n_fields; i++) {
		if ((kind->fields[i].flags & NP_FIELD_REQUIRED) == 0 || (base->set >> i & 1) != 0)
			continue;
		if (base->name != NULL)
			np_check_error(c, NP_CODE_KEY_MISSING, base->pos, NULL, "%s '%s' needs the key '%s'",
			               kind->name, base->name, kind->fields[i].name);
		else
			np_check_error(c, NP_CODE_KEY_MISSING, base->pos, NULL, "the %s needs the key '%s'", kind->name,
			               kind->fields[i].name);
	}
}

static void image_check(np_checker *c, const np_image *image)
{
	const char *scheme = image->source ? strstr(image->source, "://") : NULL;
	np_pos pos = np_object_at(&np_image_kind, &image->base, "source");
	if (scheme == NULL)
		return;
	if (!g_str_has_prefix(image->source, "http://") && !g_str_has_prefix(image->source, "https://"))
		np_check_error(c, NP_CODE_IMAGE_PROTOCOL, pos, "use http or https, or a file",
		               "image '%s' comes by a protocol that is not supported", image->base.name);
	else if (image->sha256 == NULL)
		np_check_warning(c, NP_CODE_IMAGE_UNPINNED, pos, "add a `sha256:`; apply says which one it got",
		                 "image '%s' is downloaded without a sha256: what the server sends is what boots",
		                 image->base.name);
}

/* Texts that are expanded only when they are used: are all their names known? */
static void late_check(np_checker *c, const np_node *node, np_pos pos, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *expanded = np_lab_expand(c->lab, node, text, &error);
	if (expanded == NULL)
		np_check_error(c, NP_CODE_EXPRESSION_TARGET, pos, NULL, "node '%s': %s", node->address, error->message);
}

static void node_late_check(np_node *node, gpointer data)
{
	((np_checker *)data)->origin->node = node;
	for (guint i = 0; i < node->inject.files->len; i++) {
		const np_file *file = node->inject.files->pdata[i];
		if (file->content != NULL)
			late_check(data, node, np_object_at(&np_file_kind, &file->base, "content"), file->content);
	}
	for (guint i = 0; i < node->inject.run->len; i++)
		late_check(data, node, np_object_at(&np_inject_kind, &node->inject.base, "run"),
		           node->inject.run->pdata[i]);
}

void np_lab_check(np_lab *lab, np_diags *diags, np_origin *origin)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	np_checker c = {lab, diags, origin, seen};
	origin->lab = lab;
	origin->owner = NULL;
	np_object_walk(&np_lab_kind, lab, required_check, &c);
	/* Its pool would be nestplan-images, which all labs share. */
	if (g_strcmp0(lab->name, "images") == 0)
		np_check_error(&c, NP_CODE_LAB_NAME, np_object_at(&np_lab_kind, &lab->base, "name"),
		               "choose another name",
		               "a lab cannot be named 'images': its storage pool would be the one of the images");
	for (guint i = 0; i < lab->images->len; i++)
		image_check(&c, lab->images->pdata[i]);
	np_check_networks(&c);
	np_check_overlaps(&c);
	np_check_nodes(&c);
	/* Addresses that other mistakes kept from being derived would be reported as missing. */
	if (diags->errors == 0)
		np_lab_foreach_node(&lab->site, node_late_check, &c);
}
