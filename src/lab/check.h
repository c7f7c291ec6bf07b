/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a completed lab. */
#pragma once
#include "lab/codes.h"
#include "lab/model.h"
#include "lab/origin.h"
#include "lab/walk.h"

/* `origin` learns of which node each message is. */
void np_lab_check(np_lab *lab, np_diags *diags, np_origin *origin);

/* The files of its images, and how large a disk they are. */
void np_lab_check_images(np_lab *lab, np_diags *diags, np_origin *origin);

/* The other files that the lab names. */
void np_lab_check_files(np_lab *lab, np_diags *diags, np_origin *origin);

/* The rest is between check*.c. */

typedef struct {
	const np_lab *lab;
	np_diags *diags;
	np_origin *origin; /* its `node`: what is being checked */
	GHashTable *seen;  /* places and messages of what was reported */
	GHashTable *uuids; /* UUID that is written → const np_node*; borrowed */
	const np_walk *required; /* through a node */
	GPtrArray *late;   /* of np_node*: to be looked at when all else is right */
} np_checker;

/* Whether `what` was said of this place before: a mistake written once is reported once, however many nodes were made from it. */
gboolean np_check_told(np_checker *c, np_pos pos, const char *what);
/* As np_diags_add, with the format as what is said: the arguments only tell the copies of one node apart. */
void np_check_report(np_checker *c, np_code code, np_severity severity, np_pos pos, const char *hint,
                     const char *format, ...) G_GNUC_PRINTF(6, 7);
#define np_check_error(c, code, pos, hint, ...)   np_check_report(c, code, NP_SEVERITY_ERROR, pos, hint, __VA_ARGS__)
#define np_check_warning(c, code, pos, hint, ...) np_check_report(c, code, NP_SEVERITY_WARNING, pos, hint, __VA_ARGS__)

/* A name that is not in a map of objects. */
typedef struct {
	const GPtrArray *map;
	const char *name;
	const char *hint; /* where nothing in the map is like it; else it is "did you mean 'x'?" */
} np_unknown;
/* As np_check_error. The map is searched only for what will be shown. */
void np_check_name(np_checker *c, np_code code, np_pos pos, const np_unknown *unknown, const char *format, ...)
        G_GNUC_PRINTF(5, 6);

/* Keys that must be written, and are not. `data` is the np_checker. */
void np_check_required(const np_walk *walk, gpointer object, gpointer data);
/* A node by itself, and among its neighbours. */
void np_check_node(np_checker *c, np_node *node);
void np_check_network(np_checker *c, const np_site *site, const np_network *network);

struct stat;
/* Why a file cannot be read as one, NULL: it can. *ret is filled unless there is none. */
const char *np_file_fault(const char *path, struct stat *ret);
/* What is known of the files that nodes are given, by path. */
GHashTable *np_sources_new(void);
/* One that `source` names. */
void np_check_source(np_checker *c, GHashTable *sources, const np_node *node, const np_file *file);

/* The ranges of a site's networks. A chain leads to the host. */
typedef struct np_ranges np_ranges;
np_ranges *np_ranges_new(const np_site *site, const np_ranges *outer);
void np_ranges_free(np_ranges *ranges);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_ranges, np_ranges_free)
/* The range of a network of the site, against all of them. */
void np_check_overlaps(np_checker *c, const np_network *network, const np_ranges *ranges);
/* What the nodes inside one need of it. */
void np_check_capacity(np_checker *c, const np_node *node);
