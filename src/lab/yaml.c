/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's events composed into a document. All limits against hostile input are here. */
#include <string.h>
#include <yaml.h>

#include "lab/document_memory.h"
#include "lab/text.h"

#define DEPTH_MAX    100
#define VALUES_MAX   4000000
#define EXPANDED_MAX 1000000 /* values that aliases and merges may add */

#define INTERNED  1024 /* slots for texts that come again and again, most of them keys */
#define SMALL_MAP 16   /* larger ones get an index */

typedef struct {
	yaml_parser_t parser;
	const char *text;
	np_doc *doc;
	np_diags *diags;
	GHashTable *anchors; /* name → node; NULL while the node is still being read */
	GPtrArray *stack;    /* entries of the open lists and maps */
	const char *interned[INTERNED];
	guint64 expanded, values;
	guint16 source;
	unsigned depth;
} reader;

static np_pos mark_pos(const reader *r, yaml_mark_t start, yaml_mark_t end)
{
	np_pos pos = {.line = (guint32)start.line + 1, .col = (guint32)start.column + 1, .source = r->source};
	if (end.line == start.line && end.index > start.index)
		pos.len = (guint16)MIN(end.index - start.index, G_MAXUINT16);
	return pos;
}

static np_pos event_pos(const reader *r, const yaml_event_t *event)
{
	return mark_pos(r, event->start_mark, event->end_mark);
}

/* The mark behind a block stands at the start of the next line. */
static guint16 lines_more(const yaml_event_t *event)
{
	size_t more = event->end_mark.line - event->start_mark.line;
	return (guint16)MIN(more - (more > 0 && event->end_mark.column == 0), G_MAXUINT16);
}

/* libyaml's messages are for those who know its grammar; add what usually is the matter. */
static void parser_error(reader *r)
{
	const yaml_parser_t *p = &r->parser;
	if (p->error == YAML_READER_ERROR) {
		np_diags_error(r->diags, NP_CODE_FILE_ENCODING, np_text_pos(r->text, p->problem_offset, r->source), NULL,
		               "the file is not YAML: %s (U+%04X)", p->problem, (unsigned)p->problem_value);
		return;
	}
	np_pos pos = mark_pos(r, p->problem_mark, p->problem_mark);
	const char *hint = NULL;
	if (strstr(p->problem, "cannot start any token") != NULL)
		hint = "indent with spaces, not tabs; put values that start with @, ` or % in quotes";
	else if (strstr(p->problem, "mapping values are not allowed") != NULL)
		hint = "check the indentation; put values that contain ': ' in quotes";
	else if (strstr(p->problem, "expected key") != NULL || strstr(p->problem, "expected '-'") != NULL)
		hint = "check the indentation of this line and of the one before";
	else if (strstr(p->problem, "expected ',' or") != NULL)
		hint = "close the bracket; inside brackets put ${…} in quotes";
	else if (strstr(p->problem, "undefined tag handle") != NULL)
		hint = "tags (!…) are not part of the lab file's language; remove them";
	if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
		np_diags_error(r->diags, NP_CODE_YAML_SYNTAX, pos, hint,
		               "the file is not YAML: %s, %s that starts in line %u", p->problem, p->context,
		               (unsigned)p->context_mark.line + 1);
	else
		np_diags_error(r->diags, NP_CODE_YAML_SYNTAX, pos, hint, "the file is not YAML: %s", p->problem);
}

static gboolean event_next(reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return TRUE;
	parser_error(r);
	return FALSE;
}

/* NULL after a report: there are too many. */
static np_doc_node *node_new(reader *r, np_doc_type type, const yaml_event_t *event)
{
	np_doc_node *node = np_doc_alloc(r->doc, sizeof *node);
	*node = (np_doc_node){.pos = event_pos(r, event), .type = (guint8)type};
	if (type != NP_DOC_SCALAR)
		node->pos.len = 1;
	if (++r->values <= VALUES_MAX)
		return node;
	np_diags_error(r->diags, NP_CODE_YAML_VALUES, node->pos, "make similar nodes with 'count' and 'types'",
	               "the file has more than %d keys and values", VALUES_MAX);
	return NULL;
}

/* A copy of a text in the document's memory; short ones that were seen lately are shared. */
static const char *text_keep(reader *r, const char *value, gsize length)
{
	const char **slot = NULL;
	if (length < 32) {
		guint32 hash = 5381;
		for (gsize i = 0; i < length; i++)
			hash = hash * 33 + (guchar)value[i];
		slot = &r->interned[hash % INTERNED];
		if (*slot != NULL && strncmp(*slot, value, length) == 0 && (*slot)[length] == '\0')
			return *slot;
	}
	char *text = np_doc_alloc(r->doc, length + 1);
	memcpy(text, value, length);
	text[length] = '\0';
	if (slot != NULL)
		*slot = text;
	return text;
}

