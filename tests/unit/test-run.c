/* SPDX-License-Identifier: Apache-2.0 */
/* The runner on fake drivers: order, failure, cancellation, emulation fallback; under TSan too. */
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "lab/lab.h"
#include "run/lock.h"
#include "run/run.h"

static const char lab_text[] =
	"version: 1\n"
	"name: demo\n"
	"images: {hv: {source: hv.qcow2}, tiny: {source: tiny.qcow2}}\n"
	"networks: {mgmt: {cidr: 10.20.0.0/24}}\n"
	"nodes:\n"
	"  hyp:\n"
	"    image: hv\n"
	"    vcpus: 2\n"
	"    memory: 3GiB\n"
	"    accel: auto\n"
	"    nics: [mgmt]\n"
	"    networks: {int: {cidr: 10.30.1.0/24}}\n"
	"    nodes:\n"
	"      guest: {count: 3, image: tiny, vcpus: 1, memory: 256MiB, nics: [int], accel: ACCEL}\n";

/* ── the fake world ── */

struct np_conn {
	char *uri;
};

typedef struct {
	GMutex lock;
	GPtrArray *calls;    /* of char*: "define hypervisor kvm demo.hyp" */
	GHashTable *secrets; /* usage → description */
	const char *fail;    /* call that fails */
	bool nested_works;
	const char *hung; /* node that answers only after a reset */
	const char *paused, *ended; /* nodes that stop while they are waited for, by libvirt's name: until a reset, for good */
	bool emulated;
	GCancellable *cancel_at_start;
	/* the host's kernel */
	bool has_kernel, busy;
	int nested, before;
	const char *labs; /* "first demo" */
	GString *stages;
	/* inside a guest */
	bool keys, booting, unwaited;
	int inside_status;
	const char *inside_words;
} fake;

static fake f;

static bool record(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool record(GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *call = g_strdup_vprintf(format, args);
	va_end(args);
	g_mutex_lock(&f.lock);
	g_ptr_array_add(f.calls, call);
	bool fails = f.fail && g_str_equal(f.fail, call);
	g_mutex_unlock(&f.lock);
	if (fails)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "made to fail");
	return !fails;
}

static int position(const char *call)
{
	for (guint i = 0; i < f.calls->len; i++)
		if (g_str_equal(g_ptr_array_index(f.calls, i), call))
			return (int)i;
	return -1;
}

static void assert_before(const char *first, const char *second)
{
	g_assert_cmpint(position(first), >=, 0);
	g_assert_cmpint(position(second), >, position(first));
}

static np_conn *fake_open(const char *uri, GError **error G_GNUC_UNUSED)
{
	np_conn *conn = g_new0(np_conn, 1);
	conn->uri = g_strdup(uri ? uri : "host");
	return conn;
}

static void fake_close(np_conn *conn)
{
	if (conn)
		g_free(conn->uri);
	g_free(conn);
}

static bool fake_alive(np_conn *conn G_GNUC_UNUSED)
{
	return true;
}

static bool fake_facts(np_conn *conn, np_host_facts *ret, GError **error G_GNUC_UNUSED)
{
	*ret = (np_host_facts){.arch = g_strdup("x86_64"), .offers_qemu = true};
	ret->offers_kvm = g_str_equal(conn->uri, "host") || f.nested_works;
	return true;
}

static void fake_cpus(np_conn *conn G_GNUC_UNUSED, np_host_facts *facts G_GNUC_UNUSED)
{
}

static bool fake_observe(np_conn *conn G_GNUC_UNUSED, const char *lab G_GNUC_UNUSED, np_seen_site *site G_GNUC_UNUSED,
                         GError **error G_GNUC_UNUSED)
{
	return true;
}

static bool fake_pool_ensure(np_conn *conn, const char *name, const char *folder G_GNUC_UNUSED, GError **error)
{
	return record(error, "pool %s %s", conn->uri, name);
}

static const char *volume_names;

static GPtrArray *fake_volumes(np_conn *conn G_GNUC_UNUSED, const char *pool G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	GPtrArray *volumes = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) names = g_strsplit(volume_names ? volume_names : "", " ", -1);
	for (char **name = names; *name; name++)
		g_ptr_array_add(volumes, g_strdup(*name));
	return volumes;
}

static bool fake_upload(np_conn *conn, const char *pool, const char *name, const char *format G_GNUC_UNUSED,
                        const char *path G_GNUC_UNUSED, np_progress_fn progress, gpointer data,
                        GCancellable *cancel G_GNUC_UNUSED, GError **error)
{
	if (progress)
		progress(1, 2, data);
	return record(error, "upload %s %s %s", conn->uri, pool, name);
}

static bool fake_network(np_conn *conn, const np_lab *lab G_GNUC_UNUSED, const np_network *network,
                         const np_record *applied G_GNUC_UNUSED, GError **error)
{
	return record(error, "network %s %s", conn->uri, network->libvirt_name);
}

