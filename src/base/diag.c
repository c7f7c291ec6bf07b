/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"

#include <stdarg.h>
#include <string.h>

#define SHOWN_MAX   500 /* more of them help nobody; the rest is only counted */
#define WORD_SECRET 4   /* shorter secrets are hidden only where they stand as a word */

typedef struct {
	char *file, *text;
} source;

typedef struct {
	guint32 first, last;
	guint16 source;
} hidden_lines;

static void source_free(gpointer data)
{
	source *s = data;
	g_free(s->file);
	g_free(s->text);
	g_free(s);
}

static void lines_free(gpointer lines)
{
	if (lines != NULL)
		g_array_unref(lines);
}

np_diags *np_diags_new(const char *file)
{
	np_diags *diags = g_new0(np_diags, 1);
	diags->file = g_utf8_make_valid(file, -1);
	diags->list = g_ptr_array_new();
	diags->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	diags->sources = g_ptr_array_new_with_free_func(source_free);
	diags->lines = g_ptr_array_new_with_free_func(lines_free);
	diags->secrets = g_ptr_array_new_with_free_func(g_free);
	diags->hidden = g_array_new(FALSE, FALSE, sizeof(hidden_lines));
	return diags;
}

static void note_free(gpointer data)
{
	np_note *note = data;
	g_free(note->text);
	g_free(note);
}

static void diag_free(np_diag *diag)
{
	g_free(diag->message);
	g_free(diag->hint);
	g_clear_pointer(&diag->notes, g_ptr_array_unref);
	g_free(diag);
}

void np_diags_free(np_diags *diags)
{
	if (diags == NULL)
		return;
	for (guint i = 0; i < diags->list->len; i++)
		diag_free(diags->list->pdata[i]);
	g_ptr_array_unref(diags->list);
	g_hash_table_unref(diags->seen);
	g_ptr_array_unref(diags->sources);
	g_ptr_array_unref(diags->lines);
	g_ptr_array_unref(diags->secrets);
	g_array_unref(diags->hidden);
	g_free(diags->file);
	g_free(diags->text);
	g_free(diags);
}

guint16 np_diags_source(np_diags *diags, const char *file, const char *text)
{
	source *s = g_new0(source, 1);
	s->file = g_utf8_make_valid(file, -1);
	s->text = text ? g_utf8_make_valid(text, -1) : NULL;
	g_ptr_array_add(diags->sources, s);
	return (guint16)diags->sources->len;
}

static const source *source_find(const np_diags *diags, np_pos pos)
{
	return pos.source > 0 && pos.source <= diags->sources->len ? diags->sources->pdata[pos.source - 1] : NULL;
}

const char *np_diags_file(const np_diags *diags, np_pos pos)
{
	const source *s = source_find(diags, pos);
	return s ? s->file : diags->file;
}

const char *np_diags_text(const np_diags *diags, np_pos pos)
{
	const source *s = source_find(diags, pos);
	return s ? s->text : diags->text;
}

/* End of a line; YAML breaks lines at more than \n. *ret_length is the break's, 0 at the end of the text. */
static const char *line_end(const char *text, gsize *ret_length)
{
	const char *c = text;
	for (;; c++) {
		c += strcspn(c, "\n\r\xc2\xe2");
		if (*c == '\0' || *c == '\n')
			*ret_length = *c == '\n';
		else if (*c == '\r')
			*ret_length = c[1] == '\n' ? 2 : 1;
		else if (strncmp(c, "\xc2\x85", 2) == 0)
			*ret_length = 2;
		else if (strncmp(c, "\xe2\x80\xa8", 3) == 0 || strncmp(c, "\xe2\x80\xa9", 3) == 0)
			*ret_length = 3;
		else
			continue;
		return c;
	}
}

/* Starts of the lines of a text as far as `line`, so that many diagnostics of a long file do not search it each. */
static void lines_index(GArray *lines, const char *text, guint32 line)
{
	if (text != NULL && lines->len == 0)
		g_array_append_val(lines, text);
	while (lines->len > 0 && lines->len < line) {
		gsize length;
		const char *next = line_end(g_array_index(lines, const char *, lines->len - 1), &length);
		if (length == 0)
			return;
		next += length;
		g_array_append_val(lines, next);
	}
}

const char *np_diags_line(np_diags *diags, np_pos pos, gsize *ret_length)
{
	if (diags->lines->len <= pos.source)
		g_ptr_array_set_size(diags->lines, pos.source + 1);
	GArray *lines = diags->lines->pdata[pos.source];
	if (lines == NULL)
		diags->lines->pdata[pos.source] = lines = g_array_new(FALSE, FALSE, sizeof(const char *));
	lines_index(lines, np_diags_text(diags, pos), pos.line);
	if (pos.line == 0 || pos.line > lines->len)
		return NULL;
	gsize length;
	const char *line = g_array_index(lines, const char *, pos.line - 1);
	*ret_length = (gsize)(line_end(line, &length) - line);
	return line;
}

bool np_diags_full(const np_diags *diags)
{
	return diags->list->len >= SHOWN_MAX;
}

/* Longer ones come first: of one that begins with another, the rest would be left. */
void np_diags_secret(np_diags *diags, const char *text)
{
	guint at = 0;
	if (text[0] == '\0')
		return;
	while (at < diags->secrets->len && strlen(diags->secrets->pdata[at]) > strlen(text))
		at++;
	if (at < diags->secrets->len && strcmp(diags->secrets->pdata[at], text) == 0)
		return;
	g_ptr_array_insert(diags->secrets, (int)at, g_strdup(text));
}

