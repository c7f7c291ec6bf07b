/* SPDX-License-Identifier: Apache-2.0 */
/* Visits every object below an object, itself first, by the field tables. */
#pragma once
#include "lab/field.h"

typedef void (*np_walk_fn)(const np_kind *kind, gpointer object, gpointer data);
void np_object_walk(const np_kind *kind, gpointer object, np_walk_fn fn, gpointer data);
/* A field's place in its object. */
gpointer np_field_member(const np_field *field, gpointer object);
#define NP_MEMBER(type, object, field) (*(type *)np_field_member(field, object))
/* True when an object of the kind cannot be left empty. */
gboolean np_kind_has_required(const np_kind *kind);