static bool fake_define(np_conn *conn, const np_domain_spec *spec, GError **error)
{
	return record(error, "define %s %s %s", conn->uri, spec->kvm ? "kvm" : "qemu", spec->node->libvirt_name);
}

static bool record_keys(const np_record *is, GError **error)
{
	const char *keys = np_record_get(is, "authorized_keys", NULL);
	return !keys || record(error, "recorded %s", keys);
}

static bool fake_update(np_conn *conn, const np_domain_spec *spec, GError **error)
{
	return record(error, "update %s %s", conn->uri, spec->node->libvirt_name) && record_keys(spec->record, error);
}

static bool fake_domain_record(np_conn *conn G_GNUC_UNUSED, const char *lab G_GNUC_UNUSED, const char *libvirt_name G_GNUC_UNUSED,
                               const np_record *is, GError **error)
{
	return record_keys(is, error);
}

static bool fake_volume_delete(np_conn *conn G_GNUC_UNUSED, const char *pool G_GNUC_UNUSED, const char *name, GError **error)
{
	return record(error, "delete %s", name);
}

static bool fake_volume_create(np_conn *conn G_GNUC_UNUSED, const char *pool G_GNUC_UNUSED, const char *name,
                               const char *format G_GNUC_UNUSED, guint64 capacity G_GNUC_UNUSED, GError **error)
{
	return record(error, "create %s", name);
}

static bool fake_start(np_conn *conn, const char *lab G_GNUC_UNUSED, const char *name, GError **error)
{
	if (f.cancel_at_start)
		g_cancellable_cancel(f.cancel_at_start);
	return record(error, "start %s %s", conn->uri, name);
}

static bool fake_reset(np_conn *conn, const char *lab G_GNUC_UNUSED, const char *name, GError **error)
{
	g_mutex_lock(&f.lock);
	f.hung = f.paused = NULL;
	g_mutex_unlock(&f.lock);
	return record(error, "reset %s %s", conn->uri, name);
}

static gpointer fake_watch(np_conn *conn G_GNUC_UNUSED, const char *name, np_stopped_fn fn, gpointer data,
                           GError **error G_GNUC_UNUSED)
{
	g_mutex_lock(&f.lock);
	bool paused = g_strcmp0(f.paused, name) == 0, ended = g_strcmp0(f.ended, name) == 0;
	g_mutex_unlock(&f.lock);
	if (paused || ended)
		fn(ended, ended ? "it switched itself off" : "its hypervisor paused it", data);
	return g_strdup(name);
}

static void fake_unwatch(gpointer watch)
{
	g_free(watch);
}

static bool fake_ready(np_conn *conn, const char *lab G_GNUC_UNUSED, const char *name, GError **error)
{
	return record(error, "ready %s %s", conn->uri, name);
}

static void fake_console_close(gpointer console G_GNUC_UNUSED)
{
}

static GBytes *fake_secret_get(np_conn *conn G_GNUC_UNUSED, const char *usage G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_bytes_new_static("0123456789abcdef0123456789abcdef", 32);
}

static bool fake_secret_create(np_conn *conn G_GNUC_UNUSED, const char *usage, const char *description,
                               GBytes *value G_GNUC_UNUSED, GError **error)
{
	g_mutex_lock(&f.lock);
	bool there = g_hash_table_contains(f.secrets, usage);
	if (!there)
		g_hash_table_insert(f.secrets, g_strdup(usage), g_strdup(description));
	g_mutex_unlock(&f.lock);
	if (there)
		g_set_error(error, NP_ERROR, NP_ERROR_BUSY, "there");
	return !there;
}

static char *fake_secret_describe(np_conn *conn G_GNUC_UNUSED, const char *usage)
{
	g_mutex_lock(&f.lock);
	char *text = g_strdup(g_hash_table_lookup(f.secrets, usage));
	g_mutex_unlock(&f.lock);
	return text;
}

static bool fake_secret_delete(np_conn *conn G_GNUC_UNUSED, const char *usage, const char *description,
                               GError **error G_GNUC_UNUSED)
{
	g_mutex_lock(&f.lock);
	const char *is = g_hash_table_lookup(f.secrets, usage);
	if (!description || g_strcmp0(is, description) == 0)
		g_hash_table_remove(f.secrets, usage);
	g_mutex_unlock(&f.lock);
	return true;
}

static bool fake_pool_delete(np_conn *conn, const char *name, GError **error)
{
	return record(error, "delete pool %s %s", conn->uri, name);
}

static GPtrArray *fake_labs(np_conn *conn G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_ptr_array_new();
}

static GPtrArray *fake_secrets(np_conn *conn G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_ptr_array_new();
}

