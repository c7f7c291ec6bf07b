/* SPDX-License-Identifier: Apache-2.0 */
/* The language as a whole: printing, variables, secrets, strictness, JSON. */
#include <string.h>

#include "base/error.h"
#include "lab/codes.h"
#include "lab/lab.h"

#define HEAD                                                                                                           \
	"version: 1\n"                                                                                                 \
	"name: demo\n"                                                                                                 \
	"images: {tiny: {source: tiny.qcow2}}\n"                                                                       \
	"networks: {mgmt: {cidr: 10.20.0.0/24}}\n"                                                                     \
	"defaults: {image: tiny, memory: 256MiB, vcpus: 1}\n"

static np_lab *parse(const char *text, const np_load_options *how, np_diags **ret_diags)
{
	np_load_options options = how ? *how : (np_load_options){0};
	options.file = "lab.yaml";
	options.folder = "/labs";
	return np_lab_parse(text, strlen(text), &options, ret_diags);
}

static np_lab *parse_good(const char *text, const np_load_options *how)
{
	g_autoptr(np_diags) diags = NULL;
	np_lab *lab = parse(text, how, &diags);
	if (lab == NULL) {
		g_autofree char *rendered = np_diags_render(diags, FALSE);
		g_test_message("%s\n%s", rendered, text);
	}
	g_assert_nonnull(lab);
	return lab;
}

/* Printing is a fixed point, and the printed lab is the same lab. */
static char *assert_fixed_point(const np_lab *lab, const np_load_options *how)
{
	char *first = np_lab_print(lab);
	g_autoptr(np_lab) again = parse_good(first, how);
	g_autofree char *second = np_lab_print(again);
	g_assert_cmpstr(first, ==, second);
	return first;
}

static void compare_node(np_node *node, gpointer other_lab)
{
	const np_node *other = np_lab_node(other_lab, node->address);
	g_assert_nonnull(other);
	g_assert_cmpstr(node->uuid, ==, other->uuid);
	g_assert_cmpuint(node->memory, ==, other->memory);
	g_assert_cmpint(node->ready.wait, ==, other->ready.wait);
	g_assert_cmpuint(node->disks->len, ==, other->disks->len);
	g_assert_cmpuint(node->nics->len, ==, other->nics->len);
	for (guint i = 0; i < node->nics->len; i++) {
		const np_nic *nic = node->nics->pdata[i], *other_nic = other->nics->pdata[i];
		g_assert_cmpstr(nic->mac, ==, other_nic->mac);
		g_assert_cmphex(nic->address, ==, other_nic->address);
	}
}

static void test_print_language(void)
{
	g_autofree char *text = NULL, *again_text = NULL;
	g_assert_true(g_file_get_contents(NP_TEST_DATA "/unit/labs/language.yaml", &text, NULL, NULL));
	g_autoptr(np_lab) lab = parse_good(text, NULL);
	g_autofree char *printed = assert_fixed_point(lab, NULL);
	g_autoptr(np_lab) again = parse_good(printed, NULL);
	np_lab_foreach_node(&lab->site, compare_node, again);
	np_lab_foreach_node(&again->site, compare_node, lab);
	g_assert_nonnull(strstr(printed, "timeout: 10m\n"));
	g_assert_nonnull(strstr(printed, "bus: virtio\n"));
	g_assert_nonnull(strstr(printed, "    compute-2:\n") == NULL ? strstr(printed, "  compute-2:\n") : "");
}

static void test_print_examples(void)
{
	const char *source = g_getenv("NESTPLAN_SOURCE");
	if (source == NULL) {
		g_test_skip("NESTPLAN_SOURCE is not set");
		return;
	}
	g_autofree char *folder = g_build_filename(source, "examples", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
		g_autofree char *path = g_build_filename(folder, name, "lab.yaml", NULL), *text = NULL;
		if (!g_file_get_contents(path, &text, NULL, NULL))
			continue;
		static const char *const given[] = {"token=change-me", NULL}; /* sensitive, so not printed */
		np_load_options how = {.environment = given};
		g_autoptr(np_lab) lab = parse_good(text, NULL);
		g_autofree char *printed = assert_fixed_point(lab, &how);
	}
}

