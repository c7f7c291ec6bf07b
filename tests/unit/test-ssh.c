/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/ssh: keys against ssh-keygen, the configuration against `ssh -G`, and sessions with real servers that listen
 * on loopback addresses of their own. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/driver.h"

#define LAB "testlab"

typedef struct {
	char *folder;
	GBytes *seed;
	np_lab *lab;
	np_guests *guests;
	np_ip ips[2]; /* of compute-1 and compute-1/guest-1 */
	GSubprocess *servers[2];
} fixture;

static const char *const addresses[] = {"compute-1", "compute-1/guest-1"};

static void remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		remove_tree(inner);
	}
	(void)g_remove(path);
}

static np_node *add_node(np_site *site, const char *name, const char *address, np_ip ip)
{
	np_node *node = np_object_new(&np_node_kind, name);
	node->address = g_strdup(address);
	if (ip != 0) {
		np_nic *nic = np_object_new(&np_nic_kind, "mgmt");
		nic->address = ip;
		g_ptr_array_add(np_objects_own(&node->nics), nic);
	}
	g_ptr_array_add(np_objects_own(&site->nodes), node);
	return node;
}

/* Addresses that other runs of this test do not use. */
static void set_up(fixture *f, gconstpointer data)
{
	f->folder = g_dir_make_tmp("nestplan-ssh-XXXXXX", NULL);
	f->seed = g_bytes_new_static("0123456789abcdef0123456789ABCDEF", 32);
	f->ips[0] = (127u << 24) | (23u << 16) | ((guint32)getpid() % 8000u * 8u + 2u);
	f->ips[1] = f->ips[0] + 1;
	f->lab = np_object_new(&np_lab_kind, LAB);
	f->lab->name = g_strdup(LAB);
	f->lab->host.uri = g_strdup(data);
	np_node *compute = add_node(&f->lab->site, "compute-1", addresses[0], f->ips[0]);
	add_node(&compute->site, "guest-1", addresses[1], f->ips[1]);
	add_node(&f->lab->site, "dark", "dark", 0);
	g_autoptr(GError) error = NULL;
	f->guests = np_ssh.open(f->lab, f->seed, &error);
	g_assert_no_error(error);
	g_assert_nonnull(f->guests);
}

static void stop_server(fixture *f, unsigned i)
{
	if (f->servers[i] == NULL)
		return;
	g_subprocess_force_exit(f->servers[i]);
	(void)g_subprocess_wait(f->servers[i], NULL, NULL);
	g_clear_object(&f->servers[i]);
}

static void tear_down(fixture *f, gconstpointer data)
{
	(void)data;
	np_ssh.close(f->guests);
	for (unsigned i = 0; i < 2; i++)
		stop_server(f, i);
	np_lab_free(f->lab);
	g_bytes_unref(f->seed);
	remove_tree(f->folder);
	g_free(f->folder);
}

static char *config_path(fixture *f)
{
	g_auto(GStrv) argv = np_ssh.argv(f->guests, addresses[0], NULL, false);
	return g_strdup(argv[2]);
}

static char *guests_folder(fixture *f)
{
	g_autofree char *config = config_path(f);
	return g_path_get_dirname(config);
}

/* stdout of a program that must succeed. */
static char *output_of(const char *const *argv)
{
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	bool good = np_process_run(argv, NULL, 10000, NULL, &result, &error);
	g_assert_no_error(error);
	g_assert_true(good);
	if (result.status != 0)
		g_test_message("%s: %s", argv[0], result.errors);
	g_assert_cmpint(result.status, ==, 0);
	return g_steal_pointer(&result.output);
}

static void put(const char *path, const char *text, int mode)
{
	g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, mode, NULL));
}

/* ── keys ── */

