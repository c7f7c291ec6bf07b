/* SPDX-License-Identifier: Apache-2.0 */
#include "world/record.h"

#include <string.h>

/* Enough for nearly all; with them a record is one piece of memory, of which malloc has some at hand (below 1 KiB). */
#define ROWS_USUAL  24
#define TEXTS_USUAL 512

struct np_record {
	np_row *rows; /* usual_rows, or a larger array when there are more */
	guint length, room;
	char *free;     /* where the next text goes */
	gsize left;     /* bytes there */
	GSList *pieces; /* further ones for texts */
	np_row usual_rows[ROWS_USUAL];
	char usual_texts[TEXTS_USUAL];
};

np_record *np_record_new(void)
{
	np_record *record = g_malloc(sizeof(*record));
	record->rows = record->usual_rows;
	record->length = 0;
	record->room = ROWS_USUAL;
	record->free = record->usual_texts;
	record->left = TEXTS_USUAL;
	record->pieces = NULL;
	return record;
}

void np_record_free(np_record *record)
{
	if (!record)
		return;
	if (record->rows != record->usual_rows)
		g_free(record->rows);
	g_slist_free_full(record->pieces, g_free);
	g_free(record);
}

guint np_record_length(const np_record *record)
{
	return record ? record->length : 0;
}

const np_row *np_record_row(const np_record *record, guint i)
{
	return &record->rows[i];
}

/* Room for a text with its end. */
static char *take_room(np_record *record, gsize size)
{
	if (size > record->left) {
		record->left = MAX(size, TEXTS_USUAL);
		record->free = g_malloc(record->left);
		record->pieces = g_slist_prepend(record->pieces, record->free);
	}
	char *room = record->free;
	record->free += size;
	record->left -= size;
	return room;
}

const char *np_record_keep(np_record *record, const char *text)
{
	gsize size = text ? strlen(text) + 1 : 0;
	return text ? memcpy(take_room(record, size), text, size) : NULL;
}

#define PARTS_MAX 8

const char *np_record_join(np_record *record, const char *first, ...)
{
	const char *parts[PARTS_MAX];
	gsize lengths[PARTS_MAX], size = 1;
	unsigned n = 0;
	va_list args;
	va_start(args, first);
	for (const char *part = first; part; part = va_arg(args, const char *), n++) {
		g_assert(n < PARTS_MAX);
		parts[n] = part;
		lengths[n] = strlen(part);
		size += lengths[n];
	}
	va_end(args);
	char *text = take_room(record, size), *end = text;
	for (unsigned i = 0; i < n; end += lengths[i++])
		memcpy(end, parts[i], lengths[i]);
	*end = '\0';
	return text;
}

static void make_room(np_record *record)
{
	bool usual = record->rows == record->usual_rows;
	record->room *= 2;
	record->rows = g_renew(np_row, usual ? NULL : record->rows, record->room);
	if (usual)
		memcpy(record->rows, record->usual_rows, sizeof(record->usual_rows));
}

void np_record_add(np_record *record, const char *name, const char *value)
{
	if (record->length == record->room)
		make_room(record);
	record->rows[record->length++] = (np_row){name, value};
}

void np_record_take(np_record *record, const char *name, char *value)
{
	np_record_add(record, name, np_record_keep(record, value));
	g_free(value);
}

void np_record_remove(np_record *record, const char *name)
{
	guint kept = 0;
	for (guint i = 0; i < record->length; i++)
		if (strcmp(record->rows[i].name, name) != 0)
			record->rows[kept++] = record->rows[i];
	record->length = kept;
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
