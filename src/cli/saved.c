/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/saved.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "base/error.h"
#include "cli/fingerprint.h"

#define VERSION_KEY "nestplan_plan"
#define VERSION     2

void np_saved_free(np_saved *saved)
{
	if (!saved)
		return;
	g_free(saved->lab_file);
	g_free(saved->connect);
	g_free(saved->uri);
	g_free(saved->uuid);
	g_free(saved->salt);
	g_free(saved->fingerprint);
	g_free(saved->found);
	g_free(saved->plan);
	g_strfreev(saved->vars);
	g_strfreev(saved->targets);
	g_strfreev(saved->replace);
	g_free(saved);
}

static char *uri_of(const np_context *context)
{
	return np_session_drivers(context->session)->hypervisor->uri(np_session_root(context->session));
}

/* ── writing ── */

static void add_text(JsonBuilder *json, const char *name, const char *value)
{
	json_builder_set_member_name(json, name);
	if (value)
		json_builder_add_string_value(json, value);
	else
		json_builder_add_null_value(json);
}

static void add_flag(JsonBuilder *json, const char *name, bool value)
{
	json_builder_set_member_name(json, name);
	json_builder_add_boolean_value(json, value);
}

static void add_list(JsonBuilder *json, const char *name, char **list)
{
	json_builder_set_member_name(json, name);
	json_builder_begin_array(json);
	for (char **item = list; item && *item; item++)
		json_builder_add_string_value(json, *item);
	json_builder_end_array(json);
}

/* What options, files and the environment set; defaults come from the lab file again. */
static void add_variables(JsonBuilder *json, const np_lab *lab)
{
	json_builder_set_member_name(json, "vars");
	json_builder_begin_array(json);
	for (guint i = 0; i < lab->variables->len; i++) {
		const np_variable *variable = g_ptr_array_index(lab->variables, i);
		if (variable->sensitive || variable->given == NP_GIVEN_DEFAULT || !variable->value)
			continue;
		g_autofree char *text = g_strdup_printf("%s=%s", variable->base.name, variable->value);
		json_builder_add_string_value(json, text);
	}
	json_builder_end_array(json);
}

static char *saved_text(const np_context *context, const np_options *options, const np_plan *plan)
{
	g_autoptr(JsonBuilder) json = json_builder_new();
	g_autofree char *file = g_canonicalize_filename(context->lab->file, NULL);
	g_autofree char *uri = uri_of(context);
	g_autofree char *salt = g_uuid_string_random();
	g_auto(np_fingerprint) sums = np_fingerprint_take(context, plan, salt);
	g_autofree char *plan_json = np_plan_json(plan, false);
	json_builder_begin_object(json);
	json_builder_set_member_name(json, VERSION_KEY);
	json_builder_add_int_value(json, VERSION);
	add_text(json, "lab", plan->lab);
	add_text(json, "lab_file", file);
	add_text(json, "connect", options->connect);
	add_text(json, "uri", uri);
	add_text(json, "uuid", context->world->root->facts.uuid);
	add_flag(json, "destroy", options->destroy);
	add_flag(json, "refresh_only", options->refresh_only);
	add_list(json, "targets", options->targets);
	add_list(json, "replace", options->replace);
	add_variables(json, context->lab);
	add_text(json, "salt", salt);
	add_text(json, "fingerprint", sums.lab);
	add_text(json, "found", sums.world);
	add_text(json, "plan", plan_json);
	json_builder_end_object(json);
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	g_autoptr(JsonGenerator) generator = json_generator_new();
	json_generator_set_root(generator, root);
	json_generator_set_pretty(generator, TRUE);
	return json_generator_to_data(generator, NULL);
}

bool np_saved_write(const char *file, const np_context *context, const np_options *options, const np_plan *plan, GError **error)
{
	if (g_str_equal(context->lab->file, "-")) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "A plan of a lab from standard input cannot be saved: 'apply' reads the lab file "
		            "again. Put the lab into a file.");
		return false;
	}
	g_autofree char *text = saved_text(context, options, plan);
	g_autoptr(GError) local = NULL;
	if (g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local))
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The plan cannot be saved as '%s': %s.", file, local->message);
	return false;
}

/* ── reading ── */

static char **strings_of(JsonObject *object, const char *name)
{
	JsonNode *node = json_object_get_member(object, name);
	JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	guint length = array ? json_array_get_length(array) : 0;
	g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < length; i++) {
		const char *text = json_node_get_string(json_array_get_element(array, i));
		if (text)
			g_ptr_array_add(strings, g_strdup(text));
	}
	if (!strings->len)
		return NULL;
	g_ptr_array_add(strings, NULL);
	g_ptr_array_set_free_func(strings, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&strings), FALSE);
}

static char *text_of(JsonObject *object, const char *name)
{
	JsonNode *node = json_object_get_member(object, name);
	return node && JSON_NODE_HOLDS_VALUE(node) ? g_strdup(json_node_get_string(node)) : NULL;
}

static bool flag_of(JsonObject *object, const char *name)
{
	JsonNode *node = json_object_get_member(object, name);
	return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_boolean(node);
}