static void test_keys(fixture *f, gconstpointer data)
{
	(void)data;
	static const char *const who[] = {NULL, "compute-1", "compute-1/guest-1"};
	g_autofree char *previous = g_strdup("");
	for (gsize i = 0; i < G_N_ELEMENTS(who); i++) {
		g_auto(np_keypair) pair = {NULL}, again = {NULL};
		g_autoptr(GError) error = NULL;
		g_assert_true(np_ssh.key(f->seed, LAB, who[i], &pair, &error));
		g_assert_no_error(error);
		g_assert_true(np_ssh.key(f->seed, LAB, who[i], &again, &error));
		g_assert_cmpstr(pair.private_openssh, ==, again.private_openssh);
		g_assert_cmpstr(pair.public_line, !=, previous);
		g_autofree char *path = g_build_filename(f->folder, "key", NULL);
		put(path, pair.private_openssh, 0600);
		const char *show[] = {"ssh-keygen", "-y", "-f", path, NULL};
		const char *list[] = {"ssh-keygen", "-l", "-f", path, NULL};
		g_autofree char *public = output_of(show);
		g_autofree char *fingerprint = output_of(list);
		g_assert_cmpstr(g_strchomp(public), ==, pair.public_line);
		g_assert_nonnull(strstr(fingerprint, "(ED25519)"));
		g_free(previous);
		previous = g_strdup(pair.public_line);
	}
	/* must never change: labs that exist were made with it */
	g_assert_true(g_str_has_prefix(previous, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"));
}

static void test_seed(fixture *f, gconstpointer data)
{
	(void)f, (void)data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) a = np_ssh.seed(&error);
	g_autoptr(GBytes) b = np_ssh.seed(&error);
	g_assert_cmpuint(g_bytes_get_size(a), ==, 32);
	g_assert_false(g_bytes_equal(a, b));
	g_autoptr(GBytes) cut = g_bytes_new_static("short", 5);
	g_auto(np_keypair) pair = {NULL};
	g_assert_false(np_ssh.key(cut, LAB, NULL, &pair, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
}

/* ── configuration ── */

static char *effective(fixture *f, const char *alias)
{
	g_autofree char *config = config_path(f);
	const char *argv[] = {"ssh", "-G", "-F", config, alias, NULL};
	return output_of(argv);
}

static void assert_line(const char *text, const char *line)
{
	g_autofree char *whole = g_strdup_printf("\n%s\n", line);
	if (strstr(text, whole) == NULL)
		g_error("'%s' is missing in:\n%s", line, text);
}

static void test_config(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *folder = guests_folder(f);
	g_autofree char *config = config_path(f);
	g_autofree char *ip = np_ip_format(f->ips[1]);
	g_autofree char *host = g_strdup_printf("hostname %s", ip);
	g_autofree char *key = g_strdup_printf("identityfile %s/key", folder);
	g_autofree char *proxy = g_strdup_printf(" -F %s -W %%h:%%p compute-1\n", config);
	g_autofree char *outer = effective(f, "compute-1");
	g_assert_null(strstr(outer, "proxycommand"));
	const char *const aliases[] = {"compute-1.guest-1", "compute-1/guest-1"};
	for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++) {
		g_autofree char *text = effective(f, aliases[i]);
		assert_line(text, host);
		assert_line(text, key);
		assert_line(text, "hostkeyalias compute-1.guest-1");
		assert_line(text, "user root");
		assert_line(text, "stricthostkeychecking true");
		assert_line(text, "batchmode yes");
		assert_line(text, "hostkeyalgorithms ssh-ed25519");
		assert_line(text, "globalknownhostsfile /dev/null");
		g_assert_nonnull(strstr(text, proxy));
	}
	static const char *const names[] = {"key", "config", "known_hosts", "ssh", ""};
	static const mode_t modes[] = {0600, 0600, 0600, 0700, 0700};
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(folder, names[i], NULL);
		GStatBuf st;
		g_assert_cmpint(g_stat(path, &st), ==, 0);
		g_assert_cmpuint(st.st_mode & 07777, ==, modes[i]);
	}
}

/* The URI's command, unescaped, with the options that libvirt gives. */
static void test_wrapper(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *uri = np_ssh.uri(f->guests, addresses[1]);
	g_assert_true(g_str_has_prefix(uri, "qemu+ssh://root@compute-1.guest-1/system?"));
	g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
	g_autoptr(GHashTable) params = g_uri_parse_params(g_uri_get_query(parsed), -1, "&", G_URI_PARAMS_NONE, NULL);
	const char *wrapper = g_hash_table_lookup(params, "command");
	g_assert_cmpstr(g_hash_table_lookup(params, "no_tty"), ==, "1");
	const char *argv[] = {
	        wrapper,     "-G", "-l", "root", "-T", "-e", "none", "-o", "BatchMode=yes", "--", "compute-1.guest-1",
	        "sh -c 'x'", NULL};
	g_autofree char *text = output_of(argv);
	assert_line(text, "hostkeyalias compute-1.guest-1");
	assert_line(text, "requesttty false");
}

static void test_argv(fixture *f, gconstpointer data)
{
	(void)data;
	const char *const command[] = {"uname", "-a", NULL};
	g_auto(GStrv) plain = np_ssh.argv(f->guests, addresses[1], NULL, false);
	g_auto(GStrv) full = np_ssh.argv(f->guests, addresses[1], command, true);
	g_autofree char *plain_text = g_strjoinv(" ", plain + 3);
	g_autofree char *full_text = g_strjoinv(" ", full + 3);
	g_assert_cmpstr(plain_text, ==, "compute-1.guest-1");
	g_assert_cmpstr(full_text, ==, "-t compute-1.guest-1 -- uname -a");
}

static void test_add(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GError) error = NULL;
	np_ip ip;
	g_assert_true(np_ip_parse("10.1.2.3", &ip));
	g_assert_true(np_ssh.add(f->guests, "compute-1/old", ip, &error));
	g_assert_true(np_ssh.add(f->guests, "compute-1/old", ip, &error));
	g_autofree char *text = effective(f, "compute-1.old");
	assert_line(text, "hostname 10.1.2.3");
	g_assert_true(np_ssh.add(f->guests, "compute-1/old", ip + 1, &error));
	g_assert_no_error(error);
	g_autofree char *moved = effective(f, "compute-1.old");
	assert_line(moved, "hostname 10.1.2.4");

	g_assert_false(np_ssh.add(f->guests, "nowhere/guest", ip, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_false(np_ssh.add(f->guests, "bad\nHost *", ip, &error));
	g_clear_error(&error);
	g_assert_false(np_ssh.wait(f->guests, "dark", 1000, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
}

static void test_remote(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *text = effective(f, "compute-1");
	g_assert_nonnull(strstr(
	        text,
	        "proxycommand 'ssh' '-l' 'ann' '-p' '2222' '-i' '/home/ann/a %%b' -W %h:%p -- 'big.example.org'\n"));
	g_autofree char *inner = effective(f, "compute-1.guest-1");
	g_assert_nonnull(strstr(inner, "-W %h:%p compute-1\n"));
}

static void test_remote_bad(fixture *f, gconstpointer data)
{
	(void)data;
	static const char *const bad[] = {"qemu+ssh:///system", "qemu+ssh://-oProxyCommand=x/system",
	                                  "qemu+ssh://a b/system"};
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_free(f->lab->host.uri);
		f->lab->host.uri = g_strdup(bad[i]);
		g_assert_null(np_ssh.open(f->lab, f->seed, &error));
		g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	}
}

/* ── sessions with real servers ── */

static bool can_serve(void)
{
	if (geteuid() != 0)
		g_test_skip("needs root: the servers listen on port 22");
	else if (!g_file_test("/usr/sbin/sshd", G_FILE_TEST_IS_EXECUTABLE))
		g_test_skip("sshd is not installed (openssh-server)");
	else
		return true;
	return false;
}

/* Server i with the host key of `key` and the lab's key authorized, or none. */
static void serve(fixture *f, unsigned i, const char *key, bool authorized)
{
	g_auto(np_keypair) host = {NULL}, client = {NULL};
	g_assert_true(np_ssh.key(f->seed, LAB, key, &host, NULL));
	g_assert_true(np_ssh.key(f->seed, LAB, NULL, &client, NULL));
	g_autofree char *ip = np_ip_format(f->ips[i]);
	g_autofree char *base = g_strdup_printf("%s/%u", f->folder, i);
	g_autofree char *key_path = g_strconcat(base, ".key", NULL);
	g_autofree char *users_path = g_strconcat(base, ".users", NULL);
	g_autofree char *config_file = g_strconcat(base, ".config", NULL);
	g_autofree char *log = g_strconcat(base, ".log", NULL);
	g_autofree char *config =
	        g_strdup_printf("ListenAddress %s:22\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nUsePAM no\n"
	                        "StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
	                        "KbdInteractiveAuthentication no\n",
	                        ip, key_path, users_path);
	put(key_path, host.private_openssh, 0600);
	put(users_path, authorized ? client.public_line : "", 0600);
	put(config_file, config, 0600);
	(void)g_mkdir("/run/sshd", 0755);
	g_autoptr(GError) error = NULL;
	f->servers[i] = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, &error, "/usr/sbin/sshd", "-D", "-f", config_file,
	                                 "-E", log, NULL);
	g_assert_no_error(error);
}

static void wait_good(fixture *f, unsigned i)
{
	g_autoptr(GError) error = NULL;
	bool good = np_ssh.wait(f->guests, addresses[i], 20000, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(good);
}

/* Waits for the error; its text. */
static char *wait_bad(fixture *f, unsigned i, guint64 timeout_ms, GCancellable *cancel, int code)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(np_ssh.wait(f->guests, addresses[i], timeout_ms, cancel, &error));
	g_assert_error(error, NP_ERROR, code);
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, code == NP_ERROR_CANCELLED ? "" : addresses[i]));
	return g_strdup(error->message);
}