static void tag_refuse(reader *r, const yaml_char_t *tag, const yaml_event_t *event)
{
	if (tag != NULL)
		np_diags_error(r->diags, NP_CODE_YAML_TAG, event_pos(r, event),
		               "remove it; the kind of each value is known",
		               "the tag '%s' is not part of the lab file's language", (const char *)tag);
}

static const np_doc_node *scalar_read(reader *r, const yaml_event_t *event)
{
	np_doc_node *node = node_new(r, NP_DOC_SCALAR, event);
	if (node == NULL)
		return NULL;
	gsize length = event->data.scalar.length;
	const char *value = (const char *)event->data.scalar.value;
	tag_refuse(r, event->data.scalar.tag, event);
	if (memchr(value, '\0', length) != NULL) {
		np_diags_error(r->diags, NP_CODE_FILE_NUL, node->pos, NULL, "the text contains a NUL character");
		length = strlen(value);
	}
	node->text = text_keep(r, value, length);
	node->more = lines_more(event);
	switch (event->data.scalar.style) {
	case YAML_PLAIN_SCALAR_STYLE: node->style = NP_DOC_PLAIN; break;
	case YAML_LITERAL_SCALAR_STYLE:
	case YAML_FOLDED_SCALAR_STYLE:
		node->style = NP_DOC_BLOCK;
		node->pos.len = 1;
		break;
	default: node->style = NP_DOC_QUOTED; break;
	}
	return node;
}

/* Counts values that aliases and merges add; a small file must not unfold into a huge lab. */
static gboolean expand_account(reader *r, guint64 values, np_pos pos)
{
	r->expanded += values;
	if (r->expanded <= EXPANDED_MAX)
		return TRUE;
	np_diags_error(r->diags, NP_CODE_ALIAS_BOMB, pos, NULL,
	               "the aliases of this file add up to more than %d values", EXPANDED_MAX);
	return FALSE;
}

static guint32 node_weight(const np_doc_node *node)
{
	return node->type == NP_DOC_SCALAR ? 1 : node->list->weight;
}

static const np_doc_node *alias_read(reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	gpointer target;
	if (!g_hash_table_lookup_extended(r->anchors, name, NULL, &target)) {
		np_diags_error(r->diags, NP_CODE_ALIAS_UNKNOWN, event_pos(r, event),
		               "an anchor is set by &NAME before it is used", "the alias '*%s' has no anchor", name);
		return NULL;
	}
	if (target == NULL) {
		np_diags_error(r->diags, NP_CODE_ALIAS_CYCLE, event_pos(r, event), NULL,
		               "the alias '*%s' contains itself", name);
		return NULL;
	}
	np_doc_alias alias = {event_pos(r, event), text_keep(r, name, strlen(name)), target};
	g_array_append_val(r->doc->aliases, alias);
	return expand_account(r, node_weight(target), alias.pos) ? target : NULL;
}

static gboolean is_merge_key(const np_doc_node *key)
{
	return key->text[0] == '<' && key->style == NP_DOC_PLAIN && strcmp(key->text, "<<") == 0;
}

/* The entries of a map while it is put together, on the stack, in place of what was written. */
typedef struct {
	guint first, n;    /* keys and values in turn: stack[first] and on, n of them */
	GHashTable *index; /* NULL as long as there are few */
} map_builder;

static gboolean map_has(const reader *r, const map_builder *map, const char *key)
{
	if (map->index != NULL)
		return g_hash_table_contains(map->index, key);
	for (guint i = 0; i < map->n; i += 2) {
		const char *text = ((const np_doc_node *)r->stack->pdata[map->first + i])->text;
		if (text[0] == key[0] && strcmp(text, key) == 0)
			return TRUE;
	}
	return FALSE;
}

static void map_index_add(const reader *r, map_builder *map, guint i)
{
	const np_doc_node *key = r->stack->pdata[map->first + i];
	g_hash_table_insert(map->index, (gpointer)key->text, r->stack->pdata[map->first + i + 1]);
}