/* What is easily read as something else. */
static void test_print_texts(void)
{
	g_autoptr(np_lab) lab =
	        parse_good(HEAD "nodes:\n"
	                        "  a: {description: \"yes\", inject: {run: [\"12\", \"$${x} $y\", \"a: b\", \"- c\", "
	                        "\"#d\", \"null\"]}}\n"
	                        "  b: {description: \"tab\\there \\\"q\\\" \\\\ \\u0007 ü \\u2028\", count: 2,\n"
	                        "      nics: [mgmt], inject: {run: [\"${node.index} ${node.nics.mgmt.address}\"],\n"
	                        "      files: [{path: /x, content: \"$${a}${lab.name}\"}]}}\n",
	                   NULL);
	g_autofree char *printed = assert_fixed_point(lab, NULL);
	g_autoptr(np_lab) again = parse_good(printed, NULL);
	const np_node *a = np_lab_node(again, "a"), *b = np_lab_node(again, "b-2");
	g_assert_cmpstr(a->description, ==, "yes");
	g_assert_cmpstr(b->description, ==, "tab\there \"q\" \\ \a ü \xe2\x80\xa8");
	g_autofree char *run = np_lab_expand(again, a, a->inject.run->pdata[1], NULL);
	g_assert_cmpstr(run, ==, "${x} $y");
	g_autofree char *late = np_lab_expand(again, b, b->inject.run->pdata[0], NULL);
	const np_node *original = np_lab_node(lab, "b-2");
	g_autofree char *wanted = np_lab_expand(lab, original, original->inject.run->pdata[0], NULL);
	g_assert_cmpstr(late, ==, wanted);
}

/* Values with a '$' that is no beginning of an expression, alone or with the text behind it. */
static void test_print_dollars(void)
{
	g_autoptr(np_lab) lab = parse_good(HEAD "variables: {d: {default: \"$\"}, e: {default: \"$${foo}\"},\n"
	                                        "            s: {default: s, sensitive: true}}\n"
	                                        "nodes:\n"
	                                        "  a:\n"
	                                        "    description: \"${var.d}{x} ${var.e} $$${y} ${var.s}\"\n"
	                                        "    inject: {run: [\"${var.d}${var.d}{x} ${var.e} $$${y}\"]}\n",
	                                   NULL);
	static const char *const given[] = {"s=s", NULL};
	np_load_options how = {.variables = given};
	g_autofree char *printed = assert_fixed_point(lab, &how);
	g_autoptr(np_lab) again = parse_good(printed, &how);
	const np_node *a = np_lab_node(again, "a");
	g_assert_cmpstr(a->description, ==, "${x} ${foo} $${y} s");
	g_autofree char *run = np_lab_expand(again, a, a->inject.run->pdata[0], NULL);
	g_assert_cmpstr(run, ==, "$${x} ${foo} $${y}");
}

static const char secret_lab[] =
        HEAD "variables:\n"
             "  token: {sensitive: true, default: hunter2hunter2}\n"
             "nodes:\n"
             "  a:\n"
             "    description: \"the ${var.token}\"\n"
             "    inject: {files: [{path: \"/etc/${var.token}\", content: \"x ${var.token}\"}],\n"
             "             packages: [\"p${var.token}\"], run: [\"echo ${var.token} ${node.name}\"]}\n";

static void test_print_secrets(void)
{
	static const char *const given[] = {"token=hunter2hunter2", NULL};
	np_load_options how = {.variables = given};
	g_autoptr(np_lab) lab = parse_good(secret_lab, NULL);
	g_assert_cmpstr(np_lab_node(lab, "a")->description, ==, "the hunter2hunter2");
	g_autofree char *printed = assert_fixed_point(lab, &how);
	g_assert_null(strstr(printed, "hunter2"));
	g_assert_nonnull(strstr(printed, "\"the ${var.token}\""));
	g_assert_nonnull(strstr(printed, "echo ${var.token} a"));
	g_autoptr(np_lab) again = parse_good(printed, &how);
	g_assert_cmpstr(np_lab_node(again, "a")->inject.packages->pdata[0], ==, "phunter2hunter2");
}

static void assert_says(const char *text, const char *const *variables, const char *code, const char *never)
{
	np_load_options how = {.variables = variables};
	g_autoptr(np_diags) diags = NULL;
	g_autoptr(np_lab) lab = parse(text, &how, &diags);
	g_assert_null(lab);
	g_autofree char *rendered = np_diags_render(diags, TRUE), *json = np_diags_json(diags, NULL);
	if (strstr(rendered, code) == NULL)
		g_test_message("%s", rendered);
	g_assert_nonnull(strstr(rendered, code));
	g_assert_nonnull(strstr(json, code));
	g_assert_null(strstr(rendered, never));
	g_assert_null(strstr(json, never));
}

