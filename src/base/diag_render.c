/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics as text: the source line, a caret under what is meant, hint and notes. */
#include <string.h>

#include "base/diag.h"

#define WINDOW 160 /* widest part of a source line that is shown */

typedef struct {
	np_diags *diags;
	const char *reset, *bold, *cyan;
} painter;

/* One source line as it is shown: the characters from `skip` on, and where the caret comes. */
static void source_render(GString *out, const char *line, np_pos pos, const char *mark, const char *reset)
{
	const char *end = line + strlen(line);
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

/* The line a place is in, with secrets starred; NULL when it is not known. Caller frees. */
static char *line_at(const painter *p, np_pos pos)
{
	gsize length;
	const char *line = np_diags_line(p->diags, pos, &length);
	g_autofree char *copy = line ? g_strndup(line, length) : NULL;
	return copy ? np_diags_star(p->diags, copy) : NULL;
}

static void place_render(const painter *p, GString *out, np_pos pos)
{
	g_string_append_printf(out, "%s%s:", p->bold, np_diags_file(p->diags, pos));
	if (pos.line > 0)
		g_string_append_printf(out, "%u:%u:", pos.line, MAX(pos.col, 1));
	g_string_append_printf(out, "%s ", p->reset);
}

static void line_render(const painter *p, GString *out, np_pos pos, const char *mark)
{
	g_autofree char *line = line_at(p, pos);
	if (line != NULL && np_diags_is_hidden(p->diags, pos))
		g_string_append_printf(out, "%5u | (sensitive)\n", pos.line);
	else if (line != NULL)
		source_render(out, line, pos, mark, p->reset);
}

static void note_render(const painter *p, GString *out, const np_note *note)
{
	if (note->pos.line == 0) {
		g_string_append_printf(out, "      = %snote:%s %s\n", p->cyan, p->reset, note->text);
		return;
	}
	place_render(p, out, note->pos);
	g_string_append_printf(out, "%snote:%s %s\n", p->cyan, p->reset, note->text);
	line_render(p, out, note->pos, p->cyan);
}

static void diag_render(const painter *p, GString *out, const np_diag *diag, bool colour)
{
	bool is_error = diag->severity == NP_SEVERITY_ERROR;
	const char *mark = !colour ? "" : is_error ? "\033[1;31m" : "\033[1;35m";
	g_autofree char *code = diag->code > 0 ? np_code_format(diag->code) : NULL;

	place_render(p, out, diag->pos);
	g_string_append_printf(out, "%s%s:%s %s%s%s", mark, is_error ? "error" : "warning", p->reset, p->bold,
	                       diag->message, p->reset);
	if (code != NULL)
		g_string_append_printf(out, " [%s]", code);
	g_string_append_c(out, '\n');
	line_render(p, out, diag->pos, mark);
	if (diag->hint != NULL)
		g_string_append_printf(out, "      = %shint:%s %s\n", p->cyan, p->reset, diag->hint);
	for (guint i = 0; diag->notes != NULL && i < diag->notes->len; i++)
		note_render(p, out, diag->notes->pdata[i]);
}

char *np_diags_render(np_diags *diags, bool colour)
{
	g_autoptr(GString) out = g_string_new(NULL);
	painter p = {diags, colour ? "\033[0m" : "", colour ? "\033[1m" : "", colour ? "\033[36m" : ""};
	np_diags_sort(diags);
	for (guint i = 0; i < diags->list->len; i++)
		diag_render(&p, out, diags->list->pdata[i], colour);
	unsigned more = diags->errors + diags->warnings - diags->list->len;
	if (more > 0)
		g_string_append_printf(out, "%s: %u more like these\n", diags->file, more);
	return g_string_free(g_steal_pointer(&out), FALSE);
}
