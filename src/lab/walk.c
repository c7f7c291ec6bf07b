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

void np_object_walk(const np_kind *kind, gpointer object, np_walk_fn fn, gpointer data)
{
	fn(kind, object, data);
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const np_field *field = &kind->fields[i];
		gboolean is_array =
		        field->type == NP_FIELD_MAP || field->type == NP_FIELD_LIST || field->type == NP_FIELD_NODES;
		if (field->type == NP_FIELD_STRUCT)
			np_object_walk(field->of, np_field_member(field, object), fn, data);
		GPtrArray *array = is_array ? *(GPtrArray **)np_field_member(field, object) : NULL;
		for (guint k = 0; array != NULL && k < array->len; k++)
			np_object_walk(field->of, array->pdata[k], fn, data);
	}
}
