/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics for machines. */
#include <json-glib/json-glib.h>

#include "lab/lab.h"

static void text_member(JsonBuilder *json, const char *name, const char *value)
{
	json_builder_set_member_name(json, name);
	if (value != NULL)
		json_builder_add_string_value(json, value);
	else
		json_builder_add_null_value(json);
}

static void int_member(JsonBuilder *json, const char *name, gint64 value)
{
	json_builder_set_member_name(json, name);
	json_builder_add_int_value(json, value);
}

static void place_members(JsonBuilder *json, const np_diags *diags, np_pos pos)
{
	text_member(json, "file", np_diags_file(diags, pos));
	int_member(json, "line", pos.line);
	int_member(json, "column", pos.col);
	int_member(json, "length", pos.len);
}

static void diag_write(JsonBuilder *json, const np_diags *diags, const np_diag *diag)
{
	g_autofree char *code = diag->code ? np_code_format(diag->code) : NULL;
	json_builder_begin_object(json);
	text_member(json, "severity", diag->severity == NP_SEVERITY_ERROR ? "error" : "warning");
	text_member(json, "code", code);
	place_members(json, diags, diag->pos);
	text_member(json, "message", diag->message);
	text_member(json, "hint", diag->hint);
	json_builder_set_member_name(json, "notes");
	json_builder_begin_array(json);
	for (guint i = 0; diag->notes != NULL && i < diag->notes->len; i++) {
		const np_note *note = diag->notes->pdata[i];
		json_builder_begin_object(json);
		place_members(json, diags, note->pos);
		text_member(json, "message", note->text);
		json_builder_end_object(json);
	}
	json_builder_end_array(json);
	json_builder_end_object(json);
}

char *np_diags_json(np_diags *diags, const char *lab)
{
	g_autoptr(JsonBuilder) json = json_builder_new_immutable();
	np_diags_sort(diags);
	json_builder_begin_object(json);
	text_member(json, "format_version", "1.0");
	text_member(json, "lab", lab);
	json_builder_set_member_name(json, "valid");
	json_builder_add_boolean_value(json, diags->errors == 0);
	int_member(json, "errors", diags->errors);
	int_member(json, "warnings", diags->warnings);
	json_builder_set_member_name(json, "diagnostics");
	json_builder_begin_array(json);
	for (guint i = 0; i < diags->list->len; i++)
		diag_write(json, diags, diags->list->pdata[i]);
	json_builder_end_array(json);
	json_builder_end_object(json);
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	return json_to_string(root, FALSE);
}
