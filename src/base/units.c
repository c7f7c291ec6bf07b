/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <string.h>

typedef struct {
	const char *name;
	guint64 factor;
} unit;

#define KIB G_GUINT64_CONSTANT(1024)
#define KB  G_GUINT64_CONSTANT(1000)

/* Binary units first and from small to large: np_size_format walks them backwards. */
static const unit size_units[] = {
        {"B", 1},
        {"KiB", KIB},
        {"MiB", KIB *KIB},
        {"GiB", KIB *KIB *KIB},
        {"TiB", KIB *KIB *KIB *KIB},
        {"PiB", KIB *KIB *KIB *KIB *KIB},
        {"kB", KB},
        {"KB", KB},
        {"MB", KB *KB},
        {"GB", KB *KB *KB},
        {"TB", KB *KB *KB *KB},
        {"PB", KB *KB *KB *KB *KB},
};
#define N_BINARY 6

static const unit duration_units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000},
};

guint64 np_size_up(guint64 bytes, guint64 whole)
{
	guint64 over = bytes % whole;
	return over && bytes <= G_MAXUINT64 - whole ? bytes - over + whole : bytes;
}

const char *np_uint_text(guint64 number, char text[NP_UINT_TEXT])
{
	char *begin = text + NP_UINT_TEXT - 1;
	*begin = '\0';
	do
		*--begin = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return begin;
}

/* Reads digits; false when there is none or the number does not fit. */
static bool digits_parse(const char **text, guint64 *ret, const char **why)
{
	const char *c = *text;
	guint64 value = 0;
	if (!g_ascii_isdigit(*c)) {
		*why = "it must start with a whole number";
		return false;
	}
	for (; g_ascii_isdigit(*c); c++) {
		if (!g_uint64_checked_mul(&value, value, 10) ||
		    !g_uint64_checked_add(&value, value, (guint64)(*c - '0'))) {
			*why = "the number is too large";
			return false;
		}
	}
	*ret = value;
	*text = c;
	return true;
}

static const unit *unit_find(const unit *units, size_t n, const char *name, size_t length)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == length && strncmp(units[i].name, name, length) == 0)
			return &units[i];
	return NULL;
}

bool np_size_parse(const char *text, guint64 *ret_bytes, const char **why)
{
	guint64 value;
	if (!digits_parse(&text, &value, why))
		return false;
	if (*text == '.') {
		*why = "fractions are not possible; use a smaller unit";
		return false;
	}
	while (*text == ' ')
		text++;
	if (*text == '\0') {
		*why = "a size needs a unit, such as MiB or GiB";
		return false;
	}
	const unit *found = unit_find(size_units, G_N_ELEMENTS(size_units), text, strlen(text));
	if (found == NULL) {
		*why = "the unit must be one of B, KiB, MiB, GiB, TiB, PiB, kB, MB, GB, TB, PB";
		return false;
	}
	if (!g_uint64_checked_mul(&value, value, found->factor)) {
		*why = "the number is too large";
		return false;
	}
	*ret_bytes = value;
	return true;
}

const char *np_size_text(guint64 bytes, char text[NP_SIZE_TEXT])
{
	size_t i = bytes == 0 ? 0 : N_BINARY - 1;
	while (bytes % size_units[i].factor != 0)
		i--;
	char digits[NP_UINT_TEXT];
	g_stpcpy(g_stpcpy(text, np_uint_text(bytes / size_units[i].factor, digits)), size_units[i].name);
	return text;
}

char *np_size_format(guint64 bytes)
{
	char text[NP_SIZE_TEXT];
	return g_strdup(np_size_text(bytes, text));
}

char *np_size_human(guint64 bytes)
{
	size_t i = N_BINARY - 1;
	while (i > 0 && bytes < size_units[i].factor)
		i--;
	guint64 factor = size_units[i].factor, whole = bytes / factor;
	guint64 tenth = (bytes % factor) / (factor / 10 > 0 ? factor / 10 : 1);
	if (whole < 100 && tenth > 0 && i > 0)
		return g_strdup_printf("%" G_GUINT64_FORMAT ".%u %s", whole, (unsigned)MIN(tenth, 9),
		                       size_units[i].name);
	return g_strdup_printf("%" G_GUINT64_FORMAT " %s", whole, size_units[i].name);
}

bool np_duration_parse(const char *text, guint64 *ret_ms, const char **why)
{
	guint64 total = 0;
	do {
		guint64 value;
		if (!digits_parse(&text, &value, why))
			return false;
		size_t length = strcspn(text, "0123456789");
		if (length == 0) {
			*why = "a duration needs a unit, as in 90s, 10m or 1h30m";
			return false;
		}
		const unit *found = unit_find(duration_units, G_N_ELEMENTS(duration_units), text, length);
		if (found == NULL) {
			*why = "the unit must be one of ms, s, m, h, d";
			return false;
		}
		if (!g_uint64_checked_mul(&value, value, found->factor) ||
		    !g_uint64_checked_add(&total, total, value)) {
			*why = "the number is too large";
			return false;
		}
		text += length;
	} while (*text != '\0');
	*ret_ms = total;
	return true;
}

char *np_duration_format(guint64 ms)
{
	if (ms == 0)
		return g_strdup("0s");
	g_autoptr(GString) text = g_string_new(NULL);
	for (size_t i = G_N_ELEMENTS(duration_units); i-- > 0;) {
		guint64 value = ms / duration_units[i].factor;
		if (value > 0)
			g_string_append_printf(text, "%" G_GUINT64_FORMAT "%s", value, duration_units[i].name);
		ms %= duration_units[i].factor;
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}
