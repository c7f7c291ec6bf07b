/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"

#include <stdarg.h>
#include <string.h>

#define SHOWN_MAX 500 /* more of them help nobody; the rest is only counted */
#define WINDOW    160 /* widest part of a source line that is shown */

np_diags *np_diags_new(const char *file)
{
	np_diags *diags = g_new0(np_diags, 1);
	diags->file = g_utf8_make_valid(file, -1);
	diags->list = g_ptr_array_new();
	diags->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return diags;
}

static void diag_free(np_diag *diag)
{
	g_free(diag->message);
	g_free(diag->hint);
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
	g_free(diags->file);
	g_free(diags->text);
	g_free(diags);
}

/* A copy that is safe to print: what came from a file must not steer a terminal. */
static char *printable(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autoptr(GString) copy = g_string_new(NULL);
	for (const char *c = valid; *c != '\0'; c = g_utf8_next_char(c)) {
		gunichar u = g_utf8_get_char(c);
		if (u == '\n' || u == '\t')
			g_string_append(copy, u == '\n' ? "\\n" : "\\t");
		else
			g_string_append_unichar(copy, g_unichar_isprint(u) ? u : 0xfffd);
	}
	return g_string_free(g_steal_pointer(&copy), FALSE);
}

void np_diags_add(np_diags *diags, np_severity severity, np_pos pos, const char *hint, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	g_autofree char *message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	if (!g_hash_table_add(diags->seen, g_strdup_printf("%u:%u:%s", pos.line, pos.col, message)))
		return;

	if (severity == NP_SEVERITY_ERROR)
		diags->errors++;
	else
		diags->warnings++;
	if (diags->list->len >= SHOWN_MAX)
		return;
	np_diag *diag = g_new0(np_diag, 1);
	diag->severity = severity;
	diag->pos = pos;
	diag->message = printable(message);
	diag->hint = hint ? printable(hint) : NULL;
	g_ptr_array_add(diags->list, diag);
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

/* Starts of the lines of a text, so that many diagnostics of a long file do not search it each. */
static GArray *lines_index(const char *text)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(const char *));
	gsize length = 1;
	while (text != NULL && length > 0) {
		g_array_append_val(lines, text);
		text = line_end(text, &length);
		text += length;
	}
	return lines;
}

/* One source line as it is shown: the characters from `skip` on, and where the caret comes. */
static void source_render(GString *out, const char *line, np_pos pos, const char *mark, const char *reset)
{
	gsize break_length;
	const char *end = line_end(line, &break_length);
	guint32 col = MAX(pos.col, 1) - 1, skip = 0;
	if (col > WINDOW / 2 && g_utf8_strlen(line, end - line) > WINDOW)
		skip = col - WINDOW / 2;
	g_autoptr(GString) caret = g_string_new(NULL);
	guint32 i = 0, last = col + MAX(pos.len, 1);

	g_string_append_printf(out, "%5u | %s", pos.line, skip > 0 ? "…" : "");
	g_string_append(caret, skip > 0 ? " " : "");
	for (const char *c = line; c < end && i < skip + WINDOW; c = g_utf8_next_char(c), i++) {
		gunichar u = g_utf8_get_char(c);
		if (i < skip)
			continue;
		gboolean shown = u == '\t' || g_unichar_isprint(u) || g_unichar_iszerowidth(u);
		g_string_append_unichar(out, shown ? u : 0xfffd);
		if (i >= last)
			continue;
		const char *under = i == col ? "^" : i > col ? "~" : u == '\t' ? "\t" : " ";
		g_string_append(caret, g_unichar_iszerowidth(u) && i != col ? "" : under);
		if (g_unichar_iswide(u))
			g_string_append(caret, i >= col ? "~" : " ");
	}
	if (i <= col) /* at or behind the end of the line */
		g_string_append_printf(caret, "%*s", (int)MIN(col - i, WINDOW) + 1, "^");
	g_string_append_printf(out, "\n      | %s%s%s\n", mark, caret->str, reset);
}

static int diag_compare(gconstpointer a, gconstpointer b)
{
	const np_diag *const *x = a, *const *y = b;
	if ((*x)->pos.line != (*y)->pos.line)
		return (*x)->pos.line < (*y)->pos.line ? -1 : 1;
	if ((*x)->pos.col != (*y)->pos.col)
		return (*x)->pos.col < (*y)->pos.col ? -1 : 1;
	return strcmp((*x)->message, (*y)->message);
}

static void diag_render(GString *out, const np_diags *diags, const GArray *lines, const np_diag *diag, bool colour)
{
	bool is_error = diag->severity == NP_SEVERITY_ERROR;
	const char *reset = colour ? "\033[0m" : "", *bold = colour ? "\033[1m" : "", *cyan = colour ? "\033[36m" : "";
	const char *mark = !colour ? "" : is_error ? "\033[1;31m" : "\033[1;35m";

	g_string_append_printf(out, "%s%s:", bold, diags->file);
	if (diag->pos.line > 0)
		g_string_append_printf(out, "%u:%u:", diag->pos.line, MAX(diag->pos.col, 1));
	g_string_append_printf(out, "%s %s%s:%s %s%s%s\n", reset, mark, is_error ? "error" : "warning", reset, bold,
	                       diag->message, reset);
	if (diag->pos.line > 0 && diag->pos.line <= lines->len)
		source_render(out, g_array_index(lines, const char *, diag->pos.line - 1), diag->pos, mark, reset);
	if (diag->hint != NULL)
		g_string_append_printf(out, "      = %shint:%s %s\n", cyan, reset, diag->hint);
}

char *np_diags_render(np_diags *diags, bool colour)
{
	g_autoptr(GArray) lines = lines_index(diags->text);
	g_autoptr(GString) out = g_string_new(NULL);
	g_ptr_array_sort(diags->list, diag_compare);
	for (guint i = 0; i < diags->list->len; i++)
		diag_render(out, diags, lines, diags->list->pdata[i], colour);
	unsigned more = diags->errors + diags->warnings - diags->list->len;
	if (more > 0)
		g_string_append_printf(out, "%s: %u more like these\n", diags->file, more);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

#define WORD_MAX 64

/* Edit distance where swapping two neighbours counts as one. */
static unsigned word_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = MIN(MIN(row[j - 1], above[j]) + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], above2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

const char *np_nearest(const char *word, const char *const *candidates)
{
	size_t length = strlen(word);
	const char *nearest = NULL;
	unsigned best = (unsigned)(length + 2) / 3 + 1;
	for (; length <= WORD_MAX && *candidates != NULL; candidates++) {
		size_t other = strlen(*candidates);
		if (other > WORD_MAX)
			continue;
		unsigned distance = word_distance(word, length, *candidates, other);
		/* A word that shares nothing with the candidate is not a misspelling of it. */
		if (distance < best && distance < MAX(length, other)) {
			best = distance;
			nearest = *candidates;
		}
	}
	return nearest;
}
