/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/check.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "lab/expand.h"
#include "lab/lab.h"

gboolean np_check_told(np_checker *c, np_pos pos, const char *what)
{
	return !g_hash_table_add(c->seen, g_strdup_printf("%u:%u:%s", pos.line, pos.col, what));
}

/* NULL: the same was told of that place. */
static char *message_of(np_checker *c, np_pos pos, const char *format, va_list arguments)
{
	return pos.line > 0 && np_check_told(c, pos, format) ? NULL : g_strdup_vprintf(format, arguments);
}

void np_check_report(np_checker *c, np_code code, np_severity severity, np_pos pos, const char *hint,
                     const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	g_autofree char *message = message_of(c, pos, format, arguments);
	va_end(arguments);
	if (message != NULL)
		np_diags_add(c->diags, code, severity, pos, hint, "%s", message);
}

static char *unknown_hint(const np_unknown *unknown)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < unknown->map->len; i++)
		g_ptr_array_add(names, ((const np_object *)unknown->map->pdata[i])->name);
	g_ptr_array_add(names, NULL);
	const char *nearest = np_nearest(unknown->name, (const char *const *)names->pdata);
	return nearest ? g_strdup_printf("did you mean '%s'?", nearest) : g_strdup(unknown->hint);
}

void np_check_name(np_checker *c, np_code code, np_pos pos, const np_unknown *unknown, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	g_autofree char *message = message_of(c, pos, format, arguments);
	va_end(arguments);
	if (message == NULL)
		return;
	g_autofree char *hint = np_diags_full(c->diags) ? NULL : unknown_hint(unknown);
	np_diags_error(c->diags, code, pos, hint, "%s", message);
}

static gboolean is_required(const np_field *field)
{
	return (field->flags & NP_FIELD_REQUIRED) != 0;
}

void np_check_required(const np_walk *walk, gpointer object, gpointer data)
{
	np_checker *c = data;
	const np_object *base = object;
	for (guint i = 0; i < walk->fields->len; i++) {
		const np_field *field = walk->fields->pdata[i];
		if ((base->set >> (field - walk->kind->fields) & 1) != 0 || np_check_told(c, base->pos, field->name))
			continue;
		if (base->name != NULL)
			np_diags_error(c->diags, NP_CODE_KEY_MISSING, base->pos, NULL, "%s '%s' needs the key '%s'",
			               walk->kind->name, base->name, field->name);
		else
			np_diags_error(c->diags, NP_CODE_KEY_MISSING, base->pos, NULL, "the %s needs the key '%s'",
			               walk->kind->name, field->name);
	}
}

static void image_check(np_checker *c, const np_image *image)
{
	np_pos pos = np_object_at(&np_image_kind, &image->base, "source");
	if (image->source == NULL || !np_text_is_url(image->source))
		return;
	if (!g_str_has_prefix(image->source, "http://") && !g_str_has_prefix(image->source, "https://"))
		np_check_error(c, NP_CODE_IMAGE_PROTOCOL, pos, "use http or https, or a file",
		               "image '%s' comes by a protocol that is not supported", image->base.name);
	else if (image->sha256 == NULL)
		np_check_warning(c, NP_CODE_IMAGE_UNPINNED, pos, "add a `sha256:`; apply says which one it got",
		                 "image '%s' is downloaded without a sha256: what the server sends is what boots",
		                 image->base.name);
}

typedef struct {
	np_checker *c;
	const np_node *node;
	const char *text;
	np_pos pos;
} text_checker;

static void problem_report(np_problem *problem, gpointer data)
{
	const text_checker *t = data;
	g_autofree char *expression = g_strndup(t->text + problem->at, problem->length);
	if (!np_check_told(t->c, t->pos, expression))
		np_diags_error(t->c->diags, NP_CODE_EXPRESSION_TARGET, t->pos, np_problem_hint(problem, t->c->lab), "node '%s': %s", t->node->address,
		               problem->message);
}

/* Texts that are expanded only when they are used: are all their names known? */
static void text_check(np_checker *c, const np_node *node, np_pos pos, const char *text)
{
	np_scope scope = np_scope_of(c->lab, node);
	np_text_problems(&scope, text, problem_report, &(text_checker){c, node, text, pos});
}

static void late_check(np_checker *c, const np_node *node)
{
	c->origin->node = node;
	for (guint i = 0; i < node->inject.files->len; i++) {
		const np_file *file = node->inject.files->pdata[i];
		if (file->content != NULL)
			text_check(c, node, np_object_at(&np_file_kind, &file->base, "content"), file->content);
	}
	for (guint i = 0; i < node->inject.run->len; i++)
		text_check(c, node,
		           np_lab_item_at(c->lab, node->inject.run, i,
		                          np_object_at(&np_inject_kind, &node->inject.base, "run")),
		           node->inject.run->pdata[i]);
}

static gboolean has_late(const np_node *node)
{
	return node->inject.files->len > 0 || node->inject.run->len > 0;
}

/* All of a site in one pass: a large lab does not fit into the processor's cache. */
static void site_check(np_checker *c, const np_site *site, const np_ranges *outer)
{
	g_autoptr(np_ranges) ranges = np_ranges_new(site, outer);
	for (guint i = 0; i < site->networks->len; i++) {
		c->origin->node = site->node;
		c->origin->part = site->networks->pdata[i];
		np_check_network(c, site, site->networks->pdata[i]);
		np_check_overlaps(c, site->networks->pdata[i], ranges);
	}
	c->origin->part = NULL;
	for (guint i = 0; i < site->nodes->len; i++) {
		np_node *node = site->nodes->pdata[i];
		c->origin->node = node;
		np_check_node(c, node);
		if (has_late(node))
			g_ptr_array_add(c->late, node);
		if (np_node_is_site(node))
			site_check(c, &node->site, ranges);
	}
}

void np_lab_check(np_lab *lab, np_diags *diags, np_origin *origin)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) uuids = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) late = g_ptr_array_new();
	g_autoptr(np_walk) of_lab = np_walk_new(&np_lab_kind, is_required), of_node = np_walk_new(&np_node_kind, is_required);
	np_checker c = {lab, diags, origin, seen, uuids, of_node, late};
	origin->lab = lab;
	origin->owner = NULL;
	np_walk_object(of_lab, lab, np_check_required, &c);
	/* Its pool would be nestplan-images, which all labs share. */
	if (g_strcmp0(lab->name, "images") == 0)
		np_check_error(&c, NP_CODE_LAB_NAME, np_object_at(&np_lab_kind, &lab->base, "name"),
		               "choose another name",
		               "a lab cannot be named 'images': its storage pool would be the one of the images");
	for (guint i = 0; i < lab->images->len; i++)
		image_check(&c, lab->images->pdata[i]);
	site_check(&c, &lab->site, NULL);
	/* Addresses that other mistakes kept from being derived would be reported as missing. */
	if (diags->errors == 0)
		for (guint i = 0; i < late->len; i++)
			late_check(&c, late->pdata[i]);
}
