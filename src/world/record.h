/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and their values as text, in order: what is compared of a node or network, and what is kept in its mark as last applied. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* "memory", "2GiB". The value may be NULL. */
typedef struct {
	const char *name, *value;
} np_row;

/* Their texts are the record's, or last as long as it does. A plan of many nodes makes millions of rows: they lie beside each other. */
typedef struct np_record np_record;

np_record *np_record_new(void);
/* NULL is allowed. */
void np_record_free(np_record *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_record, np_record_free)

guint np_record_length(const np_record *record); /* of NULL: 0 */
const np_row *np_record_row(const np_record *record, guint i);

/* A text of the record's own. Of NULL: NULL. */
const char *np_record_keep(np_record *record, const char *text);
/* The texts, eight at most, put together as a text of the record's own. */
const char *np_record_join(np_record *record, const char *first, ...) G_GNUC_NULL_TERMINATED;
/* Both must last as long as the record: names of fields and of values do, and what was kept. */
void np_record_add(np_record *record, const char *name, const char *value);
/* Takes and frees the value, which is kept. */
void np_record_take(np_record *record, const char *name, char *value);
void np_record_remove(np_record *record, const char *name);

/* Value of a row, NULL when there is none; *found (may be NULL) tells a row without value from no row. Borrowed. */
const char *np_record_get(const np_record *record, const char *name, bool *found);
