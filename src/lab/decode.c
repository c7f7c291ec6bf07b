/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/decode.h"

#include <string.h>

#include "lab/scalar.h"
#include "lab/tables.h"
#include "lab/walk.h"

#define ENTRIES_MAX 200000

char *np_label_format(const np_label *label)
{
	return label->name ? g_strdup_printf("%s '%s'", label->kind, label->name) : g_strdup(label->kind);
}

gsize np_decode_cost(const np_kind *kind)
{
	gsize cost = kind->size + kind->n_fields * 8 + 32; /* places and name */
	for (unsigned i = 0; i < kind->n_fields; i++) {
		if (kind->fields[i].type == NP_FIELD_STRUCT)
			cost += np_decode_cost(kind->fields[i].of) - kind->fields[i].of->size;
		else if (kind->fields[i].of != NULL || kind->fields[i].type == NP_FIELD_STRINGS)
			cost += sizeof(GPtrArray) + 24;
	}
	return cost;
}

/* Names that no NIC has, though they look like any other. */
static gboolean is_kept_name(const char *text)
{
	static const char *const kept[] = {"lo", "all", "default", NULL};
	return g_strv_contains(kept, text);
}

/* What every key_pattern takes: most names need no regular expression. */
static gboolean is_simple_name(const char *text)
{
	size_t length = 0;
	for (; g_ascii_islower(text[length]) || g_ascii_isdigit(text[length]) || text[length] == '-'; length++)
		continue;
	return g_ascii_islower(text[0]) && text[length] == '\0' && length <= 15 && !is_kept_name(text);
}

gboolean np_decode_key(np_decoder *d, const np_kind *kind, const np_doc_node *key)
{
	const char *other = key->style == NP_DOC_PLAIN ? np_scalar_core_type(key->text) : NULL;
	if (other != NULL) {
		g_autofree char *hint = g_strdup_printf("write \"%s\"", key->text);
		np_diags_error(d->diags, NP_CODE_QUOTES, key->pos, hint,
		               "%s name '%s' is not valid: YAML reads it as %s, and it must be text", kind->name,
		               key->text, other);
		return FALSE;
	}
	if (is_simple_name(key->text) ||
	    np_decode_matches(d, kind->key_pattern ? kind->key_pattern : NP_PATTERN_NAME, key->text))
		return TRUE;
	const char *hint = kind == &np_nic_kind && is_kept_name(key->text)
	                           ? "name the NIC otherwise, and its network by the key 'network'" : NULL;
	np_diags_error(d->diags, NP_CODE_NAME, key->pos, hint, "%s name '%s' is not valid: %s", kind->name, key->text,
	               kind->key_pattern ? kind->key_help : NP_HELP_NAME);
	return FALSE;
}

static void unknown_key_report(np_decoder *d, const np_label *label, const np_kind *kind, const np_doc_node *key)
{
	if (np_diags_told(d->diags, NP_CODE_KEY_UNKNOWN, key->pos))
		return;
	const char *names[65] = {NULL};
	for (unsigned i = 0, n = 0; i < kind->n_fields && i < 64; i++)
		if (!label->is_template || (kind->fields[i].flags & NP_FIELD_OWN) == 0)
			names[n++] = kind->fields[i].name;
	const char *nearest = np_nearest(key->text, names);
	g_autofree char *all = g_strjoinv(", ", (char **)names);
	g_autofree char *hint =
	        nearest ? g_strdup_printf("did you mean '%s'?", nearest) : g_strdup_printf("known keys are %s", all);
	g_autofree char *where = np_label_format(label);
	np_diags_error(d->diags, NP_CODE_KEY_UNKNOWN, key->pos, hint, "unknown key '%s' in %s", key->text, where);
}

static gboolean is_structure(np_field_type type)
{
	switch (type) {
	case NP_FIELD_STRINGS:
	case NP_FIELD_STRUCT:
	case NP_FIELD_MAP:
	case NP_FIELD_LIST:
	case NP_FIELD_NODES:
	case NP_FIELD_TEMPLATE:
	case NP_FIELD_TEMPLATES: return TRUE;
	default: return FALSE;
	}
}

/* A map that is being filled. */
typedef struct {
	const np_field *field;
	GPtrArray *objects;
	GHashTable *index; /* name → object; NULL while there are few */
} map_filler;

static np_object *filler_find(const map_filler *m, const char *name)
{
	return m->index ? g_hash_table_lookup(m->index, name) : np_map_find(m->objects, name);
}

static np_object *filler_add(map_filler *m, const char *name)
{
	np_object *object = np_object_new(m->field->of, name);
	g_ptr_array_add(m->objects, object);
	if (m->index != NULL)
		g_hash_table_insert(m->index, object->name, object);
	return object;
}

