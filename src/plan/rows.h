/* SPDX-License-Identifier: Apache-2.0 */
/* Private to plan/: what is compared of a node or network, as text, one row a field. The same rows are made of what is wanted, of the
 * stored and of the live definition, and are kept in the mark as what was last applied. */
#pragma once
#include "plan/plan.h"

/* Value of a row that any other equals: the root disk of a lab that leaves its size to the image. */
#define NP_ROW_ANY "the image's size"

/* Value of a disk whose volume was deleted. No other equals it. */
#define NP_ROW_LOST "gone: volume deleted"

/* Of a network's record alone: the digest of its hosts. */
#define NP_ROW_HOSTS "hosts"

/* All in the order in which they are shown; caller frees. kvm: the accelerator, decided. have: its record may name what the lab file
 * no longer does. */
np_record *np_rows_wanted_node(const np_lab *lab, const np_node *want, const np_seen_node *have, bool kvm);
/* want: whose names of CPU features count, beside those of the record; NULL: the lab no longer has the node. */
np_record *np_rows_stored_node(const np_seen_node *have, const np_node *want);
/* NULL when it does not run. */
np_record *np_rows_live_node(const np_seen_node *have);
/* have: what of it is recorded, and whether its hosts are known. */
np_record *np_rows_wanted_network(const np_lab *lab, const np_network *want, const np_seen_network *have);
/* want: what of it can be seen depends on the mode. */
np_record *np_rows_stored_network(const np_seen_network *have, const np_network *want);
np_record *np_rows_live_network(const np_seen_network *have, const np_network *want);
/* As in the record: all that was observed, its hosts as one row. */
np_record *np_rows_seen_network(const np_network *network, GHashTable *hosts, bool autostart);
/* All rows "hosts." of a network, whatever their order, as a short text: "2, sha256 0123456789abcdef". Caller frees. */
char *np_rows_hosts_digest(const np_record *rows);

/* Fields that are compared as they are written: all of them, or those that were observed. */
void np_rows_add_scalars(np_record *rows, const np_kind *kind, gconstpointer object, bool all);

/* "disks.data", "nics.mgmt", "hosts.10.0.0.2": things that can be there or not, rather than fields with a value. */
bool np_row_is_item(const char *name);
/* "disks.data.bus": a field of such a thing. */
bool np_row_is_part(const char *name);
/* "memory_max", "protects": recorded only when the lab file asks for it. */
bool np_row_is_optional(const char *name);

/* The row "protects" of a hypervisor: addresses, from there, of the protected nodes inside it; NULL: no row. What it keeps of what the
 * lab no longer has is what may still be there. Caller frees. have: NULL: it is made anew. */
char *np_protects_record(const np_node *want, const np_seen_node *have);
char *np_protects_wanted(const np_node *want, const np_seen_node *have);
char *np_protects_stored(const np_node *want, const np_seen_node *have);
