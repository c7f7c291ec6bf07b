/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes are decoded in layers, each into the same object: defaults, the type's keys, the node's own. */
#include <string.h>

#include "base/address.h"
#include "lab/decode.h"

/* Far below what the reader takes of nested mappings: a level written out is two of them and types make levels shorter,
 * but the printed lab has to be readable again. */
#define LEVELS_MAX 32
#define NODES_MAX  150000

/* The types a piece of the file was reached through, innermost first. */
typedef struct origin origin;
struct origin {
	const char *type;
	const origin *up;
};

/* A mapping of node keys or of nodes, and where it came from. */
typedef struct {
	const np_doc_node *doc;
	const origin *from;
} layer;

typedef struct {
	const np_doc_node *key;                   /* the name as written */
	const np_doc_node *type_doc, *type_value; /* the type's keys; the node's value of `type` */
	origin from;                              /* of what the type contains */
	GArray *own;                              /* of layer: the node's keys, weakest first */
	guint64 count;
	gboolean counted;
} group;

static void site_decode(np_decoder *d, np_site *site, const char *address, const GArray *layers);

static gboolean origin_has(const origin *from, const char *type)
{
	for (; from != NULL; from = from->up)
		if (strcmp(from->type, type) == 0)
			return TRUE;
	return FALSE;
}

/* The nodes inside a node, out of its type's keys and its own. */
static GArray *inner_layers(const group *g)
{
	GArray *layers = g_array_new(FALSE, FALSE, sizeof(layer));
	const np_doc_node *nodes = g->type_doc ? np_doc_get(g->type_doc, "nodes") : NULL;
	if (nodes != NULL) {
		layer inner = {nodes, &g->from};
		g_array_append_val(layers, inner);
	}
	for (guint i = 0; i < g->own->len; i++) {
		const layer *own = &g_array_index(g->own, layer, i);
		layer inner = {np_doc_get(own->doc, "nodes"), own->from};
		if (inner.doc != NULL)
			g_array_append_val(layers, inner);
	}
	return layers;
}

static void template_decode(np_decoder *d, np_node *node, const char *kind, const char *name, const np_doc_node *doc)
{
	np_label label = {kind, name, TRUE};
	if (doc != NULL && !np_doc_is_null(doc))
		np_decode_object(d, &label, &np_node_kind, node, doc);
}

/* One node of a group: all its layers, then the nodes inside it. */
static void node_decode(np_decoder *d, const group *g, np_node *node)
{
	np_scope outer = d->scope;
	np_label label = {"node", g->key->text, FALSE};
	np_owner owner = {.address = node->address, .key = g->key->pos, .type = g->from.type, .up = d->origin->owner};
	if (g->type_value != NULL)
		owner.type_at = g->type_value->pos;
	d->origin->owner = &owner;
	d->scope.name = node->base.name;
	d->scope.address = node->address;
	d->scope.index = node->index;
	node->base.pos = g->key->pos;
	template_decode(d, node, "defaults", NULL, d->defaults);
	template_decode(d, node, "type", g->from.type, g->type_doc);
	for (guint i = 0; i < g->own->len; i++)
		np_decode_object(d, &label, &np_node_kind, node, g_array_index(g->own, layer, i).doc);
	node->base.pos = g->key->pos;

	g_autoptr(GArray) inner = inner_layers(g);
	if (inner->len > 0)
		site_decode(d, &node->site, node->address, inner);
	d->origin->owner = owner.up;
	d->scope = outer;
}

static gboolean nodes_account(np_decoder *d, np_pos pos)
{
	if (!np_decode_account(d, d->node_cost, pos))
		return FALSE;
	guint64 most = d->max_nodes > 0 ? d->max_nodes : NODES_MAX;
	if (++d->nodes <= most)
		return TRUE;
	d->stopped = TRUE;
	np_diags_error(d->diags, NP_CODE_TOO_MANY_NODES, pos, NULL, "the lab has more than %" G_GUINT64_FORMAT " nodes",
	               most);
	return FALSE;
}

/* A group of no nodes is decoded all the same, into one that is thrown away: `count` may be another the next time. */
static void group_try(np_decoder *d, const group *g, const np_site *site, const char *site_address)
{
	g_autofree char *name = g_strdup_printf("%s-1", g->key->text);
	g_autoptr(np_node) scratch = np_object_new(&np_node_kind, name);
	guint64 nodes = d->nodes;
	scratch->index = 1;
	scratch->address = np_address_join(site_address, name);
	scratch->level = np_address_level(scratch->address);
	scratch->parent = (np_site *)site;
	if (nodes_account(d, g->key->pos))
		node_decode(d, g, scratch);
	d->nodes = nodes;
}