static const np_hypervisor_ops fake_hypervisor = {
	.pool_delete = fake_pool_delete,
	.labs = fake_labs,
	.secrets = fake_secrets,
	.open = fake_open,
	.close = fake_close,
	.alive = fake_alive,
	.facts = fake_facts,
	.cpus = fake_cpus,
	.observe = fake_observe,
	.pool_ensure = fake_pool_ensure,
	.volumes = fake_volumes,
	.volume_upload = fake_upload,
	.network_ensure = fake_network,
	.domain_define = fake_define,
	.domain_update = fake_update,
	.domain_record = fake_domain_record,
	.volume_create = fake_volume_create,
	.volume_delete = fake_volume_delete,
	.domain_start = fake_start,
	.domain_reset = fake_reset,
	.domain_watch = fake_watch,
	.domain_unwatch = fake_unwatch,
	.domain_ready = fake_ready,
	.console_close = fake_console_close,
	.secret_get = fake_secret_get,
	.secret_create = fake_secret_create,
	.secret_describe = fake_secret_describe,
	.secret_delete = fake_secret_delete,
};

static np_guests *fake_guests_open(const np_lab *lab G_GNUC_UNUSED, GBytes *seed G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return (np_guests *)g_strdup("guests");
}

static void fake_guests_close(np_guests *guests)
{
	g_free(guests);
}

/* Which script of run/inside.h it is; NULL: none. */
static const char *inside_kind(const char *script)
{
	static const char *const kinds[][2] = {{"\nrelease 'old'\n", "release"}, {"\ngrow 'root'\n", "grow"}, {"cpu[0-9]*", "vcpus"}, {"NETWORK", "network"},
	                                       {"case ' abc ", "keys"}};
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strstr(script, kinds[i][0]))
			return kinds[i][1];
	return NULL;
}

static bool fake_run(np_guests *guests G_GNUC_UNUSED, const char *address, const char *script, guint64 timeout_ms G_GNUC_UNUSED,
                     GCancellable *cancel G_GNUC_UNUSED, np_process_result *ret, GError **error)
{
	const char *inside = inside_kind(script);
	if (g_strcmp0(inside, "keys") == 0)
		g_assert_nonnull(strstr(script, "\nclient\nssh-ed25519 AAAA own\nEND OF KEYS\n"));
	if (inside) {
		*ret = (np_process_result){.status = f.inside_status, .output = g_strdup(""),
		                           .errors = g_strdup(f.inside_words ? f.inside_words : "")};
		return record(error, "%s %s", inside, address);
	}
	bool proof = strstr(script, "/proc/cpuinfo") != NULL;
	*ret = (np_process_result){.errors = g_strdup("")};
	ret->output = g_strdup(!proof          ? ""
	                       : f.nested_works ? "flag=svm\nwanted=kvm_amd\nmodule=kvm_amd\nnested=1\ndevice=ok\nvm=ok\n"
	                                        : "flag=svm\nwanted=kvm_amd\nnested=\ndevice=/dev/kvm does not exist\n"
	                                          "log=kvm_amd: `1n' invalid for parameter `nested'\n");
	return record(error, "%s %s", proof ? "proof" : "libvirtd", address);
}

static bool fake_wait(np_guests *guests G_GNUC_UNUSED, const char *address, guint64 timeout_ms G_GNUC_UNUSED,
                      GCancellable *cancel, GError **error)
{
	g_mutex_lock(&f.lock);
	bool hangs = f.hung && g_str_equal(f.hung, address);
	g_mutex_unlock(&f.lock);
	if (g_cancellable_set_error_if_cancelled(cancel, error))
		return false;
	if (hangs) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "it hangs");
		return false;
	}
	return record(error, "ssh %s", address);
}

static char *fake_uri(np_guests *guests G_GNUC_UNUSED, const char *address)
{
	return g_strdup(address);
}

static bool fake_key(GBytes *seed G_GNUC_UNUSED, const char *lab G_GNUC_UNUSED, const char *address, np_keypair *ret,
                     GError **error G_GNUC_UNUSED)
{
	ret->public_line = g_strdup(address ? address : "client");
	ret->private_openssh = g_strdup("private");
	return true;
}

static void fake_forget(np_guests *guests G_GNUC_UNUSED, const char *address G_GNUC_UNUSED)
{
}

static const np_guest_ops fake_guest = {
	.open = fake_guests_open,
	.close = fake_guests_close,
	.run = fake_run,
	.wait = fake_wait,
	.uri = fake_uri,
	.key = fake_key,
	.forget = fake_forget,
};

