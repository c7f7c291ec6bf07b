/* SPDX-License-Identifier: Apache-2.0 */
/* The lab file's JSON Schema, from the field tables. Wherever a value is expected, "${…}" may stand for it. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "base/units.h"
#include "lab/lab.h"
#include "lab/tables.h"
#include "lab/walk.h"

#define EXPRESSION "\\$\\{"

typedef struct {
	JsonBuilder *json;
	GHashTable *seen; /* kinds with a definition */
} writer;

/* Which keys of a node a mapping may hold. */
typedef enum { VARIANT_ALL, VARIANT_TYPE, VARIANT_DEFAULTS } variant;

static const struct {
	np_field_type type;
	const char *name, *words, *pattern;
} scalar_definitions[] = {
        {NP_FIELD_SIZE, "size", "a whole number with a unit, such as 512MiB or 8GiB; GB is 10^9 bytes",
         "^[0-9]+ *(B|KiB|MiB|GiB|TiB|PiB|kB|KB|MB|GB|TB|PB)$|" EXPRESSION},
        {NP_FIELD_DURATION, "duration", "whole numbers with units, such as 90s, 10m or 1h30m",
         "^([0-9]+(ms|s|m|h|d))+$|" EXPRESSION},
        {NP_FIELD_MODE, "mode", "permissions, an octal number in quotes such as \"0644\"", "^[0-7]{3,4}$|" EXPRESSION},
        {NP_FIELD_CIDR, "range", "an IPv4 range such as 10.20.0.0/24",
         "^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$|" EXPRESSION},
        {NP_FIELD_IP, "ip", "an IPv4 address such as 10.20.0.31", "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$|" EXPRESSION},
};

static void text_member(writer *w, const char *name, const char *value)
{
	json_builder_set_member_name(w->json, name);
	json_builder_add_string_value(w->json, value);
}

static void int_member(writer *w, const char *name, guint64 value)
{
	json_builder_set_member_name(w->json, name);
	json_builder_add_int_value(w->json, (gint64)value);
}

static void object_begin(writer *w, const char *name)
{
	if (name != NULL)
		json_builder_set_member_name(w->json, name);
	json_builder_begin_object(w->json);
}

static void array_begin(writer *w, const char *name)
{
	json_builder_set_member_name(w->json, name);
	json_builder_begin_array(w->json);
}

static void object_end(writer *w)
{
	json_builder_end_object(w->json);
}

static void array_end(writer *w)
{
	json_builder_end_array(w->json);
}

static void reference_member(writer *w, const char *name)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);
	g_autofree char *target = g_strconcat("#/$defs/", g_strdelimit(lower, " ", '-'), NULL);
	text_member(w, "$ref", target);
}

/* {"$ref": …} or {"type": …} as an element of anyOf. */
static void alternative_add(writer *w, const char *member, const char *value)
{
	object_begin(w, NULL);
	if (strcmp(member, "$ref") == 0)
		reference_member(w, value);
	else
		text_member(w, member, value);
	object_end(w);
}

static void values_write(writer *w, const char *const *values)
{
	array_begin(w, "anyOf");
	object_begin(w, NULL);
	array_begin(w, "enum");
	for (; *values != NULL; values++)
		json_builder_add_string_value(w->json, *values);
	array_end(w);
	object_end(w);
	alternative_add(w, "$ref", "expression");
	array_end(w);
}

/* Numbers and booleans are themselves or an expression. */
static void plain_write(writer *w, const np_field *field)
{
	if (field->type == NP_FIELD_UINT && field->min == field->max && field->max > 0) {
		int_member(w, "const", field->min);
		return;
	}
	array_begin(w, "anyOf");
	object_begin(w, NULL);
	text_member(w, "type", field->type == NP_FIELD_BOOL ? "boolean" : "integer");
	if (field->type == NP_FIELD_UINT)
		int_member(w, "minimum", field->min);
	if (field->max > 0)
		int_member(w, "maximum", field->max);
	object_end(w);
	alternative_add(w, "$ref", "expression");
	array_end(w);
}