static void group_expand(np_decoder *d, const group *g, np_site *site, const char *site_address)
{
	if (g->count == 0)
		group_try(d, g, site, site_address);

	for (unsigned i = 1; i <= g->count && nodes_account(d, g->key->pos); i++) {
		g_autofree char *name = g->counted ? g_strdup_printf("%s-%u", g->key->text, i) : g_strdup(g->key->text);
		np_node *node = np_object_new(&np_node_kind, name);
		node->index = i;
		node->address = np_address_join(site_address, name);
		node->level = np_address_level(node->address);
		g_ptr_array_add(np_objects_own(&site->nodes), node);
		node_decode(d, g, node);
	}
}

static const char *const *map_keys(const np_doc_node *map, GPtrArray *keys)
{
	for (guint32 i = 0; map != NULL && map->type == NP_DOC_MAP && i < map->list->n; i++)
		g_ptr_array_add(keys, (gpointer)map->list->items[2 * i]->text);
	g_ptr_array_add(keys, NULL);
	return (const char *const *)keys->pdata;
}

/* Finds the group's type; FALSE when the type contains itself, and going on would not end. */
static gboolean type_find(np_decoder *d, group *g, const char *name, const np_doc_node *value, const origin *from)
{
	const np_doc_node *doc = d->types ? np_doc_get(d->types, name) : NULL;
	if (origin_has(from, name)) {
		np_diags_error(d->diags, NP_CODE_TYPE_CYCLE, value->pos, NULL,
		               "type '%s' contains a node of type '%s', and so on without end", name, name);
		return FALSE;
	}
	if (doc == NULL) {
		g_autoptr(GPtrArray) names = g_ptr_array_new();
		const char *nearest = np_diags_full(d->diags) ? NULL : np_nearest(name, map_keys(d->types, names));
		g_autofree char *hint = nearest ? g_strdup_printf("did you mean '%s'?", nearest) : NULL;
		np_diags_error(d->diags, NP_CODE_TYPE_UNKNOWN, value->pos,
		               hint ? hint : "declare it in the section 'types'", "there is no type '%s'", name);
		return TRUE;
	}
	g_hash_table_add(d->used_types, g_strdup(name));
	if (!np_doc_is_null(doc))
		g->type_doc = doc;
	return TRUE;
}

/* Reads `type` and `count`, which decide what the other keys mean. The strongest layer that has them wins. */
static gboolean group_head(np_decoder *d, group *g, np_node *scratch)
{
	np_label label = {"node", g->key->text, FALSE};
	const np_doc_node *type = NULL, *count = NULL;
	const origin *from = NULL;
	for (guint i = 0; i < g->own->len; i++) {
		const layer *own = &g_array_index(g->own, layer, i);
		const np_doc_node *own_type = np_doc_get(own->doc, "type"), *own_count = np_doc_get(own->doc, "count");
		from = own_type ? own->from : from;
		type = own_type ? own_type : type;
		count = own_count ? own_count : count;
	}
	g->count = 1;
	g->counted = count != NULL;
	if (count != NULL && np_decode_scalar(d, &label, np_kind_field(&np_node_kind, "count"), scratch, count))
		g->count = scratch->count;
	if (type == NULL || !np_decode_scalar(d, &label, np_kind_field(&np_node_kind, "type"), scratch, type))
		return TRUE;
	g->from = (origin){scratch->type, from};
	g->type_value = type;
	return type_find(d, g, scratch->type, type, from);
}

/* The keys of a group in each layer that has it; the first of them is `first`, at layer `i`. */
static GArray *group_layers(np_decoder *d, const np_doc_node *key, const GArray *layers, guint i,
                            const np_doc_node *first)
{
	GArray *own = g_array_new(FALSE, FALSE, sizeof(layer));
	for (guint k = i; k < layers->len; k++) {
		const layer *outer = &g_array_index(layers, layer, k);
		layer inner = {k == i ? first : np_doc_get(outer->doc, key->text), outer->from};
		if (inner.doc == NULL || np_doc_is_null(inner.doc))
			continue;
		if (inner.doc->type == NP_DOC_MAP)
			g_array_append_val(own, inner);
		else
			np_diags_error(d->diags, NP_CODE_KIND, inner.doc->pos, NULL, "node '%s' must be a mapping",
			               key->text);
	}
	return own;
}

