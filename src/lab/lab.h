/* SPDX-License-Identifier: Apache-2.0 */
/* From text to a lab: yaml → decode → complete → check. */
#pragma once
#include "lab/model.h"

/* A file of variables: a YAML mapping from names to values. */
typedef struct {
	const char *file; /* name for messages */
	const char *text;
	gsize length;
} np_var_file;

typedef struct {
	const char *file;               /* for messages; "-" is standard input */
	const char *folder;             /* base of relative file names; NULL: the file's own */
	const char *const *variables;   /* "NAME=VALUE", NULL-terminated, or NULL: --var */
	const char *const *environment; /* the same from NESTPLAN_VAR_NAME; names that the lab has not are ignored */
	const np_var_file *var_files;   /* --var-file, the last of them goes first; or NULL */
	gsize n_var_files;
	guint64 max_nodes;    /* more are an error; 0: as many as nestplan takes */
	gboolean strict;      /* warnings are errors */
	gboolean check_files; /* look at images and other files that the lab names, too */
} np_load_options;

/* Reads `text` (length bytes). All problems are in *diags (never NULL on return when given; caller frees).
 * Returns the completed lab, or NULL when there are errors. Pure, but for options->check_files. */
np_lab *np_lab_parse(const char *text, gsize length, const np_load_options *options, np_diags **ret_diags);

/* As np_lab_parse from a file or standard input. *error is set when the file cannot be read. */
np_lab *np_lab_load(const char *file, const np_load_options *options, np_diags **ret_diags, GError **error);

/* What np_lab_load or np_text_load said of a file that cannot be read, as a diagnostic. Caller frees. */
np_diags *np_load_failed(const char *file, const GError *error);

/* The whole of a file, or of standard input ("-"), but never a pipe by name and no more than a lab file may have. `what` is what
 * it should be, for messages: "lab file". Caller frees. */
char *np_text_load(const char *what, const char *file, gsize *ret_length, GError **error);

/* Expands ${…} with everything that is known of `node` (NULL: only lab and variables). Unknown names are an error
 * that names them. Caller frees. */
char *np_lab_expand(const np_lab *lab, const np_node *node, const char *text, GError **error);

/* Where an item of a list of texts stands in the file; `otherwise` where that was not kept. */
np_pos np_lab_item_at(const np_lab *lab, const GPtrArray *list, guint i, np_pos otherwise);
/* SCHEME:// and something, for any scheme. */
gboolean np_text_is_url(const char *text);

/* For np_diags_clean: the values of sensitive variables. Caller frees. */
np_diags *np_lab_secrets(const np_lab *lab);

/* Where a file below the lab's folder really is, when links lead out of that folder: whoever shares such a lab would be given a
 * file of another's machine. NULL: it stays inside, was written as a path elsewhere, or is not there. Caller frees. */
char *np_lab_link_target(const np_lab *lab, const char *path);

/* The lab as a lab file with every default written, types and counts applied. Sensitive variables stay variables,
 * without their values. ${node.index} in files named by `source` is then 1. Caller frees. */
char *np_lab_print(const np_lab *lab);

/* Lines above the entries of a lab that is written: nodes, networks, disks, NICs; the lab's own are at the top. */
typedef struct {
	GHashTable *of; /* object → GPtrArray of char* */
} np_comments;
np_comments *np_comments_new(void);
void np_comments_free(np_comments *comments); /* NULL-tolerant */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_comments, np_comments_free)
/* Text from anywhere (valid UTF-8) as it stands in a comment: one line, '?' for what is not printable, cut when it is long. Caller
 * frees. */
char *np_comment_line(const char *text);
void np_comments_add(np_comments *comments, gconstpointer object, const char *text);

/* A lab that was not read from a file, as a lab file: only the keys that are set (np_object_mark). Its names must be valid.
 * Caller frees. */
char *np_lab_write(const np_lab *lab, const np_comments *comments);

/* `{"format_version":"1.0","lab":…,"valid":…,"errors":N,"warnings":N,"diagnostics":[…]}`; lab may be NULL. Caller
 * frees. */
char *np_diags_json(np_diags *diags, const char *lab);

/* The JSON Schema (2020-12) of the lab file, from the field tables. Caller frees. */
char *np_schema_render(void);

/* The field reference of nestplan-lab(5) in roff, from the field tables. Caller frees. */
char *np_man_render(void);

/* What the nodes of a site ask of what carries them; nodes inside them are not counted. */
typedef struct {
	guint64 memory, vcpus, disk; /* sums; G_MAXUINT64: more than can be counted */
	guint64 most_vcpus;          /* of one node */
	gboolean disk_unknown;       /* there are disks whose size is not known */
} np_demand;
np_demand np_site_demand(const np_site *site);
/* vCPUs for each CPU that carries them: more is slow enough to tell. */
#define NP_VCPU_RATIO 4
/* True when the vCPUs are more than that on so many CPUs. */
gboolean np_demand_is_crowded(const np_demand *demand, guint64 cpus);

/* What each site's nodes ask of it: memory, vCPUs and disk of every level, as a table. Caller frees. */
char *np_resources_render(const np_lab *lab);