static void string_write(writer *w, const np_field *field)
{
	if (field->flags & NP_FIELD_ANY) {
		array_begin(w, "type");
		json_builder_add_string_value(w->json, "string");
		json_builder_add_string_value(w->json, "number");
		json_builder_add_string_value(w->json, "boolean");
		array_end(w);
		return;
	}
	text_member(w, "type", "string");
	if (field->pattern == NULL)
		return;
	g_autofree char *pattern = g_strconcat(field->pattern, "|" EXPRESSION, NULL);
	text_member(w, "pattern", pattern);
}

static void scalar_write(writer *w, const np_field *field)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(scalar_definitions); i++)
		if (scalar_definitions[i].type == field->type)
			reference_member(w, scalar_definitions[i].name);
	if (field->values != NULL)
		values_write(w, field->values);
	else if (field->type == NP_FIELD_BOOL || field->type == NP_FIELD_UINT)
		plain_write(w, field);
	else if (field->type == NP_FIELD_STRING)
		string_write(w, field);
}

static void default_write(writer *w, const np_field *field)
{
	if (field->def == NULL)
		return;
	json_builder_set_member_name(w->json, "default");
	if (field->type == NP_FIELD_BOOL)
		json_builder_add_boolean_value(w->json, strcmp(field->def, "true") == 0);
	else if (field->type == NP_FIELD_UINT)
		json_builder_add_int_value(w->json, g_ascii_strtoll(field->def, NULL, 10));
	else
		json_builder_add_string_value(w->json, field->def);
}

/* A structure may be left empty. */
static void type_or_null_write(writer *w, const char *type)
{
	array_begin(w, "type");
	json_builder_add_string_value(w->json, type);
	json_builder_add_string_value(w->json, "null");
	array_end(w);
}

static void map_write(writer *w, const np_kind *of, const char *definition)
{
	type_or_null_write(w, "object");
	object_begin(w, "propertyNames");
	text_member(w, "pattern", of->key_pattern ? of->key_pattern : NP_PATTERN_NAME);
	object_end(w);
	object_begin(w, "additionalProperties");
	reference_member(w, definition);
	object_end(w);
}

static void names_or_map_write(writer *w, const np_kind *of)
{
	array_begin(w, "anyOf");
	object_begin(w, NULL);
	text_member(w, "type", "array");
	object_begin(w, "items");
	text_member(w, "type", "string");
	text_member(w, "pattern", of->key_pattern ? of->key_pattern : NP_PATTERN_NAME);
	object_end(w);
	json_builder_set_member_name(w->json, "uniqueItems");
	json_builder_add_boolean_value(w->json, TRUE);
	object_end(w);
	object_begin(w, NULL);
	map_write(w, of, of->name);
	object_end(w);
	array_end(w);
}

static void array_write(writer *w, const np_field *field)
{
	type_or_null_write(w, "array");
	object_begin(w, "items");
	if (field->type == NP_FIELD_LIST)
		reference_member(w, field->of->name);
	else
		string_write(w, field);
	object_end(w);
}

static char *bound_format(const np_field *field, guint64 bound)
{
	return field->type == NP_FIELD_SIZE ? np_size_format(bound) : np_duration_format(bound);
}

