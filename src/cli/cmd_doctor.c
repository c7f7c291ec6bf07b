/* SPDX-License-Identifier: Apache-2.0 */
#include <json-glib/json-glib.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "world/doctor.h"
#include "world/observe.h"

#define STORAGE "/var/lib/nestplan"

static void text_member(JsonBuilder *json, const char *name, const char *value)
{
	json_builder_set_member_name(json, name);
	if (value)
		json_builder_add_string_value(json, value);
	else
		json_builder_add_null_value(json);
}

static void print_json(const GPtrArray *findings)
{
	g_autoptr(JsonBuilder) json = json_builder_new();
	json_builder_begin_object(json);
	text_member(json, "format_version", "1.0");
	json_builder_set_member_name(json, "findings");
	json_builder_begin_array(json);
	for (guint i = 0; i < findings->len; i++) {
		const np_finding *finding = g_ptr_array_index(findings, i);
		json_builder_begin_object(json);
		text_member(json, "name", finding->name);
		text_member(json, "verdict", np_verdict_names[finding->verdict]);
		text_member(json, "seen", finding->text);
		text_member(json, "fix", finding->fix);
		json_builder_end_object(json);
	}
	json_builder_end_array(json);
	json_builder_end_object(json);
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	g_autofree char *text = json_to_string(root, TRUE);
	puts(text);
}

static void print_text(const GPtrArray *findings, bool colour)
{
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	unsigned count[3] = {0};
	for (guint i = 0; i < findings->len; i++) {
		const np_finding *finding = g_ptr_array_index(findings, i);
		count[finding->verdict]++;
		printf("%s%-7s%s  %-10s  %s\n", colour ? colours[finding->verdict] : "", np_verdict_names[finding->verdict],
		       colour ? "\033[0m" : "", finding->name, finding->text);
		if (finding->fix)
			printf("%21sfix: %s\n", "", finding->fix);
	}
	printf("\n%u good, %u warning%s, %u bad.\n", count[NP_VERDICT_GOOD], count[NP_VERDICT_WARNING],
	       count[NP_VERDICT_WARNING] == 1 ? "" : "s", count[NP_VERDICT_BAD]);
}

/* A URI without a host, or none at all, means libvirt of this machine. */
static bool is_remote(const char *uri)
{
	const char *host = uri ? strstr(uri, "://") : NULL;
	return host && host[3] != '/' && host[3] != '\0';
}

/* What there is to see when no libvirt answers: this machine's kernel, if it is the host. Takes why. */
static np_world *look_without(const np_context *context, GError *why, GError **error)
{
	g_autoptr(np_world) world = np_world_new(context->lab->name);
	world->root->why = g_strdup(why->message);
	world->has_kernel = !is_remote(context->lab->host.uri);
	g_error_free(why);
	if (world->has_kernel && !np_kmod.facts("", &world->kernel, error))
		return NULL;
	np_accel_decide(&world->root->facts, world->has_kernel ? &world->kernel : NULL, &world->accel);
	return g_steal_pointer(&world);
}

/* The host alone: no lab file is needed to ask for its health. */
static np_world *look(np_context *context, const np_options *options, GError **error)
{
	GError *local = NULL;
	if (!context->lab) {
		context->lab = np_object_new(&np_lab_kind, NULL);
		context->lab->name = g_strdup("");
	}
	if (!np_context_connect(context, options, &local))
		return look_without(context, local, error);
	np_observe_options how = {.inside = false, .sysroot = ""};
	return np_observe(context->session, context->lab, &how, error);
}

static void look_around(const np_context *context, bool lab, np_local_facts *ret)
{
	const np_host_facts *facts = &context->world->root->facts;
	const char *storage = lab && context->lab->site.storage ? context->lab->site.storage : STORAGE;
	np_image_files.local(storage, facts->local ? facts->qemu_uid : -1, facts->qemu_gid, ret);
	ret->guestfs = np_guestfs.version();
	ret->uri = context->session ? np_libvirt.uri(np_session_root(context->session)) : NULL;
}

static int doctor(np_context *context, const np_options *options, bool lab, GError **error)
{
	context->world = look(context, options, error);
	if (!context->world)
		return NP_EXIT_FAILED;
	g_auto(np_local_facts) local = {0};
	look_around(context, lab, &local);
	g_autoptr(GPtrArray) findings = np_doctor_examine(lab ? context->lab : NULL, context->world, &local);
	if (options->json)
		print_json(findings);
	else
		print_text(findings, np_colour(stdout, options));
	for (guint i = 0; i < findings->len; i++)
		if (((const np_finding *)g_ptr_array_index(findings, i))->verdict == NP_VERDICT_BAD)
			return NP_EXIT_FAILED;
	return NP_EXIT_OK;
}

int np_cmd_doctor(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	bool lab = options->file || (options->rest && options->rest[0]);
	int code = lab ? np_context_load(&context, options) : NP_EXIT_OK;
	if (code != NP_EXIT_OK)
		return code;
	code = doctor(&context, options, lab, &error);
	if (!error)
		return code;
	np_complain(options, error);
	return np_exit_code(error);
}
