/* SPDX-License-Identifier: Apache-2.0 */
#include <json-glib/json-glib.h>
#include <string.h>

#include "base/address.h"
#include "cli/cli.h"

/* One node as status shows it. */
typedef struct {
	const char *address;
	unsigned level;
	const char *state; /* "running", "off", "absent", "unknown" */
	const char *accel; /* NULL: unknown */
	bool fallback;     /* emulated because the lab says `auto` */
	bool betrayed;     /* emulated although the lab says `kvm` */
	bool ready;        /* seen ready since it was started */
	char *ip;          /* NULL: none */
	const np_proof *proof; /* NULL: carries no nodes, or was not looked into */
	const char *why;   /* NULL, or why its inside is unknown */
} row;

typedef struct {
	const np_world *world;
	GPtrArray *rows;
} table;

static void row_free(gpointer data)
{
	row *r = data;
	g_free(r->ip);
	g_free(r);
}

/* Below a hypervisor that does not answer nothing is known. */
static bool parent_is_known(const table *t, const char *address)
{
	g_autofree char *site = np_address_site(address);
	const np_seen_site *seen = np_world_site(t->world, site);
	return seen ? seen->reachable : np_world_node(t->world, site) == NULL;
}

static row *add_row(table *t, const char *address, np_ip ip)
{
	row *r = g_new0(row, 1);
	const np_seen_node *seen = np_world_node(t->world, address);
	r->address = address;
	r->level = np_address_level(address);
	r->ip = ip ? np_ip_format(ip) : NULL;
	r->state = seen ? np_power_names[seen->power] : parent_is_known(t, address) ? "absent" : "unknown";
	if (seen) {
		r->accel = np_accel_names[seen->node->accel];
		r->ready = seen->ready;
		bool emulated = seen->node->accel == NP_ACCEL_EMULATE;
		r->fallback = emulated && g_strcmp0(seen->want_accel, np_accel_names[NP_ACCEL_AUTO]) == 0;
		r->betrayed = emulated && g_strcmp0(seen->want_accel, np_accel_names[NP_ACCEL_KVM]) == 0;
		if (seen->inside && seen->inside->reachable)
			r->proof = &seen->inside->proof;
		else if (seen->inside)
			r->why = seen->inside->why;
	}
	g_ptr_array_add(t->rows, r);
	return r;
}

static void add_wanted(np_node *node, gpointer data)
{
	const np_nic *nic = np_node_access_nic(node);
	add_row(data, node->address, nic ? nic->address : 0);
}

static void add_orphans(table *t, const np_lab *lab, const np_seen_site *site)
{
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_seen_node *seen = g_ptr_array_index(site->nodes, i);
		if (!np_lab_node(lab, seen->node->address))
			add_row(t, seen->node->address, seen->ip);
		if (seen->inside)
			add_orphans(t, lab, seen->inside);
	}
}

static void text_member(JsonBuilder *json, const char *name, const char *value)
{
	json_builder_set_member_name(json, name);
	if (value)
		json_builder_add_string_value(json, value);
	else
		json_builder_add_null_value(json);
}

/* "missing": the first link of the chain that does not hold, and its fix. */
static void proof_member(JsonBuilder *json, const np_proof *proof)
{
	json_builder_set_member_name(json, "proof");
	if (!proof || !proof->gathered) {
		json_builder_add_null_value(json);
		return;
	}
	json_builder_begin_object(json);
	json_builder_set_member_name(json, "kvm");
	json_builder_add_boolean_value(json, proof->kvm);
	for (int i = 0; i < NP_CHECK_COUNT; i++) {
		json_builder_set_member_name(json, np_check_names[i]);
		json_builder_begin_object(json);
		json_builder_set_member_name(json, "ok");
		json_builder_add_boolean_value(json, proof->ok[i]);
		text_member(json, "seen", proof->detail[i]);
		json_builder_end_object(json);
	}
	g_autofree char *missing = np_proof_missing(proof);
	text_member(json, "missing", missing);
	json_builder_end_object(json);
}