/* With what the schema's own words cannot say: limits of values with units, and what a pattern asks for. */
static char *description_of(const np_field *field)
{
	g_autoptr(GString) text = g_string_new(field->doc);
	gboolean has_unit = field->type == NP_FIELD_SIZE || field->type == NP_FIELD_DURATION;
	g_autofree char *least = has_unit && field->min > 0 ? bound_format(field, field->min) : NULL;
	g_autofree char *most = has_unit && field->max > 0 ? bound_format(field, field->max) : NULL;
	if (least != NULL)
		g_string_append_printf(text, " At least %s.", least);
	if (most != NULL)
		g_string_append_printf(text, " At most %s.", most);
	if (field->pattern_help != NULL)
		g_string_append_printf(text, " Form: %s.", field->pattern_help);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void field_write(writer *w, const np_field *field)
{
	g_autofree char *description = description_of(field);
	object_begin(w, field->name);
	text_member(w, "description", description);
	switch (field->type) {
	case NP_FIELD_STRUCT: reference_member(w, field->of->name); break;
	case NP_FIELD_MAP:
		if (field->of->names_list)
			names_or_map_write(w, field->of);
		else
			map_write(w, field->of, field->of->name);
		break;
	case NP_FIELD_NODES: map_write(w, field->of, field->of->name); break;
	case NP_FIELD_TEMPLATES: map_write(w, field->of, "type"); break;
	case NP_FIELD_TEMPLATE: reference_member(w, "defaults"); break;
	case NP_FIELD_LIST:
	case NP_FIELD_STRINGS: array_write(w, field); break;
	default: scalar_write(w, field); break;
	}
	default_write(w, field);
	object_end(w);
}

static gboolean variant_has(variant which, const np_field *field)
{
	if (which != VARIANT_ALL && (field->flags & NP_FIELD_OWN) != 0)
		return FALSE;
	return which != VARIANT_DEFAULTS || field->type != NP_FIELD_NODES;
}

static void members_write(writer *w, const np_kind *kind, variant which)
{
	if (np_kind_has_required(kind))
		text_member(w, "type", "object");
	else
		type_or_null_write(w, "object");
	object_begin(w, "properties");
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (variant_has(which, &kind->fields[i]))
			field_write(w, &kind->fields[i]);
	object_end(w);
	if (np_kind_has_required(kind)) {
		array_begin(w, "required");
		for (unsigned i = 0; i < kind->n_fields; i++)
			if (kind->fields[i].flags & NP_FIELD_REQUIRED)
				json_builder_add_string_value(w->json, kind->fields[i].name);
		array_end(w);
	}
	json_builder_set_member_name(w->json, "additionalProperties");
	json_builder_add_boolean_value(w->json, FALSE);
}

static void definition_write(writer *w, const char *name, const np_kind *kind, variant which)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);
	object_begin(w, g_strdelimit(lower, " ", '-'));
	text_member(w, "description", kind->doc);
	if (kind->shorthand != NULL) {
		array_begin(w, "anyOf");
		object_begin(w, NULL);
		scalar_write(w, np_kind_field(kind, kind->shorthand));
		object_end(w);
		object_begin(w, NULL);
		members_write(w, kind, which);
		object_end(w);
		array_end(w);
	} else {
		members_write(w, kind, which);
	}
	object_end(w);
}

/* Definitions of all kinds below `kind`, in the order of the tables. */
static void definitions_write(writer *w, const np_kind *kind)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		if (field->type == NP_FIELD_TEMPLATE)
			definition_write(w, "defaults", field->of, VARIANT_DEFAULTS);
		if (field->type == NP_FIELD_TEMPLATES)
			definition_write(w, "type", field->of, VARIANT_TYPE);
		if (field->of == NULL || !g_hash_table_add(w->seen, (gpointer)field->of))
			continue;
		definition_write(w, field->of->name, field->of, VARIANT_ALL);
		definitions_write(w, field->of);
	}
}

static void scalars_write(writer *w)
{
	object_begin(w, "expression");
	text_member(w, "description", "a text with ${…}, whose value is what the key expects");
	text_member(w, "type", "string");
	text_member(w, "pattern", EXPRESSION);
	object_end(w);
	for (unsigned i = 0; i < G_N_ELEMENTS(scalar_definitions); i++) {
		object_begin(w, scalar_definitions[i].name);
		text_member(w, "description", scalar_definitions[i].words);
		text_member(w, "type", "string");
		text_member(w, "pattern", scalar_definitions[i].pattern);
		object_end(w);
	}
}

char *np_schema_render(void)
{
	g_autoptr(JsonBuilder) json = json_builder_new_immutable();
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	writer w = {json, seen};
	object_begin(&w, NULL);
	text_member(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	text_member(&w, "title", "nestplan lab file, version 1");
	text_member(&w, "description", np_lab_kind.doc);
	members_write(&w, &np_lab_kind, VARIANT_ALL);
	object_begin(&w, "$defs");
	scalars_write(&w);
	definitions_write(&w, &np_lab_kind);
	object_end(&w);
	object_end(&w);

	g_autoptr(JsonNode) root = json_builder_get_root(json);
	g_autoptr(JsonGenerator) generator = json_generator_new();
	json_generator_set_root(generator, root);
	json_generator_set_pretty(generator, TRUE);
	json_generator_set_indent(generator, 2);
	g_autofree char *text = json_generator_to_data(generator, NULL);
	return g_strconcat(text, "\n", NULL);
}
