/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wrap.h"

#include <stdbool.h>
#include <string.h>

char *np_wrap(const char *text, unsigned used, unsigned width, unsigned indent)
{
	GString *out = g_string_new(NULL);
	glong column = used;
	bool begun = false; /* a word is in this line */
	for (const char *word = text; *word;) {
		if (*word == '\n') {
			g_string_append_c(out, *word++);
			column = 0;
			begun = false;
			continue;
		}
		gsize spaces = strspn(word, " "), length = strcspn(word + spaces, " \n");
		glong wide = g_utf8_strlen(word + spaces, (gssize)length);
		if (begun && spaces && length && column + (glong)spaces + wide > (glong)width) {
			g_string_append_printf(out, "\n%*s", (int)indent, "");
			column = indent;
			spaces = 0;
			word += strspn(word, " ");
		}
		g_string_append_len(out, word, (gssize)(spaces + length));
		column += (glong)spaces + wide;
		word += spaces + length;
		begun = true;
	}
	return g_string_free(out, FALSE);
}
