/* SPDX-License-Identifier: Apache-2.0 */
/* The field reference of nestplan-lab(5), from the field tables. */
#include <string.h>

#include "base/units.h"
#include "lab/lab.h"
#include "lab/scalar.h"

typedef struct {
	GString *out;
	GHashTable *seen; /* kinds that have a section */
	GPtrArray *todo;  /* of const np_kind* */
} writer;

/* Text for roff: no character of it is a request. */
static void text_append(GString *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c = g_utf8_next_char(c)) {
		gunichar u = g_utf8_get_char(c);
		if (u == '\\')
			g_string_append(out, "\\e");
		else if (u == '-')
			g_string_append(out, "\\-");
		else if (u > 0x7e)
			g_string_append_printf(out, "\\[u%04X]", u);
		else
			g_string_append_c(out, (char)u);
	}
}

static const char *type_words(const np_field *field)
{
	switch (field->type) {
	case NP_FIELD_STRINGS: return "list of texts";
	case NP_FIELD_STRUCT: return "mapping";
	case NP_FIELD_LIST: return "list";
	case NP_FIELD_MAP:
	case NP_FIELD_NODES:
	case NP_FIELD_TEMPLATES: return "mapping by name";
	case NP_FIELD_TEMPLATE: return "keys of a node";
	case NP_FIELD_ENUM: return "word";
	default: return np_scalar_words(field->type);
	}
}

static void bound_append(GString *out, const np_field *field, const char *words, guint64 bound)
{
	g_autofree char *text = field->type == NP_FIELD_SIZE       ? np_size_format(bound)
	                        : field->type == NP_FIELD_DURATION ? np_duration_format(bound)
	                                                           : g_strdup_printf("%" G_GUINT64_FORMAT, bound);
	g_string_append_printf(out, "; %s %s", words, text);
}

/* "a size such as 8GiB; at least 1MiB; default 1GiB" */
static void facts_append(GString *out, const np_field *field)
{
	text_append(out, type_words(field));
	if (field->values != NULL) {
		g_autofree char *all = g_strjoinv(", ", (char **)field->values);
		g_string_append(out, ": ");
		text_append(out, all);
	}
	if (field->min > 0 && field->min != field->max)
		bound_append(out, field, "at least", field->min);
	if (field->max > 0 && field->min != field->max)
		bound_append(out, field, "at most", field->max);
	if (field->def != NULL) {
		g_string_append(out, "; default ");
		text_append(out, field->def);
	}
	if ((field->flags & NP_FIELD_REQUIRED) != 0)
		g_string_append(out, "; required");
}

static void field_write(writer *w, const np_field *field)
{
	g_string_append_printf(w->out, ".TP\n.B %s\n", field->name);
	text_append(w->out, field->doc);
	g_string_append(w->out, "\n(");
	facts_append(w->out, field);
	g_string_append(w->out, ")\n");
	if (field->of != NULL && g_hash_table_add(w->seen, (gpointer)field->of))
		g_ptr_array_add(w->todo, (gpointer)field->of);
}

static void kind_write(writer *w, const np_kind *kind)
{
	g_string_append_printf(w->out, ".SS Keys of a %s\n", kind->name);
	text_append(w->out, kind->doc);
	g_string_append_c(w->out, '\n');
	if (kind->shorthand != NULL)
		g_string_append_printf(w->out, "A lone value is its\n.BR %s .\n", kind->shorthand);
	if (kind->names_list)
		g_string_append(w->out, "Where no details are needed, a list of names is enough.\n");
	for (unsigned i = 0; i < kind->n_fields; i++)
		field_write(w, &kind->fields[i]);
}

char *np_man_render(void)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) todo = g_ptr_array_new();
	writer w = {out, seen, todo};
	g_hash_table_add(seen, (gpointer)&np_lab_kind);
	g_ptr_array_add(todo, (gpointer)&np_lab_kind);
	for (guint i = 0; i < todo->len; i++)
		kind_write(&w, todo->pdata[i]);
	return g_string_free(g_steal_pointer(&out), FALSE);
}
