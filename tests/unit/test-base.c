/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>

#include "base/address.h"
#include "base/cidr.h"
#include "base/diag.h"
#include "base/error.h"
#include "base/ident.h"
#include "base/process.h"
#include "base/units.h"
#include "base/wrap.h"

static void assert_text(char *actual, const char *expected)
{
	g_assert_cmpstr(actual, ==, expected);
	g_free(actual);
}

static void test_size_parse(void)
{
	static const struct {
		const char *text;
		guint64 bytes;
	} good[] = {
	        {"0B", 0},
	        {"512MiB", G_GUINT64_CONSTANT(536870912)},
	        {"8 GiB", G_GUINT64_CONSTANT(8589934592)},
	        {"1TiB", G_GUINT64_CONSTANT(1099511627776)},
	        {"20GB", G_GUINT64_CONSTANT(20000000000)},
	        {"3kB", 3000},
	        {"18446744073709551615B", G_MAXUINT64},
	        {"16383PiB", G_GUINT64_CONSTANT(18445618173802708992)},
	};
	static const char *const bad[] = {"",
	                                  "8",
	                                  "GiB",
	                                  "8G",
	                                  "8gib",
	                                  "-8GiB",
	                                  "1.5GiB",
	                                  "8GiB ",
	                                  "8 GiB x",
	                                  "16384PiB",
	                                  "18446744073709551616B",
	                                  "0x8GiB"};
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		guint64 bytes = 1;
		const char *why = NULL;
		g_assert_true(np_size_parse(good[i].text, &bytes, &why));
		g_assert_cmpuint(bytes, ==, good[i].bytes);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		guint64 bytes = 77;
		const char *why = NULL;
		g_test_message("'%s'", bad[i]);
		g_assert_false(np_size_parse(bad[i], &bytes, &why));
		g_assert_cmpuint(bytes, ==, 77);
		g_assert_nonnull(why);
	}
}

static void test_size_format(void)
{
	assert_text(np_size_format(0), "0B");
	assert_text(np_size_format(1023), "1023B");
	assert_text(np_size_format(1024), "1KiB");
	assert_text(np_size_format(G_GUINT64_CONSTANT(1536) << 20), "1536MiB");
	assert_text(np_size_format(G_GUINT64_CONSTANT(8) << 30), "8GiB");
	assert_text(np_size_format(G_GUINT64_CONSTANT(20000000000)), "19531250KiB");
	assert_text(np_size_human(812 << 20), "812 MiB");
	assert_text(np_size_human(G_GUINT64_CONSTANT(8482560410)), "7.9 GiB");
	assert_text(np_size_human(G_GUINT64_CONSTANT(8) << 30), "8 GiB");
	assert_text(np_size_human(0), "0 B");
	assert_text(np_size_human(1023), "1023 B");
	assert_text(np_size_human((1 << 20) - 1), "1023 KiB");
}

static void test_duration(void)
{
	static const char *const bad[] = {
	        "", "10", "m", "10x", "1h30", "-1s", "1.5h", "10 m", "99999999999999999999s", "18446744073709551615d"};
	guint64 ms = 0;
	const char *why = NULL;
	g_assert_true(np_duration_parse("90s", &ms, &why));
	g_assert_cmpuint(ms, ==, 90000);
	g_assert_true(np_duration_parse("1h30m", &ms, &why));
	g_assert_cmpuint(ms, ==, 5400000);
	g_assert_true(np_duration_parse("500ms", &ms, &why));
	g_assert_cmpuint(ms, ==, 500);
	g_assert_true(np_duration_parse("1d", &ms, &why));
	g_assert_cmpuint(ms, ==, 86400000);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_test_message("'%s'", bad[i]);
		g_assert_false(np_duration_parse(bad[i], &ms, &why));
	}
	assert_text(np_duration_format(600000), "10m");
	assert_text(np_duration_format(5400000), "1h30m");
	assert_text(np_duration_format(90061001), "1d1h1m1s1ms");
	assert_text(np_duration_format(0), "0s");
}