static void run_good(fixture *f, unsigned i, const char *script, const char *want)
{
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	bool good = np_ssh.run(f->guests, addresses[i], script, 20000, NULL, &result, &error);
	g_assert_no_error(error);
	g_assert_true(good);
	g_assert_cmpint(result.status, ==, 0);
	g_assert_cmpstr(result.output, ==, want);
}

/* Files in the private folder beyond those it starts with: control sockets. */
static unsigned masters(fixture *f)
{
	unsigned n = 0;
	g_autofree char *folder = guests_folder(f);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	while (g_dir_read_name(dir) != NULL)
		n++;
	return n - 4;
}

static void test_session(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
	g_assert_cmpuint(masters(f), ==, 1);
	wait_good(f, 0);
	run_good(f, 0, "echo one\nread line\ntwo\necho $((1+1))", "one\n2\n");
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	g_assert_true(np_ssh.run(f->guests, addresses[0], "echo bad >&2; exit 3", 0, NULL, &result, &error));
	g_assert_cmpint(result.status, ==, 3);
	g_assert_cmpstr(result.errors, ==, "bad\n");
	np_ssh.forget(f->guests, addresses[0]);
	g_assert_cmpuint(masters(f), ==, 0);
	np_ssh.forget(f->guests, addresses[0]);
	run_good(f, 0, "id -un", "root\n");
	g_assert_cmpuint(masters(f), ==, 1);

	g_autofree char *folder = guests_folder(f);
	np_ssh.close(g_steal_pointer(&f->guests));
	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
}

