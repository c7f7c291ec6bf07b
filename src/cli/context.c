/* SPDX-License-Identifier: Apache-2.0 */
/* From options to a lab, a connection and a world: what most commands begin with. */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "drivers/image/image.h"
#include "lab/access.h"
#include "world/observe.h"

static const np_drivers drivers = {&np_libvirt, &np_kmod, &np_guestfs, &np_ssh, &np_image_files};

void np_context_clear(np_context *context)
{
	np_world_free(context->world);
	np_session_free(context->session);
	np_lab_free(context->lab);
	g_clear_pointer(&context->keys, g_ptr_array_unref);
	*context = (np_context){0};
}

static const char *lab_file(const np_options *options)
{
	if (options->file)
		return options->file;
	return options->rest && options->rest[0] ? options->rest[0] : "lab.yaml";
}

/* NESTPLAN_VAR_NAME=VALUE as "NAME=VALUE"; the twin of --var-file is not one of them. */
static GPtrArray *environment_variables(void)
{
	static const char prefix[] = "NESTPLAN_VAR_";
	GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) environment = g_get_environ();
	for (char **entry = environment; entry && *entry; entry++)
		if (g_str_has_prefix(*entry, prefix) && !g_str_has_prefix(*entry, "NESTPLAN_VAR_FILE=") && strchr(*entry, '='))
			g_ptr_array_add(found, g_strdup(*entry + strlen(prefix)));
	g_ptr_array_add(found, NULL);
	return found;
}

static void var_file_clear(gpointer data)
{
	g_free((char *)((np_var_file *)data)->text);
}

/* The files of --var-file; NULL with *error set when one cannot be read: *ret_file, borrowed. */
static GArray *var_files_read(const np_options *options, const char **ret_file, GError **error)
{
	g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(np_var_file));
	g_array_set_clear_func(files, var_file_clear);
	for (char **name = options->var_files; name && *name; name++) {
		gsize length = 0;
		char *text = np_text_load("file of variables", *name, &length, error);
		if (!text) {
			*ret_file = *name;
			return NULL;
		}
		np_var_file file = {*name, text, length};
		g_array_append_val(files, file);
	}
	return g_steal_pointer(&files);
}

static void show_diagnostics(np_context *context, const np_options *options, np_diags *diags, bool as_json)
{
	if (as_json) {
		g_autofree char *json = np_diags_json(diags, context->lab ? context->lab->name : NULL);
		puts(json);
	} else if ((diags->errors || diags->warnings) && !(options->quiet && !diags->errors)) {
		g_autofree char *text = np_diags_render(diags, np_colour(stderr, options));
		fputs(text, stderr);
	}
}

/* *ret_file: what *error is about, borrowed. */
static int load(np_context *context, const np_options *options, bool checked, const char **ret_file, GError **error)
{
	g_autoptr(np_diags) diags = NULL;
	g_autoptr(GPtrArray) environment = environment_variables();
	g_autoptr(GArray) files = var_files_read(options, ret_file, error);
	if (!files)
		return NP_EXIT_FAILED;
	np_load_options how = {
		.variables = (const char *const *)options->vars,
		.environment = (const char *const *)environment->pdata,
		.var_files = (const np_var_file *)(gpointer)files->data,
		.n_var_files = files->len,
		.strict = options->strict,
		.check_files = checked,
	};
	*ret_file = lab_file(options);
	context->lab = np_lab_load(*ret_file, &how, &diags, error);
	if (diags)
		show_diagnostics(context, options, diags, checked && options->json);
	return context->lab ? NP_EXIT_OK : NP_EXIT_INVALID;
}

static int load_and_complain(np_context *context, const np_options *options, bool checked)
{
	g_autoptr(GError) error = NULL;
	const char *file = NULL;
	int code = load(context, options, checked, &file, &error);
	if (!error)
		return code;
	if (checked && options->json) {
		g_autoptr(np_diags) diags = np_load_failed(file, error);
		show_diagnostics(context, options, diags, true);
	} else {
		np_complain(options, error);
	}
	return np_exit_code(error) == NP_EXIT_INVALID ? NP_EXIT_INVALID : NP_EXIT_FAILED;
}

int np_context_load(np_context *context, const np_options *options)
{
	return load_and_complain(context, options, false);
}

int np_context_load_checked(np_context *context, const np_options *options)
{
	return load_and_complain(context, options, true);
}

/* A lab that somebody else wrote gets no file of this machine by a link. */
static bool check_links(const np_lab *lab, const np_node *node, GError **error)
{
	for (guint i = 0; i < node->inject.files->len; i++) {
		const np_file *file = g_ptr_array_index(node->inject.files, i);
		g_autofree char *target = file->source ? np_lab_link_target(lab, file->source) : NULL;
		if (!target)
			continue;
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "Node '%s': the file '%s' is a link that leaves the folder of the lab file, to "
		            "'%s'. Copy the file into the folder, or write the absolute path.", node->address, file->source, target);
		return false;
	}
	return true;
}

static bool resolve_site(np_lab *lab, np_site *site, GError **error)
{
	g_auto(np_share) share = {0};
	if (site->node && np_share_name(lab, site, &share)) {
		g_free(site->share);
		site->share = g_strdup(share.volume);
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		np_node *node = g_ptr_array_index(site->nodes, i);
		if (!check_links(lab, node, error))
			return false;
		g_free(node->inject_id);
		node->inject_id = drivers.disk->inject_id(lab, node, error);
		if (!node->inject_id || !resolve_site(lab, &node->site, error))
			return false;
	}
	return true;
}

static bool resolve(np_context *context, const np_options *options, GCancellable *cancel, GError **error)
{
	np_lab *lab = context->lab;
	if (!np_images_resolve(lab, options, cancel, error))
		return false;
	context->keys = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; lab->access.authorized_keys && i < lab->access.authorized_keys->len; i++)
		if (!np_access_keys_read(context->keys, g_ptr_array_index(lab->access.authorized_keys, i), error)) {
			g_prefix_error(error, "access.authorized_keys: ");
			return false;
		}
	g_ptr_array_add(context->keys, NULL);
	g_free(lab->access.keys_id);
	lab->access.keys_id = np_access_keys_id((const char *const *)context->keys->pdata);
	return resolve_site(lab, &lab->site, error);
}

/* The names of files may have sensitive variables in them. */
bool np_context_resolve(np_context *context, const np_options *options, GCancellable *cancel, GError **error)
{
	GError *local = NULL;
	if (resolve(context, options, cancel, &local))
		return true;
	g_autoptr(np_diags) secrets = np_lab_secrets(context->lab);
	char *clean = np_diags_clean(secrets, local->message);
	g_free(local->message);
	local->message = clean;
	g_propagate_error(error, local);
	return false;
}

bool np_context_connect(np_context *context, const np_options *options, GError **error)
{
	if (options->connect) { /* the guests are reached through the same host */
		g_free(context->lab->host.uri);
		context->lab->host.uri = g_strdup(options->connect);
	}
	context->session = np_session_new(&drivers, context->lab, NULL, error);
	return context->session != NULL;
}

bool np_context_observe(np_context *context, GError **error)
{
	np_observe_options how = {.inside = true, .sysroot = "", .cancel = NULL};
	g_clear_pointer(&context->world, np_world_free);
	context->world = np_observe(context->session, context->lab, &how, error);
	return context->world != NULL;
}