/* No message shows a sensitive value, wherever it ends up. */
static void test_secrets_in_messages(void)
{
	static const char *const given[] = {"s=topsecret", NULL}, *const number[] = {"s=7x", NULL};
	static const char variables[] = HEAD "variables: {s: {sensitive: true, default: topsecret}}\n";
	static const char *const rest[][2] = {
	        {"nodes: {a: {memory: \"1${var.s}\"}}", "NP0212"},
	        {"nodes: {a: {image: \"${var.s}\"}}", "NP0212"},
	        {"nodes: {a: {accel: \"${var.s}\"}}", "NP0212"},
	        {"nodes: {a: {nics: {mgmt: {network: \"${var.s}\"}}}}", "NP0212"},
	        {"nodes: {a: {inject: {files: [{path: \"${var.s}\", content: x}]}}}", "NP0109"},
	        {"nodes: {a: {type: \"x${var.s}\"}}", "NP0212"},
	        {"host: {storage: \"${var.s}\"}", "NP0212"},
	        {"nodes: {a: {inject: {files: [{path: /a, source: \"../${var.s}\"}]}}}", "NP0605"},
	        {"topsecret: 1", "NP0101"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rest); i++) {
		g_autofree char *text = g_strconcat(variables, rest[i][0], "\n", NULL);
		assert_says(text, given, rest[i][1], "topsecret");
		assert_says(text, NULL, rest[i][1], "topsecret");
	}
	assert_says(HEAD "variables: {s: {sensitive: true, type: integer}}\n", number, "NP0208", "7x");
}

/* Of two values that begin alike, the longer one is hidden as a whole. */
static void test_secret_in_secret(void)
{
	static const char *const given[] = {"p=correct", "q=correcthorse", NULL};
	assert_says(HEAD "variables: {p: {sensitive: true}, q: {sensitive: true}}\ncorrecthorse: 1\n", given, "NP0101",
	            "horse");
}

/* What is cut off inside a character would be read beyond its end. */
static void test_variable_not_utf8(void)
{
	static const char *const given[] = {"x=abc\xf0", NULL};
	static const char text[] = HEAD "variables: {x: {default: q}}\nnodes: {a: {description: \"a ${var.x} b\"}}\n";
	np_load_options environment = {.environment = given}, option = {.variables = given};
	g_autoptr(np_diags) one = NULL, other = NULL;
	g_assert_null(parse(text, &environment, &one));
	g_assert_null(parse(text, &option, &other));
	g_autofree char *said = np_diags_render(one, FALSE);
	g_assert_true(g_str_has_prefix(
	        said, "lab.yaml: error: the value of variable 'x' in the environment is not UTF-8 [NP0209]"));

	g_autoptr(np_lab) lab = parse_good(text, NULL);
	np_node *node = np_lab_node(lab, "a");
	g_free(node->description);
	node->description = g_strdup("cut \xf0");
	g_autofree char *printed = np_lab_print(lab);
	g_assert_nonnull(strstr(printed, "description: \"cut \xef\xbf\xbd\"\n"));
}

static void test_variable_sources(void)
{
	static const char *const options[] = {"a=option", NULL};
	static const char *const environment[] = {"a=env", "b=env", "c=env", "d_e=env", "unknown=env", NULL};
	static const char one[] = "a: file\nb: file\n", two[] = "b: file2\nn: 5\n";
	np_var_file files[] = {{"one.yaml", one, sizeof one - 1}, {"two.yaml", two, sizeof two - 1}};
	np_load_options how = {.variables = options,
	                       .environment = environment,
	                       .var_files = files,
	                       .n_var_files = G_N_ELEMENTS(files)};
	g_autoptr(np_lab) lab =
	        parse_good(HEAD "variables:\n"
	                        "  a: {default: default}\n"
	                        "  b: {default: default}\n"
	                        "  c: {default: default}\n"
	                        "  d-e: {default: default}\n"
	                        "  f: {default: default}\n"
	                        "  n: {type: integer}\n"
	                        "nodes:\n"
	                        "  x: {description: \"${var.a} ${var.b} ${var.c} ${var.d-e} ${var.f}\",\n"
	                        "      vcpus: \"${var.n}\"}\n",
	                   &how);
	g_assert_cmpstr(np_lab_node(lab, "x")->description, ==, "option file2 env env default");
	g_assert_cmpuint(np_lab_node(lab, "x")->vcpus, ==, 5);
}

