/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/text.h"

#include <string.h>

#include "lab/codes.h"

np_pos np_text_pos(const char *text, gsize offset, guint16 source)
{
	np_pos pos = {.line = 1, .col = 1, .source = source};
	for (const char *c = text; c < text + offset; c++) {
		if (*c == '\n')
			pos = (np_pos){.line = pos.line + 1, .col = 1, .source = source};
		else
			pos.col += ((guchar)*c & 0xc0) != 0x80;
	}
	return pos;
}

gboolean np_text_check(const char *text, gsize length, guint16 source, np_diags *diags)
{
	np_pos top = {.source = source};
	const char *bad;
	if (length > NP_TEXT_MAX) {
		np_diags_error(diags, NP_CODE_FILE_TOO_LARGE, top, "make similar nodes with 'count' and 'types'",
		               "the file is larger than 48 MiB");
		return FALSE;
	}
	if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		np_diags_error(diags, NP_CODE_FILE_ENCODING, top, "save it as UTF-8", "the file is written in UTF-16");
		return FALSE;
	}
	if (g_utf8_validate(text, (gssize)length, &bad))
		return TRUE;
	np_pos pos = np_text_pos(text, (gsize)(bad - text), source);
	if (*bad == '\0')
		np_diags_error(diags, NP_CODE_FILE_NUL, pos, "is it really a lab file?",
		               "the file contains a NUL byte");
	else
		np_diags_error(diags, NP_CODE_FILE_ENCODING, pos, "save it as UTF-8",
		               "the file is not UTF-8: byte 0x%02x", (guchar)*bad);
	return FALSE;
}