/* One entry of a map; `value` NULL: a name alone. */
static void entry_decode(np_decoder *d, map_filler *m, const np_doc_node *key, const np_doc_node *value)
{
	const np_kind *kind = m->field->of;
	np_label label = {kind->name, key->text, FALSE};
	if (!np_decode_key(d, kind, key) || !np_decode_account(d, np_decode_cost(kind) + 32, key->pos))
		return;
	np_object *object = filler_find(m, key->text);
	if (object == NULL)
		object = filler_add(m, key->text);
	object->pos = key->pos;
	gboolean empty = value == NULL || (np_doc_is_null(value) && !np_kind_has_required(kind));
	if (!empty)
		np_decode_object(d, &label, kind, object, value);
}

static void names_report(np_decoder *d, const np_label *label, const np_field *field, const np_doc_node *item)
{
	g_autofree char *where = np_label_format(label);
	np_diags_error(d->diags, NP_CODE_KIND, item->pos, "write a mapping, NAME: {…}, where one needs details",
	               "'%s' of %s must be a list of names", field->name, where);
}

static void names_decode(np_decoder *d, const np_label *label, map_filler *m, const np_doc_node *value)
{
	g_autoptr(GHashTable) seen = value->list->n > 1 ? g_hash_table_new(g_str_hash, g_str_equal) : NULL;
	for (guint32 i = 0; i < value->list->n && !d->stopped; i++) {
		const np_doc_node *item = value->list->items[i];
		if (item->type != NP_DOC_SCALAR)
			names_report(d, label, m->field, item);
		else if (seen != NULL && !g_hash_table_add(seen, (gpointer)item->text))
			np_diags_error(d->diags, NP_CODE_NAME_TWICE, item->pos, "remove one of them",
			               "%s '%s' is there twice", m->field->of->name, item->text);
		else
			entry_decode(d, m, item, NULL);
	}
}

static void map_decode(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                       const np_doc_node *value)
{
	map_filler m = {field, np_objects_own(&NP_MEMBER(GPtrArray *, object, field)), NULL};
	g_autoptr(GHashTable) index = NULL;
	if (value->type != NP_DOC_SCALAR && value->list->n > ENTRIES_MAX) {
		np_diags_error(d->diags, NP_CODE_LAB_TOO_LARGE, value->pos, NULL, "'%s' has more than %d entries",
		               field->name, ENTRIES_MAX);
		return;
	}
	if (value->type != NP_DOC_SCALAR && value->list->n > NP_INDEX_MIN) {
		m.index = index = g_hash_table_new(g_str_hash, g_str_equal);
		for (guint i = 0; i < m.objects->len; i++)
			g_hash_table_insert(index, ((np_object *)m.objects->pdata[i])->name, m.objects->pdata[i]);
	}
	if (value->type == NP_DOC_MAP) {
		for (guint32 i = 0; i < value->list->n && !d->stopped; i++)
			entry_decode(d, &m, value->list->items[2 * i], value->list->items[2 * i + 1]);
	} else if (value->type == NP_DOC_LIST && field->of->names_list) {
		names_decode(d, label, &m, value);
	} else {
		g_autofree char *where = np_label_format(label);
		np_diags_error(d->diags, NP_CODE_KIND, value->pos, NULL,
		               "'%s' of %s must be a mapping with one key for each %s", field->name, where,
		               field->of->name);
	}
}

static void list_decode(np_decoder *d, const np_label *label, const np_field *field, gpointer object,
                        const np_doc_node *value)
{
	GPtrArray *list = np_objects_own(&NP_MEMBER(GPtrArray *, object, field));
	if (value->type != NP_DOC_LIST) {
		g_autofree char *where = np_label_format(label);
		np_diags_error(d->diags, NP_CODE_KIND, value->pos, "start each with '- '", "'%s' of %s must be a list",
		               field->name, where);
		return;
	}
	for (guint i = 0; i < list->len; i++) {
		for (unsigned k = 0; k < field->of->n_fields; k++)
			np_decode_forget(d, np_field_member(&field->of->fields[k], list->pdata[i]));
		np_object_free(field->of, list->pdata[i]);
	}
	g_ptr_array_set_size(list, 0);
	for (guint32 i = 0; i < value->list->n && !d->stopped; i++) {
		np_label item_label = {field->of->name, NULL, FALSE};
		if (value->list->items[i]->type != NP_DOC_MAP) {
			np_diags_error(d->diags, NP_CODE_KIND, value->list->items[i]->pos, NULL, "%s must be a mapping",
			               field->of->name);
			continue;
		}
		np_object *item = np_object_new(field->of, NULL);
		item->pos = value->list->items[i]->pos;
		g_ptr_array_add(list, item);
		np_decode_object(d, &item_label, field->of, item, value->list->items[i]);
	}
}