static np_saved *from_json(JsonObject *object, const char *file, GError **error)
{
	JsonNode *version = json_object_get_member(object, VERSION_KEY);
	gint64 number = JSON_NODE_HOLDS_VALUE(version) ? json_node_get_int(version) : 0;
	if (number != VERSION) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' is a plan of format %" G_GINT64_FORMAT ", and this nestplan knows %d. Make a "
		            "new one with `nestplan plan --out`.", file, number, VERSION);
		return NULL;
	}
	g_autoptr(np_saved) saved = g_new0(np_saved, 1);
	saved->lab_file = text_of(object, "lab_file");
	saved->connect = text_of(object, "connect");
	saved->uri = text_of(object, "uri");
	saved->uuid = text_of(object, "uuid");
	saved->salt = text_of(object, "salt");
	saved->fingerprint = text_of(object, "fingerprint");
	saved->found = text_of(object, "found");
	saved->plan = text_of(object, "plan");
	saved->destroy = flag_of(object, "destroy");
	saved->refresh_only = flag_of(object, "refresh_only");
	saved->targets = strings_of(object, "targets");
	saved->replace = strings_of(object, "replace");
	saved->vars = strings_of(object, "vars");
	if (saved->lab_file && saved->uri && saved->salt && saved->fingerprint && saved->found && saved->plan)
		return g_steal_pointer(&saved);
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The saved plan '%s' is damaged. Make a new one with `nestplan plan --out`.", file);
	return NULL;
}

/* Lab files are YAML, of which JSON is a part; a saved plan is told by its first key. */
static bool looks_saved(const char *file)
{
	char head[256] = "";
	g_autoptr(GFile) path = g_file_new_for_path(file);
	if (g_file_query_file_type(path, G_FILE_QUERY_INFO_NONE, NULL) != G_FILE_TYPE_REGULAR)
		return false;
	g_autoptr(GFileInputStream) stream = g_file_read(path, NULL, NULL);
	if (!stream || g_input_stream_read(G_INPUT_STREAM(stream), head, sizeof head - 1, NULL, NULL) <= 0)
		return false;
	return *g_strchug(head) == '{' && strstr(head, "\"" VERSION_KEY "\"");
}

np_saved *np_saved_read(const char *file, GError **error)
{
	if (!looks_saved(file))
		return NULL;
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autoptr(GError) local = NULL;
	if (!json_parser_load_from_file(parser, file, &local)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The saved plan '%s' cannot be read: %s. Make a new one with `nestplan plan --out`.",
		            file, local->message);
		return NULL;
	}
	return from_json(json_node_get_object(json_parser_get_root(parser)), file, error);
}

bool np_saved_apply_options(const np_saved *saved, np_options *options, GError **error)
{
	if (options->connect || options->targets || options->replace || options->refresh_only) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "A saved plan is done as it is: --connect, --target, --replace and --refresh-only "
		            "belong to the `nestplan plan` that made it.");
		return false;
	}
	g_free(options->file);
	options->file = g_strdup(saved->lab_file);
	options->connect = g_strdup(saved->connect);
	options->targets = g_strdupv(saved->targets);
	options->replace = g_strdupv(saved->replace);
	options->destroy = saved->destroy;
	options->refresh_only = saved->refresh_only;
	/* Sensitive variables are given again by --var; the last one of a name counts, so the saved ones come last. */
	g_autoptr(GStrvBuilder) vars = g_strv_builder_new();
	for (char **var = options->vars; var && *var; var++)
		g_strv_builder_add(vars, *var);
	for (char **var = saved->vars; var && *var; var++)
		g_strv_builder_add(vars, *var);
	g_strfreev(options->vars);
	options->vars = g_strv_builder_end(vars);
	return true;
}

bool np_saved_check_host(const np_saved *saved, const np_context *context, GError **error)
{
	g_autofree char *uri = uri_of(context);
	if (g_strcmp0(uri, saved->uri) != 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The saved plan is stale: it was made for the hypervisor at %s, and this is the one at "
		            "%s. Nothing was changed. Connect to the former (LIBVIRT_DEFAULT_URI), or make a new plan with `nestplan plan --out`.",
		            saved->uri, uri);
		return false;
	}
	g_auto(np_host_facts) facts = {0};
	if (!np_session_drivers(context->session)->hypervisor->facts(np_session_root(context->session), &facts, error))
		return false;
	if (g_strcmp0(facts.uuid, saved->uuid) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The saved plan is stale: the hypervisor at %s is another machine (UUID %s) than the one that "
	            "it was made for (UUID %s). Nothing was changed. Make a new one with `nestplan plan --out`.", uri,
	            facts.uuid ? facts.uuid : "unknown", saved->uuid ? saved->uuid : "unknown");
	return false;
}

bool np_saved_check(const np_saved *saved, const np_context *context, const np_plan *plan, GError **error)
{
	g_auto(np_fingerprint) sums = np_fingerprint_take(context, plan, saved->salt);
	g_autofree char *now = np_plan_json(plan, false);
	bool lab = strcmp(sums.lab, saved->fingerprint) != 0;
	if (!lab && strcmp(sums.world, saved->found) == 0 && strcmp(now, saved->plan) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The saved plan is stale: %s since it was made. Nothing was changed. Make a new one with "
	            "`nestplan plan --out`.", lab ? "the lab file, or a file or variable of it, has changed" : "what exists has changed");
	return false;
}
