/* SPDX-License-Identifier: Apache-2.0 */
/* Ways through an object to those fields, in it and in what it holds, that somebody is after. A lab has 50 objects a node and most
 * have none: what leads nowhere is found out once, from the field tables. */
#pragma once
#include "lab/field.h"

typedef struct np_walk np_walk;
/* One kind on the way. */
struct np_walk {
	const np_kind *kind;
	GPtrArray *fields; /* of const np_field*: those that are wanted */
	/* private */
	GPtrArray *through; /* of const np_field*: objects of these are visited */
	GPtrArray *inner;   /* of np_walk*: how, for each of them */
};

/* To the fields that `is_wanted` says so of. Nodes are not entered, neither a lab's nor those inside a node. */
typedef gboolean (*np_field_test)(const np_field *field);
np_walk *np_walk_new(const np_kind *kind, np_field_test is_wanted);
void np_walk_free(np_walk *walk); /* NULL-tolerant */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_walk, np_walk_free)

/* Visits the object, and those inside it, that have a wanted field. */
typedef void (*np_walk_fn)(const np_walk *walk, gpointer object, gpointer data);
void np_walk_object(const np_walk *walk, gpointer object, np_walk_fn fn, gpointer data);

/* A field's place in its object. */
gpointer np_field_member(const np_field *field, gpointer object);
#define NP_MEMBER(type, object, field) (*(type *)np_field_member(field, object))
/* True when an object of the kind cannot be left empty. */
gboolean np_kind_has_required(const np_kind *kind);
