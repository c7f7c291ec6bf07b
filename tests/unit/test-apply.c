/* SPDX-License-Identifier: Apache-2.0 */
/* The rounds of an apply: what is inside a hypervisor is planned once that is up. Everything is real but the hypervisor, whose inside
 * appears in the second round, and the doing. */
#include <glib/gstdio.h>

#include "base/error.h"
#include "cli/saved.h"

static const char lab_text[] =
	"version: 1\n"
	"name: demo\n"
	"images: {tiny: {source: tiny.qcow2}}\n"
	"networks: {mgmt: {cidr: 10.20.0.0/24}}\n"
	"defaults: {image: tiny, vcpus: 1, memory: 256MiB, accel: emulate}\n"
	"nodes:\n"
	"  hyp: {memory: 1GiB, nics: [mgmt], networks: {int: {cidr: 10.30.0.0/24}}, nodes: {g: {nics: [int]}}}\n";

static struct {
	unsigned looked, asked;
	bool terminal;     /* somebody answers yes */
	GString *executed; /* what was done to hyp/g and hyp/old, a line a round */
} state;

/* ── a hypervisor that has nothing but its name ── */

static np_conn *fake_open(const char *uri G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return (np_conn *)&state;
}

static void fake_close(np_conn *conn G_GNUC_UNUSED)
{
}

static char *fake_uri(np_conn *conn G_GNUC_UNUSED)
{
	return g_strdup("fake:///");
}

static bool fake_facts(np_conn *conn G_GNUC_UNUSED, np_host_facts *ret G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

static GBytes *fake_secret_get(np_conn *conn G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return NULL;
}

static bool fake_secret_create(np_conn *conn G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, const char *description G_GNUC_UNUSED,
                               GBytes *value G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

static bool fake_secret_delete(np_conn *conn G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, const char *description G_GNUC_UNUSED,
                               GError **error G_GNUC_UNUSED)
{
	return true;
}

static GBytes *fake_seed(GError **error G_GNUC_UNUSED)
{
	return g_bytes_new_static("0123456789abcdef0123456789abcdef", 32);
}

static np_guests *fake_guests_open(const np_lab *lab G_GNUC_UNUSED, GBytes *seed G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return (np_guests *)&state;
}

static void fake_guests_close(np_guests *guests G_GNUC_UNUSED)
{
}

static const np_hypervisor_ops hypervisor = {
	.open = fake_open,
	.close = fake_close,
	.uri = fake_uri,
	.facts = fake_facts,
	.secret_get = fake_secret_get,
	.secret_create = fake_secret_create,
	.secret_delete = fake_secret_delete,
};
static const np_guest_ops guest = {.seed = fake_seed, .open = fake_guests_open, .close = fake_guests_close};
static const np_drivers drivers = {.hypervisor = &hypervisor, .guest = &guest};

static np_seen_node *seen_node(const char *name, const char *address, np_power power)
{
	np_seen_node *seen = np_seen_node_new();
	seen->node->base.name = g_strdup(name);
	seen->node->address = g_strdup(address);
	seen->node->libvirt_name = g_strconcat("demo.", name, NULL);
	seen->node->accel = NP_ACCEL_EMULATE;
	seen->power = power;
	seen->ready = power == NP_POWER_RUNNING;
	return seen;
}

/* Another NIC by which it is reached would make it another machine. */
static void add_nic(np_node *node, const np_nic *from)
{
	np_nic *nic = np_object_new(&np_nic_kind, from->base.name);
	nic->network = g_strdup(from->network);
	nic->mac = g_strdup(from->mac);
	nic->address = from->address;
	g_ptr_array_add(np_objects_own(&node->nics), nic);
}

/* Off at the first look, and at the second one up with g and with old, which the lab file does not have. */
static np_world *look(const np_lab *lab)
{
	bool up = state.looked++ > 0;
	np_world *world = np_world_new("demo");
	np_seen_node *seen = seen_node("hyp", "hyp", up ? NP_POWER_RUNNING : NP_POWER_OFF);
	world->root->reachable = true;
	add_nic(seen->node, np_node_access_nic(np_lab_node(lab, "hyp")));
	seen->hypervisor = true;
	seen->inside = np_seen_site_new("hyp");
	seen->inside->reachable = up;
	seen->inside->why = up ? NULL : g_strdup("node 'hyp' is off");
	g_ptr_array_add(world->root->nodes, seen);
	if (!up)
		return world;
	g_ptr_array_add(seen->inside->nodes, seen_node("g", "hyp/g", NP_POWER_RUNNING));
	g_ptr_array_add(seen->inside->nodes, seen_node("old", "hyp/old", NP_POWER_RUNNING));
	return world;
}

/* ── what cmd_apply.c and saved.c need of the rest of cli/ ── */

int np_context_load(np_context *context, const np_options *options G_GNUC_UNUSED)
{
	np_diags *diags = NULL;
	np_load_options how = {.file = "lab.yaml", .folder = "/lab"};
	context->lab = np_lab_parse(lab_text, strlen(lab_text), &how, &diags);
	np_diags_free(diags);
	g_assert_nonnull(context->lab);
	return NP_EXIT_OK;
}

bool np_context_resolve(np_context *context G_GNUC_UNUSED, const np_options *options G_GNUC_UNUSED, GCancellable *cancel G_GNUC_UNUSED,
                        GError **error G_GNUC_UNUSED)
{
	return true;
}

bool np_context_connect(np_context *context, const np_options *options G_GNUC_UNUSED, GError **error)
{
	context->session = np_session_new(&drivers, context->lab, NULL, error);
	return context->session != NULL;
}

bool np_context_observe(np_context *context, GError **error G_GNUC_UNUSED)
{
	np_world_free(context->world);
	context->world = look(context->lab);
	return true;
}

void np_context_clear(np_context *context)
{
	np_world_free(context->world);
	np_session_free(context->session);
	np_lab_free(context->lab);
}

np_plan_options np_options_plan(const np_options *options)
{
	return (np_plan_options){.replace = (const char *const *)options->replace};
}

void np_show_plan(const np_plan *plan, const np_options *options G_GNUC_UNUSED)
{
	g_assert_cmpuint(plan->problems->len, ==, 0);
}

int np_execute(np_context *context G_GNUC_UNUSED, const np_options *options G_GNUC_UNUSED, const np_plan *plan)
{
	static const char *const watched[] = {"hyp/g", "hyp/old"};
	for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++) {
		const np_change *change = np_plan_find(plan, watched[i]);
		if (change)
			g_string_append_printf(state.executed, "%s: %s ", watched[i], change->deferred ? "later" : np_action_names[change->action]);
	}
	g_string_append(state.executed, "| ");
	return NP_EXIT_OK;
}

bool np_confirm(const np_options *options, const char *question G_GNUC_UNUSED, GError **error)
{
	if (options->yes)
		return true;
	state.asked++;
	if (!state.terminal)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "Nobody can be asked.");
	return state.terminal;
}