static void test_cidr(void)
{
	static const char *const bad[] = {"",          "10.20.0.0",  "10.20.0.0/33", "10.20.0.1/24",  "10.20.0/24",
	                                  "0.0.0.0/0", "10.20.0.0/", "10.20.0.0/-1", "10.20.0.0/024", "10.20.0.0/24 "};
	np_cidr a = {0}, b = {0};
	const char *why = NULL;
	g_assert_false(np_cidr_is_set(a));
	g_assert_true(np_cidr_parse("10.20.0.0/24", &a, &why));
	g_assert_cmphex(a.base, ==, 0x0a140000);
	g_assert_cmpuint(a.prefix, ==, 24);
	g_assert_cmphex(np_cidr_netmask(a), ==, 0xffffff00);
	g_assert_cmphex(np_cidr_broadcast(a), ==, 0x0a1400ff);
	g_assert_true(np_cidr_contains(a, 0x0a1400ff));
	g_assert_null(np_cidr_reserved(a, &b));
	g_assert_nonnull(np_cidr_reserved((np_cidr){0x7f010000, 16}, &b));
	g_assert_cmphex(b.base, ==, 0x7f000000);
	g_assert_nonnull(np_cidr_reserved((np_cidr){0xa9000000, 8}, &b));
	g_assert_cmpuint(b.prefix, ==, 16);
	g_assert_false(np_cidr_contains(a, 0x0a140100));
	assert_text(np_cidr_format(a), "10.20.0.0/24");
	g_assert_true(np_cidr_parse("10.0.0.0/8", &b, &why));
	g_assert_true(np_cidr_overlaps(a, b));
	g_assert_true(np_cidr_overlaps(b, a));
	g_assert_true(np_cidr_parse("10.20.1.0/32", &b, &why));
	g_assert_false(np_cidr_overlaps(a, b));
	g_assert_false(np_cidr_overlaps(a, (np_cidr){0}));
	g_assert_false(np_cidr_overlaps((np_cidr){0}, a));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_test_message("'%s'", bad[i]);
		g_assert_false(np_cidr_parse(bad[i], &b, &why));
	}
}

static void test_ip(void)
{
	static const char *const bad[] = {"",           "10.20.0", "10.20.0.256", "10.20.0.0.1",
	                                  "010.20.0.1", "a.b.c.d", "1.2.3.4 "};
	np_ip ip = 0;
	g_assert_true(np_ip_parse("192.168.255.1", &ip));
	g_assert_cmphex(ip, ==, 0xc0a8ff01);
	assert_text(np_ip_format(ip), "192.168.255.1");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(np_ip_parse(bad[i], &ip));
}

/* Computed with Python: uuid5(uuid5(NAMESPACE_URL, "urn:nestplan:1"), "devstack\ndomain\ncompute-1"), hashlib.sha256.
 */