static void host_member(JsonBuilder *json, const np_world *world)
{
	json_builder_set_member_name(json, "host");
	json_builder_begin_object(json);
	text_member(json, "hypervisor", world->root->facts.version);
	json_builder_set_member_name(json, "kvm");
	json_builder_add_boolean_value(json, world->accel.kvm);
	json_builder_set_member_name(json, "nested");
	if (world->has_kernel && world->kernel.nested >= 0)
		json_builder_add_boolean_value(json, world->kernel.nested);
	else
		json_builder_add_null_value(json);
	text_member(json, "reason", world->accel.reason);
	json_builder_set_member_name(json, "level");
	json_builder_add_int_value(json, 0);
	proof_member(json, &world->root->proof);
	json_builder_end_object(json);
}

static void add_name(GString *names, const row *r)
{
	g_string_append_printf(names, "%s%s (level %u)", names->len ? ", " : "", r->address, r->level);
}

/* What is emulated, and what that costs. Of char*; caller unrefs. */
static GPtrArray *warnings_of(const table *t)
{
	GPtrArray *warnings = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) fallback = g_string_new(NULL), betrayed = g_string_new(NULL);
	for (guint i = 0; i < t->rows->len; i++) {
		const row *r = g_ptr_array_index(t->rows, i);
		if (r->fallback)
			add_name(fallback, r);
		if (r->betrayed)
			add_name(betrayed, r);
	}
	if (betrayed->len)
		g_ptr_array_add(warnings, g_strdup_printf("emulated, although the lab says `accel: kvm` (somebody redefined the domain; "
		                                          "`nestplan apply` puts it right): %s", betrayed->str));
	if (fallback->len)
		g_ptr_array_add(warnings, g_strdup_printf("emulated, " NP_EMULATION_COST ": %s", fallback->str));
	return warnings;
}

static void print_json(const np_lab *lab, const table *t)
{
	g_autoptr(JsonBuilder) json = json_builder_new();
	json_builder_begin_object(json);
	text_member(json, "format_version", "1.0");
	text_member(json, "lab", lab->name);
	host_member(json, t->world);
	json_builder_set_member_name(json, "nodes");
	json_builder_begin_array(json);
	for (guint i = 0; i < t->rows->len; i++) {
		const row *r = g_ptr_array_index(t->rows, i);
		json_builder_begin_object(json);
		text_member(json, "address", r->address);
		json_builder_set_member_name(json, "level");
		json_builder_add_int_value(json, r->level);
		text_member(json, "state", r->state);
		text_member(json, "accel", r->accel);
		json_builder_set_member_name(json, "ready");
		json_builder_add_boolean_value(json, r->ready);
		text_member(json, "ip", r->ip);
		proof_member(json, r->proof);
		if (r->why)
			text_member(json, "inside", r->why);
		json_builder_end_object(json);
	}
	json_builder_end_array(json);
	json_builder_set_member_name(json, "warnings");
	json_builder_begin_array(json);
	g_autoptr(GPtrArray) warnings = warnings_of(t);
	for (guint i = 0; i < warnings->len; i++)
		json_builder_add_string_value(json, g_ptr_array_index(warnings, i));
	json_builder_end_array(json);
	json_builder_end_object(json);
	g_autoptr(JsonGenerator) generator = json_generator_new();
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	json_generator_set_root(generator, root);
	json_generator_set_pretty(generator, TRUE);
	g_autofree char *text = json_generator_to_data(generator, NULL);
	puts(text);
}

static char *proof_text(const row *r)
{
	if (r->why)
		return g_strdup_printf("unknown: %s", r->why);
	if (!r->proof)
		return g_strdup("");
	if (!r->proof->kvm) {
		g_autofree char *missing = np_proof_missing(r->proof);
		return g_strdup_printf("NO KVM inside: %s", missing);
	}
	return g_strdup_printf("KVM works inside (%s, %s, %s)", r->proof->detail[NP_CHECK_FLAG], r->proof->detail[NP_CHECK_MODULE],
	                       r->proof->detail[NP_CHECK_NESTED]);
}