static void group_decode(np_decoder *d, np_site *site, const char *site_address, const np_doc_node *key, GArray *own)
{
	np_node scratch = {0}; /* only for its count and type */
	group g = {.key = key, .own = own};
	/* What stands in a node's head is about the file, not about the node it lies in. */
	np_scope outer = d->scope;
	d->scope.name = d->scope.address = NULL;
	gboolean good = np_decode_key(d, &np_node_kind, key) && group_head(d, &g, &scratch);
	d->scope = outer;
	if (good)
		group_expand(d, &g, site, site_address);
	g_free(scratch.type);
}

static gboolean site_check(np_decoder *d, const char *address, const np_doc_node *nodes)
{
	if (np_doc_is_null(nodes))
		return FALSE;
	if (nodes->type != NP_DOC_MAP)
		np_diags_error(d->diags, NP_CODE_KIND, nodes->pos, NULL,
		               "'nodes' must be a mapping with one key for each node");
	else if (np_address_level(address) >= LEVELS_MAX)
		np_diags_error(d->diags, NP_CODE_TOO_MANY_LEVELS, nodes->pos, NULL,
		               "nodes are nested more than %d levels deep", LEVELS_MAX);
	else
		return TRUE;
	return FALSE;
}

static gboolean layers_have(const GArray *layers, guint n, const char *key)
{
	for (guint i = 0; i < n; i++)
		if (np_doc_get(g_array_index(layers, layer, i).doc, key) != NULL)
			return TRUE;
	return FALSE;
}

/* The nodes of a site: the union of what its layers name. */
static void site_decode(np_decoder *d, np_site *site, const char *address, const GArray *layers)
{
	for (guint i = 0; i < layers->len; i++) {
		const np_doc_node *doc = g_array_index(layers, layer, i).doc;
		if (!site_check(d, address, doc))
			continue;
		for (guint32 k = 0; k < doc->list->n && !d->stopped; k++) {
			const np_doc_node *key = doc->list->items[2 * k];
			if (layers_have(layers, i, key->text))
				continue;
			g_autoptr(GArray) own = group_layers(d, key, layers, i, doc->list->items[2 * k + 1]);
			group_decode(d, site, address, key, own);
		}
	}
}

void np_decode_nodes(np_decoder *d, const np_doc_node *nodes)
{
	g_autoptr(GArray) layers = g_array_new(FALSE, FALSE, sizeof(layer));
	layer only = {nodes, NULL};
	g_array_append_val(layers, only);
	site_decode(d, &d->lab->site, "", layers);
}

/* Decodes keys that no node uses into a node that is thrown away, so that their mistakes are found as well. */
static void template_check(np_decoder *d, const char *kind, const char *name, const np_doc_node *doc)
{
	g_autoptr(np_node) scratch = np_object_new(&np_node_kind, "node");
	g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(layer));
	group g = {.from = {name, NULL}, .type_doc = name ? doc : NULL, .own = own};
	np_scope outer = d->scope;
	d->scope.name = d->scope.address = "node";
	d->scope.index = 1;
	template_decode(d, scratch, kind, name, doc);
	g_autoptr(GArray) inner = inner_layers(&g);
	if (inner->len > 0)
		site_decode(d, &scratch->site, "node", inner);
	d->scope = outer;
}

void np_decode_templates(np_decoder *d)
{
	const np_doc_node *nodes = d->defaults ? np_doc_get(d->defaults, "nodes") : NULL;
	if (nodes != NULL)
		np_diags_error(
		        d->diags, NP_CODE_DEFAULTS_NODES, nodes->pos, "put them into a type",
		        "'nodes' cannot be in defaults: those nodes would carry them as well, and so on without end");
	if (d->defaults != NULL && d->nodes == 0)
		template_check(d, "defaults", NULL, d->defaults);
	if (d->types != NULL && d->types->type != NP_DOC_MAP && !np_doc_is_null(d->types))
		np_diags_error(d->diags, NP_CODE_KIND, d->types->pos, NULL,
		               "'types' of the lab must be a mapping with one key for each type");
	for (guint32 i = 0; d->types != NULL && d->types->type == NP_DOC_MAP && i < d->types->list->n; i++) {
		const np_doc_node *key = d->types->list->items[2 * i], *value = d->types->list->items[2 * i + 1];
		if (!np_decode_key(d, &np_node_kind, key))
			continue;
		g_ptr_array_add(np_strings_own(&d->lab->types), g_strdup(key->text));
		if (!g_hash_table_contains(d->used_types, key->text) && !np_doc_is_null(value))
			template_check(d, "type", key->text, value);
	}
}
