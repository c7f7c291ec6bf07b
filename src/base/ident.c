/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ident.h"

#include <stdarg.h>
#include <string.h>

/* The version 5 UUID of "urn:nestplan:1" in RFC 4122's URL namespace. */
static const guint8 namespace_bytes[16] = {
        0xc9, 0x90, 0xa4, 0x6e, 0xbd, 0x2d, 0x54, 0xeb, 0x87, 0xba, 0x2a, 0x4a, 0x09, 0xcb, 0xcc, 0x87,
};

/* Hexadecimal digits of bytes; printf takes as long as the checksum. */
static char *hex_put(char *out, const guint8 *bytes, unsigned n)
{
	static const char digits[] = "0123456789abcdef";
	for (unsigned i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	return out;
}

/* Parts are joined by newlines, which no name contains, so that ("a", "bc") and ("ab", "c") differ. Short ones are put together
 * first: an update takes longer than copying them. */
static void checksum_parts(GChecksum *sum, const char *part, va_list parts)
{
	guchar joined[128];
	gsize n = 0;
	for (gboolean first = TRUE; part != NULL; part = va_arg(parts, const char *), first = FALSE) {
		gsize length = strlen(part);
		if (n + 1 + length > sizeof joined) {
			g_checksum_update(sum, joined, (gssize)n);
			n = 0;
		}
		if (!first)
			joined[n++] = '\n';
		if (n + length > sizeof joined) {
			g_checksum_update(sum, joined, (gssize)n);
			g_checksum_update(sum, (const guchar *)part, (gssize)length);
			n = 0;
			continue;
		}
		memcpy(joined + n, part, length);
		n += length;
	}
	g_checksum_update(sum, joined, (gssize)n);
}

char *np_ident_uuid(const char *part, ...)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
	g_checksum_update(sum, namespace_bytes, sizeof namespace_bytes);
	va_list parts;
	va_start(parts, part);
	checksum_parts(sum, part, parts);
	va_end(parts);

	guint8 d[20];
	gsize length = sizeof d;
	g_checksum_get_digest(sum, d, &length);
	d[6] = (guint8)((d[6] & 0x0f) | 0x50);
	d[8] = (guint8)((d[8] & 0x3f) | 0x80);
	static const unsigned groups[] = {4, 2, 2, 2, 6};
	char *text = g_malloc(37), *out = text;
	for (unsigned i = 0, at = 0; i < G_N_ELEMENTS(groups); at += groups[i++]) {
		out = hex_put(out, d + at, groups[i]);
		*out++ = i + 1 < G_N_ELEMENTS(groups) ? '-' : '\0';
	}
	return text;
}

char *np_ident_mac(const char *part, ...)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	va_list parts;
	va_start(parts, part);
	checksum_parts(sum, part, parts);
	va_end(parts);

	guint8 d[32];
	gsize length = sizeof d;
	g_checksum_get_digest(sum, d, &length);
	char *text = g_strdup("52:54:00:xx:xx:xx");
	for (unsigned i = 0; i < 3; i++)
		hex_put(text + 9 + 3 * i, d + i, 1);
	return text;
}

char *np_ident_sha256(const void *data, gssize length)
{
	gsize bytes = length < 0 ? strlen(data) : (gsize)length;
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, bytes);
}

char *np_ident_short(unsigned digits, const char *part, ...)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	va_list parts;
	va_start(parts, part);
	checksum_parts(sum, part, parts);
	va_end(parts);
	return g_strndup(g_checksum_get_string(sum), digits);
}

void np_sum_text(GChecksum *sum, const char *text)
{
	g_checksum_update(sum, (const guchar *)(text ? text : "\1"), text ? (gssize)strlen(text) + 1 : 2);
}