/* Where what was written is read further behind, there is room on the stack; else it grows. */
static void map_add(reader *r, map_builder *map, const np_doc_node *key, const np_doc_node *value)
{
	guint at = map->first + map->n;
	if (r->stack->len < at + 2)
		g_ptr_array_set_size(r->stack, (int)at + 2);
	r->stack->pdata[at] = (gpointer)key;
	r->stack->pdata[at + 1] = (gpointer)value;
	map->n += 2;
	if (map->index != NULL) {
		map_index_add(r, map, map->n - 2);
	} else if (map->n > 2 * SMALL_MAP) {
		map->index = g_hash_table_new(g_str_hash, g_str_equal);
		g_ptr_array_add(r->doc->indexes, map->index);
		for (guint i = 0; i < map->n; i += 2)
			map_index_add(r, map, i);
	}
}

/* Appends the entries of `source` whose keys are not there yet. */
static gboolean map_merge(reader *r, map_builder *map, const np_doc_node *source, np_pos pos)
{
	if (source->type != NP_DOC_MAP) {
		np_diags_error(r->diags, NP_CODE_MERGE_WRONG, pos, "as in '<<: *common'",
		               "'<<' merges a mapping or a list of mappings");
		return TRUE;
	}
	if (!expand_account(r, source->list->n, pos))
		return FALSE;
	for (guint32 i = 0; i < source->list->n; i++) {
		const np_doc_node *key = source->list->items[2 * i];
		if (!map_has(r, map, key->text))
			map_add(r, map, key, source->list->items[2 * i + 1]);
	}
	return TRUE;
}

/* The entries of a map from its keys and values as written, all that is on the stack: no key twice, '<<' resolved. */
static gboolean map_build(reader *r, map_builder *map)
{
	const np_doc_node *merge = NULL;
	for (guint i = map->first, end = r->stack->len; i < end; i += 2) {
		const np_doc_node *key = r->stack->pdata[i], *value = r->stack->pdata[i + 1];
		gboolean is_merge = is_merge_key(key);
		if (is_merge && merge == NULL)
			merge = value;
		else if (is_merge || map_has(r, map, key->text))
			np_diags_error(r->diags, NP_CODE_KEY_TWICE, key->pos,
			               is_merge ? "merge several by a list, as in '<<: [*a, *b]'"
			                        : "remove one of them",
			               "the key '%s' is there twice in the same mapping", key->text);
		else
			map_add(r, map, key, value);
	}
	if (merge == NULL)
		return TRUE;
	if (merge->type != NP_DOC_LIST)
		return map_merge(r, map, merge, merge->pos);
	for (guint32 i = 0; i < merge->list->n; i++)
		if (!map_merge(r, map, merge->list->items[i], merge->list->items[i]->pos))
			return FALSE;
	return TRUE;
}

/* The entries are on the stack. */
static void node_fill(reader *r, np_doc_node *node, guint first, guint n, yaml_mark_t end)
{
	np_doc_list *list = np_doc_alloc(r->doc, sizeof *list + n * sizeof *list->items);
	guint64 weight = 1;
	for (guint i = 0; i < n; i++) {
		list->items[i] = r->stack->pdata[first + i];
		weight += node_weight(list->items[i]);
	}
	list->n = node->type == NP_DOC_MAP ? n / 2 : n;
	list->weight = (guint32)MIN(weight, G_MAXUINT32);
	list->end_line = (guint32)end.line + 1;
	list->end_col = (guint32)end.column + 1;
	list->index = NULL;
	node->list = list;
}

static const np_doc_node *value_read(reader *r, yaml_event_t *event);

/* Reads entries onto the stack until `end`; *ret_end is where that is. */
static gboolean entries_read(reader *r, yaml_event_type_t end, np_doc_type type, yaml_mark_t *ret_end)
{
	guint first = r->stack->len;
	for (;;) {
		yaml_event_t event;
		if (!event_next(r, &event))
			return FALSE;
		if (event.type == end) {
			*ret_end = event.end_mark;
			yaml_event_delete(&event);
			return TRUE;
		}
		gboolean is_key = type == NP_DOC_MAP && (r->stack->len - first) % 2 == 0;
		np_pos pos = is_key && event.type != YAML_SCALAR_EVENT ? event_pos(r, &event) : (np_pos){0};
		const np_doc_node *node = value_read(r, &event);
		yaml_event_delete(&event);
		if (node == NULL)
			return FALSE;
		if (is_key && node->type != NP_DOC_SCALAR) {
			np_diags_error(r->diags, NP_CODE_KEY_NOT_TEXT, pos,
			               "put it in quotes if it is meant as it stands", "a key must be text");
			return FALSE;
		}
		g_ptr_array_add(r->stack, (gpointer)node);
	}
}