static void print_text(const np_lab *lab, const table *t, bool colour)
{
	const np_world *world = t->world;
	printf("Lab '%s' on %s. %s.\n\n", lab->name, world->root->facts.version ? world->root->facts.version : "a hypervisor",
	       world->accel.reason);
	int width = (int)strlen("ADDRESS");
	for (guint i = 0; i < t->rows->len; i++) {
		const row *r = g_ptr_array_index(t->rows, i);
		width = MAX(width, (int)(strlen(np_address_leaf(r->address)) + 2 * (r->level - 1)));
	}
	printf("%-*s  LEVEL  STATE    ACCEL    IP               PROOF\n", width, "ADDRESS");
	for (guint i = 0; i < t->rows->len; i++) {
		const row *r = g_ptr_array_index(t->rows, i);
		g_autofree char *name = g_strdup_printf("%*s%s", (int)(2 * (r->level - 1)), "", np_address_leaf(r->address));
		g_autofree char *proof = proof_text(r);
		bool good = g_str_equal(r->state, "running");
		g_autofree char *line = g_strdup_printf("%-*s  L%-5u %s%-8s%s %-8s %-16s %s", width, name, r->level,
		                                        !colour ? "" : good ? "\033[32m" : "\033[31m", r->state,
		                                        colour ? "\033[0m" : "", r->accel ? r->accel : "-", r->ip ? r->ip : "-", proof);
		puts(g_strchomp(line));
	}
	g_autoptr(GPtrArray) warnings = warnings_of(t);
	for (guint i = 0; i < warnings->len; i++) {
		g_autofree char *message = np_message(stdout, g_ptr_array_index(warnings, i), strlen("warning: "));
		printf("%s%swarning:%s %s\n", i ? "" : "\n", colour ? "\033[33m" : "", colour ? "\033[0m" : "", message);
	}
}

static int all_labs(const np_options *options, GError **error)
{
	const np_hypervisor_ops *ops = &np_libvirt;
	np_conn *conn = ops->open(options->connect, error);
	g_autoptr(GPtrArray) labs = conn ? ops->labs(conn, error) : NULL;
	ops->close(conn);
	if (!labs)
		return NP_EXIT_FAILED;
	if (options->json) {
		g_autoptr(JsonBuilder) json = json_builder_new();
		json_builder_begin_object(json);
		text_member(json, "format_version", "1.0");
		json_builder_set_member_name(json, "labs");
		json_builder_begin_array(json);
		for (guint i = 0; i < labs->len; i++)
			json_builder_add_string_value(json, g_ptr_array_index(labs, i));
		json_builder_end_array(json);
		json_builder_end_object(json);
		g_autoptr(JsonNode) root = json_builder_get_root(json);
		g_autofree char *text = json_to_string(root, TRUE);
		puts(text);
		return NP_EXIT_OK;
	}
	for (guint i = 0; i < labs->len; i++)
		puts(g_ptr_array_index(labs, i));
	return NP_EXIT_OK;
}

static int status(np_context *context, const np_options *options, GError **error)
{
	if (!np_context_connect(context, options, error) || !np_context_observe(context, error))
		return NP_EXIT_FAILED;
	table t = {context->world, g_ptr_array_new_with_free_func(row_free)};
	np_lab_foreach_node(&context->lab->site, add_wanted, &t);
	add_orphans(&t, context->lab, context->world->root);
	if (options->json)
		print_json(context->lab, &t);
	else
		print_text(context->lab, &t, np_colour(stdout, options));
	g_ptr_array_unref(t.rows);
	return NP_EXIT_OK;
}

int np_cmd_status(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	int code = NP_EXIT_OK;
	if (options->all_labs) {
		code = all_labs(options, &error);
	} else {
		code = np_context_load(&context, options);
		if (code != NP_EXIT_OK)
			return code;
		code = status(&context, options, &error);
	}
	if (!error)
		return code;
	np_complain(options, error);
	return np_exit_code(error);
}