static bool fake_build(const np_disk_job *jobs, unsigned n_jobs, bool kvm G_GNUC_UNUSED, np_progress_fn progress, gpointer data,
                       GCancellable *cancel G_GNUC_UNUSED, int *failed G_GNUC_UNUSED, GError **error)
{
	for (unsigned i = 0; i < n_jobs; i++) {
		progress(i, n_jobs, data);
		g_assert_cmpstr(jobs[i].authorized[0], ==, "client");
		g_assert_cmpstr(jobs[i].host_key->public_line, ==, jobs[i].node->address);
		if (!record(error, "disk %s", jobs[i].node->address))
			return false;
	}
	return true;
}

static char *fake_network_script(const np_node *node G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return g_strdup("NETWORK");
}

static const np_disk_ops fake_disk = {.build = fake_build, .network_script = fake_network_script};

static char *fake_share(const np_lab *lab G_GNUC_UNUSED, const np_site *site G_GNUC_UNUSED, GCancellable *cancel G_GNUC_UNUSED,
                        GError **error G_GNUC_UNUSED)
{
	return g_strdup("/share");
}

static bool fake_kernel_facts(const char *root G_GNUC_UNUSED, np_kernel_facts *ret, GError **error G_GNUC_UNUSED)
{
	np_kernel_facts_clear(ret);
	np_kernel_facts_init(ret);
	ret->flag = g_strdup("svm");
	ret->module = g_strdup("kvm_amd");
	ret->state = NP_MODULE_LIVE;
	ret->device = ret->loadable = true;
	ret->nested = f.nested;
	ret->before = f.before;
	g_auto(GStrv) labs = g_strsplit(f.labs, " ", -1);
	for (char **lab = labs; *lab; lab++)
		if (**lab)
			g_ptr_array_add(ret->labs, g_strdup(*lab));
	return true;
}

static bool fake_nesting(const char *root G_GNUC_UNUSED, const np_nesting_request *request, GError **error)
{
	if (request->reload && f.busy) {
		g_set_error(error, NP_ERROR, NP_ERROR_BUSY, "domain 'other' uses it");
		return false;
	}
	g_autofree char *labs = g_strjoinv(" ", (char **)request->labs);
	return record(error, "nesting %s [%s] %s", request->module, labs, request->reload ? "reload" : "file");
}

static const np_kernel_ops fake_kernel = {.facts = fake_kernel_facts, .nesting = fake_nesting};
static const np_image_ops fake_image = {.share = fake_share};
static const np_drivers fakes = {&fake_hypervisor, &fake_kernel, &fake_disk, &fake_guest, &fake_image};

/* ── one run ── */

static np_lab *load(const char *accel)
{
	g_auto(GStrv) parts = g_strsplit(lab_text, "ACCEL", -1);
	g_autofree char *text = g_strjoinv(accel, parts);
	np_diags *diags = NULL;
	np_load_options options = {.file = "lab.yaml", .folder = "/lab"};
	np_lab *lab = np_lab_parse(text, strlen(text), &options, &diags);
	g_assert_nonnull(lab);
	np_diags_free(diags);
	for (guint i = 0; i < lab->images->len; i++) {
		np_image *image = g_ptr_array_index(lab->images, i);
		image->id = g_strdup_printf("sha256-%s", image->base.name);
		image->path = g_strdup("/dev/null");
		image->virtual_size = 1;
	}
	((np_node *)g_ptr_array_index(lab->site.nodes, 0))->site.share = g_strdup("share.raw");
	return lab;
}

static void note(const np_event *event, gpointer data)
{
	GString *failures = data;
	if (event->kind == NP_EVENT_STAGE)
		g_string_append_printf(f.stages, "%s\n", event->text);
	if (event->kind == NP_EVENT_FAILED || event->kind == NP_EVENT_SKIPPED)
		g_string_append_printf(failures, "%s: %s: %s\n", np_event_names[event->kind], event->step->label, event->text);
}

