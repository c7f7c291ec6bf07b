/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/errors/NAME.yaml and what nestplan says about it, NAME.expected. The first lines of a fixture may be
 * options: # --var NAME=VALUE   # --env NAME=VALUE   # --var-file FILE (beside it)   # --strict   # --files (look at
 * files, too)   # --repeat N (the last line is there N times)   # --load FILE (instead of this one). Every code has a fixture and is explained in
 * docs/diagnostics.md. NP_TEST_REGENERATE=1 rewrites NAME.expected. */
#include <string.h>

#include "lab/codes.h"
#include "lab/lab.h"

#define FOLDER NP_TEST_DATA "/unit/errors"

typedef struct {
	GPtrArray *variables, *environment;
	GArray *files;
	gboolean strict, check_files;
	guint64 repeat;
	char *load;
} setting;

static void file_clear(gpointer data)
{
	np_var_file *file = data;
	g_free((char *)file->file);
	g_free((char *)file->text);
}

static void file_add(GArray *files, const char *name)
{
	g_autofree char *path = g_build_filename(FOLDER, name, NULL);
	char *text;
	np_var_file file = {.file = g_strdup(name)};
	g_assert_true(g_file_get_contents(path, &text, &file.length, NULL));
	file.text = text;
	g_array_append_val(files, file);
}

static void option_take(setting *s, const char *line)
{
	const char *value = strchr(line, ' ');
	value = value ? value + 1 : "";
	if (g_str_has_prefix(line, "--var-file "))
		file_add(s->files, value);
	else if (g_str_has_prefix(line, "--var "))
		g_ptr_array_add(s->variables, g_strdup(value));
	else if (g_str_has_prefix(line, "--env "))
		g_ptr_array_add(s->environment, g_strdup(value));
	else if (g_str_has_prefix(line, "--repeat "))
		s->repeat = g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(line, "--load "))
		s->load = g_strdup(value);
	else if (g_str_equal(line, "--strict"))
		s->strict = TRUE;
	else if (g_str_equal(line, "--files"))
		s->check_files = TRUE;
	else
		g_error("unknown option '%s' in a fixture", line);
}

static setting setting_read(const char *text)
{
	setting s = {g_ptr_array_new_with_free_func(g_free), g_ptr_array_new_with_free_func(g_free),
	             g_array_new(FALSE, FALSE, sizeof(np_var_file)), FALSE, FALSE, 1, NULL};
	g_array_set_clear_func(s.files, file_clear);
	while (g_str_has_prefix(text, "# --")) {
		g_autofree char *line = g_strndup(text + 2, strcspn(text + 2, "\n"));
		option_take(&s, line);
		text = strchr(text, '\n') + 1;
	}
	g_ptr_array_add(s.variables, NULL);
	g_ptr_array_add(s.environment, NULL);
	return s;
}

static void setting_clear(setting *s)
{
	g_ptr_array_unref(s->variables);
	g_ptr_array_unref(s->environment);
	g_array_unref(s->files);
	g_free(s->load);
}

static np_lab *lab_of(const setting *s, const GString *text, const np_load_options *options, np_diags **ret_diags)
{
	g_autoptr(GError) error = NULL;
	if (s->load == NULL)
		return np_lab_parse(text->str, text->len, options, ret_diags);
	g_assert_null(np_lab_load(s->load, options, ret_diags, &error));
	*ret_diags = np_load_failed(s->load, error);
	return NULL;
}

/* The text with its last line as often as the setting says. */
static GString *text_repeat(const char *text, gsize length, guint64 times)
{
	GString *all = g_string_new_len(text, (gssize)length);
	const char *last = text + length - 1;
	while (times > 1 && last > text && last[-1] != '\n')
		last--;
	for (; times > 1; times--)
		g_string_append(all, last);
	return all;
}

/* With files, absolute names of this machine are in the messages. */
static char *portable(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, FOLDER, -1);
	return g_strjoinv("FOLDER", parts);
}