static void test_levels(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	serve(f, 1, addresses[1], true);
	wait_good(f, 0);
	wait_good(f, 1);
	g_autofree char *ip = np_ip_format(f->ips[1]);
	g_autofree char *want = g_strconcat(ip, " 22\n", NULL);
	run_good(f, 1, "set -- $SSH_CONNECTION; echo $3 $4", want);
	g_assert_cmpuint(masters(f), ==, 2);
	np_ssh.forget(f->guests, addresses[0]);
	g_assert_cmpuint(masters(f), ==, 0);
	run_good(f, 1, "echo again", "again\n"); /* makes both anew */
	g_assert_cmpuint(masters(f), ==, 2);
}

static gpointer serve_late(gpointer data)
{
	fixture *f = data;
	g_usleep(1500 * 1000);
	serve(f, 1, addresses[1], true);
	return NULL;
}

/* The probe loops inside the parent until the guest is there. */
static void test_late(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	GThread *thread = g_thread_new("late", serve_late, f);
	gint64 start = g_get_monotonic_time();
	wait_good(f, 1);
	g_assert_cmpint(g_get_monotonic_time() - start, >, 1400 * 1000);
	g_thread_join(thread);
}

static void test_rebooted(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
	stop_server(f, 0);
	np_ssh.forget(f->guests, addresses[0]);
	g_free(wait_bad(f, 0, 500, NULL, NP_ERROR_UNREACHABLE));
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
}

