/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lab/decode.h"
#include "lab/scalar.h"
#include "lab/walk.h"

#define VALUES_MAX 5000000
#define BYTES_MAX  (256 * 1024 * 1024)

gboolean np_decode_account(np_decoder *d, gsize bytes, np_pos pos)
{
	if (d->stopped)
		return FALSE;
	d->values++;
	d->bytes += bytes;
	if (d->values <= VALUES_MAX && d->bytes <= BYTES_MAX)
		return TRUE;
	d->stopped = TRUE;
	np_diags_error(d->diags, pos, "look at counts inside counts, and at large texts in types",
	               "the lab is too large: more than %d values or %d MiB of text", VALUES_MAX, BYTES_MAX >> 20);
	return FALSE;
}

gboolean np_decode_matches(np_decoder *d, const char *pattern, const char *text)
{
	if (pattern == NULL)
		return TRUE;
	GRegex *regex = g_hash_table_lookup(d->regexes, pattern);
	if (regex == NULL) {
		/* DOLLAR_ENDONLY: a newline at the end is part of the value, as it is for JSON Schema. */
		regex = g_regex_new(pattern, G_REGEX_DOLLAR_ENDONLY, 0, NULL);
		g_assert(regex != NULL);
		g_hash_table_insert(d->regexes, (gpointer)pattern, regex);
	}
	return g_regex_match(regex, text, 0, NULL);
}

/* Where a piece of a scalar of several lines stands: the next place in the file that reads like it. */
static np_pos part_search(const char *source, np_pos pos, const char *part, gsize length)
{
	g_autofree char *wanted = g_strndup(part, MIN(length, strcspn(part, "\n")));
	guint32 line = 1;
	for (const char *c = source; c != NULL && *c != '\0'; line++) {
		gsize end = strcspn(c, "\n");
		const char *found = line > pos.line ? g_strstr_len(c, (gssize)end, wanted) : NULL;
		if (found != NULL)
			return (np_pos){.line = line,
			                .col = (guint32)g_utf8_strlen(c, found - c) + 1,
			                .len = (guint32)g_utf8_strlen(wanted, -1)};
		c += end + (c[end] != '\0');
	}
	return pos;
}

/* Place of a part of a scalar; the whole scalar's where escapes hide it. */
static np_pos part_pos(const np_decoder *d, const np_doc_node *value, gsize at, gsize length)
{
	np_pos pos = value->pos;
	glong chars = g_utf8_strlen(value->text, -1);
	guint32 quote = value->style == NP_DOC_QUOTED;
	if (value->style == NP_DOC_BLOCK)
		return part_search(d->diags->text, pos, value->text + at, length);
	if (chars + 2 * quote != pos.len)
		return pos;
	pos.col += quote + (guint32)g_utf8_strlen(value->text, (gssize)at);
	pos.len = (guint32)g_utf8_strlen(value->text + at, (gssize)length);
	return pos;
}

/* The text with ${…} replaced, NULL after a report. LATE fields keep theirs, but names that can never be known are
 * reported now. */
static char *text_expand(np_decoder *d, const np_field *field, const np_doc_node *value)
{
	if (strchr(value->text, '$') == NULL)
		return g_strdup(value->text);
	g_auto(np_problem) problem = {0};
	np_scope scope = d->scope;
	scope.late = (field->flags & NP_FIELD_LATE) != 0;
	g_autofree char *expanded = np_text_expand(&scope, value->text, &problem);
	if (expanded == NULL)
		np_diags_error(d->diags, part_pos(d, value, problem.at, problem.length), problem.hint, "%s",
		               problem.message);
	else if (scope.late)
		return g_strdup(value->text);
	return g_steal_pointer(&expanded);
}

/* FALSE after a report when the value is no scalar, or nothing at all. */
static gboolean scalar_expect(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value)
{
	g_autofree char *where = np_label_format(label);
	if (value->type != NP_DOC_SCALAR) {
		np_diags_error(d->diags, value->pos, NULL, "'%s' of %s must be %s, not a %s", field->name, where,
		               np_scalar_words(field->type), value->type == NP_DOC_MAP ? "mapping" : "list");
		return FALSE;
	}
	if (np_doc_is_null(value)) {
		np_diags_error(d->diags, value->pos, "give it a value, or remove the key", "'%s' of %s has no value",
		               field->name, where);
		return FALSE;
	}
	return TRUE;
}

static void value_report(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value,
                         const char *text, const char *why, const char *hint)
{
	g_autofree char *where = np_label_format(label);
	g_autofree char *start = g_utf8_strlen(text, -1) > 60 ? g_utf8_substring(text, 0, 60) : NULL;
	np_diags_error(d->diags, value->pos, hint, "%s '%s%s' of %s is not valid: %s", field->name,
	               start ? start : text, start ? "…" : "", where, why);
}

/* Numbers and booleans are written plain and octal modes quoted, as every other reader of YAML sees them. */
static gboolean style_check(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value)
{
	gboolean wants_plain = field->type == NP_FIELD_UINT || field->type == NP_FIELD_BOOL;
	gboolean is_plain = value->style == NP_DOC_PLAIN;
	if (np_text_has_expression(value->text))
		return TRUE;
	if (wants_plain && !is_plain) {
		value_report(d, label, field, value, value->text, "it must not be in quotes", NULL);
		return FALSE;
	}
	if (field->type == NP_FIELD_MODE && is_plain) {
		g_autofree char *hint = g_strdup_printf("write \"%s\"", value->text);
		value_report(d, label, field, value, value->text, "an octal number must be in quotes", hint);
		return FALSE;
	}
	return TRUE;
}

gboolean np_decode_scalar(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                          const np_doc_node *value)
{
	if (!scalar_expect(d, label, field, value) || !style_check(d, label, field, value))
		return FALSE;
	g_autofree char *text = text_expand(d, field, value);
	if (text == NULL || !np_decode_account(d, strlen(text), value->pos))
		return FALSE;
	g_auto(np_problem) problem = {0};
	if (!np_scalar_store(field, object, text, &problem)) {
		value_report(d, label, field, value, text, problem.message, problem.hint);
		return FALSE;
	}
	if (field->type == NP_FIELD_STRING && !np_decode_matches(d, field->pattern, text)) {
		value_report(d, label, field, value, text, field->pattern_help, NULL);
		return FALSE;
	}
	return TRUE;
}

void np_decode_strings(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                       const np_doc_node *value)
{
	GPtrArray *strings = NP_MEMBER(GPtrArray *, object, field);
	g_autofree char *where = np_label_format(label);
	if (value->type != NP_DOC_LIST) {
		np_diags_error(d->diags, value->pos, "write it as [a, b]", "'%s' of %s must be a list", field->name,
		               where);
		return;
	}
	g_ptr_array_set_size(strings, 0);
	for (guint32 i = 0; i < value->n && !d->stopped; i++) {
		const np_doc_node *item = value->items[i];
		g_autofree char *text = NULL;
		if (!scalar_expect(d, label, field, item))
			continue;
		text = text_expand(d, field, item);
		if (text == NULL || !np_decode_account(d, strlen(text), item->pos))
			continue;
		if (!np_decode_matches(d, field->pattern, text))
			value_report(d, label, field, item, text, field->pattern_help, NULL);
		g_ptr_array_add(strings, g_steal_pointer(&text));
	}
}
