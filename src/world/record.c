/* SPDX-License-Identifier: Apache-2.0 */
#include "world/record.h"

#include <string.h>

#define ROWS_USUAL   24
#define TEXTS_USUAL  512
#define JOINED_USUAL 256

np_record *np_record_new(void)
{
	np_record *record = g_new(np_record, 1);
	record->rows = g_array_sized_new(FALSE, FALSE, sizeof(np_row), ROWS_USUAL);
	record->texts = g_string_chunk_new(TEXTS_USUAL);
	return record;
}

void np_record_free(np_record *record)
{
	if (!record)
		return;
	g_array_unref(record->rows);
	g_string_chunk_free(record->texts);
	g_free(record);
}

guint np_record_length(const np_record *record)
{
	return record ? record->rows->len : 0;
}

const np_row *np_record_row(const np_record *record, guint i)
{
	return &g_array_index(record->rows, np_row, i);
}

const char *np_record_keep(np_record *record, const char *text)
{
	return text ? g_string_chunk_insert(record->texts, text) : NULL;
}

static gsize joined_size(const char *first, va_list rest)
{
	gsize size = 1;
	for (const char *part = first; part; part = va_arg(rest, const char *))
		size += strlen(part);
	return size;
}

const char *np_record_join(np_record *record, const char *first, ...)
{
	char usual[JOINED_USUAL];
	va_list args;
	va_start(args, first);
	gsize size = joined_size(first, args);
	va_end(args);
	g_autofree char *large = size > sizeof(usual) ? g_malloc(size) : NULL;
	char *text = large ? large : usual, *end = text;
	va_start(args, first);
	for (const char *part = first; part; part = va_arg(args, const char *))
		end = g_stpcpy(end, part);
	va_end(args);
	return np_record_keep(record, text);
}

void np_record_add(np_record *record, const char *name, const char *value)
{
	np_row row = {name, value};
	g_array_append_val(record->rows, row);
}

void np_record_take(np_record *record, const char *name, char *value)
{
	np_record_add(record, name, np_record_keep(record, value));
	g_free(value);
}

void np_record_remove(np_record *record, const char *name)
{
	for (guint i = record->rows->len; i-- > 0;)
		if (strcmp(np_record_row(record, i)->name, name) == 0)
			g_array_remove_index(record->rows, i);
}

const char *np_record_get(const np_record *record, const char *name, bool *found)
{
	for (guint i = 0; i < np_record_length(record); i++) {
		const np_row *row = np_record_row(record, i);
		if (strcmp(row->name, name) != 0)
			continue;
		if (found)
			*found = true;
		return row->value;
	}
	if (found)
		*found = false;
	return NULL;
}