/* Stands for the user's ssh to a remote host: it stays here. The PATH there has no bash, so nc has to do. */
static const char fake_ssh[] = "#!/bin/sh\n"
                               "while [ \"$1\" != -- ]; do [ \"$1\" = -W ] && to=$2; shift; done\n"
                               "[ -z \"$to\" ] || exec nc \"${to%:*}\" \"${to##*:}\"\n"
                               "PATH=${0%/*}/bin\n"
                               "shift 3\n"
                               "exec /bin/sh \"$@\"\n";

static void test_remote_session(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *nc = g_find_program_in_path("nc");
	if (!can_serve())
		return;
	if (nc == NULL) {
		g_test_skip("nc is not installed");
		return;
	}
	static const char *const tools[] = {"nc", "head", "sleep"};
	g_autofree char *bin = g_build_filename(f->folder, "bin", NULL);
	g_assert_cmpint(g_mkdir(bin, 0700), ==, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(tools); i++) {
		g_autofree char *from = g_find_program_in_path(tools[i]);
		g_autofree char *to = g_build_filename(bin, tools[i], NULL);
		g_assert_cmpint(symlink(from, to), ==, 0);
	}
	g_autofree char *fake = g_build_filename(f->folder, "fake-ssh", NULL);
	put(fake, fake_ssh, 0700);
	f->lab->host.uri = g_strdup_printf("qemu+ssh://far/system?command=%s", fake);
	np_ssh.close(f->guests);
	f->guests = np_ssh.open(f->lab, f->seed, NULL);
	g_assert_nonnull(f->guests);
	g_autofree char *text = wait_bad(f, 0, 1500, NULL, NP_ERROR_UNREACHABLE);
	g_assert_nonnull(strstr(text, "does not answer on port 22"));
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
	run_good(f, 0, "echo far", "far\n");
}

/* The server of the session dies under a script. */
static void test_lost(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	g_assert_false(np_ssh.run(f->guests, addresses[0], "kill -9 $PPID; sleep 1", 10000, NULL, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, "was lost"));
	wait_good(f, 0);
	run_good(f, 0, "echo back", "back\n");
}

