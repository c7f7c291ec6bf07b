/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be done to a domain so that it is as its spec says, without interruption. */
#pragma once
#include "drivers/driver.h"
#include "drivers/libvirt/xml.h"

typedef enum {
	NP_UPDATE_UNPLUG, /* device: its alias */
	NP_UPDATE_GROW,   /* volume; device: its target in the running domain, NULL: it is in none; value: bytes */
	NP_UPDATE_PLUG,   /* xml */
	NP_UPDATE_MOVE,   /* xml: an interface, now on another network */
	NP_UPDATE_VCPUS,  /* value */
	NP_UPDATE_MEMORY, /* value: bytes */
} np_update_kind;

typedef struct {
	np_update_kind kind;
	char *what; /* for messages: "NIC 'eth1'", "disk 'data'" */
	char *device, *volume, *xml;
	guint64 value;
} np_update_step;

/* Of np_update_step*, in the order in which they are to be done. wanted: what np_domain_keep gives; live: the running
 * domain, NULL when it is off; sizes: name of a volume → guint64*, its capacity. NULL with NP_ERROR_UNSUPPORTED when the
 * domain would have to be restarted, or a disk to shrink. Pure. */
GPtrArray *np_update_plan(const np_domain_spec *spec, xmlNode *wanted, xmlNode *live, GHashTable *sizes, GError **error);
