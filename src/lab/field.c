/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/field.h"

#include <string.h>

#include "base/array.h"
#include "base/cidr.h"
#include "base/units.h"

#define MEMBER(type, object, field)       (*(type *)(gpointer)((char *)(object) + (field)->offset))
#define CONST_MEMBER(type, object, field) (*(const type *)(gconstpointer)((const char *)(object) + (field)->offset))

static void object_init(const np_kind *kind, gpointer object)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		switch (field->type) {
		case NP_FIELD_STRUCT: object_init(field->of, &MEMBER(char, object, field)); break;
		case NP_FIELD_STRINGS:
		case NP_FIELD_TEMPLATES:
		case NP_FIELD_MAP:
		case NP_FIELD_LIST:
		case NP_FIELD_NODES: MEMBER(GPtrArray *, object, field) = NP_ARRAY_EMPTY; break;
		default: break;
		}
	}
}

gpointer np_object_new(const np_kind *kind, const char *name)
{
	np_object *object = g_malloc0(kind->size);
	object->name = g_strdup(name);
	object_init(kind, object);
	return object;
}

static void objects_clear(const np_kind *kind, GPtrArray **objects)
{
	for (guint i = 0; *objects != NULL && i < (*objects)->len; i++)
		np_object_free(kind, (*objects)->pdata[i]);
	np_array_clear(objects);
}

GPtrArray *np_objects_own(GPtrArray **member)
{
	return np_array_own(member, NULL);
}

GPtrArray *np_strings_own(GPtrArray **member)
{
	return np_array_own(member, g_free);
}

static void field_clear(const np_field *field, gpointer object)
{
	switch (field->type) {
	case NP_FIELD_STRING: g_clear_pointer(&MEMBER(char *, object, field), g_free); break;
	case NP_FIELD_STRUCT: np_object_clear(field->of, &MEMBER(char, object, field)); break;
	case NP_FIELD_STRINGS:
	case NP_FIELD_TEMPLATES: np_array_clear(&MEMBER(GPtrArray *, object, field)); break;
	case NP_FIELD_MAP:
	case NP_FIELD_LIST:
	case NP_FIELD_NODES: objects_clear(field->of, &MEMBER(GPtrArray *, object, field)); break;
	default: break;
	}
}

void np_object_clear(const np_kind *kind, gpointer object)
{
	np_object *base = object;
	if (object == NULL)
		return;
	if (kind->clear != NULL)
		kind->clear(object);
	for (unsigned i = 0; i < kind->n_fields; i++)
		field_clear(&kind->fields[i], object);
	g_clear_pointer(&base->name, g_free);
	g_clear_pointer(&base->at, g_free);
	base->set = 0;
}

void np_object_free(const np_kind *kind, gpointer object)
{
	np_object_clear(kind, object);
	g_free(object);
}

const np_field *np_kind_field(const np_kind *kind, const char *name)
{
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].name[0] == name[0] && strcmp(kind->fields[i].name, name) == 0)
			return &kind->fields[i];
	return NULL;
}

gboolean np_object_has(const np_kind *kind, const np_object *object, const char *field)
{
	const np_field *found = np_kind_field(kind, field);
	return found != NULL && (object->set >> (found - kind->fields) & 1) != 0;
}

void np_object_mark(const np_kind *kind, np_object *object, const char *field)
{
	const np_field *found = np_kind_field(kind, field);
	g_return_if_fail(found != NULL);
	guint64 bit = G_GUINT64_CONSTANT(1) << (found - kind->fields);
	if (object->at != NULL && (object->set & bit) == 0)
		np_object_place(kind, object, found, (np_pos){0});
	object->set |= bit;
}

static unsigned places_count(guint64 set)
{
	return (unsigned)__builtin_popcountll(set);
}

/* As many places there is room for when there are n. */
static unsigned places_room(unsigned n)
{
	return n <= 2 ? 2 : (n + 3) / 4 * 4;
}

void np_object_place(const np_kind *kind, np_object *object, const np_field *field, np_pos pos)
{
	guint64 bit = G_GUINT64_CONSTANT(1) << (field - kind->fields);
	unsigned n = places_count(object->set), i = places_count(object->set & (bit - 1));
	gboolean is_new = (object->set & bit) == 0;
	if (object->at == NULL)
		object->at = g_new0(np_pos, places_room(is_new ? n + 1 : n));
	else if (is_new && n == places_room(n))
		object->at = g_renew(np_pos, object->at, places_room(n + 1));
	if (is_new)
		memmove(object->at + i + 1, object->at + i, (n - i) * sizeof *object->at);
	object->at[i] = pos;
	object->set |= bit;
}

