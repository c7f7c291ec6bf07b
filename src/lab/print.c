/* SPDX-License-Identifier: Apache-2.0 */
/* A completed lab as a lab file: every default and derived value written, types and counts applied. Reading it again
 * gives the same lab, and printing that the same text. */
#include <string.h>

#include "lab/expand.h"
#include "lab/lab.h"
#include "lab/scalar.h"
#include "lab/walk.h"

#define COMMENT_MAX 500 /* characters */

typedef struct {
	const np_lab *lab;
	const np_node *node; /* whose keys are being written, or NULL */
	GString *out;
	unsigned indent;
	gboolean pending; /* "- " was written: the first key goes on its line */
	gboolean sparse;  /* only keys that are set */
	const np_comments *comments; /* or NULL */
} printer;

/* Words that some reader of YAML takes for something else than text. */
static gboolean is_odd_word(const char *text)
{
	static const char *const words[] = {"yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON",
	                                    "off", "Off", "OFF", "y",  "Y",  "n",  "N",  NULL};
	return g_strv_contains(words, text);
}

static gboolean is_plain(const char *text)
{
	if (!g_ascii_isalnum(text[0]) && text[0] != '/')
		return FALSE;
	for (const char *c = text; *c != '\0'; c++)
		if (!g_ascii_isalnum(*c) && strchr("_./@+-", *c) == NULL && !(*c == ':' && strchr("/", c[1]) && c[1]))
			return FALSE;
	return np_scalar_core_type(text) == NULL && !is_odd_word(text);
}

static gboolean is_shown(gunichar u)
{
	return u == ' ' || (u != 0xfeff && g_unichar_isprint(u) && !g_unichar_isspace(u));
}

static void character_print(GString *out, gunichar u)
{
	if (u == '"' || u == '\\')
		g_string_append_printf(out, "\\%c", (char)u);
	else if (u == '\n' || u == '\t')
		g_string_append(out, u == '\n' ? "\\n" : "\\t");
	else if (is_shown(u))
		g_string_append_unichar(out, u);
	else
		g_string_append_printf(out, u < 0x10000 ? "\\u%04X" : "\\U%08X", u);
}

/* What is no UTF-8 would be read beyond its end. */
static void text_print(GString *out, const char *text)
{
	if (is_plain(text)) {
		g_string_append(out, text);
		return;
	}
	g_autofree char *valid = g_utf8_validate(text, -1, NULL) ? NULL : g_utf8_make_valid(text, -1);
	g_string_append_c(out, '"');
	for (const char *c = valid ? valid : text; *c != '\0'; c = g_utf8_next_char(c))
		character_print(out, g_utf8_get_char(c));
	g_string_append_c(out, '"');
}

char *np_comment_line(const char *text)
{
	unsigned length = 0;
	GString *line = g_string_new(NULL);
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	for (const char *c = valid; *c != '\0' && length < COMMENT_MAX; c = g_utf8_next_char(c), length++) {
		gunichar u = g_utf8_get_char(c);
		g_string_append_unichar(line, is_shown(u) ? u : '?');
	}
	if (length == COMMENT_MAX)
		g_string_append(line, "…");
	return g_string_free(line, FALSE);
}

static void comment_print(printer *p, const char *text)
{
	g_autofree char *line = np_comment_line(text);
	g_string_append_printf(p->out, "%*s# %s\n", (int)(2 * p->indent), "", line);
}

static void comments_print(printer *p, gconstpointer object)
{
	const GPtrArray *lines = p->comments ? g_hash_table_lookup(p->comments->of, object) : NULL;
	for (guint i = 0; lines != NULL && i < lines->len; i++)
		comment_print(p, lines->pdata[i]);
}

static void key_print(printer *p, const char *key)
{
	if (!p->pending)
		g_string_append_printf(p->out, "%*s", (int)(2 * p->indent), "");
	p->pending = FALSE;
	text_print(p->out, key); /* a name may be a word that YAML takes for something else */
	g_string_append_c(p->out, ':');
}

