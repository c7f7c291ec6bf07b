/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "run/adopt.h"
#include "run/lock.h"

#define DEFAULT_NAME "imported"

typedef struct {
	const np_options *options;
	np_import_request request;
	np_session *session;
	const np_hypervisor_ops *ops;
	np_conn *conn;
} importer;

static char *text_of(const np_import *found)
{
	g_autoptr(np_comments) comments = np_comments_new();
	for (guint i = 0; i < found->remarks->len; i++) {
		const np_remark *remark = g_ptr_array_index(found->remarks, i);
		np_comments_add(comments, remark->object, remark->text);
	}
	return np_lab_write(found->lab, comments);
}

/* What was written is read as any other lab file: what does not pass is not handed out. */
static np_lab *lab_of(const importer *i, const char *text, GError **error)
{
	g_autoptr(np_diags) diags = NULL;
	np_lab *lab = np_lab_parse(text, strlen(text), &(np_load_options){.file = "lab.yaml"}, &diags);
	if (lab)
		return lab;
	g_autofree char *rendered = np_diags_render(diags, np_colour(stderr, i->options));
	fputs(rendered, stderr);
	g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
	            "What was found makes no valid lab file (see above). Name the domains to import one by one.");
	return NULL;
}

static bool has_obstacles(const np_import *found)
{
	bool any = false;
	for (guint i = 0; i < found->remarks->len; i++) {
		const np_remark *remark = g_ptr_array_index(found->remarks, i);
		if (!remark->obstacle)
			continue;
		g_autofree char *line = g_strdup_printf("%s: %s", remark->about, remark->text);
		g_autofree char *shown = np_comment_line(line); /* it comes from the hypervisor */
		fprintf(stderr, "error: %s.\n", shown);
		any = true;
	}
	return any;
}

static bool is_free(const importer *i, GError **error)
{
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	if (!i->ops->observe(i->conn, i->request.name, site, error))
		return false;
	if (!site->nodes->len && !site->networks->len && !site->pool)
		return true;
	g_autofree char *uri = i->ops->uri(i->conn);
	g_set_error(error, NP_ERROR, NP_ERROR_CLASH,
	            "Lab '%s' has something at %s already; give the new lab another name (--name).", i->request.name,
	            uri);
	return false;
}

static bool confirm(const importer *i, const np_import *found, const np_lab *lab, GError **error)
{
	for (guint k = 0; k < found->origins->len && !i->options->quiet; k++) {
		g_autofree char *origin = np_comment_line(g_ptr_array_index(found->origins, k));
		fprintf(stderr, "  %s becomes %s, and is started\n", origin,
		        ((const np_node *)g_ptr_array_index(lab->site.nodes, k))->libvirt_name);
	}
	return np_confirm(i->options, "Make these machines the lab's own?", error);
}

/* What is adopted is what was shown. */
static bool is_same(const importer *i, const char *text, GError **error)
{
	g_autoptr(np_import) again = i->ops->import(i->conn, &i->request, error);
	if (!again)
		return false;
	g_autofree char *now = text_of(again);
	if (!has_obstacles(again) && strcmp(now, text) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
	            "The machines have changed meanwhile. Nothing was done; import again.");
	return false;
}

static bool start(const importer *i, const np_lab *lab, GError **error)
{
	for (guint k = 0; k < lab->site.nodes->len; k++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, k);
		if (i->ops->domain_start(i->conn, lab->name, node->libvirt_name, error))
			continue;
		g_prefix_error(error, "The machines are lab '%s' now; nestplan apply starts those that do not run. ",
		               lab->name);
		return false;
	}
	return true;
}

/* `context` has the new lab. */
static bool adopt(const importer *i, const np_import *found, const char *text, np_context *context, GError **error)
{
	if (!np_context_resolve(context, i->options, NULL, error) || !is_free(i, error) || !confirm(i, found, context->lab, error))
		return false;
	g_autoptr(np_lock) lock = np_lock_acquire(i->session, i->request.name, i->options->lock_timeout_ms,
	                                          np_interrupt_cancellable(), error);
	if (!lock || !is_free(i, error) || !is_same(i, text, error) ||
	    !np_run_adopt(i->ops, i->conn, context->lab, found->origins, error) || !start(i, context->lab, error))
		return false;
	if (!i->options->quiet)
		fprintf(stderr,
		        "%u machine%s of lab '%s' now. Disks keep their former names as well, also after a destroy.\n",
		        found->origins->len, found->origins->len == 1 ? " is" : "s are", i->request.name);
	return true;
}

static bool put(const char *text, GError **error)
{
	if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "The lab file cannot be written: %s. Nothing was changed.",
	            g_strerror(errno));
	return false;
}

static bool import(const importer *i, GError **error)
{
	g_autoptr(np_import) found = i->ops->import(i->conn, &i->request, error);
	if (!found)
		return false;
	if (i->request.adopt && has_obstacles(found)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "Nothing was adopted. Name the other domains to adopt only those.");
		return false;
	}
	g_autofree char *text = text_of(found);
	g_auto(np_context) context = {.lab = lab_of(i, text, error)};
	if (!context.lab || !put(text, error))
		return false;
	return !i->request.adopt || adopt(i, found, text, &context, error);
}

/* The lock needs a session, and that a lab: only its name is known. */
static bool open_and_import(importer *i, GError **error)
{
	g_auto(np_context) context = {.lab = np_object_new(&np_lab_kind, NULL)};
	context.lab->name = g_strdup(i->request.name);
	if (!np_context_connect(&context, i->options, error))
		return false;
	i->session = context.session;
	i->ops = np_session_drivers(context.session)->hypervisor;
	i->conn = np_session_root(context.session);
	return import(i, error);
}

int np_cmd_import(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_autoptr(GError) error = NULL;
	importer i = {
	        .options = options,
	        .request =
	                {
	                        .name = options->name ? options->name : DEFAULT_NAME,
	                        .uri = options->connect,
	                        .storage = options->storage,
	                        .domains = (const char *const *)options->rest,
	                        .adopt = options->adopt,
	                },
	};
	const np_field *name = np_kind_field(&np_lab_kind, "name");
	if (!g_regex_match_simple(name->pattern, i.request.name, G_REGEX_DOLLAR_ENDONLY, 0)) {
		fprintf(stderr, "error: --name: %s.\n", name->pattern_help);
		return NP_EXIT_USAGE;
	}
	if (options->adopt)
		np_interrupt_cancellable();
	if (open_and_import(&i, &error))
		return NP_EXIT_OK;
	np_complain(options, error);
	return np_exit_code(error);
}
