/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kmod/kmod.h"

typedef struct kmod_config_iter kmod_config_iter;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kmod_config_iter, kmod_config_iter_free_iter)

/* `nested` is a bool of these and an int of kvm_amd and of s390x's kvm (Linux 6.1). */
static bool takes_bool(const char *module)
{
	return strcmp(module, "kvm_intel") == 0 || strcmp(module, "kvm_hv") == 0;
}

/* As the kernel's kstrtobool: only the first characters count. */
static int truth_of_bool(const char *value)
{
	if (*value != '\0' && strchr("yYtT1", *value))
		return 1;
	if (*value != '\0' && strchr("nNfF0", *value))
		return 0;
	if (g_ascii_tolower(value[0]) != 'o')
		return -1;
	char second = g_ascii_tolower(value[1]);
	return second == 'n' ? 1 : second == 'f' ? 0 : -1;
}

/* As the kernel's kstrtoint with base 0. */
static int truth_of_int(const char *value)
{
	char *end;
	errno = 0;
	long number = strtol(value, &end, 0);
	if (errno != 0 || end == value || *end != '\0' || g_ascii_isspace(*value) || number < G_MININT ||
	    number > G_MAXINT)
		return -1;
	return number != 0;
}

int np_option_truth(const char *module, const char *value)
{
	if (value == NULL)
		return takes_bool(module) ? 1 : -1;
	return takes_bool(module) ? truth_of_bool(value) : truth_of_int(value);
}

int np_option_source_truth(const char *module, const np_option_source *source)
{
	return np_option_truth(module, *source->value ? source->value : NULL);
}

/* Behind "name=", or the empty end when there is no '='; NULL when the word is another parameter. */
static const char *value_of(const char *word, const char *parameter)
{
	g_autofree char *name = g_strndup(word, strcspn(word, "="));
	g_strdelimit(name, "-", '_');
	if (strcmp(name, parameter) != 0)
		return NULL;
	const char *rest = word + strlen(name);
	return *rest == '=' ? rest + 1 : rest;
}

static bool is_for(const np_conf_line *line, const char *command, const char *module)
{
	return strcmp(line->command, command) == 0 && strcmp(line->module, module) == 0;
}

static void add_source(np_kernel_facts *facts, const np_conf_line *line, const char *word, const char *value)
{
	np_option_source *source = g_new0(np_option_source, 1);
	source->file = g_strdup(line->file);
	source->line = line->line;
	source->value = g_strdup(value);
	g_ptr_array_add(facts->sources, source);
	bool named_only = strchr(word, '=') == NULL;
	if (facts->bad == NULL && np_option_truth(facts->module, named_only ? NULL : value) < 0)
		facts->bad = source;
}

void np_options_nested(const GPtrArray *conf, bool own_file, np_kernel_facts *facts)
{
	for (guint i = 0; i < conf->len; i++) {
		const np_conf_line *line = conf->pdata[i];
		if (!is_for(line, "options", facts->module) || (own_file && strcmp(line->file, NP_NESTING_FILE) == 0))
			continue;
		g_auto(GStrv) words = np_conf_words(line->rest);
		for (char **word = words; *word != NULL; word++) {
			const char *value = value_of(*word, "nested");
			if (value != NULL)
				add_source(facts, line, *word, value);
		}
	}
}

char *np_option_place(const char *file, unsigned line)
{
	return line > 0 ? g_strdup_printf("%s:%u", file, line) : g_strdup("the kernel command line");
}

/* Any install line counts: what its command does cannot be known, and libkmod would hand it to a shell. */
char *np_options_blacklist(const GPtrArray *conf, const char *module)
{
	for (guint i = 0; i < conf->len; i++) {
		const np_conf_line *line = conf->pdata[i];
		if (is_for(line, "blacklist", module) || is_for(line, "install", module))
			return np_option_place(line->file, line->line);
	}
	return NULL;
}

char *np_options_origin(const GPtrArray *conf, const char *module, const char *parameter)
{
	const np_conf_line *last = NULL;
	for (guint i = 0; i < conf->len; i++) {
		const np_conf_line *line = conf->pdata[i];
		if (!is_for(line, "options", module))
			continue;
		g_auto(GStrv) words = np_conf_words(line->rest);
		for (char **word = words; *word != NULL; word++)
			if (value_of(*word, parameter) != NULL)
				last = line;
	}
	return last != NULL ? np_option_place(last->file, last->line) : NULL;
}

static void collect(const char *text, const char *module, GArray *values)
{
	g_auto(GStrv) words = np_conf_words(text);
	for (char **word = words; *word != NULL; word++) {
		const char *value = value_of(*word, "nested");
		if (value == NULL)
			continue;
		int truth = np_option_truth(module, strchr(*word, '=') ? value : NULL);
		g_array_append_val(values, truth);
	}
}

static void collect_command_line(const char *root, const char *module, GArray *values)
{
	g_autoptr(GPtrArray) conf = np_conf_read(root);
	for (guint i = 0; i < conf->len; i++) {
		const np_conf_line *line = conf->pdata[i];
		if (line->line == 0 && is_for(line, "options", module))
			collect(line->rest, module, values);
	}
}

/* libkmod reads the real /proc/cmdline even for a stand-in of /, and puts it last: replaced by the stand-in's. */
static void exchange_command_line(const char *root, const char *module, GArray *values)
{
	g_autoptr(GArray) real = g_array_new(FALSE, FALSE, sizeof(int));
	collect_command_line("", module, real);
	g_array_set_size(values, values->len - MIN(values->len, real->len));
	collect_command_line(root, module, values);
}

int np_options_effective(const char *root, const char *module)
{
	g_autoptr(kmod_ctx) ctx = np_kmod_context(root, true);
	g_autoptr(kmod_config_iter) option = ctx != NULL ? kmod_config_get_options(ctx) : NULL;
	g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(int));
	while (option != NULL && kmod_config_iter_next(option))
		if (strcmp(kmod_config_iter_get_key(option), module) == 0)
			collect(kmod_config_iter_get_value(option), module, values);
	if (*root != '\0')
		exchange_command_line(root, module, values);
	return values->len > 0 ? g_array_index(values, int, values->len - 1) : -1;
}