/* The wrong value is in the file of variables: the message is there. */
static void test_variable_file_error(void)
{
	static const char text[] = "# comment\nn: seven\n";
	np_var_file file = {"vars.yaml", text, sizeof text - 1};
	np_load_options how = {.var_files = &file, .n_var_files = 1};
	g_autoptr(np_diags) diags = NULL;
	g_assert_null(parse(HEAD "variables: {n: {type: integer}}\n", &how, &diags));
	g_autofree char *rendered = np_diags_render(diags, FALSE);
	g_assert_true(g_str_has_prefix(rendered, "vars.yaml:2:4: error: "));
	g_assert_nonnull(strstr(rendered, "    2 | n: seven\n"));
}

static void test_strict(void)
{
	static const char text[] = HEAD "nodes: {a: {memory: 1GiB, nics: [mgmt], nodes: {b: {vcpus: 2}}}}\n";
	np_load_options strict = {.strict = TRUE};
	g_autoptr(np_diags) warned = NULL, refused = NULL;
	g_autoptr(np_lab) lab = parse(text, NULL, &warned);
	g_autoptr(np_lab) none = parse(text, &strict, &refused);
	g_assert_nonnull(lab);
	g_assert_null(none);
	g_assert_cmpuint(warned->warnings, ==, 1);
	g_assert_cmpuint(refused->errors, ==, 1);
}

static void test_overcommit(void)
{
	np_lab_free(parse_good(
	        HEAD "nodes: {a: {overcommit: true, nics: [mgmt], nodes: {b: {memory: 9GiB, vcpus: 9}}}}\n", NULL));
	g_autoptr(np_lab) lab = parse_good(
	        HEAD
	        "nodes: {a: {memory: 1GiB, disks: {root: 9GiB}, nics: [mgmt], nodes: {b: {disks: {root: 1GiB}}}}}\n",
	        NULL);
	g_autofree char *table = np_resources_render(lab);
	g_assert_cmpstr(
	        table, ==,
	        "LEVEL  SITE                         NODES  MEMORY                 VCPUS        DISK\n"
	        "0      (host)                       1      1 GiB of ?             1 of ?       9 GiB of ?\n"
	        "1      a                            1      256 MiB of 1 GiB       1 of 1       1 GiB of 9 GiB\n");
	g_autoptr(np_lab) open = parse_good(HEAD "nodes: {a: {nics: [mgmt], disks: {more: 1GiB}}}\n", NULL);
	g_autofree char *open_table = np_resources_render(open);
	g_assert_nonnull(strstr(open_table, " 1 GiB + ? of ?\n"));
}

/* Large labs: every search in them is by hash. */
static void test_large(void)
{
	g_autoptr(np_lab) lab = parse_good(HEAD "nodes: {n: {count: 20000}}\n", NULL);
	for (unsigned i = 1; i <= 20000; i++) {
		g_autofree char *address = g_strdup_printf("n-%u", i);
		g_assert_nonnull(np_lab_node(lab, address));
	}
	g_assert_null(np_lab_node(lab, "n-20001"));
}

static void test_json(void)
{
	g_autoptr(np_diags) diags = NULL;
	g_autoptr(np_lab) lab = parse("version: 1\nname: a\nnodse: 1\n", NULL, &diags);
	g_autofree char *json = np_diags_json(diags, "a");
	g_assert_null(lab);
	g_assert_cmpstr(
	        json, ==,
	        "{\"format_version\":\"1.0\",\"lab\":\"a\",\"valid\":false,\"errors\":1,\"warnings\":0,\"diagnostics\":"
	        "["
	        "{\"severity\":\"error\",\"code\":\"NP0101\",\"file\":\"lab.yaml\",\"line\":3,\"column\":1,\"length\":"
	        "5,"
	        "\"message\":\"unknown key 'nodse' in the lab\",\"hint\":\"did you mean 'nodes'?\",\"notes\":[]}]}");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/language/print", test_print_language);
	g_test_add_func("/language/print/examples", test_print_examples);
	g_test_add_func("/language/print/texts", test_print_texts);
	g_test_add_func("/language/print/dollars", test_print_dollars);
	g_test_add_func("/language/print/secrets", test_print_secrets);
	g_test_add_func("/language/secrets", test_secrets_in_messages);
	g_test_add_func("/language/secrets/within", test_secret_in_secret);
	g_test_add_func("/language/variables/utf8", test_variable_not_utf8);
	g_test_add_func("/language/variables", test_variable_sources);
	g_test_add_func("/language/variables/file", test_variable_file_error);
	g_test_add_func("/language/strict", test_strict);
	g_test_add_func("/language/overcommit", test_overcommit);
	g_test_add_func("/language/large", test_large);
	g_test_add_func("/language/json", test_json);
	return g_test_run();
}
