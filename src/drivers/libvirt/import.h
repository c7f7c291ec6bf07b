/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign domains and networks as a lab. */
#pragma once
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/xml.h"

np_import *np_import_read(np_conn *conn, const np_import_request *request, GError **error);

/* What the parts of an import share. */
typedef struct {
	const np_import_request *request;
	np_import *import;
	GHashTable *names;     /* set of "node x", "network x": names of the lab that are taken */
	GHashTable *networks;  /* "network default", "bridge br0" → np_network* of the lab; NULL: it cannot be one */
	GHashTable *addresses; /* MAC → np_ip that the network hands out to it */
	GHashTable *taken;     /* set of MACs and of "NETWORK IP" that NICs of the lab have */
} np_importer;

/* Of np_remark*. */
GPtrArray *np_remarks_new(void);
/* about: "domain 'web'" or NULL; object is borrowed. */
void np_remark_add(np_importer *importer, gconstpointer object, const char *about, const char *format, ...)
        G_GNUC_PRINTF(4, 5);
/* A remark that keeps the domain from being adopted. */
void np_obstacle_add(np_importer *importer, gconstpointer object, const char *about, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

/* A name that a lab can have, made of any text: small letters, digits and dashes, at most `max` characters, none that
 * is in `taken` behind `kind` ("node"); added there. Caller frees. */
char *np_import_name(GHashTable *taken, const char *kind, const char *text, unsigned max);

/* An element's start tag with what tells it from others: "<graphics type='vnc'>". Nothing secret. Caller frees. */
char *np_import_tag(xmlNode *element);
/* One remark "not expressed: <TAG>" for each element at path whose name is not in `known` (NULL-terminated). */
void np_import_unknown(np_importer *importer, gconstpointer object, const char *about, xmlNode *root, const char *path,
                       const char *const *known);

/* Adds the network that libvirt's XML describes to the lab, for NICs that name it by key ("network default"). Pure. */
void np_import_network(np_importer *importer, const char *key, xmlNode *root);
/* As np_import_network for a bridge that domains use by its name. */
void np_import_bridge(np_importer *importer, const char *key, const char *bridge);

/* Adds the domain to the lab as a node without the sizes of its disks. Pure. */
np_node *np_import_domain(np_importer *importer, xmlNode *root);
/* Elements of the disks of such a node, in their order; of borrowed xmlNode*. */
GPtrArray *np_import_disks(xmlNode *root);
/* "network default" or "bridge br0" of an interface, NULL when it is on neither. Caller frees. */
char *np_import_network_key(xmlNode *interface);

/* What keeps a domain from being adopted that its XML does not tell: power, snapshots, its disks' files. */
void np_import_obstacles(np_importer *importer, np_conn *conn, virDomainPtr domain, xmlNode *root, const np_node *node);
