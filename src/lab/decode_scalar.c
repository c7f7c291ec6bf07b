/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lab/decode.h"
#include "lab/meant.h"
#include "lab/scalar.h"
#include "lab/walk.h"

#define VALUES_MAX 5000000
#define PART_LINES 1000 /* as far is a part of a long text searched */
#define BYTES_MAX  (200 * 1024 * 1024)

gboolean np_decode_account(np_decoder *d, gsize bytes, np_pos pos)
{
	if (d->stopped)
		return FALSE;
	d->values++;
	d->bytes += bytes;
	if (d->values <= VALUES_MAX && d->bytes <= BYTES_MAX)
		return TRUE;
	d->stopped = TRUE;
	np_diags_error(d->diags, NP_CODE_LAB_TOO_LARGE, pos,
	               "look at counts inside counts, and at large texts in types",
	               "the lab is too large: more than %d values or %d MiB", VALUES_MAX, BYTES_MAX >> 20);
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
static np_pos part_search(np_diags *diags, np_pos pos, const char *part, gsize length)
{
	g_autofree char *wanted = g_strndup(part, MIN(length, strcspn(part, "\n")));
	np_pos at = {.line = pos.line + 1, .source = pos.source};
	for (; at.line < pos.line + PART_LINES && !np_diags_full(diags); at.line++) {
		gsize end;
		const char *line = np_diags_line(diags, at, &end);
		const char *found = line ? g_strstr_len(line, (gssize)end, wanted) : NULL;
		if (line == NULL)
			break;
		if (found == NULL)
			continue;
		at.col = (guint32)g_utf8_strlen(line, found - line) + 1;
		at.len = (guint16)MIN(g_utf8_strlen(wanted, -1), G_MAXUINT16);
		return at;
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
		return part_search(d->diags, pos, value->text + at, length);
	if (chars + 2 * quote != pos.len)
		return pos;
	pos.col += quote + (guint32)g_utf8_strlen(value->text, (gssize)at);
	pos.len = (guint16)MIN(g_utf8_strlen(value->text + at, (gssize)length), G_MAXUINT16);
	return pos;
}

/* A value's text with ${…} replaced. */
typedef struct {
	const char *text;             /* NULL after a report; the value's own, or */
	char *own;                    /* this */
	char *written;                /* as a lab file would write it; only with sensitive variables in it, else NULL */
	const np_variable *sensitive; /* that is in it; NULL: none */
} expansion;

static void expansion_clear(expansion *e)
{
	g_free(e->own);
	g_free(e->written);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(expansion, expansion_clear)

typedef struct {
	np_decoder *d;
	const np_doc_node *value;
} expanding;

static void problem_report(np_problem *problem, gpointer data)
{
	const expanding *x = data;
	np_diags *diags = x->d->diags;
	np_pos pos = part_pos(x->d, x->value, problem->at, problem->length), whole = x->value->pos;
	/* Where escapes hide the part all of a text's problems have one place. */
	gboolean is_part = problem->at == 0 || pos.line != whole.line || pos.col != whole.col;
	if (is_part && np_diags_told(diags, problem->code, pos))
		return;
	const char *hint = np_diags_full(diags) ? NULL : np_problem_hint(problem, x->d->lab);
	np_diags_error(diags, problem->code, pos, hint, "%s", problem->message);
}

/* LATE fields keep their expressions, but names that can never be known are reported now. */
static void text_expand(np_decoder *d, const np_field *field, const np_doc_node *value, expansion *ret)
{
	if (strchr(value->text, '$') == NULL) {
		ret->text = value->text;
		return;
	}
	g_auto(np_problem) problem = {0};
	np_scope scope = d->scope;
	scope.late = (field->flags & NP_FIELD_LATE) != 0;
	scope.early = (field->flags & NP_FIELD_EARLY) != 0;
	scope.sensitive = &ret->sensitive;
	g_autofree char *expanded = np_text_expand(&scope, value->text, &problem);
	if (expanded == NULL && strcmp(field->name, "default") == 0 && np_diags_is_hidden(d->diags, value->pos)) {
		np_diags_error(d->diags, problem.code, value->pos, "write $${ where ${ is meant as it stands",
		               "the default of a sensitive variable has a '${' that cannot be expanded");
		return;
	}
	if (expanded == NULL) {
		np_text_problems(&scope, value->text, problem_report, &(expanding){d, value});
		return;
	}
	if (!scope.late)
		ret->own = g_steal_pointer(&expanded);
	ret->text = scope.late ? value->text : ret->own;
	scope.written = TRUE;
	if (ret->sensitive && !scope.late)
		ret->written = np_text_expand(&scope, value->text, &problem);
}

/* FALSE after a report when the value is no scalar, or nothing at all. */
static gboolean scalar_expect(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value)
{
	if (value->type == NP_DOC_SCALAR && !np_doc_is_null(value))
		return TRUE;
	if (np_diags_told(d->diags, NP_CODE_NO_VALUE, value->pos))
		return FALSE;
	g_autofree char *where = np_label_format(label);
	if (value->type != NP_DOC_SCALAR)
		np_diags_error(d->diags, NP_CODE_KIND, value->pos, NULL, "'%s' of %s must be %s, not a %s", field->name,
		               where, np_scalar_words(field->type), value->type == NP_DOC_MAP ? "mapping" : "list");
	else
		np_diags_error(d->diags, NP_CODE_NO_VALUE, value->pos, "give it a value, or remove the key",
		               "'%s' of %s has no value", field->name, where);
	return FALSE;
}

static void value_report(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value,
                         const char *text, const np_problem *problem)
{
	g_autofree char *where = np_label_format(label);
	if (np_diags_told(d->diags, problem->code, value->pos))
		return;
	g_autofree char *start = g_utf8_strlen(text, -1) > 60 ? g_utf8_substring(text, 0, 60) : NULL;
	np_diags_error(d->diags, problem->code, value->pos, problem->hint, "%s '%s%s' of %s is not valid: %s",
	               field->name, start ? start : text, start ? "…" : "", where, problem->message);
}

/* The same for a text that came out of ${…}; what sensitive variables gave it is not shown. */
static void expansion_report(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value,
                             const expansion *e, np_problem *problem)
{
	if (e->sensitive)
		g_clear_pointer(&problem->hint, g_free);
	value_report(d, label, field, value, e->sensitive ? "(sensitive)" : e->text, problem);
}

/* What is compared is in plans, and what is no text has other forms than the one in which it was written. */
static gboolean is_shown(const np_field *field)
{
	gboolean is_text = field->type == NP_FIELD_STRING || field->type == NP_FIELD_STRINGS;
	gboolean is_told = (field->flags & (NP_FIELD_SHOWN | NP_FIELD_COMPARED)) != 0 && (field->flags & NP_FIELD_VEILED) == 0;
	return !is_text || field->values != NULL || is_told;
}

/* FALSE after a report when the value would show what a sensitive variable holds. */
static gboolean sensitive_check(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value,
                                const expansion *e)
{
	if (e->sensitive == NULL || !is_shown(field))
		return TRUE;
	if (np_diags_told(d->diags, NP_CODE_VARIABLE_SENSITIVE, value->pos))
		return FALSE;
	g_autofree char *where = np_label_format(label);
	np_diags_error(d->diags, NP_CODE_VARIABLE_SENSITIVE, value->pos,
	               "such variables may be in descriptions, sources of images, authorized_keys and inject",
	               "%s of %s cannot hold the sensitive variable '%s', since plans and messages show it",
	               field->name, where, e->sensitive->base.name);
	return FALSE;
}

static void pattern_report(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value,
                           const expansion *e)
{
	const char *empty = e->text[0] == '\0' ? "it is empty; " : "";
	g_auto(np_problem) problem = {.code = NP_CODE_FORMAT, .message = g_strconcat(empty, field->pattern_help, NULL)};
	expansion_report(d, label, field, value, e, &problem);
}

/* Numbers and booleans are written plain; octal modes, and texts that look like something else, in quotes: as every
 * other reader of YAML sees them. */
static gboolean style_check(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *value)
{
	gboolean wants_plain = field->type == NP_FIELD_UINT || field->type == NP_FIELD_BOOL;
	gboolean wants_text =
	        (field->type == NP_FIELD_STRING || field->type == NP_FIELD_STRINGS) && !(field->flags & NP_FIELD_ANY);
	gboolean is_plain = value->style == NP_DOC_PLAIN;
	g_auto(np_problem) problem = {.code = NP_CODE_QUOTES};
	if (np_text_has_expression(value->text))
		return TRUE;
	/* Where it is none either, that is what is wrong. */
	g_autofree char *meant = is_plain == wants_plain ? NULL : np_meant_hint(field, value->text);
	if (wants_plain && !is_plain && meant != NULL) {
		problem.message = g_strdup("it must not be in quotes");
	} else if (field->type == NP_FIELD_MODE && is_plain && meant != NULL) {
		problem.code = NP_CODE_MODE;
		problem.message = g_strdup("an octal number must be in quotes");
	} else if (wants_text && is_plain && np_scalar_core_type(value->text) != NULL) {
		problem.message =
		        g_strdup_printf("YAML reads it as %s, and it must be text", np_scalar_core_type(value->text));
	} else {
		return TRUE;
	}
	problem.hint = meant ? g_steal_pointer(&meant) : g_strdup_printf("write \"%s\"", value->text);
	value_report(d, label, field, value, value->text, &problem);
	return FALSE;
}

void np_decode_forget(np_decoder *d, gconstpointer member)
{
	if (d->lab->written != NULL)
		g_hash_table_remove(d->lab->written, member);
}

/* Remembers how a value with sensitive variables is to be printed. */
static void written_keep(np_decoder *d, gpointer member, expansion *e)
{
	np_decode_forget(d, member);
	if (e->written == NULL)
		return;
	if (d->lab->written == NULL)
		d->lab->written = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_hash_table_insert(d->lab->written, member, g_steal_pointer(&e->written));
}

/* True when a relative path climbs out of the folder it starts in. */
static gboolean path_leaves(const np_field *field, const char *path)
{
	int depth = 0;
	if (path[0] == '/' || np_path_is_home(path) || np_path_is_other(field, path))
		return FALSE;
	for (const char *c = path; *c != '\0';) {
		size_t length = strcspn(c, "/");
		if (length == 2 && strncmp(c, "..", 2) == 0)
			depth--;
		else if (length > 0 && !(length == 1 && *c == '.'))
			depth++;
		if (depth < 0)
			return TRUE;
		c += length + (c[length] == '/');
	}
	return FALSE;
}

static void path_check(np_decoder *d, const np_field *field, const np_doc_node *value, const expansion *e)
{
	if ((field->flags & NP_FIELD_PATH) != 0 && path_leaves(field, e->text))
		np_diags_error(d->diags, NP_CODE_PATH_OUTSIDE, value->pos,
		               "put the file into the lab's folder, or write an absolute path",
		               "the path '%s' leaves the folder of the lab file",
		               e->sensitive ? "(sensitive)" : e->text);
}

gboolean np_decode_scalar(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                          const np_doc_node *value)
{
	if (!scalar_expect(d, label, field, value) || !style_check(d, label, field, value))
		return FALSE;
	g_auto(expansion) e = {0};
	text_expand(d, field, value, &e);
	if (e.text == NULL || !sensitive_check(d, label, field, value, &e) ||
	    !np_decode_account(d, strlen(e.text), value->pos))
		return FALSE;
	g_auto(np_problem) problem = {0};
	if (!np_scalar_store(field, object, e.text, &problem)) {
		expansion_report(d, label, field, value, &e, &problem);
		return FALSE;
	}
	if (field->type == NP_FIELD_STRING && !np_decode_matches(d, field->pattern, e.text)) {
		pattern_report(d, label, field, value, &e);
		return FALSE;
	}
	path_check(d, field, value, &e);
	written_keep(d, np_field_member(field, object), &e);
	return TRUE;
}

/* Where the items of a list stand; NULL where nothing is said of them later. */
static GArray *items_keep(np_decoder *d, const np_field *field, const GPtrArray *strings)
{
	if ((field->flags & (NP_FIELD_PATH | NP_FIELD_LATE)) == 0)
		return NULL;
	if (d->lab->items == NULL)
		d->lab->items = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)(void (*)(void))g_array_unref);
	GArray *items = g_array_new(FALSE, FALSE, sizeof(np_pos));
	g_hash_table_insert(d->lab->items, (gpointer)strings, items);
	return items;
}

static void string_decode(np_decoder *d, const np_label *label, const np_field *field, GPtrArray *strings,
                          GArray *items, const np_doc_node *item)
{
	g_auto(expansion) e = {0};
	if (!scalar_expect(d, label, field, item) || !style_check(d, label, field, item))
		return;
	text_expand(d, field, item, &e);
	if (e.text == NULL || !np_decode_account(d, strlen(e.text), item->pos))
		return;
	if (!np_decode_matches(d, field->pattern, e.text))
		pattern_report(d, label, field, item, &e);
	path_check(d, field, item, &e);
	char *text = e.own ? g_steal_pointer(&e.own) : g_strdup(e.text);
	g_ptr_array_add(strings, text);
	if (items != NULL)
		g_array_append_val(items, item->pos);
	written_keep(d, text, &e);
}

void np_decode_strings(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                       const np_doc_node *value)
{
	GPtrArray *strings = np_strings_own(&NP_MEMBER(GPtrArray *, object, field));
	if (value->type != NP_DOC_LIST) {
		g_autofree char *where = np_label_format(label);
		np_diags_error(d->diags, NP_CODE_KIND, value->pos, "write it as [a, b]", "'%s' of %s must be a list",
		               field->name, where);
		return;
	}
	for (guint i = 0; i < strings->len; i++)
		np_decode_forget(d, strings->pdata[i]);
	g_ptr_array_set_size(strings, 0);
	GArray *items = items_keep(d, field, strings);
	for (guint32 i = 0; i < value->list->n && !d->stopped; i++)
		string_decode(d, label, field, strings, items, value->list->items[i]);
}
