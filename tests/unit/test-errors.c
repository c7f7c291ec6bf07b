/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/errors/NAME.yaml and what nestplan says about it, NAME.expected. The first lines of a fixture may be
 * options: # --var NAME=VALUE   # --env NAME=VALUE   # --var-file FILE (beside it)   # --strict   # --files (look at
 * files, too) Every code has a fixture and is explained in docs/diagnostics.md. NP_TEST_REGENERATE=1 rewrites
 * NAME.expected. */
#include <string.h>

#include "lab/codes.h"
#include "lab/lab.h"

#define FOLDER NP_TEST_DATA "/unit/errors"

typedef struct {
	GPtrArray *variables, *environment;
	GArray *files;
	gboolean strict, check_files;
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
	             g_array_new(FALSE, FALSE, sizeof(np_var_file)), FALSE, FALSE};
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
	g_autoptr(GError) error = NULL;
	setting s = setting_read(text);
	np_load_options options = {.file = file,
	                           .folder = s.check_files ? FOLDER : "/labs",
	                           .variables = (const char *const *)s.variables->pdata,
	                           .environment = (const char *const *)s.environment->pdata,
	                           .var_files = (const np_var_file *)(gpointer)s.files->data,
	                           .n_var_files = s.files->len,
	                           .strict = s.strict,
	                           .check_files = s.check_files};
	g_autoptr(np_lab) lab = np_lab_parse(text, length, &options, &diags);
	setting_clear(&s);
	g_assert_cmpuint(diags->errors + diags->warnings, >, 0);
	g_assert_true((lab == NULL) == (diags->errors > 0));
	g_autofree char *rendered = np_diags_render(diags, FALSE);
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

/* All golden outputs in one text. */
static char *everything_expected(unsigned *ret_count)
{
	g_autoptr(GDir) dir = g_dir_open(FOLDER, 0, NULL);
	g_autoptr(GString) all = g_string_new(NULL);
	*ret_count = 0;
	for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
		g_autofree char *path = g_build_filename(FOLDER, name, NULL), *text = NULL;
		if (!g_str_has_suffix(name, ".expected"))
			continue;
		g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
		g_string_append(all, text);
		++*ret_count;
	}
	return g_string_free(g_steal_pointer(&all), FALSE);
}

static void test_codes(void)
{
	unsigned count;
	g_autofree char *all = everything_expected(&count);
	g_autofree char *docs = np_codes_render();
	if (count < 150)
		g_test_fail_printf("there are only %u fixtures", count);
	for (unsigned i = 0; np_codes[i].code != 0; i++) {
		g_autofree char *code = np_code_format(np_codes[i].code);
		g_autofree char *shown = g_strdup_printf("[%s]", code), *title = g_strdup_printf("### %s: ", code);
		if (i > 0)
			g_assert_cmpint(np_codes[i].code, >, np_codes[i - 1].code);
		if (strstr(all, shown) == NULL && !g_str_equal(code, "NP0001") && !g_str_equal(code, "NP0017") &&
		    !g_str_equal(code, "NP0117")) {
			g_test_message("%s has no fixture in tests/unit/errors", code);
			g_test_fail();
		}
		if (strstr(docs, title) == NULL)
			g_test_fail_printf("%s is not explained", code);
	}
	/* And no message without one. */
	g_auto(GStrv) lines = g_strsplit(all, "\n", -1);
	for (char **line = lines; *line != NULL; line++)
		if (g_regex_match_simple("^[^ ]+: (error|warning): ", *line, 0, 0) && !g_str_has_suffix(*line, "]"))
			g_test_fail_printf("a message has no code: %s", *line);
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
