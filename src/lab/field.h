/* SPDX-License-Identifier: Apache-2.0 */
/* Field tables: one const description a kind drives decode, complete, diff, print, schema and the manual page. */
#pragma once
#include <glib.h>
#include <stddef.h>

#include "base/diag.h"

typedef enum {
	NP_FIELD_STRING,   /* char* */
	NP_FIELD_BOOL,     /* gboolean */
	NP_FIELD_UINT,     /* guint64 */
	NP_FIELD_SIZE,     /* guint64, bytes */
	NP_FIELD_DURATION, /* guint64, milliseconds */
	NP_FIELD_ENUM,     /* int, index into values */
	NP_FIELD_MODE,     /* guint32, permission bits from a quoted octal string */
	NP_FIELD_CIDR,     /* np_cidr */
	NP_FIELD_IP,       /* np_ip */
	NP_FIELD_STRINGS,  /* GPtrArray* of char* */
	NP_FIELD_STRUCT,   /* an object inline, described by `of` */
	NP_FIELD_MAP,      /* GPtrArray* of objects (np_object.name is the key), described by `of` */
	NP_FIELD_LIST,     /* GPtrArray* of objects without names */
	NP_FIELD_NODES,    /* GPtrArray* of np_node*: a map with count, types and defaults applied */
	NP_FIELD_TEMPLATE, /* keys of `of` that decode applies elsewhere ("defaults"); nothing is stored */
	NP_FIELD_TEMPLATES, /* a map of them ("types"): GPtrArray* of char*, their names */
} np_field_type;

/* What a change of the field does to what runs. */
typedef enum { NP_IMPACT_LIVE, NP_IMPACT_RESTART, NP_IMPACT_RECREATE } np_impact;

enum {
	NP_FIELD_REQUIRED = 1 << 0, /* must be written */
	NP_FIELD_COMPARED = 1 << 1, /* compared with the world by the diff */
	NP_FIELD_LATE = 1 << 2,     /* ${…} are expanded after completion (addresses are known then) */
	NP_FIELD_PATH = 1 << 3,     /* a file name, relative to the lab file's folder; ~ and ~/ are the home folder */
	NP_FIELD_OWN = 1 << 4,      /* only in the object itself, never in a template */
	NP_FIELD_ANY = 1 << 5,      /* STRING: a number or a boolean is text here as well */
	NP_FIELD_URL = 1 << 6,      /* PATH: or a URL */
	NP_FIELD_KEY = 1 << 7,      /* PATH: or a public SSH key */
	NP_FIELD_EARLY = 1 << 8,    /* read before variables and the lab's name are known */
	NP_FIELD_VEILED = 1 << 10,  /* STRING that is compared: plans show "(sensitive)" for one with a secret in it */
	NP_FIELD_SHOWN = 1 << 9,    /* STRING that names something or is a place: messages tell it, so no secret is in it */
};

typedef struct np_kind np_kind;

typedef struct {
	const char *name;
	np_field_type type;
	size_t offset;
	const np_kind *of;        /* STRUCT, MAP, LIST, NODES, TEMPLATE, TEMPLATES */
	const char *const *values; /* ENUM, and STRING where only these are valid: NULL-terminated spellings */
	const char *pattern;      /* STRING, STRINGS: anchored regular expression (ECMA and PCRE common part) or NULL */
	const char *pattern_help; /* what the pattern asks for, in words */
	guint64 min, max;         /* UINT, SIZE, DURATION: inclusive, max 0: unbounded; the unit of the stored value */
	const char *def;          /* default as it would be written, NULL: none */
	unsigned flags;
	np_impact impact;
	const char *doc;          /* one sentence, for schema, manual page and help */
} np_field;

struct np_kind {
	const char *name; /* "node", "network", … for messages */
	const char *doc;
	size_t size;
	const np_field *fields;
	unsigned n_fields;     /* at most 64 */
	const char *shorthand; /* field that a lone scalar sets ("size" for a disk), or NULL */
	gboolean names_list;   /* MAP of this kind may also be written as a list of names (nics) */
	const char *key_pattern; /* MAP keys, anchored; NULL: [a-z][a-z0-9-]* up to 31 characters */
	const char *key_help;    /* what key_pattern asks for, in words */
	void (*clear)(gpointer object); /* frees what the table does not describe (derived fields), or NULL */
};

/* First member of every object that a table describes. */
typedef struct {
	char *name;  /* key in its map, owned; NULL where it has none */
	np_pos pos;  /* where it was written; line 0: derived or observed */
	guint64 set; /* bit i: fields[i] was written (or observed) */
	np_pos *at;  /* places of the written fields' values, one for each bit in `set`, in order; NULL: none has one */
} np_object;

/* All arrays of a new object exist, also those of its inline objects, but as long as they are empty they are one that all
 * objects share (base/array.h): to add to one take it by np_objects_own or np_strings_own. */
gpointer np_object_new(const np_kind *kind, const char *name);
/* Frees what the table describes, and the object itself. */
void np_object_free(const np_kind *kind, gpointer object);
/* As np_object_free for an inline object: contents only. */
void np_object_clear(const np_kind *kind, gpointer object);

/* An object's array, to be changed. Arrays of objects have no free function of their own, np_object_free frees the elements; arrays
 * of strings free theirs. Borrowed. */
GPtrArray *np_objects_own(GPtrArray **member);
GPtrArray *np_strings_own(GPtrArray **member);

const np_field *np_kind_field(const np_kind *kind, const char *name);
gboolean np_object_has(const np_kind *kind, const np_object *object, const char *field);
/* Marks a field as set (observed); and takes that back. */
void np_object_mark(const np_kind *kind, np_object *object, const char *field);
void np_object_unmark(const np_kind *kind, np_object *object, const char *field);
/* Marks a field as written, its value at a place. */
void np_object_place(const np_kind *kind, np_object *object, const np_field *field, np_pos pos);
/* Place of a field's value, the object's own place when the field was not written. */
np_pos np_object_at(const np_kind *kind, const np_object *object, const char *field);
/* One field's value as it would be written in a lab file ("8GiB", "kvm"); NULL for structures, and for a string, range
 * or IP that is not there. Caller frees. */
char *np_field_format(const np_field *field, gconstpointer object);
/* The same of a single value without an allocation: the object's own string, a name that lasts, or what it writes into `text`. NULL
 * for lists as well. */
#define NP_FIELD_TEXT 64
const char *np_field_text(const np_field *field, gconstpointer object, char text[NP_FIELD_TEXT]);
/* Element of a MAP array by name, NULL when missing. */
gpointer np_map_find(const GPtrArray *map, const char *name);
