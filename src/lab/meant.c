/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/meant.h"

#include <string.h>

#include "base/units.h"
#include "lab/scalar.h"

static char *boolean_hint(const char *text)
{
	static const char *const yes[] = {"true", "yes", "on", "y", "t", "enable", "enabled", "1", NULL};
	static const char *const no[] = {"false", "no", "off", "n", "f", "disable", "disabled", "0", NULL};
	g_autofree char *word = g_ascii_strdown(text, -1);
	gboolean is_yes = g_strv_contains(yes, word);
	return is_yes || g_strv_contains(no, word) ? g_strdup_printf("write %s", is_yes ? "true" : "false") : NULL;
}

/* A number in any of YAML's forms, or with underscores between its digits. */
static gboolean number_read(const char *text, double *ret)
{
	g_auto(GStrv) parts = g_strsplit(text, "_", -1);
	g_autofree char *joined = g_strjoinv(NULL, parts);
	const char *is = np_scalar_core_type(joined);
	if (is == NULL || is[2] != 'n' || strpbrk(joined, "0123456789") == NULL)
		return FALSE;
	*ret = g_str_has_prefix(joined, "0o") ? (double)g_ascii_strtoull(joined + 2, NULL, 8)
	       : g_str_has_prefix(joined, "0x") ? (double)g_ascii_strtoull(joined + 2, NULL, 16)
	                                        : g_ascii_strtod(joined, NULL);
	return TRUE;
}

/* Beyond that a double has not all whole numbers. */
#define EXACT 0x1p53

static gboolean is_whole(double number)
{
	return number >= EXACT || (number >= 0 && (double)(guint64)number == number);
}

/* The nearest that the field takes, of a fraction the one below. */
static guint64 number_clamp(const np_field *field, double number)
{
	if (number <= (double)field->min)
		return field->min;
	guint64 most = field->max > 0 ? field->max : (guint64)EXACT;
	return number >= (double)most ? most : (guint64)number;
}

static char *number_hint(const np_field *field, const char *text)
{
	double number;
	if (!number_read(text, &number))
		return NULL;
	guint64 low = number_clamp(field, number), high = is_whole(number) ? low : number_clamp(field, number + 1);
	return low == high ? g_strdup_printf("write %" G_GUINT64_FORMAT, low)
	                   : g_strdup_printf("write %" G_GUINT64_FORMAT " or %" G_GUINT64_FORMAT, low, high);
}

/* "1.5GiB" as "1536MiB". Caller frees; NULL: it is none, or no whole number of the smallest unit. */
static char *fraction_hint(const char *text, gboolean is_size)
{
	char *unit;
	const char *why;
	guint64 factor;
	double number = g_ascii_strtod(text, &unit);
	g_autofree char *one = g_strconcat("1", unit, NULL);
	gboolean known = is_size ? np_size_parse(one, &factor, &why) : np_duration_parse(one, &factor, &why);
	if (!known || !(number * (double)factor >= 1) || number * (double)factor >= EXACT)
		return NULL;
	guint64 value = (guint64)(number * (double)factor);
	if ((double)value != number * (double)factor)
		return NULL;
	g_autofree char *meant = is_size ? np_size_format(value) : np_duration_format(value);
	return g_strconcat("write ", meant, NULL);
}

/* A unit for a number alone, in whatever form of YAML's it is. */
static char *bare_hint(double number, gboolean is_size)
{
	if (number < 1 || number >= EXACT || !is_whole(number))
		return NULL;
	guint64 n = (guint64)number;
	return g_strdup_printf("write %" G_GUINT64_FORMAT "%s or %" G_GUINT64_FORMAT "%s", n, is_size ? "MiB" : "s", n,
	                       is_size ? "GiB" : "m");
}

static char *size_unit_hint(int digits, const char *text, const char *unit)
{
	static const char *const sizes[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "kB", "MB", "GB", "TB", "PB", NULL};
	static const char *const shorts[] = {"Ki", "Mi", "Gi", "Ti", "Pi", "k", "M", "G", "T", "P", NULL};
	for (unsigned i = 0; !g_strv_contains(sizes, unit) && sizes[i] != NULL; i++)
		if (g_ascii_strcasecmp(unit, sizes[i]) == 0 || g_ascii_strcasecmp(unit, shorts[i]) == 0)
			return i < 5 || strlen(unit) > 1 ? g_strdup_printf("write %.*s%s", digits, text, sizes[i])
			                                 : g_strdup_printf("write %.*s%s or %.*s%s", digits, text, sizes[i - 5],
			                                                   digits, text, sizes[i]);
	return NULL;
}

static char *duration_unit_hint(int digits, const char *text, const char *unit)
{
	static const char *const words[][6] = {{"ms", "msec", "millis", "milliseconds", NULL},
	                                       {"s", "sec", "secs", "second", "seconds", NULL},
	                                       {"m", "min", "mins", "minute", "minutes", NULL},
	                                       {"h", "hr", "hrs", "hour", "hours", NULL},
	                                       {"d", "day", "days", NULL}};
	g_autofree char *word = g_ascii_strdown(unit, -1);
	gboolean spaced = unit > text + digits;
	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
		if ((spaced || strcmp(words[i][0], unit) != 0) && g_strv_contains(words[i], word))
			return g_strdup_printf("write %.*s%s", digits, text, words[i][0]);
	return NULL;
}

static char *quantity_hint(const char *text, gboolean is_size)
{
	double number;
	if (number_read(text, &number))
		return bare_hint(number, is_size);
	const char *why;
	guint64 value;
	if (text[0] == '+' && (is_size ? np_size_parse : np_duration_parse)(++text, &value, &why))
		return g_strconcat("write ", text, NULL);
	int digits = (int)strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");
	if (digits == 0)
		return NULL;
	if (*unit == '.')
		return fraction_hint(text, is_size);
	return is_size ? size_unit_hint(digits, text, unit) : duration_unit_hint(digits, text, unit);
}

/* Octal digits in quotes, however the number was marked as octal. */
static char *mode_hint(const char *text)
{
	const char *digits = text + (g_str_has_prefix(text, "0o") || g_str_has_prefix(text, "0O") ? 2 : 0);
	size_t length = strspn(digits, "01234567");
	if (digits[length] != '\0' || length < 3 || length > 4)
		return NULL;
	return g_strdup_printf("write \"%s%s\"", digits > text && length == 3 ? "0" : "", digits);
}

char *np_meant_hint(const np_field *field, const char *text)
{
	switch (field->type) {
	case NP_FIELD_BOOL: return boolean_hint(text);
	case NP_FIELD_UINT: return number_hint(field, text);
	case NP_FIELD_SIZE: return quantity_hint(text, TRUE);
	case NP_FIELD_DURATION: return quantity_hint(text, FALSE);
	case NP_FIELD_MODE: return mode_hint(text);
	default: return NULL;
	}
}