void np_complain(const np_options *options G_GNUC_UNUSED, const GError *error)
{
	g_test_message("%s", error->message);
}

int np_exit_code(const GError *error G_GNUC_UNUSED)
{
	return NP_EXIT_FAILED;
}

GCancellable *np_interrupt_cancellable(void)
{
	return NULL;
}

int np_destroy_lab(np_context *context G_GNUC_UNUSED, const np_options *options G_GNUC_UNUSED, const np_saved *saved G_GNUC_UNUSED,
                   GError **error G_GNUC_UNUSED)
{
	g_assert_not_reached();
}

/* ── the cases ── */

/* Returns the exit code; what was done is in state. file: the lab, or a saved plan. */
static int apply(const char *file, char **replace, bool yes, bool terminal)
{
	state.looked = state.asked = 0;
	state.terminal = terminal;
	g_string_truncate(state.executed, 0);
	np_options options = {.file = g_strdup(file), .replace = g_strdupv(replace), .yes = yes, .quiet = TRUE};
	int code = np_cmd_apply(NULL, &options);
	g_free(options.file);
	g_free(options.connect);
	g_strfreev(options.replace);
	g_strfreev(options.targets);
	g_strfreev(options.vars);
	return code;
}

static void test_replace_later(void)
{
	char *replace[] = {(char *)"hyp/g", NULL};
	g_assert_cmpint(apply("lab.yaml", replace, true, false), ==, NP_EXIT_OK);
	g_assert_cmpstr(state.executed->str, ==, "hyp/g: later | hyp/g: replace hyp/old: delete | ");
}

static char *saved_plan(const char *folder)
{
	g_auto(np_context) context = {0};
	g_autoptr(GError) error = NULL;
	np_options options = {0};
	state.looked = 0;
	np_context_load(&context, &options);
	g_assert_true(np_context_connect(&context, &options, &error));
	g_assert_true(np_context_observe(&context, &error));
	g_autoptr(np_plan) plan = np_plan_make(context.lab, context.world, NULL);
	char *file = g_build_filename(folder, "p.plan", NULL);
	np_saved_write(file, &context, &options, plan, &error);
	g_assert_no_error(error);
	return file;
}

/* Who agreed to a saved plan did not see what would be done inside: g is other than in the lab, old is to go. */
static void test_saved(void)
{
	g_autofree char *folder = g_dir_make_tmp("nestplan-apply-XXXXXX", NULL);
	g_autofree char *file = saved_plan(folder);
	g_assert_cmpint(apply(file, NULL, false, false), ==, NP_EXIT_FAILED);
	g_assert_cmpuint(state.asked, ==, 1);
	g_assert_cmpstr(state.executed->str, ==, "hyp/g: later | ");
	g_assert_cmpint(apply(file, NULL, false, true), ==, NP_EXIT_OK);
	g_assert_cmpuint(state.asked, ==, 1);
	g_assert_cmpstr(state.executed->str, ==, "hyp/g: later | hyp/g: replace hyp/old: delete | ");
	g_assert_cmpint(apply(file, NULL, true, false), ==, NP_EXIT_OK);
	g_assert_cmpuint(state.asked, ==, 0);
	g_assert_cmpstr(state.executed->str, ==, "hyp/g: later | hyp/g: replace hyp/old: delete | ");
	g_assert_cmpint(g_remove(file), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_asked(void)
{
	g_assert_cmpint(apply("lab.yaml", NULL, false, false), ==, NP_EXIT_FAILED);
	g_assert_cmpstr(state.executed->str, ==, "");
	g_assert_cmpint(apply("lab.yaml", NULL, false, true), ==, NP_EXIT_OK);
	g_assert_cmpuint(state.asked, ==, 2);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	state.executed = g_string_new(NULL);
	g_test_add_func("/apply/replace-later", test_replace_later);
	g_test_add_func("/apply/saved", test_saved);
	g_test_add_func("/apply/asked", test_asked);
	int code = g_test_run();
	g_string_free(state.executed, TRUE);
	return code;
}