void np_diags_hide(np_diags *diags, np_pos first, guint32 last)
{
	hidden_lines lines = {first.line, last, first.source};
	g_array_append_val(diags->hidden, lines);
}

bool np_diags_is_hidden(const np_diags *diags, np_pos pos)
{
	for (guint i = 0; i < diags->hidden->len; i++) {
		const hidden_lines *lines = &g_array_index(diags->hidden, hidden_lines, i);
		if (lines->source == pos.source && lines->first <= pos.line && pos.line <= lines->last)
			return true;
	}
	return false;
}

static bool is_word(const char *text, const char *found, size_t length)
{
	return (found == text || !g_ascii_isalnum(found[-1])) && !g_ascii_isalnum(found[length]);
}

/* Replaces a secret by `with`, or by as many stars as it has characters. */
static char *secret_hide(const char *text, const char *secret, const char *with)
{
	size_t length = strlen(secret);
	g_autoptr(GString) out = g_string_new(NULL);
	for (const char *c = text; *c != '\0';) {
		const char *found = strstr(c, secret);
		g_string_append_len(out, c, found ? found - c : (gssize)strlen(c));
		if (found == NULL)
			break;
		c = found + length;
		if (length < WORD_SECRET && !is_word(text, found, length))
			g_string_append(out, secret);
		else if (with != NULL)
			g_string_append(out, with);
		else
			for (glong i = g_utf8_strlen(secret, -1); i > 0; i--)
				g_string_append_c(out, '*');
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static char *secrets_hide(const np_diags *diags, const char *text, const char *with)
{
	char *hidden = g_strdup(text);
	for (guint i = 0; i < diags->secrets->len; i++) {
		char *next = secret_hide(hidden, diags->secrets->pdata[i], with);
		g_free(hidden);
		hidden = next;
	}
	return hidden;
}

char *np_diags_redact(const np_diags *diags, const char *text)
{
	return secrets_hide(diags, text, "(sensitive)");
}

char *np_diags_star(const np_diags *diags, const char *text)
{
	return secrets_hide(diags, text, NULL);
}

/* A copy that is safe to print: what came from a file must not steer a terminal. */
char *np_diags_clean(const np_diags *diags, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autofree char *hidden = np_diags_redact(diags, valid);
	g_autoptr(GString) copy = g_string_new(NULL);
	for (const char *c = hidden; *c != '\0'; c = g_utf8_next_char(c)) {
		gunichar u = g_utf8_get_char(c);
		if (u == '\n' || u == '\t')
			g_string_append(copy, u == '\n' ? "\\n" : "\\t");
		else
			g_string_append_unichar(copy, g_unichar_isprint(u) ? u : 0xfffd);
	}
	return g_string_free(g_steal_pointer(&copy), FALSE);
}

void np_diag_note(np_diag *diag, np_pos pos, const char *format, ...)
{
	np_note *note = g_new0(np_note, 1);
	va_list arguments;
	va_start(arguments, format);
	note->text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	note->pos = pos;
	if (diag->notes == NULL)
		diag->notes = g_ptr_array_new_with_free_func(note_free);
	g_ptr_array_add(diag->notes, note);
}

static void notes_clean(const np_diags *diags, const np_diag *diag)
{
	for (guint i = 0; diag->notes != NULL && i < diag->notes->len; i++) {
		np_note *note = diag->notes->pdata[i];
		char *clean = np_diags_clean(diags, note->text);
		g_free(note->text);
		note->text = clean;
	}
}

void np_diags_add(np_diags *diags, unsigned code, np_severity severity, np_pos pos, const char *hint,
                  const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	g_autofree char *message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	if (!g_hash_table_add(diags->seen, g_strdup_printf("%u:%u:%u:%s", pos.source, pos.line, pos.col, message)))
		return;

	if (diags->strict)
		severity = NP_SEVERITY_ERROR;
	if (severity == NP_SEVERITY_ERROR)
		diags->errors++;
	else
		diags->warnings++;
	if (np_diags_full(diags))
		return;
	np_diag *diag = g_new0(np_diag, 1);
	diag->severity = severity;
	diag->code = code;
	diag->pos = pos;
	diag->message = np_diags_clean(diags, message);
	diag->hint = hint ? np_diags_clean(diags, hint) : NULL;
	if (diags->annotate != NULL)
		diags->annotate(diags, diag, diags->annotate_data);
	notes_clean(diags, diag);
	g_ptr_array_add(diags->list, diag);
}

static int diag_compare(gconstpointer a, gconstpointer b)
{
	const np_diag *x = *(np_diag *const *)a, *y = *(np_diag *const *)b;
	if (x->pos.source != y->pos.source)
		return x->pos.source < y->pos.source ? -1 : 1;
	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	if (x->pos.col != y->pos.col)
		return x->pos.col < y->pos.col ? -1 : 1;
	return strcmp(x->message, y->message);
}

bool np_diags_has(const np_diags *diags, unsigned code, np_pos pos)
{
	for (guint i = 0; i < diags->list->len; i++) {
		const np_diag *diag = diags->list->pdata[i];
		if (diag->code == code && diag->pos.source == pos.source && diag->pos.line == pos.line && diag->pos.col == pos.col)
			return true;
	}
	return false;
}

bool np_diags_told(np_diags *diags, unsigned code, np_pos pos)
{
	char *key = g_strdup_printf("%u:%u:%u#%u", pos.source, pos.line, pos.col, code);
	return !g_hash_table_add(diags->seen, key);
}

void np_diags_sort(np_diags *diags)
{
	g_ptr_array_sort(diags->list, diag_compare);
}

char *np_code_format(unsigned code)
{
	return g_strdup_printf("NP%04u", code);
}
