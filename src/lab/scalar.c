/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/scalar.h"

#include <string.h>

#include "base/units.h"
#include "lab/lab.h"
#include "lab/meant.h"
#include "lab/walk.h"

gboolean np_text_is_url(const char *text)
{
	const char *c = text;
	while (g_ascii_isalnum(*c) || (c > text && strchr("+-.", *c) != NULL && *c != '\0'))
		c++;
	return g_ascii_isalpha(*text) && g_str_has_prefix(c, "://");
}

gboolean np_path_is_home(const char *path)
{
	return path[0] == '~' && (path[1] == '/' || path[1] == '\0');
}

gboolean np_path_is_other(const np_field *field, const char *text)
{
	static const char *const keys[] = {"ssh-", "ecdsa-", "sk-", NULL};
	for (unsigned i = 0; (field->flags & NP_FIELD_KEY) != 0 && keys[i] != NULL; i++)
		if (g_str_has_prefix(text, keys[i]) && strchr(text, ' ') != NULL)
			return TRUE;
	return (field->flags & NP_FIELD_URL) != 0 && np_text_is_url(text);
}

const char *np_scalar_words(np_field_type type)
{
	switch (type) {
	case NP_FIELD_BOOL: return "true or false";
	case NP_FIELD_UINT: return "a whole number";
	case NP_FIELD_SIZE: return "a size such as 8GiB";
	case NP_FIELD_DURATION: return "a duration such as 10m";
	case NP_FIELD_MODE: return "a quoted octal number such as \"0644\"";
	case NP_FIELD_CIDR: return "an IPv4 range such as 10.20.0.0/24";
	case NP_FIELD_IP: return "an IPv4 address such as 10.20.0.31";
	default: return "text";
	}
}

/* [-+]? (digits | digits? . digits?) ([eE][-+]?digits)?, 0o…, 0x…, .inf, .nan */
static gboolean is_number(const char *text)
{
	static const char *const odd[] = {".nan", ".NaN", ".NAN", NULL}, *const inf[] = {".inf", ".Inf", ".INF", NULL};
	const char *c = text + (text[0] == '-' || text[0] == '+');
	if (g_strv_contains(odd, text) || g_strv_contains(inf, c))
		return TRUE;
	if (text[0] == '0' && (text[1] == 'o' || text[1] == 'x'))
		return text[2] != '\0' &&
		       strspn(text + 2, text[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF") == strlen(text + 2);
	size_t whole = strspn(c, "0123456789"), part = c[whole] == '.' ? strspn(c + whole + 1, "0123456789") : 0;
	if (whole + part == 0)
		return FALSE;
	c += whole + (c[whole] == '.' ? 1 + part : 0);
	if (*c == 'e' || *c == 'E') {
		c += 1 + (c[1] == '-' || c[1] == '+');
		return *c != '\0' && strspn(c, "0123456789") == strlen(c);
	}
	return *c == '\0';
}

const char *np_scalar_core_type(const char *text)
{
	static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	if (strchr("0123456789+-.", text[0]) != NULL && text[0] != '\0')
		return is_number(text) ? "a number" : NULL;
	if (strchr("tTfF~nN", text[0]) == NULL)
		return NULL;
	return g_strv_contains(booleans, text) ? "a boolean" : g_strv_contains(nulls, text) ? "null" : NULL;
}

static gboolean fail(np_problem *problem, np_code code, const char *message)
{
	problem->code = code;
	problem->message = g_strdup(message);
	return FALSE;
}

static gboolean bool_store(const np_field *field, const char *text, gboolean *ret, np_problem *problem)
{
	gboolean value = strcmp(text, "true") == 0;
	if (value || strcmp(text, "false") == 0) {
		*ret = value;
		return TRUE;
	}
	problem->hint = np_meant_hint(field, text);
	return fail(problem, NP_CODE_BOOLEAN, "it must be true or false");
}

/* Bounds in the words of the field's own unit. */
static gboolean bounds_check(const np_field *field, guint64 value, np_problem *problem)
{
	gboolean low = value < field->min;
	if (!low && (field->max == 0 || value <= field->max))
		return TRUE;
	guint64 bound = low ? field->min : field->max;
	g_autofree char *text = field->type == NP_FIELD_SIZE       ? np_size_format(bound)
	                        : field->type == NP_FIELD_DURATION ? np_duration_format(bound)
	                                                           : g_strdup_printf("%" G_GUINT64_FORMAT, bound);
	problem->code = field->type == NP_FIELD_SIZE       ? NP_CODE_SIZE
	                : field->type == NP_FIELD_DURATION ? NP_CODE_DURATION
	                                                   : NP_CODE_NUMBER;
	problem->message = g_strdup_printf("it must be at %s %s", low ? "least" : "most", text);
	problem->hint = g_strdup_printf("write %s", text);
	return FALSE;
}

static gboolean uint_store(const np_field *field, const char *text, guint64 *ret, np_problem *problem)
{
	guint64 value;
	gboolean is_digits = text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
	if (!is_digits || (text[0] == '0' && text[1] != '\0')) {
		problem->hint = np_meant_hint(field, text);
		return fail(problem, NP_CODE_NUMBER,
		            is_digits ? "it must not start with 0, which some take for octal" : "it must be a whole number");
	}
	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &value, NULL))
		value = G_MAXUINT64; /* beyond all limits */
	if (!bounds_check(field, value, problem))
		return FALSE;
	*ret = value;
	return TRUE;
}

