/* SPDX-License-Identifier: Apache-2.0 */
/* Files beside the lab file that nodes are given. Each is looked at once, and of a template no more is kept than what
 * has to be known of each node: a small lab may have 150,000 of them, and a large template. */
#include <string.h>
#include <sys/stat.h>

#include "lab/check.h"
#include "lab/expand.h"
#include "lab/lab.h"

#define TEMPLATE_MAX (16 * 1024 * 1024)

typedef struct {
	char *fault;  /* why it cannot be read, NULL: it can */
	char *target; /* where it is, when it is a link that leads out of the lab's folder */
	gsize size;
	gboolean is_template; /* it was read as one: */
	char *mistake;        /* what is wrong with it for every node, NULL: nothing is */
	char *of_node;        /* its ${…} that not every node may have */
} source;

static void source_free(gpointer data)
{
	source *s = data;
	g_free(s->fault);
	g_free(s->target);
	g_free(s->mistake);
	g_free(s->of_node);
	g_free(s);
}

GHashTable *np_sources_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, source_free);
}

static source *source_find(GHashTable *sources, const np_lab *lab, const char *path)
{
	struct stat info = {0};
	source *s = g_hash_table_lookup(sources, path);
	if (s != NULL)
		return s;
	s = g_new0(source, 1);
	s->fault = g_strdup(np_file_fault(path, &info));
	s->size = (gsize)info.st_size;
	s->target = s->fault ? NULL : np_lab_link_target(lab, path);
	g_hash_table_insert(sources, g_strdup(path), s);
	return s;
}

static char *template_text(const source *s, const char *path, char **ret_mistake)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	gsize length = 0;
	if (s->size > TEMPLATE_MAX)
		*ret_mistake = g_strdup_printf(
		        "it is larger than %d MiB; without 'template: true' it is copied as it is", TEMPLATE_MAX >> 20);
	else if (!g_file_get_contents(path, &text, &length, &error))
		*ret_mistake = g_strdup(error->message);
	else if (memchr(text, '\0', length) != NULL || !g_utf8_validate_len(text, length, NULL))
		*ret_mistake = g_strdup("it is not text; without 'template: true' it is copied as it is");
	return *ret_mistake == NULL ? g_steal_pointer(&text) : NULL;
}

/* `node` is any that has the file. */
static void template_read(source *s, const np_lab *lab, const np_node *node, const char *path)
{
	g_autofree char *text = template_text(s, path, &s->mistake), *others = NULL;
	g_autoptr(GError) error = NULL;
	s->is_template = TRUE;
	if (text == NULL)
		return;
	np_text_expressions(text, &s->of_node, &others);
	g_autofree char *expanded = np_lab_expand(lab, node, others, &error);
	if (expanded == NULL)
		s->mistake = g_strdup(error->message);
}

static void template_check(np_checker *c, source *s, const np_node *node, const np_file *file)
{
	np_pos pos = np_object_at(&np_file_kind, &file->base, "source");
	g_autoptr(GError) error = NULL;
	if (!s->is_template)
		template_read(s, c->lab, node, file->source);
	const char *mistake = s->mistake;
	if (mistake == NULL && s->of_node[0] != '\0') {
		g_autofree char *expanded = np_lab_expand(c->lab, node, s->of_node, &error);
		mistake = expanded ? NULL : error->message;
	}
	if (mistake != NULL)
		np_check_error(c, NP_CODE_TEMPLATE_TEXT, pos, NULL, "template '%s' does not expand: %s", file->source,
		               mistake);
}

void np_check_source(np_checker *c, GHashTable *sources, const np_node *node, const np_file *file)
{
	np_pos pos = np_object_at(&np_file_kind, &file->base, "source");
	if (np_diags_has(c->diags, NP_CODE_PATH_OUTSIDE, pos))
		return;
	source *s = source_find(sources, c->lab, file->source);
	if (s->fault != NULL) {
		const char *hint = strstr(file->source, ":/") != NULL ? "only an image may be a URL" : NULL;
		np_check_error(c, NP_CODE_SOURCE_MISSING, pos, hint, "the file '%s' cannot be read: %s", file->source,
		               s->fault);
		return;
	}
	if (s->target != NULL)
		np_check_error(c, NP_CODE_PATH_OUTSIDE, pos,
		               "copy the file into the lab's folder, or write the absolute path",
		               "the file '%s' is a link that leaves the folder of the lab file, to '%s'", file->source,
		               s->target);
	if (file->expand)
		template_check(c, s, node, file);
}