/* Applies the lab, accel being that of its guests; NULL: destroys what the host has of it. */
static np_run_result run(const char *accel, GCancellable *cancel, char **ret_failures)
{
	g_autoptr(np_lab) lab = load(accel ? accel : "auto");
	g_autoptr(GError) error = NULL;
	g_autoptr(np_session) session = np_session_new(&fakes, lab, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(np_session_open_guests(session, true, &error));
	g_autoptr(np_world) world = np_world_new("demo");
	world->root->reachable = true;
	world->has_kernel = f.has_kernel;
	if (f.has_kernel)
		fake_kernel_facts("", &world->kernel, NULL);
	world->accel = (np_accel_answer){.kvm = !f.emulated, .nested = f.nested, .needs_switch = !f.nested, .flag = "svm",
	                                 .reason = g_strdup("x"), .switch_commands = g_strdup("x")};
	bool teardown = accel == NULL;
	np_plan_options how = {.destroy = teardown};
	g_autoptr(np_plan) plan = np_plan_make(lab, world, &how);
	g_assert_cmpuint(plan->problems->len, ==, 0);
	g_autoptr(GPtrArray) steps = np_order_make(lab, world, plan);
	GString *failures = g_string_new(NULL);
	np_run_options options = {.parallelism = 4, .event = note, .data = failures, .cancel = cancel};
	np_run_result result;
	g_assert_true(np_run(session, lab, steps, &options, &result, &error));
	g_assert_cmpuint(result.done + result.failed + result.skipped, ==, steps->len);
	*ret_failures = g_string_free(failures, FALSE);
	return result;
}

static void begin(void)
{
	g_mutex_lock(&f.lock);
	if (f.calls)
		g_ptr_array_unref(f.calls);
	f.calls = g_ptr_array_new_with_free_func(g_free);
	if (!f.secrets)
		f.secrets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	f.fail = NULL;
	f.nested_works = true;
	f.cancel_at_start = NULL;
	f.hung = f.paused = f.ended = NULL;
	f.emulated = f.has_kernel = f.busy = f.keys = f.booting = f.unwaited = false;
	f.nested = 1;
	f.before = -1;
	f.labs = "";
	f.inside_status = 0;
	f.inside_words = NULL;
	volume_names = NULL;
	if (!f.stages)
		f.stages = g_string_new(NULL);
	g_string_truncate(f.stages, 0);
	g_mutex_unlock(&f.lock);
}

static void test_all_done(void)
{
	begin();
	g_autofree char *failures = NULL;
	np_run_result result = run("kvm", NULL, &failures);
	g_assert_cmpstr(failures, ==, "");
	g_assert_cmpuint(result.failed, ==, 0);
	assert_before("disk hyp", "start host demo.hyp");
	assert_before("upload host nestplan-images sha256-hv.qcow2", "start host demo.hyp");
	assert_before("upload host nestplan-images share.raw", "start host demo.hyp");
	assert_before("network host demo.mgmt", "start host demo.hyp");
	assert_before("upload host nestplan-demo hyp.root.qcow2", "define host kvm demo.hyp");
	assert_before("start host demo.hyp", "ssh hyp");
	assert_before("ssh hyp", "libvirtd hyp");
	assert_before("libvirtd hyp", "proof hyp");
	assert_before("proof hyp", "pool hyp nestplan-demo");
	assert_before("network hyp demo.int", "start hyp demo.guest-3");
	assert_before("define hyp kvm demo.guest-1", "start hyp demo.guest-1");
	assert_before("start hyp demo.guest-1", "ssh hyp/guest-1");
	g_assert_cmpint(position("upload host nestplan-images sha256-tiny.qcow2"), <, 0); /* it travels in the share */
}

static void test_one_guest_fails(void)
{
	begin();
	f.fail = "start hyp demo.guest-2";
	g_autofree char *failures = NULL;
	np_run_result result = run("kvm", NULL, &failures);
	g_assert_cmpuint(result.failed, ==, 1);
	g_assert_cmpstr(failures, ==,
	                "failed: hyp/guest-2: create and start: made to fail\n"
	                "skipped: hyp/guest-2: wait until ready: needs “hyp/guest-2: create and start”\n");
	g_assert_cmpint(position("ssh hyp/guest-1"), >=, 0);
	g_assert_cmpint(position("ssh hyp/guest-3"), >=, 0);
	g_assert_cmpint(position("ssh hyp/guest-2"), <, 0);
}

static void test_proof_fails(void)
{
	begin();
	f.nested_works = false;
	g_autofree char *failures = NULL;
	np_run_result result = run("kvm", NULL, &failures);
	g_assert_cmpuint(result.failed, ==, 1);
	g_assert_nonnull(strstr(failures, "KVM does not work inside node 'hyp' (level 1): the module kvm_amd is not loaded; "
	                                  "its kernel says: kvm_amd: `1n' invalid"));
	g_assert_cmpint(position("start hyp demo.guest-1"), <, 0);
}

static void test_auto_emulates(void)
{
	begin();
	f.nested_works = false;
	g_autofree char *failures = NULL;
	np_run_result result = run("auto", NULL, &failures);
	g_assert_cmpuint(result.failed, ==, 0);
	g_assert_cmpint(position("define hyp qemu demo.guest-1"), >=, 0);
	g_assert_cmpint(position("define hyp kvm demo.guest-1"), <, 0);
}

static void test_hung_guest(void)
{
	g_autofree char *failures = NULL, *again = NULL;
	begin();
	f.hung = "hyp/guest-2"; /* with KVM below, nothing is reset */
	np_run_result result = run("kvm", NULL, &failures);
	g_assert_cmpuint(result.failed, ==, 1);
	g_assert_nonnull(strstr(failures, "Node 'hyp/guest-2' (level 2) is not ready: it hangs"));
	g_assert_cmpint(position("reset hyp demo.guest-2"), <, 0);
	begin();
	f.hung = "hyp/guest-2";
	f.emulated = true;
	result = run("kvm", NULL, &again);
	g_assert_cmpuint(result.failed, ==, 0);
	assert_before("reset hyp demo.guest-2", "ssh hyp/guest-2");
	g_assert_cmpint(position("reset hyp demo.guest-1"), <, 0);
}

/* Nobody waits for one that does not run. */
static void test_stopped_guest(void)
{
	g_autofree char *failures = NULL, *again = NULL, *last = NULL;
	begin();
	f.paused = "demo.guest-2";
	np_run_result result = run("kvm", NULL, &failures);
	g_assert_cmpuint(result.failed, ==, 1);
	g_assert_nonnull(strstr(failures, "Node 'hyp/guest-2' (level 2) is not ready: its hypervisor paused it."));
	g_assert_cmpint(position("reset hyp demo.guest-2"), <, 0);
	begin();
	f.paused = "demo.guest-2";
	f.emulated = true;
	result = run("kvm", NULL, &again);
	g_assert_cmpuint(result.failed, ==, 0);
	assert_before("reset hyp demo.guest-2", "ssh hyp/guest-2");
	begin();
	f.ended = "demo.guest-2"; /* there is nothing to reset */
	f.emulated = true;
	result = run("kvm", NULL, &last);
	g_assert_cmpuint(result.failed, ==, 1);
	g_assert_nonnull(strstr(last, "Node 'hyp/guest-2' (level 2) is not ready: it switched itself off."));
	g_assert_cmpint(position("reset hyp demo.guest-2"), <, 0);
}

static void test_cancel(void)
{
	begin();
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	f.cancel_at_start = cancel;
	g_autofree char *failures = NULL;
	np_run_result result = run("kvm", cancel, &failures);
	g_assert_true(result.cancelled);
	g_assert_cmpint(position("ssh hyp"), <, 0);
}

static void test_lock(void)
{
	begin();
	g_autoptr(np_lab) lab = load("kvm");
	g_autoptr(GError) error = NULL;
	g_autoptr(np_session) session = np_session_new(&fakes, lab, NULL, &error);
	np_lock *held = np_lock_acquire(session, "demo", 0, NULL, &error);
	g_assert_no_error(error);
	g_assert_null(np_lock_acquire(session, "demo", 0, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_BUSY);
	g_assert_nonnull(strstr(error->message, g_get_user_name()));
	g_clear_error(&error);
	np_lock_release(held);
	/* a holder of this machine whose process is gone */
	g_autofree char *stale = g_strdup_printf("nestplan lock: root@%s pid 999999999 since 2026-01-01T00:00:00Z [other-boot 1]",
	                                         g_get_host_name());
	g_hash_table_insert(f.secrets, g_strdup("nestplan/demo/lock"), g_strdup(stale));
	held = np_lock_acquire(session, "demo", 0, NULL, &error);
	g_assert_no_error(error);
	g_assert_nonnull(held);
	np_lock_release(held);
	/* a holder on another machine is never taken over */
	g_hash_table_insert(f.secrets, g_strdup("nestplan/demo/lock"),
	                    g_strdup("nestplan lock: ann@elsewhere pid 1 since 2026-01-01T00:00:00Z [b 1]"));
	g_assert_null(np_lock_acquire(session, "demo", 0, NULL, &error));
	g_assert_nonnull(strstr(error->message, "ann@elsewhere pid 1"));
	g_hash_table_remove_all(f.secrets);
}

/* Everything that uses KVM, which holds the module, comes after. */
static void test_nesting_on(void)
{
	begin();
	f.has_kernel = true;
	f.nested = 0;
	g_autofree char *failures = NULL;
	run("auto", NULL, &failures);
	g_assert_cmpstr(failures, ==, "");
	assert_before("nesting kvm_amd [demo] reload", "disk hyp");
	assert_before("nesting kvm_amd [demo] reload", "start host demo.hyp");

	begin();
	f.has_kernel = true;
	f.labs = "first";
	f.before = 0;
	g_autofree char *second = NULL;
	run("auto", NULL, &second);
	g_assert_cmpstr(second, ==, "");
	g_assert_cmpint(position("nesting kvm_amd [first demo] file"), >=, 0);
}

static void test_nesting_fails(void)
{
	begin();
	f.has_kernel = true;
	f.nested = 0;
	f.fail = "nesting kvm_amd [demo] reload";
	g_autofree char *failures = NULL;
	np_run_result result = run("auto", NULL, &failures);
	g_assert_cmpuint(result.failed, ==, 1);
	g_assert_cmpint(position("disk hyp"), ==, -1);
	g_assert_cmpint(position("start host demo.hyp"), ==, -1);
	g_assert_cmpint(position("network host demo.mgmt"), ==, -1); /* needs no KVM, but then nothing was made */
}

static void test_nesting_off(void)
{
	begin();
	f.has_kernel = true;
	f.labs = "demo";
	f.before = 0;
	g_autofree char *failures = NULL;
	run(NULL, NULL, &failures);
	g_assert_cmpstr(failures, ==, "");
	g_assert_cmpint(position("nesting kvm_amd [] reload"), >=, 0);

	begin(); /* somebody came meanwhile: the file goes, and it is said what stays */
	f.has_kernel = f.busy = true;
	f.labs = "demo";
	f.before = 0;
	g_autofree char *busy = NULL;
	run(NULL, NULL, &busy);
	g_assert_cmpstr(busy, ==, "");
	g_assert_cmpint(position("nesting kvm_amd [] file"), >=, 0);
	g_assert_nonnull(strstr(f.stages->str, "stays on"));

	begin(); /* another lab needs it */
	f.has_kernel = true;
	f.labs = "demo first";
	f.before = 0;
	g_autofree char *shared = NULL;
	run(NULL, NULL, &shared);
	g_assert_cmpint(position("nesting kvm_amd [first] file"), >=, 0);
}

/* ── a node that becomes another ── */

/* As it was: one vCPU of two, a smaller root disk, a disk that the file has no longer, no NIC. */
static np_seen_node *seen_before(const np_node *node)
{
	np_seen_node *seen = np_seen_node_new();
	seen->ready = !f.booting;
	seen->applied = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (f.keys)
		g_hash_table_insert(seen->applied, g_strdup("authorized_keys"), g_strdup("abc"));
	seen->node->address = g_strdup(node->address);
	seen->node->vcpus = node->vcpus - 1;
	np_disk *root = np_object_new(&np_disk_kind, "root");
	root->size = 1;
	g_ptr_array_add(np_objects_own(&seen->node->disks), root);
	g_ptr_array_add(np_objects_own(&seen->node->disks), np_object_new(&np_disk_kind, "old"));
	return seen;
}

static np_step *step_of(np_step_kind kind, const np_node *node, const np_seen_node *seen)
{
	np_step *step = np_step_new(kind, 0, "", node->address, node->address, "change");
	step->node = node;
	step->seen = seen;
	return step;
}

/* Executes one step of that kind for the hypervisor, then one of the other. */
static char *become(np_step_kind kind, int then)
{
	g_autoptr(np_lab) lab = load("auto");
	g_autoptr(GError) error = NULL;
	np_node *node = np_lab_node(lab, "hyp");
	lab->access.keys_id = g_strdup(f.keys ? "def" : NULL);
	if (f.unwaited)
		node->ready.wait = NP_WAIT_NONE;
	np_user *root = np_object_new(&np_user_kind, NULL);
	root->user = g_strdup("root");
	g_ptr_array_add(np_strings_own(&root->authorized_keys), g_strdup("ssh-ed25519 AAAA own"));
	g_ptr_array_add(np_objects_own(&node->inject.users), root);
	((np_disk *)np_map_find(node->disks, "root"))->size = 2;
	g_ptr_array_add(np_objects_own(&node->disks), np_object_new(&np_disk_kind, "new"));
	volume_names = "hyp.root.qcow2 hyp.old.qcow2 hyp-2.old.qcow2";
	g_autoptr(np_session) session = np_session_new(&fakes, lab, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(np_session_open_guests(session, true, &error));
	g_autoptr(np_seen_node) seen = seen_before(node);
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func((GDestroyNotify)np_step_free);
	g_ptr_array_add(steps, step_of(kind, node, seen));
	if (then >= 0) {
		np_step *second = step_of((np_step_kind)then, node, NULL);
		second->id = 1;
		np_step_ids_add(&second->needs, 0);
		g_ptr_array_add(steps, second);
	}
	GString *failures = g_string_new(NULL);
	np_run_result result;
	np_run_options options = {.event = note, .data = failures};
	g_assert_true(np_run(session, lab, steps, &options, &result, &error));
	return g_string_free(failures, FALSE);
}

static void test_update(void)
{
	begin();
	g_autofree char *failures = become(NP_STEP_UPDATE, -1);
	g_assert_cmpstr(failures, ==, "");
	assert_before("release hyp", "create hyp.new.qcow2");
	assert_before("create hyp.new.qcow2", "update host demo.hyp");
	assert_before("update host demo.hyp", "delete hyp.old.qcow2");
	assert_before("update host demo.hyp", "vcpus hyp");
	assert_before("update host demo.hyp", "grow hyp");
	assert_before("update host demo.hyp", "network hyp");
	g_assert_cmpint(position("delete hyp.root.qcow2"), <, 0);
	g_assert_cmpint(position("delete hyp-2.old.qcow2"), <, 0);
	g_assert_null(strstr(f.stages->str, "warning"));
}

/* A disk that is in use inside stops the change before anything is done. */
static void test_update_in_use(void)
{
	begin();
	f.inside_status = 1;
	f.inside_words = "disk 'old' is in use\x1b[2J\nby \xff somebody";
	g_autofree char *failures = become(NP_STEP_UPDATE, -1);
	g_assert_nonnull(strstr(failures, "Inside node 'hyp': disk 'old' is in use [2J; by "));
	g_assert_null(strchr(failures, '\x1b'));
	g_assert_true(g_utf8_validate(failures, -1, NULL));
	g_assert_cmpint(position("update host demo.hyp"), <, 0);
}

static void test_update_by_hand(void)
{
	begin();
	f.inside_status = 3;
	f.inside_words = "no program for it";
	g_autofree char *failures = become(NP_STEP_UPDATE, -1);
	g_assert_cmpstr(failures, ==, "");
	g_assert_nonnull(strstr(f.stages->str, "warning: no program for it"));
	assert_before("update host demo.hyp", "delete hyp.old.qcow2");

	begin();
	f.hung = "hyp";
	g_autofree char *silent = become(NP_STEP_UPDATE, -1);
	g_assert_cmpstr(silent, ==, "");
	g_assert_nonnull(strstr(f.stages->str, "warning: it is not reached by ssh, so do this inside it by hand: bring the new vCPUs online; "
	                                       "grow partitions and file systems; configure the NICs\n"));
	g_assert_cmpint(position("grow hyp"), <, 0);
}

/* What was changed while it was off is followed inside once it is up. */
static void test_redefine(void)
{
	begin();
	g_autofree char *failures = become(NP_STEP_REDEFINE, NP_STEP_READY);
	g_assert_cmpstr(failures, ==, "");
	g_assert_cmpint(position("release hyp"), <, 0);
	assert_before("update host demo.hyp", "delete hyp.old.qcow2");
	assert_before("update host demo.hyp", "grow hyp");
	assert_before("grow hyp", "ready host demo.hyp");
}

/* Keys are recorded as changed when they are, whatever becomes of the change besides. */
static void test_keys(void)
{
	begin();
	f.keys = true;
	g_autofree char *live = become(NP_STEP_UPDATE, -1);
	g_assert_cmpstr(live, ==, "");
	assert_before("keys hyp", "recorded def");
	g_assert_cmpint(position("recorded abc"), <, 0);

	for (int i = 0; i < 2; i++) {
		begin();
		f.keys = true;
		f.booting = i == 1;
		g_autofree char *later = become(i ? NP_STEP_UPDATE : NP_STEP_REDEFINE, NP_STEP_READY);
		g_assert_cmpstr(later, ==, "");
		assert_before("update host demo.hyp", "recorded abc");
		assert_before("recorded abc", "keys hyp");
		assert_before("keys hyp", "recorded def");
		assert_before("recorded def", "grow hyp");
	}

	begin();
	f.keys = true;
	f.hung = "hyp";
	g_autofree char *never = become(NP_STEP_REDEFINE, NP_STEP_READY);
	g_assert_cmpstr(never, !=, "");
	g_assert_cmpint(position("recorded abc"), >=, 0);
	g_assert_cmpint(position("recorded def"), <, 0);

	begin();
	f.keys = true;
	f.hung = "hyp";
	g_autofree char *silent = become(NP_STEP_UPDATE, -1);
	g_assert_nonnull(strstr(silent, "does not answer by ssh, so who may log in stays as it was"));
	g_assert_cmpint(position("update host demo.hyp"), <, 0);

	begin();
	f.keys = f.unwaited = true;
	g_autofree char *unwaited = become(NP_STEP_REDEFINE, NP_STEP_READY);
	g_assert_cmpstr(unwaited, ==, "");
	g_assert_nonnull(strstr(f.stages->str, "warning: it is not reached by ssh, so change root's authorized_keys inside it by hand"));
	g_assert_cmpint(position("recorded def"), >=, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/run/all-done", test_all_done);
	g_test_add_func("/run/one-guest-fails", test_one_guest_fails);
	g_test_add_func("/run/proof-fails", test_proof_fails);
	g_test_add_func("/run/auto-emulates", test_auto_emulates);
	g_test_add_func("/run/hung-guest", test_hung_guest);
	g_test_add_func("/run/stopped-guest", test_stopped_guest);
	g_test_add_func("/run/update", test_update);
	g_test_add_func("/run/update-in-use", test_update_in_use);
	g_test_add_func("/run/update-by-hand", test_update_by_hand);
	g_test_add_func("/run/redefine", test_redefine);
	g_test_add_func("/run/keys", test_keys);
	g_test_add_func("/run/cancel", test_cancel);
	g_test_add_func("/run/lock", test_lock);
	g_test_add_func("/run/nesting-on", test_nesting_on);
	g_test_add_func("/run/nesting-fails", test_nesting_fails);
	g_test_add_func("/run/nesting-off", test_nesting_off);
	return g_test_run();
}