static void test_ident(void)
{
	assert_text(np_ident_uuid("devstack", "domain", "compute-1", NULL), "cd83bf9d-8487-5823-99c6-c42d13af708d");
	assert_text(np_ident_uuid("", NULL), "37a950b9-05ce-55ca-b402-d0edc5749063");
	assert_text(np_ident_mac("devstack", "mac", "compute-1", "mgmt", NULL), "52:54:00:cb:fa:bc");
	assert_text(np_ident_short(8, "devstack", "mac", "compute-1", "mgmt", NULL), "cbfabc98");
	/* Parts longer than what is put together at once; by Python's hashlib. */
	g_autofree char *long_a = g_strnfill(127, 'a'), *long_b = g_strnfill(127, 'b'), *long_c = g_strnfill(300, 'c');
	assert_text(np_ident_short(16, long_a, long_b, long_c, "d", NULL), "beaa5b38d5c8f613");
	assert_text(np_ident_short(16, long_a, "b", NULL), "68d9ed77fa9e2879");
	assert_text(np_ident_sha256("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_text(np_ident_sha256("abc", -1), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_address(void)
{
	assert_text(np_address_join("", "a"), "a");
	assert_text(np_address_join("a", "network.int"), "a/network.int");
	assert_text(np_address_site("a/b/c"), "a/b");
	assert_text(np_address_site("a"), "");
	g_assert_cmpstr(np_address_leaf("a/b"), ==, "b");
	g_assert_cmpstr(np_address_leaf("a"), ==, "a");
	g_assert_cmpuint(np_address_level(""), ==, 0);
	g_assert_cmpuint(np_address_level("a"), ==, 1);
	g_assert_cmpuint(np_address_level("a/b/c"), ==, 3);
	g_assert_true(np_address_within("a/b", "a"));
	g_assert_true(np_address_within("a", "a"));
	g_assert_true(np_address_within("a", ""));
	g_assert_false(np_address_within("ab", "a"));
	g_assert_false(np_address_within("a", "a/b"));
}

static void test_nearest(void)
{
	static const char *const keys[] = {"memory", "vcpus", "image", "nics", NULL};
	g_assert_cmpstr(np_nearest("memroy", keys), ==, "memory");
	g_assert_cmpstr(np_nearest("cpus", keys), ==, "vcpus");
	g_assert_cmpstr(np_nearest("nisc", keys), ==, "nics");
	g_assert_null(np_nearest("colour", keys));
	g_assert_null(np_nearest("", keys));
	g_assert_null(np_nearest("x", keys));
	g_autofree char *huge = g_strnfill(100000, 'm');
	g_assert_null(np_nearest(huge, keys));
}

static void test_diags(void)
{
	g_autoptr(np_diags) diags = np_diags_new("lab.yaml");
	diags->text = g_strdup("version: 1\nnodes:\n\tcompute: {memroy: 2GiB}\n計算: ä\n");
	np_diags_error(diags, 0, ((np_pos){4, 1, 2}), NULL, "name '%s' is not valid", "計算");
	np_diags_error(diags, 0, ((np_pos){3, 12, 6}), "did you mean 'memory'?", "unknown key '%s' in node '%s'", "memroy",
	               "compute");
	np_diags_error(diags, 0, ((np_pos){3, 12, 6}), NULL, "unknown key '%s' in node '%s'", "memroy", "compute");
	np_diags_warning(diags, 0, ((np_pos){4, 6, 0}), NULL, "at the end");
	np_diags_error(diags, 0, ((np_pos){0}), NULL, "escape \033[31m and\nnewline");
	g_assert_cmpuint(diags->errors, ==, 3);
	g_assert_cmpuint(diags->warnings, ==, 1);
	assert_text(np_diags_render(diags, FALSE), "lab.yaml: error: escape \xef\xbf\xbd[31m and\\nnewline\n"
	                                           "lab.yaml:3:12: error: unknown key 'memroy' in node 'compute'\n"
	                                           "    3 | \tcompute: {memroy: 2GiB}\n"
	                                           "      | \t          ^~~~~~\n"
	                                           "      = hint: did you mean 'memory'?\n"
	                                           "lab.yaml:4:1: error: name '計算' is not valid\n"
	                                           "    4 | 計算: ä\n"
	                                           "      | ^~~~\n"
	                                           "lab.yaml:4:6: warning: at the end\n"
	                                           "    4 | 計算: ä\n"
	                                           "      |        ^\n");
	g_autofree char *coloured = np_diags_render(diags, TRUE);
	g_assert_nonnull(strstr(coloured, "\033[1;31merror:\033[0m"));
}

static void test_error(void)
{
	g_autoptr(GError) error = NULL;
	g_set_error(&error, NP_ERROR, NP_ERROR_CLASH, "network '%s' is not ours", "default");
	g_prefix_error(&error, "node '%s': ", "compute-1");
	g_assert_error(error, NP_ERROR, NP_ERROR_CLASH);
	g_assert_cmpstr(error->message, ==, "node 'compute-1': network 'default' is not ours");
}

static void test_process_run(void)
{
	static const char *const cat[] = {"cat", NULL};
	static const char *const fails[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
	static const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
	static const char *const background[] = {"sh", "-c", "sleep 30 & echo started", NULL};
	static const char *const missing[] = {"/nonexistent/program", NULL};
	g_autoptr(GError) error = NULL;
	g_auto(np_process_result) result = {0};

	g_autofree char *input = g_strnfill(1000000, 'x');
	g_assert_true(np_process_run(cat, input, 0, NULL, &result, &error));
	g_assert_cmpint(result.status, ==, 0);
	g_assert_cmpstr(result.output, ==, input);
	np_process_result_clear(&result);

	g_assert_true(np_process_run(fails, NULL, 10000, NULL, &result, &error));
	g_assert_cmpint(result.status, ==, 3);
	g_assert_cmpstr(result.output, ==, "out\n");
	g_assert_cmpstr(result.errors, ==, "err\n");
	np_process_result_clear(&result);

	g_assert_true(np_process_run(killed, "ignored", 10000, NULL, &result, &error));
	g_assert_cmpint(result.status, ==, 128 + SIGKILL);
	np_process_result_clear(&result);

	/* A grandchild that keeps the pipe open is not waited for. */
	gint64 start = g_get_monotonic_time();
	g_assert_true(np_process_run(background, NULL, 20000, NULL, &result, &error));
	g_assert_cmpstr(result.output, ==, "started\n");
	g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
	np_process_result_clear(&result);

	g_assert_false(np_process_run(missing, NULL, 0, NULL, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
}

static gpointer cancel_later(gpointer data)
{
	g_usleep(100000);
	g_cancellable_cancel(data);
	return NULL;
}

static void test_process_stop(void)
{
	static const char *const sleeps[] = {"sh", "-c", "trap '' TERM; sleep 30; sleep 30", NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	g_auto(np_process_result) result = {0};
	gint64 start = g_get_monotonic_time();

	g_assert_false(np_process_run(sleeps, NULL, 100, NULL, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_UNREACHABLE);
	g_assert_cmpstr(error->message, ==, "'sh' did not finish within 100ms and was stopped");
	g_clear_error(&error);

	GThread *thread = g_thread_new("cancel", cancel_later, cancel);
	g_assert_false(np_process_run(sleeps, NULL, 0, cancel, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	g_clear_error(&error);
	g_thread_join(thread);

	g_assert_false(np_process_run(sleeps, NULL, 0, cancel, &result, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	g_assert_null(result.output);
	g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
}

static gpointer run_many(gpointer data)
{
	static const char *const echo[] = {"echo", "hello", NULL};
	(void)data;
	for (unsigned i = 0; i < 20; i++) {
		g_auto(np_process_result) result = {0};
		g_assert_true(np_process_run(echo, NULL, 30000, NULL, &result, NULL));
		g_assert_cmpstr(result.output, ==, "hello\n");
	}
	return NULL;
}

static void test_process_threads(void)
{
	GThread *threads[4];
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("run", run_many, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
}

static void test_wrap(void)
{
	static const struct {
		const char *text;
		unsigned used, width, indent;
		const char *wrapped;
	} cases[] = {
		{"", 0, 10, 2, ""},
		{"one two three", 0, 80, 2, "one two three"},
		{"one two three", 0, 7, 2, "one two\n  three"},
		{"one two three", 5, 12, 4, "one two\n    three"},
		{"one two three", 6, 12, 4, "one\n    two\n    three"},
		{"a-word-that-is-too-long b", 0, 10, 1, "a-word-that-is-too-long\n b"},
		{"one\ntwo three", 0, 5, 2, "one\ntwo\n  three"},
		{"größer “größer”", 0, 15, 2, "größer “größer”"}, /* characters, not bytes */
		{"größer “größer”", 0, 14, 2, "größer\n  “größer”"},
		{"end  ", 0, 4, 2, "end  "},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *wrapped = np_wrap(cases[i].text, cases[i].used, cases[i].width, cases[i].indent);
		g_assert_cmpstr(wrapped, ==, cases[i].wrapped);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/size/parse", test_size_parse);
	g_test_add_func("/base/size/format", test_size_format);
	g_test_add_func("/base/duration", test_duration);
	g_test_add_func("/base/cidr", test_cidr);
	g_test_add_func("/base/ip", test_ip);
	g_test_add_func("/base/ident", test_ident);
	g_test_add_func("/base/address", test_address);
	g_test_add_func("/base/nearest", test_nearest);
	g_test_add_func("/base/diags", test_diags);
	g_test_add_func("/base/error", test_error);
	g_test_add_func("/base/wrap", test_wrap);
	g_test_add_func("/base/process/run", test_process_run);
	g_test_add_func("/base/process/stop", test_process_stop);
	g_test_add_func("/base/process/threads", test_process_threads);
	return g_test_run();
}
