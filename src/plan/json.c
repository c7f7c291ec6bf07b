/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as JSON, format 1.0 (docs/design: a contract). */
#include <json-glib/json-glib.h>

#include "plan/plan.h"

static void add_text(JsonBuilder *json, const char *name, const char *value)
{
	json_builder_set_member_name(json, name);
	if (value)
		json_builder_add_string_value(json, value);
	else
		json_builder_add_null_value(json);
}

static void add_strings(JsonBuilder *json, const char *name, const GPtrArray *list)
{
	json_builder_set_member_name(json, name);
	json_builder_begin_array(json);
	for (guint i = 0; i < list->len; i++)
		json_builder_add_string_value(json, g_ptr_array_index(list, i));
	json_builder_end_array(json);
}

static void add_change(JsonBuilder *json, const np_change *change)
{
	json_builder_begin_object(json);
	add_text(json, "address", change->address);
	add_text(json, "kind", np_change_kind_names[change->kind]);
	add_text(json, "action", np_action_names[change->action]);
	add_text(json, "impact", np_impact_names[change->impact]);
	add_text(json, "reason", change->reason);
	if (change->deferred) {
		json_builder_set_member_name(json, "deferred");
		json_builder_add_boolean_value(json, TRUE);
	}
	json_builder_set_member_name(json, "fields");
	json_builder_begin_array(json);
	for (guint i = 0; i < change->fields->len; i++) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		json_builder_begin_object(json);
		add_text(json, "name", field->name);
		add_text(json, "before", field->before);
		add_text(json, "after", field->after);
		add_text(json, "impact", np_impact_names[field->impact]);
		add_text(json, "moved", np_moved_names[field->moved]);
		add_text(json, "where", field->where);
		json_builder_end_object(json);
	}
	json_builder_end_array(json);
	add_strings(json, "takes_down", change->takes_down);
	add_strings(json, "loses", change->loses);
	add_strings(json, "reattaches", change->reattaches);
	json_builder_end_object(json);
}

static void add_number(JsonBuilder *json, const char *name, unsigned value)
{
	json_builder_set_member_name(json, name);
	json_builder_add_int_value(json, value);
}

char *np_plan_json(const np_plan *plan, bool pretty)
{
	g_autoptr(JsonBuilder) json = json_builder_new();
	json_builder_begin_object(json);
	add_text(json, "format_version", "1.0");
	add_text(json, "lab", plan->lab);
	json_builder_set_member_name(json, "changes");
	json_builder_begin_array(json);
	for (guint i = 0; i < plan->changes->len; i++)
		add_change(json, g_ptr_array_index(plan->changes, i));
	json_builder_end_array(json);
	json_builder_set_member_name(json, "summary");
	json_builder_begin_object(json);
	add_number(json, "add", plan->add);
	add_number(json, "change", plan->change);
	add_number(json, "destroy", plan->destroy);
	json_builder_end_object(json);
	json_builder_set_member_name(json, "unchanged");
	json_builder_add_int_value(json, plan->unchanged);
	add_strings(json, "problems", plan->problems);
	add_strings(json, "warnings", plan->warnings);
	json_builder_end_object(json);
	g_autoptr(JsonGenerator) generator = json_generator_new();
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	json_generator_set_root(generator, root);
	json_generator_set_pretty(generator, pretty);
	return json_generator_to_data(generator, NULL);
}
