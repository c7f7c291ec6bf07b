/* SPDX-License-Identifier: Apache-2.0 */
/* From any text to a lab's words, and what to say of the rest. */
#include <stdarg.h>
#include <string.h>

#include "drivers/libvirt/import.h"

static void remark_free(gpointer data)
{
	np_remark *remark = data;
	g_free(remark->about);
	g_free(remark->text);
	g_free(remark);
}

GPtrArray *np_remarks_new(void)
{
	return g_ptr_array_new_with_free_func(remark_free);
}

static void add(np_importer *importer, gconstpointer object, const char *about, bool obstacle, char *text)
{
	np_remark *remark = g_new0(np_remark, 1);
	*remark = (np_remark){object, g_strdup(about), text, obstacle};
	g_ptr_array_add(importer->import->remarks, remark);
}

void np_remark_add(np_importer *importer, gconstpointer object, const char *about, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(importer, object, about, false, g_strdup_vprintf(format, args));
	va_end(args);
}

void np_obstacle_add(np_importer *importer, gconstpointer object, const char *about, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(importer, object, about, true, g_strdup_vprintf(format, args));
	va_end(args);
}

/* Small letters, digits, and single dashes between them; a letter first. */
static char *plain_name(const char *kind, const char *text, unsigned max)
{
	GString *name = g_string_new(NULL);
	for (const char *c = text; *c && name->len < max; c++) {
		char small = g_ascii_tolower(*c);
		if (g_ascii_isalpha(small) || (g_ascii_isdigit(small) && name->len))
			g_string_append_c(name, small);
		else if (g_ascii_isdigit(small))
			g_string_append_printf(name, "%c%c", kind[0], small);
		else if (name->len && name->str[name->len - 1] != '-')
			g_string_append_c(name, '-');
	}
	while (name->len && name->str[name->len - 1] == '-')
		g_string_truncate(name, name->len - 1);
	if (!name->len)
		g_string_assign(name, kind);
	return g_string_free(name, FALSE);
}

char *np_import_name(GHashTable *taken, const char *kind, const char *text, unsigned max)
{
	g_autofree char *plain = plain_name(kind, text, max);
	char *name = g_strdup(plain);
	for (unsigned i = 2;; i++) {
		if (g_hash_table_add(taken, g_strdup_printf("%s %s", kind, name)))
			return name;
		g_autofree char *number = g_strdup_printf("-%u", i);
		g_free(name);
		name = g_strdup_printf("%.*s%s", (int)(max - strlen(number)), plain, number);
	}
}

char *np_import_tag(xmlNode *element)
{
	static const char *const telling[] = {"type", "mode", "family", "model", "device", "bus", "name"};
	GString *tag = g_string_new(NULL);
	g_string_append_printf(tag, "<%s", (const char *)element->name);
	for (unsigned i = 0; i < G_N_ELEMENTS(telling); i++) {
		g_autofree char *path = g_strconcat("@", telling[i], NULL);
		g_autofree char *value = np_xml_get(element, path);
		if (value)
			g_string_append_printf(tag, " %s='%s'", telling[i], value);
	}
	g_string_append_c(tag, '>');
	return g_string_free(tag, FALSE);
}

void np_import_unknown(np_importer *importer, gconstpointer object, const char *about, xmlNode *root, const char *path,
                       const char *const *known)
{
	g_autoptr(GPtrArray) found = np_xml_find(root, path);
	for (guint i = 0; i < found->len; i++) {
		xmlNode *element = g_ptr_array_index(found, i);
		if (g_strv_contains(known, (const char *)element->name))
			continue;
		g_autofree char *tag = np_import_tag(element);
		np_remark_add(importer, object, about, "not expressed: %s", tag);
	}
}