void np_object_unmark(const np_kind *kind, np_object *object, const char *field)
{
	const np_field *found = np_kind_field(kind, field);
	g_return_if_fail(found != NULL);
	guint64 bit = G_GUINT64_CONSTANT(1) << (found - kind->fields);
	unsigned n = places_count(object->set), i = places_count(object->set & (bit - 1));
	if ((object->set & bit) == 0)
		return;
	if (object->at != NULL)
		memmove(object->at + i, object->at + i + 1, (n - i - 1) * sizeof *object->at);
	object->set &= ~bit;
}

np_pos np_object_at(const np_kind *kind, const np_object *object, const char *field)
{
	const np_field *found = np_kind_field(kind, field);
	guint64 bit = found != NULL ? G_GUINT64_CONSTANT(1) << (found - kind->fields) : 0;
	if (object->at == NULL || (object->set & bit) == 0)
		return object->pos;
	np_pos at = object->at[places_count(object->set & (bit - 1))];
	return at.line > 0 ? at : object->pos;
}

static char *strings_format(const GPtrArray *strings)
{
	g_autoptr(GString) text = g_string_new("[");
	for (guint i = 0; strings != NULL && i < strings->len; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", (const char *)strings->pdata[i]);
	g_string_append_c(text, ']');
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Takes and frees the value. */
static const char *put(char text[NP_FIELD_TEXT], char *value)
{
	g_strlcpy(text, value, NP_FIELD_TEXT);
	g_free(value);
	return text;
}

static const char *cidr_text(np_cidr cidr, char text[NP_FIELD_TEXT])
{
	return np_cidr_is_set(cidr) ? put(text, np_cidr_format(cidr)) : NULL;
}

static const char *ip_text(np_ip ip, char text[NP_FIELD_TEXT])
{
	return ip != 0 ? np_ip_text(ip, text) : NULL;
}

const char *np_field_text(const np_field *field, gconstpointer object, char text[NP_FIELD_TEXT])
{
	switch (field->type) {
	case NP_FIELD_STRING: return CONST_MEMBER(char *, object, field);
	case NP_FIELD_BOOL: return CONST_MEMBER(gboolean, object, field) ? "true" : "false";
	case NP_FIELD_UINT: return np_uint_text(CONST_MEMBER(guint64, object, field), text);
	case NP_FIELD_SIZE: return np_size_text(CONST_MEMBER(guint64, object, field), text);
	case NP_FIELD_DURATION: return put(text, np_duration_format(CONST_MEMBER(guint64, object, field)));
	case NP_FIELD_ENUM: return field->values[CONST_MEMBER(int, object, field)];
	case NP_FIELD_MODE: return put(text, g_strdup_printf("%04o", CONST_MEMBER(guint32, object, field)));
	case NP_FIELD_CIDR: return cidr_text(CONST_MEMBER(np_cidr, object, field), text);
	case NP_FIELD_IP: return ip_text(CONST_MEMBER(np_ip, object, field), text);
	case NP_FIELD_STRINGS:
	case NP_FIELD_TEMPLATES:
	case NP_FIELD_STRUCT:
	case NP_FIELD_MAP:
	case NP_FIELD_LIST:
	case NP_FIELD_NODES:
	case NP_FIELD_TEMPLATE: return NULL;
	}
	return NULL;
}

char *np_field_format(const np_field *field, gconstpointer object)
{
	char text[NP_FIELD_TEXT];
	if (field->type == NP_FIELD_STRINGS || field->type == NP_FIELD_TEMPLATES)
		return strings_format(CONST_MEMBER(GPtrArray *, object, field));
	return g_strdup(np_field_text(field, object, text));
}

gpointer np_map_find(const GPtrArray *map, const char *name)
{
	for (guint i = 0; map != NULL && name != NULL && i < map->len; i++) {
		const char *other = ((const np_object *)map->pdata[i])->name;
		if (other != NULL && other[0] == name[0] && strcmp(other, name) == 0)
			return map->pdata[i];
	}
	return NULL;
}