/* A text as the lab file writes it: ${ escaped, sensitive variables in place, and late expressions worked out. */
static char *text_written(const printer *p, const np_field *field, gconstpointer member, const char *text)
{
	const char *kept = p->lab->written ? g_hash_table_lookup(p->lab->written, member) : NULL;
	if (kept != NULL)
		return g_strdup(kept);
	if (field->type != NP_FIELD_STRING && field->type != NP_FIELD_STRINGS)
		return g_strdup(text);
	if ((field->flags & NP_FIELD_LATE) == 0)
		return np_text_escape(text);
	g_auto(np_problem) problem = {0};
	np_scope scope = {.lab = p->lab, .node = p->node, .completed = TRUE, .written = TRUE};
	if (p->node != NULL) {
		scope.name = p->node->base.name;
		scope.address = p->node->address;
		scope.index = p->node->index;
	}
	char *expanded = np_text_expand(&scope, text, &problem);
	return expanded ? expanded : g_strdup(text);
}

static gboolean is_text(const np_field *field)
{
	return field->type != NP_FIELD_UINT && field->type != NP_FIELD_BOOL;
}

/* What stands for "not there": a size or number that its limits exclude. */
static gboolean is_absent(const np_field *field, gpointer object)
{
	gboolean counts =
	        field->type == NP_FIELD_UINT || field->type == NP_FIELD_SIZE || field->type == NP_FIELD_DURATION;
	return counts && field->min > 0 && NP_MEMBER(guint64, object, field) == 0;
}

static void scalar_print(printer *p, const np_field *field, gpointer object)
{
	g_autofree char *value = is_absent(field, object) ? NULL : np_field_format(field, object);
	if (value == NULL)
		return;
	g_autofree char *written = text_written(p, field, np_field_member(field, object), value);
	key_print(p, field->name);
	g_string_append_c(p->out, ' ');
	if (field->type == NP_FIELD_MODE)
		g_string_append_printf(p->out, "\"%s\"", written);
	else if (is_text(field))
		text_print(p->out, written);
	else
		g_string_append(p->out, written);
	g_string_append_c(p->out, '\n');
}

static void strings_print(printer *p, const np_field *field, gpointer object)
{
	const GPtrArray *strings = NP_MEMBER(GPtrArray *, object, field);
	if (strings->len == 0)
		return;
	key_print(p, field->name);
	g_string_append_c(p->out, '\n');
	for (guint i = 0; i < strings->len; i++) {
		const char *text = strings->pdata[i];
		g_autofree char *written = text_written(p, field, text, text);
		g_string_append_printf(p->out, "%*s- ", (int)(2 * p->indent + 2), "");
		text_print(p->out, written);
		g_string_append_c(p->out, '\n');
	}
}

static void object_print(printer *p, const np_kind *kind, gpointer object);

/* An object below what was just written; "{}" when there is nothing in it. */
static void inner_print(printer *p, const np_kind *kind, gpointer object)
{
	gsize before = p->out->len;
	g_string_append_c(p->out, '\n');
	gsize start = p->out->len;
	p->indent++;
	object_print(p, kind, object);
	p->indent--;
	if (p->out->len == start) {
		g_string_truncate(p->out, before);
		g_string_append(p->out, " {}\n");
	}
}

/* g_str_has_suffix looks for the end of all that was written: too long, for each struct of a large lab. */
static gboolean ends_with(const GString *text, const char *end)
{
	gsize length = strlen(end);
	return text->len >= length && memcmp(text->str + text->len - length, end, length) == 0;
}

static void struct_print(printer *p, const np_field *field, gpointer object)
{
	gsize before = p->out->len;
	gboolean pending = p->pending;
	key_print(p, field->name);
	inner_print(p, field->of, np_field_member(field, object));
	if (ends_with(p->out, ": {}\n")) {
		g_string_truncate(p->out, before);
		p->pending = pending;
	}
}

static void map_print(printer *p, const np_field *field, gpointer object)
{
	const GPtrArray *map = NP_MEMBER(GPtrArray *, object, field);
	const np_node *outer = p->node;
	if (map->len == 0)
		return;
	key_print(p, field->name);
	g_string_append_c(p->out, '\n');
	p->indent++;
	for (guint i = 0; i < map->len; i++) {
		np_object *entry = map->pdata[i];
		if (field->type == NP_FIELD_NODES)
			p->node = map->pdata[i];
		comments_print(p, entry);
		key_print(p, entry->name);
		inner_print(p, field->of, entry);
	}
	p->indent--;
	p->node = outer;
}