static void field_decode(np_decoder *d, const np_label *label, const np_kind *kind, gpointer object,
                         const np_field *field, const np_doc_node *value)
{
	np_label inner = {field->name, NULL, FALSE};
	np_object_place(kind, object, field, value->pos);
	if (np_doc_is_null(value) && is_structure(field->type))
		return; /* "networks:" with nothing below it */
	switch (field->type) {
	case NP_FIELD_STRUCT:
		np_decode_object(d, &inner, field->of, &NP_MEMBER(char, object, field), value);
		((np_object *)(gpointer)&NP_MEMBER(char, object, field))->pos = value->pos;
		break;
	case NP_FIELD_MAP: map_decode(d, label, field, object, value); break;
	case NP_FIELD_LIST: list_decode(d, label, field, object, value); break;
	case NP_FIELD_STRINGS: np_decode_strings(d, label, field, object, value); break;
	case NP_FIELD_NODES: /* need their defaults and types: np_decode_nodes */
	case NP_FIELD_TEMPLATE:
	case NP_FIELD_TEMPLATES: break;
	default: (void)np_decode_scalar(d, label, field, object, value); break;
	}
}

static void template_key_report(np_decoder *d, const np_label *label, const np_doc_node *key)
{
	g_autofree char *where = np_label_format(label);
	np_diags_error(d->diags, NP_CODE_KEY_PLACE, key->pos, NULL, "'%s' belongs into a node itself, not into %s",
	               key->text, where);
}

void np_decode_object(np_decoder *d, const np_label *label, const np_kind *kind, gpointer object,
                      const np_doc_node *node)
{
	if (!np_decode_account(d, 0, node->pos))
		return;
	if (node->type == NP_DOC_SCALAR && kind->shorthand != NULL) {
		field_decode(d, label, kind, object, np_kind_field(kind, kind->shorthand), node);
		return;
	}
	if (node->type != NP_DOC_MAP) {
		g_autofree char *where = np_label_format(label);
		np_diags_error(d->diags, NP_CODE_KIND, node->pos, NULL, "%s must be a mapping", where);
		return;
	}
	for (guint32 i = 0; i < node->list->n && !d->stopped; i++) {
		const np_doc_node *key = node->list->items[2 * i];
		const np_field *field = np_kind_field(kind, key->text);
		if (field == NULL)
			unknown_key_report(d, label, kind, key);
		else if (label->is_template && (field->flags & NP_FIELD_OWN) != 0)
			template_key_report(d, label, key);
		else
			field_decode(d, label, kind, object, field, node->list->items[2 * i + 1]);
	}
}

/* Keys that others depend on come first: the name may use variables, everything else may use both. */
static void head_decode(np_decoder *d, const np_label *label, const np_doc_node *root, const np_load_options *options)
{
	static const char *const first[] = {"variables", "name", NULL};
	for (unsigned i = 0; first[i] != NULL; i++) {
		const np_doc_node *value = np_doc_get(root, first[i]);
		if (value != NULL)
			field_decode(d, label, &np_lab_kind, d->lab, np_kind_field(&np_lab_kind, first[i]), value);
		if (i > 0)
			continue;
		np_lab_index(d->lab);
		np_variables_resolve(d->lab, value, options, d->diags);
	}
	d->defaults = np_doc_get(root, "defaults");
	d->types = np_doc_get(root, "types");
}

static gboolean version_check(np_decoder *d, const np_doc_node *root)
{
	const np_doc_node *version = np_doc_get(root, "version");
	char *end = NULL;
	/* Another spelling of it is told as that of any number. */
	if (version == NULL || version->type != NP_DOC_SCALAR ||
	    (g_ascii_strtod(version->text, &end) == 1 && end[0] == '\0'))
		return TRUE;
	np_diags_error(d->diags, NP_CODE_VERSION, version->pos, "this nestplan reads version 1",
	               "the lab file's version '%s' is not known", version->text);
	return FALSE;
}

np_lab *np_lab_decode(const np_doc *doc, const np_load_options *options, np_diags *diags, np_origin *origin)
{
	const np_doc_node *root = np_doc_root(doc);
	g_autoptr(np_lab) lab = np_object_new(&np_lab_kind, NULL);
	g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) regexes = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_regex_unref);
	np_decoder d = {.lab = lab,
	                .diags = diags,
	                .scope = {.lab = lab},
	                .used_types = used,
	                .regexes = regexes,
	                .origin = origin};
	d.max_nodes = options ? options->max_nodes : 0;
	d.node_cost = np_decode_cost(&np_node_kind);
	origin->lab = lab;
	np_label label = {"the lab", NULL, FALSE};
	lab->base.pos = (np_pos){.line = 1, .col = 1};
	if (root->type != NP_DOC_MAP) {
		np_diags_error(diags, NP_CODE_FILE_NO_MAPPING, root->pos,
		               "it starts with 'version: 1' and 'name: NAME'", "the lab file must be a mapping");
		return g_steal_pointer(&lab);
	}
	if (!version_check(&d, root))
		return g_steal_pointer(&lab);
	head_decode(&d, &label, root, options);
	np_decode_object(&d, &label, &np_lab_kind, lab, root);
	const np_doc_node *nodes = np_doc_get(root, "nodes");
	if (nodes != NULL)
		np_decode_nodes(&d, nodes);
	np_decode_templates(&d);
	if (d.stopped)
		return NULL;
	lab->base.name = g_strdup(lab->name);
	return g_steal_pointer(&lab);
}
