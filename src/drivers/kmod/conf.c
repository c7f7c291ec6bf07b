/* SPDX-License-Identifier: Apache-2.0 */
/* modprobe.d(5) as libkmod reads it. libkmod does not tell from which file an option comes, hence this second reading;
 * tests hold it against libkmod's own. */
#include <string.h>

#include "drivers/kmod/kmod.h"

/* libkmod 31 added the folder below /usr/lib; where /lib is a link to /usr/lib the last two are one. */
const char *const np_conf_folders[] = {
	"/etc/modprobe.d",
	"/run/modprobe.d",
	"/usr/local/lib/modprobe.d",
#ifdef NP_KMOD_USR_LIB
	"/usr/lib/modprobe.d",
#endif
	"/lib/modprobe.d",
	NULL,
};

static void line_free(gpointer data)
{
	np_conf_line *line = data;
	g_free(line->file);
	g_free(line->command);
	g_free(line->module);
	g_free(line->rest);
	g_free(line);
}

/* A copy. The kernel and modprobe take '-' and '_' for the same. */
static char *underscored(const char *text, gsize length)
{
	char *copy = g_strndup(text, length);
	return g_strdelimit(copy, "-", '_');
}

static void add(GPtrArray *lines, const char *file, unsigned number, const char *command, char *module,
                const char *rest)
{
	np_conf_line *line = g_new0(np_conf_line, 1);
	line->file = g_strdup(file);
	line->line = number;
	line->command = g_strdup(command);
	line->module = module;
	line->rest = g_strdup(rest);
	g_ptr_array_add(lines, line);
}

/* Up to the next blank; *text is moved behind it and the blanks that follow. NULL at the end. */
static char *next_word(const char **text)
{
	*text += strspn(*text, " \t");
	gsize length = strcspn(*text, " \t");
	if (length == 0)
		return NULL;
	char *word = g_strndup(*text, length);
	*text += length;
	*text += strspn(*text, " \t");
	return word;
}

static void take_line(GPtrArray *lines, const char *file, unsigned number, const char *text)
{
	static const char *const commands[] = {"options", "blacklist", "install", NULL};
	if (*text == '#')
		return;
	g_autofree char *command = next_word(&text);
	if (command == NULL || !g_strv_contains(commands, command))
		return;
	g_autofree char *module = next_word(&text);
	if (module == NULL || (*text == '\0' && strcmp(command, "blacklist") != 0))
		return;
	add(lines, file, number, command, underscored(module, strlen(module)), text);
}

/* A backslash at the end of a line joins the next one to it, in comments too; before another character it is dropped. */
static void take_text(GPtrArray *lines, const char *file, const char *text)
{
	g_autoptr(GString) joined = g_string_new(NULL);
	unsigned first = 1, number = 1;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0') {
			if (*++at == '\n')
				number++;
			else
				g_string_append_c(joined, *at);
		} else if (*at == '\n') {
			take_line(lines, file, first, joined->str);
			g_string_truncate(joined, 0);
			first = ++number;
		} else {
			g_string_append_c(joined, *at);
		}
	}
	take_line(lines, file, first, joined->str);
}

static bool is_configuration(const char *root, const char *folder, const char *name)
{
	if (*name == '.' || (!g_str_has_suffix(name, ".conf") && !g_str_has_suffix(name, ".alias")))
		return false;
	g_autofree char *path = g_strconcat(root, folder, "/", name, NULL);
	return strlen(name) > strlen(".conf") && !g_file_test(path, G_FILE_TEST_IS_DIR);
}

/* Name of the file → its folder (borrowed): of one name the first folder's. */
static GHashTable *find_files(const char *root)
{
	GHashTable *files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; np_conf_folders[i] != NULL; i++) {
		g_autofree char *path = g_strconcat(root, np_conf_folders[i], NULL);
		g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
		const char *name;
		while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
			if (is_configuration(root, np_conf_folders[i], name) && !g_hash_table_contains(files, name))
				g_hash_table_insert(files, g_strdup(name), (gpointer)np_conf_folders[i]);
	}
	return files;
}

static void take_blacklist(GPtrArray *lines, const char *names)
{
	g_auto(GStrv) list = g_strsplit(names, ",", -1);
	for (char **name = list; *name != NULL; name++)
		add(lines, "/proc/cmdline", 0, "blacklist", underscored(*name, strlen(*name)), "");
}

/* "module.parameter=value" is modprobe's business for what is not built in; module_blacklist is the kernel's own. */
static void take_command_line(GPtrArray *lines, const char *root)
{
	g_autofree char *text = np_kmod_read(root, "/proc/cmdline");
	g_auto(GStrv) words = np_conf_words(text != NULL ? text : "");
	for (char **word = words; *word != NULL; word++) {
		gsize length = strcspn(*word, ".=");
		const char *names;
		if (g_str_has_prefix(*word, names = "modprobe.blacklist=") ||
		    g_str_has_prefix(*word, names = "module_blacklist="))
			take_blacklist(lines, *word + strlen(names));
		else if ((*word)[length] == '.')
			add(lines, "/proc/cmdline", 0, "options", underscored(*word, length), *word + length + 1);
	}
}

char **np_conf_words(const char *text)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GString) word = g_string_new(NULL);
	bool quoted = false, begun = false;
	for (;; text++) {
		if (*text == '\0' || (!quoted && g_ascii_isspace(*text))) {
			if (begun)
				g_ptr_array_add(words, g_strdup(word->str));
			g_string_truncate(word, 0);
			begun = false;
			if (*text == '\0')
				break;
			continue;
		}
		begun = true;
		if (*text == '"')
			quoted = !quoted;
		else
			g_string_append_c(word, *text);
	}
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

GPtrArray *np_conf_read(const char *root)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(line_free);
	g_autoptr(GHashTable) files = find_files(root);
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(files), by_name);
	for (GList *name = names; name != NULL; name = name->next) {
		const char *folder = g_hash_table_lookup(files, name->data);
		g_autofree char *file = g_strconcat(folder, "/", name->data, NULL);
		g_autofree char *full = g_strconcat(root, file, NULL);
		g_autofree char *text = NULL;
		if (g_file_get_contents(full, &text, NULL, NULL))
			take_text(lines, file, text);
	}
	take_command_line(lines, root);
	return lines;
}