static void list_print(printer *p, const np_field *field, gpointer object)
{
	const GPtrArray *list = NP_MEMBER(GPtrArray *, object, field);
	if (list->len == 0)
		return;
	key_print(p, field->name);
	g_string_append_c(p->out, '\n');
	p->indent += 2;
	for (guint i = 0; i < list->len; i++) {
		g_string_append_printf(p->out, "%*s- ", (int)(2 * p->indent - 2), "");
		p->pending = TRUE;
		object_print(p, field->of, list->pdata[i]);
	}
	p->indent -= 2;
}

/* Keys whose printed form is not what the struct holds. TRUE when done. */
static gboolean special_print(printer *p, const np_kind *kind, const np_field *field, gpointer object)
{
	if (kind == &np_file_kind && strcmp(field->name, "template") == 0) /* means nothing beside `content` */
		return ((np_file *)object)->content != NULL && !np_object_has(kind, object, "template");
	if (kind == &np_node_kind && strcmp(field->name, "image") == 0 && ((np_node *)object)->image == NULL) {
		if (np_object_has(kind, object, "image")) {
			key_print(p, field->name);
			g_string_append(p->out, " " NP_IMAGE_NONE "\n");
		}
		return TRUE;
	}
	if (kind != &np_variable_kind || strcmp(field->name, "default") != 0)
		return FALSE;
	const np_variable *variable = object;
	if (variable->value == NULL || variable->sensitive)
		return TRUE;
	g_autofree char *written = np_text_escape(variable->value);
	key_print(p, field->name);
	g_string_append_c(p->out, ' ');
	text_print(p->out, written);
	g_string_append_c(p->out, '\n');
	return TRUE;
}

/* What a node alone can say is its own UUID; type and count have been applied. */
static gboolean is_left_out(const printer *p, const np_kind *kind, unsigned i, gpointer object)
{
	const np_field *field = &kind->fields[i];
	gboolean set = (((const np_object *)object)->set >> i & 1) != 0;
	if ((field->flags & NP_FIELD_OWN) != 0)
		return !set || strcmp(field->name, "uuid") != 0;
	return p->sparse && field->type < NP_FIELD_STRINGS && !set;
}

static void object_print(printer *p, const np_kind *kind, gpointer object)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		if (is_left_out(p, kind, i, object) || special_print(p, kind, field, object))
			continue;
		switch (field->type) {
		case NP_FIELD_TEMPLATE:
		case NP_FIELD_TEMPLATES: break;
		case NP_FIELD_STRUCT: struct_print(p, field, object); break;
		case NP_FIELD_STRINGS: strings_print(p, field, object); break;
		case NP_FIELD_LIST: list_print(p, field, object); break;
		case NP_FIELD_MAP:
		case NP_FIELD_NODES: map_print(p, field, object); break;
		default: scalar_print(p, field, object); break;
		}
	}
}

char *np_lab_print(const np_lab *lab)
{
	g_autoptr(GString) out = g_string_new("# A completed lab: every default written, types and counts applied.\n");
	printer p = {.lab = lab, .out = out};
	object_print(&p, &np_lab_kind, (gpointer)lab);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

np_comments *np_comments_new(void)
{
	np_comments *comments = g_new0(np_comments, 1);
	comments->of = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_ptr_array_unref);
	return comments;
}

void np_comments_free(np_comments *comments)
{
	if (comments == NULL)
		return;
	g_hash_table_unref(comments->of);
	g_free(comments);
}

void np_comments_add(np_comments *comments, gconstpointer object, const char *text)
{
	GPtrArray *lines = g_hash_table_lookup(comments->of, object);
	if (lines == NULL) {
		lines = g_ptr_array_new_with_free_func(g_free);
		g_hash_table_insert(comments->of, (gpointer)object, lines);
	}
	g_ptr_array_add(lines, g_strdup(text));
}

char *np_lab_write(const np_lab *lab, const np_comments *comments)
{
	g_autoptr(GString) out = g_string_new(NULL);
	printer p = {.lab = lab, .out = out, .sparse = TRUE, .comments = comments};
	comments_print(&p, lab);
	object_print(&p, &np_lab_kind, (gpointer)lab);
	return g_string_free(g_steal_pointer(&out), FALSE);
}