static gboolean map_fill(reader *r, np_doc_node *node, guint first, yaml_mark_t end)
{
	map_builder map = {first, 0, NULL};
	if (!map_build(r, &map))
		return FALSE;
	node_fill(r, node, first, map.n, end);
	((np_doc_list *)node->list)->index = map.index;
	return TRUE;
}

static const np_doc_node *collection_read(reader *r, const yaml_event_t *event, np_doc_type type, yaml_event_type_t end)
{
	np_doc_node *node = node_new(r, type, event);
	guint first = r->stack->len;
	yaml_mark_t end_mark;
	if (node == NULL)
		return NULL;
	if (++r->depth > DEPTH_MAX) {
		np_diags_error(r->diags, NP_CODE_YAML_DEPTH, node->pos, NULL,
		               "the file is nested more than %d levels deep", DEPTH_MAX);
		return NULL;
	}
	if (!entries_read(r, end, type, &end_mark))
		return NULL;
	r->depth--;
	if (type == NP_DOC_LIST)
		node_fill(r, node, first, r->stack->len - first, end_mark);
	else if (!map_fill(r, node, first, end_mark))
		return NULL;
	g_ptr_array_set_size(r->stack, (int)first);
	return node;
}

static const np_doc_node *anchored_read(reader *r, const yaml_event_t *event, const yaml_char_t *anchor)
{
	const np_doc_node *node = NULL;
	if (anchor != NULL)
		g_hash_table_insert(r->anchors, g_strdup((const char *)anchor), NULL);
	switch (event->type) {
	case YAML_SCALAR_EVENT: node = scalar_read(r, event); break;
	case YAML_SEQUENCE_START_EVENT:
		tag_refuse(r, event->data.sequence_start.tag, event);
		node = collection_read(r, event, NP_DOC_LIST, YAML_SEQUENCE_END_EVENT);
		break;
	case YAML_MAPPING_START_EVENT:
		tag_refuse(r, event->data.mapping_start.tag, event);
		node = collection_read(r, event, NP_DOC_MAP, YAML_MAPPING_END_EVENT);
		break;
	default: g_assert_not_reached();
	}
	if (anchor != NULL && node != NULL)
		g_hash_table_insert(r->anchors, g_strdup((const char *)anchor), (gpointer)node);
	return node;
}

/* The value that starts with `event`; NULL after a problem that ends the reading. */
static const np_doc_node *value_read(reader *r, yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT: return alias_read(r, event);
	case YAML_SCALAR_EVENT: return anchored_read(r, event, event->data.scalar.anchor);
	case YAML_SEQUENCE_START_EVENT: return anchored_read(r, event, event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT: return anchored_read(r, event, event->data.mapping_start.anchor);
	default: return NULL;
	}
}

/* The stream's one document. */
static gboolean stream_read(reader *r)
{
	gboolean good = TRUE, ended = FALSE;
	while (good && !ended) {
		yaml_event_t event;
		if (!event_next(r, &event))
			return FALSE;
		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT: break;
		case YAML_STREAM_END_EVENT: ended = TRUE; break;
		case YAML_DOCUMENT_START_EVENT:
			if (r->doc->root != NULL)
				np_diags_error(r->diags, NP_CODE_FILE_DOCUMENTS, event_pos(r, &event),
				               "give each lab a file of its own", "the file holds several documents");
			good = r->doc->root == NULL;
			break;
		default: r->doc->root = value_read(r, &event); good = r->doc->root != NULL;
		}
		yaml_event_delete(&event);
	}
	if (good && r->doc->root == NULL)
		np_diags_error(r->diags, NP_CODE_FILE_EMPTY, ((np_pos){.source = r->source}),
		               r->source == 0 ? "it starts with 'version: 1' and 'name: NAME'" : NULL, "%s is empty",
		               r->source == 0 ? "the lab file" : "the file");
	return good && r->doc->root != NULL;
}

np_doc *np_doc_parse(const char *text, gsize length, np_diags *diags)
{
	return np_doc_parse_source(text, length, 0, diags);
}

np_doc *np_doc_parse_source(const char *text, gsize length, guint16 source, np_diags *diags)
{
	if (!np_text_check(text, length, source, diags))
		return NULL;
	g_autoptr(np_doc) doc = np_doc_new();
	g_autoptr(GHashTable) anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	reader r = {.text = text, .doc = doc, .diags = diags, .anchors = anchors, .stack = stack, .source = source};
	if (!yaml_parser_initialize(&r.parser))
		g_error("out of memory");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const guchar *)text, length);
	gboolean good = stream_read(&r);
	yaml_parser_delete(&r.parser);
	return good ? g_steal_pointer(&doc) : NULL;
}