static gboolean quantity_store(const np_field *field, const char *text, guint64 *ret, np_problem *problem)
{
	const char *why;
	guint64 value;
	gboolean is_size = field->type == NP_FIELD_SIZE;
	if (is_size ? !np_size_parse(text, &value, &why) : !np_duration_parse(text, &value, &why)) {
		problem->hint = np_meant_hint(field, text);
		return fail(problem, is_size ? NP_CODE_SIZE : NP_CODE_DURATION, why);
	}
	if (!bounds_check(field, value, problem))
		return FALSE;
	*ret = value;
	return TRUE;
}

/* Index of `text` in the field's values. */
static gboolean enum_find(const np_field *field, const char *text, int *ret, np_problem *problem)
{
	for (int i = 0; field->values[i] != NULL; i++) {
		if (strcmp(field->values[i], text) == 0) {
			*ret = i;
			return TRUE;
		}
	}
	g_autofree char *all = g_strjoinv(", ", (char **)field->values);
	const char *nearest = np_nearest(text, field->values);
	problem->code = NP_CODE_CHOICE;
	problem->message = g_strdup_printf("it must be one of %s", all);
	problem->hint = nearest ? g_strdup_printf("did you mean '%s'?", nearest) : NULL;
	return FALSE;
}

static gboolean string_store(const np_field *field, const char *text, char **ret, np_problem *problem)
{
	int unused;
	if (field->values != NULL && !enum_find(field, text, &unused, problem))
		return FALSE;
	g_free(*ret);
	*ret = g_strdup(text);
	return TRUE;
}

static gboolean mode_store(const np_field *field, const char *text, guint32 *ret, np_problem *problem)
{
	guint64 value;
	if (strlen(text) < 3 || strlen(text) > 4 || !g_ascii_string_to_unsigned(text, 8, 0, 07777, &value, NULL)) {
		problem->hint = np_meant_hint(field, text);
		return fail(problem, NP_CODE_MODE, "it must be three or four octal digits such as \"0644\"");
	}
	*ret = (guint32)value;
	return TRUE;
}

static gboolean cidr_store(const char *text, np_cidr *ret, np_problem *problem)
{
	const char *why;
	if (np_cidr_parse(text, ret, &why))
		return TRUE;
	/* Bits behind the prefix: most likely the address of a machine in the range that is meant. */
	const char *slash = strchr(text, '/');
	g_autofree char *address = g_strndup(text, slash ? (gsize)(slash - text) : 0);
	np_ip ip;
	guint64 prefix;
	if (slash != NULL && np_ip_parse(address, &ip) &&
	    g_ascii_string_to_unsigned(slash + 1, 10, 1, 32, &prefix, NULL)) {
		np_cidr meant = {.base = ip, .prefix = (unsigned)prefix};
		meant.base &= np_cidr_netmask(meant);
		g_autofree char *meant_text = np_cidr_format(meant);
		problem->hint = g_strdup_printf("write %s", meant_text);
	}
	return fail(problem, NP_CODE_CIDR, why);
}

static gboolean ip_store(const char *text, np_ip *ret, np_problem *problem)
{
	np_ip ip;
	if (!np_ip_parse(text, &ip) || ip == 0)
		return fail(problem, NP_CODE_IP, "it must be an IPv4 address such as 10.20.0.31");
	*ret = ip;
	return TRUE;
}

gboolean np_scalar_store(const np_field *field, gpointer object, const char *text, np_problem *problem)
{
	switch (field->type) {
	case NP_FIELD_STRING: return string_store(field, text, &NP_MEMBER(char *, object, field), problem);
	case NP_FIELD_BOOL: return bool_store(field, text, &NP_MEMBER(gboolean, object, field), problem);
	case NP_FIELD_UINT: return uint_store(field, text, &NP_MEMBER(guint64, object, field), problem);
	case NP_FIELD_SIZE:
	case NP_FIELD_DURATION: return quantity_store(field, text, &NP_MEMBER(guint64, object, field), problem);
	case NP_FIELD_ENUM: return enum_find(field, text, &NP_MEMBER(int, object, field), problem);
	case NP_FIELD_MODE: return mode_store(field, text, &NP_MEMBER(guint32, object, field), problem);
	case NP_FIELD_CIDR: return cidr_store(text, &NP_MEMBER(np_cidr, object, field), problem);
	case NP_FIELD_IP: return ip_store(text, &NP_MEMBER(np_ip, object, field), problem);
	default: g_return_val_if_reached(FALSE);
	}
}