static void test_silent(fixture *f, gconstpointer data)
{
	(void)data;
	gint64 start = g_get_monotonic_time();
	g_autofree char *direct = wait_bad(f, 0, 600, NULL, NP_ERROR_UNREACHABLE);
	g_assert_nonnull(strstr(direct, "does not answer on port 22"));
	g_assert_cmpint(g_get_monotonic_time() - start, <, 3 * G_USEC_PER_SEC);
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
	g_autofree char *behind = wait_bad(f, 1, 1500, NULL, NP_ERROR_UNREACHABLE);
	g_assert_nonnull(strstr(behind, "does not answer on port 22"));
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	g_assert_false(np_ssh.run(f->guests, addresses[1], "true", 5000, NULL, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
}

static void test_foreign(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, "other", true);
	gint64 start = g_get_monotonic_time();
	g_autofree char *text = wait_bad(f, 0, 60000, NULL, NP_ERROR_FAILED);
	g_assert_nonnull(strstr(text, "another SSH host key"));
	g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	g_assert_false(np_ssh.run(f->guests, addresses[0], "true", 5000, NULL, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
}

static void test_refused(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], false);
	g_autofree char *text = wait_bad(f, 0, 60000, NULL, NP_ERROR_UNREACHABLE);
	g_assert_nonnull(strstr(text, "root cannot log in"));
	g_assert_nonnull(strstr(text, "Permission denied"));
}

static gpointer cancel_late(gpointer data)
{
	g_usleep(700 * 1000);
	g_cancellable_cancel(data);
	return NULL;
}

static void check_cancelled(GThread *thread, gint64 start)
{
	gint64 took = g_get_monotonic_time() - start;
	g_thread_join(thread);
	g_assert_cmpint(took, >, 600 * 1000);
	g_assert_cmpint(took, <, 2 * G_USEC_PER_SEC);
}

static void test_cancel(fixture *f, gconstpointer data)
{
	(void)data;
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	gint64 start = g_get_monotonic_time();
	GThread *thread = g_thread_new("cancel", cancel_late, cancel);
	g_free(wait_bad(f, 0, 60000, cancel, NP_ERROR_CANCELLED));
	check_cancelled(thread, start);
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	wait_good(f, 0);
	g_cancellable_reset(cancel);
	start = g_get_monotonic_time();
	thread = g_thread_new("cancel", cancel_late, cancel);
	g_free(wait_bad(f, 1, 60000, cancel, NP_ERROR_CANCELLED));
	check_cancelled(thread, start);

	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	g_cancellable_reset(cancel);
	start = g_get_monotonic_time();
	thread = g_thread_new("cancel", cancel_late, cancel);
	g_assert_false(np_ssh.run(f->guests, addresses[0], "sleep 5", 0, cancel, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	check_cancelled(thread, start);
	run_good(f, 0, "echo alive", "alive\n"); /* the master is still there */
	g_clear_error(&error);
	g_assert_false(np_ssh.run(f->guests, addresses[0], "sleep 5", 300, NULL, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
	g_assert_nonnull(strstr(error->message, "compute-1"));
}

typedef struct {
	fixture *f;
	unsigned i;
} job;

static gpointer run_thread(gpointer data)
{
	const job *j = data;
	run_good(j->f, j->i, "echo hello", "hello\n");
	return NULL;
}

static void test_threads(fixture *f, gconstpointer data)
{
	(void)data;
	if (!can_serve())
		return;
	serve(f, 0, addresses[0], true);
	serve(f, 1, addresses[1], true);
	wait_good(f, 0);
	np_ssh.forget(f->guests, addresses[0]);
	GThread *threads[16];
	job jobs[] = {{f, 0}, {f, 1}};
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("run", run_thread, &jobs[i % 2]);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	g_assert_cmpuint(masters(f), ==, 2);
}

#define REMOTE             "qemu+ssh://ann@big.example.org:2222/system?keyfile=/home/ann/a%20%25b"
#define ADD(name, fn, uri) g_test_add("/ssh/" name, fixture, uri, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("keys", test_keys, NULL);
	ADD("seed", test_seed, NULL);
	ADD("config", test_config, NULL);
	ADD("wrapper", test_wrapper, NULL);
	ADD("argv", test_argv, NULL);
	ADD("add", test_add, NULL);
	ADD("remote", test_remote, REMOTE);
	ADD("remote-bad", test_remote_bad, NULL);
	ADD("session", test_session, NULL);
	ADD("levels", test_levels, NULL);
	ADD("late", test_late, NULL);
	ADD("rebooted", test_rebooted, NULL);
	ADD("remote-session", test_remote_session, NULL);
	ADD("lost", test_lost, NULL);
	ADD("silent", test_silent, NULL);
	ADD("foreign", test_foreign, NULL);
	ADD("refused", test_refused, NULL);
	ADD("cancel", test_cancel, NULL);
	ADD("threads", test_threads, NULL);
	return g_test_run();
}