static char *diagnostics_of(const char *path, const char *text, gsize length)
{
	g_autofree char *file = g_path_get_basename(path);
	g_autoptr(np_diags) diags = NULL;
	setting s = setting_read(text);
	np_load_options options = {.file = file,
	                           .folder = s.check_files ? FOLDER : "/labs",
	                           .variables = (const char *const *)s.variables->pdata,
	                           .environment = (const char *const *)s.environment->pdata,
	                           .var_files = (const np_var_file *)(gpointer)s.files->data,
	                           .n_var_files = s.files->len,
	                           .strict = s.strict,
	                           .check_files = s.check_files};
	g_autoptr(GString) all = text_repeat(text, length, s.repeat);
	g_autoptr(np_lab) lab = lab_of(&s, all, &options, &diags);
	setting_clear(&s);
	g_assert_cmpuint(diags->errors + diags->warnings, >, 0);
	g_assert_true((lab == NULL) == (diags->errors > 0));
	g_autofree char *rendered = np_diags_render(diags, FALSE), *json = np_diags_json(diags, NULL);
	gboolean secret = g_str_has_prefix(file, "secret-"); /* such fixtures hide every "hunter" */
	g_assert_false(secret && (strstr(rendered, "hunter") != NULL || strstr(json, "hunter") != NULL));
	return portable(rendered);
}

static void test_fixture(gconstpointer data)
{
	const char *path = data;
	g_autofree char *text = NULL, *expected = NULL;
	g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".yaml"));
	g_autofree char *golden = g_strconcat(stem, ".expected", NULL);
	gsize length;
	g_assert_true(g_file_get_contents(path, &text, &length, NULL));
	g_autofree char *actual = diagnostics_of(path, text, length);
	if (g_getenv("NP_TEST_REGENERATE") != NULL)
		g_assert_true(g_file_set_contents(golden, actual, -1, NULL));
	g_assert_true(g_file_get_contents(golden, &expected, NULL, NULL));
	g_assert_cmpstr(actual, ==, expected);
}

/* The codes of the messages in a golden output; those in the lines of the lab file do not count. */
static void codes_take(const char *expected, GHashTable *ret)
{
	g_auto(GStrv) lines = g_strsplit(expected, "\n", -1);
	g_autoptr(GRegex) message = g_regex_new("^[^ ]+: (error|warning): .*?(?: \\[(NP[0-9]{4})\\])?$", G_REGEX_DEFAULT, 0, NULL);
	for (char **line = lines; *line != NULL; line++) {
		g_autoptr(GMatchInfo) match = NULL;
		if (!g_regex_match(message, *line, 0, &match))
			continue;
		g_autofree char *code = g_match_info_fetch(match, 2);
		if (code == NULL || *code == '\0')
			g_test_fail_printf("a message has no code: %s", *line);
		else
			g_hash_table_add(ret, g_steal_pointer(&code));
	}
}

/* The codes of all fixtures. */
static GHashTable *codes_expected(unsigned *ret_count)
{
	GHashTable *codes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) dir = g_dir_open(FOLDER, 0, NULL);
	*ret_count = 0;
	for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
		if (!g_str_has_suffix(name, ".expected"))
			continue;
		g_autofree char *path = g_build_filename(FOLDER, name, NULL), *text = NULL;
		g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".expected"));
		g_autofree char *lab = g_strconcat(stem, ".yaml", NULL);
		if (!g_file_test(lab, G_FILE_TEST_EXISTS))
			g_test_fail_printf("%s has no lab file", name);
		g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
		codes_take(text, codes);
		++*ret_count;
	}
	return codes;
}

static void test_codes(void)
{
	unsigned count;
	g_autoptr(GHashTable) codes = codes_expected(&count);
	g_autofree char *docs = np_codes_render();
	if (count < 150)
		g_test_fail_printf("there are only %u fixtures", count);
	for (unsigned i = 0; np_codes[i].code != 0; i++) {
		g_autofree char *code = np_code_format(np_codes[i].code);
		g_autofree char *title = g_strdup_printf("### %s: ", code);
		if (i > 0)
			g_assert_cmpint(np_codes[i].code, >, np_codes[i - 1].code);
		if (!g_hash_table_remove(codes, code))
			g_test_fail_printf("%s has no fixture in tests/unit/errors", code);
		if (strstr(docs, title) == NULL)
			g_test_fail_printf("%s is not explained", code);
	}
	/* What is left is not in the table. */
	g_assert_cmpuint(g_hash_table_size(codes), ==, 0);
}

static void fixtures_add(void)
{
	g_autoptr(GDir) dir = g_dir_open(FOLDER, 0, NULL);
	g_assert_nonnull(dir);
	for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
		if (!g_str_has_suffix(name, ".yaml"))
			continue;
		g_autofree char *test = g_strconcat("/errors/", name, NULL);
		g_test_add_data_func_full(test, g_build_filename(FOLDER, name, NULL), test_fixture, g_free);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	fixtures_add();
	g_test_add_func("/last/codes", test_codes);
	return g_test_run();
}
