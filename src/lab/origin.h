/* SPDX-License-Identifier: Apache-2.0 */
/* For a diagnostic, the places by which its value came to where it is used: a type, an alias or merge, a variable. */
#pragma once
#include "lab/document.h"
#include "lab/model.h"

/* A node that is being decoded. */
typedef struct np_owner np_owner;
struct np_owner {
	const char *address; /* NULL: a type that no node uses */
	np_pos key, type_at; /* its name; its value of `type` (line 0: none) */
	const char *type;
	const np_owner *up; /* the node around it */
};

typedef struct {
	const np_doc *doc;
	const np_lab *lab;
	const np_owner *owner; /* while decoding; or */
	const np_node *node;   /* while checking: what the message is about; */
	const np_object *part; /* of that node, or of the lab: a network; NULL: all of it */
} np_origin;

/* np_diags.annotate; `origin` is an np_origin. */
void np_origin_annotate(np_diags *diags, np_diag *diag, gpointer origin);
