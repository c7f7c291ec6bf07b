/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of ownership in the metadata of domains and networks. */
#pragma once
#include <stdbool.h>

#include "drivers/driver.h"
#include "drivers/libvirt/xml.h"

/* Attributes of <np:lab>; NULL: absent. The accelerator is the one that was asked for. */
typedef struct {
	char *lab, *address;
	char *image, *inject, *accel, *ip; /* of a domain */
	bool site;                         /* of a domain: it carries nodes */
	char *nic;                         /* of a bridged network inside a node: the NIC under the bridge */
	GHashTable *applied;               /* field → value as last applied; NULL: not recorded */
} np_mark;
void np_mark_clear(np_mark *mark);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_mark, np_mark_clear)

/* Reads the mark of a domain's or network's root element. Returns false when there is none. */
bool np_mark_read(xmlNode *root, np_mark *ret);
/* Appends <metadata><np:lab name= address=/></metadata> to root; the caller adds attributes to what is returned. */
xmlNode *np_mark_write(xmlNode *root, const char *lab, const char *address);
/* Writes what was last applied into the mark, in place of what it kept. record may be NULL. */
void np_mark_record(xmlNode *mark, const np_record *record);
/* The mark of a domain's or network's root element; NULL: it has none. */
xmlNode *np_mark_find(xmlNode *root);
/* The mark of a domain's root element as virDomainSetMetadata takes it: without the namespace, which that adds. Caller
 * frees. */
char *np_mark_format(xmlNode *root);
/* Appends <np:NAME> to the mark. */
xmlNode *np_mark_add(xmlNode *mark, const char *name);
