/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/walk.h"

gpointer np_field_member(const np_field *field, gpointer object)
{
	return (char *)object + field->offset;
}

gboolean np_kind_has_required(const np_kind *kind)
{
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].flags & NP_FIELD_REQUIRED)
			return TRUE;
	return FALSE;
}

np_walk *np_walk_new(const np_kind *kind, np_field_test is_wanted)
{
	np_walk *walk = g_new0(np_walk, 1);
	walk->kind = kind;
	walk->fields = g_ptr_array_new();
	walk->through = g_ptr_array_new();
	walk->inner = g_ptr_array_new_with_free_func((GDestroyNotify)np_walk_free);
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		if (is_wanted(field))
			g_ptr_array_add(walk->fields, (gpointer)field);
		if (field->type != NP_FIELD_STRUCT && field->type != NP_FIELD_MAP && field->type != NP_FIELD_LIST)
			continue;
		np_walk *inner = np_walk_new(field->of, is_wanted);
		if (inner->fields->len == 0 && inner->inner->len == 0) {
			np_walk_free(inner);
			continue;
		}
		g_ptr_array_add(walk->through, (gpointer)field);
		g_ptr_array_add(walk->inner, inner);
	}
	return walk;
}

void np_walk_free(np_walk *walk)
{
	if (walk == NULL)
		return;
	g_ptr_array_unref(walk->fields);
	g_ptr_array_unref(walk->through);
	g_ptr_array_unref(walk->inner);
	g_free(walk);
}

void np_walk_object(const np_walk *walk, gpointer object, np_walk_fn fn, gpointer data)
{
	if (walk->fields->len > 0)
		fn(walk, object, data);
	for (guint i = 0; i < walk->inner->len; i++) {
		const np_field *field = walk->through->pdata[i];
		const np_walk *inner = walk->inner->pdata[i];
		gpointer member = np_field_member(field, object);
		if (field->type == NP_FIELD_STRUCT) {
			np_walk_object(inner, member, fn, data);
			continue;
		}
		const GPtrArray *objects = *(GPtrArray **)member;
		for (guint k = 0; objects != NULL && k < objects->len; k++)
			np_walk_object(inner, objects->pdata[k], fn, data);
	}
}
