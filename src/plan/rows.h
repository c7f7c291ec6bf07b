/* SPDX-License-Identifier: Apache-2.0 */
/* Private to plan/: what is compared of a node or network, as text, one row a field. The same rows are made of what is wanted, of the
 * stored and of the live definition, and are kept in the mark as what was last applied. */
#pragma once
#include "plan/plan.h"

/* Value of a row that any other equals: the root disk of a lab that leaves its size to the image. */
#define NP_ROW_ANY "the image's size"

/* All in the order in which they are shown; caller frees. kvm: the accelerator, decided. image: id, may be NULL. */
/* applied: the record of it, which may name what the lab file no longer does; may be NULL. */
np_record *np_rows_wanted_node(const np_node *want, GHashTable *applied, bool kvm, const char *image);
/* want: whose names of CPU features count, beside those of the record; NULL: the lab no longer has the node. */
np_record *np_rows_stored_node(const np_seen_node *have, const np_node *want);
/* NULL when it does not run. */
np_record *np_rows_live_node(const np_seen_node *have);
np_record *np_rows_wanted_network(const np_lab *lab, const np_network *want, bool with_hosts);
/* want: what of it can be seen depends on the mode. */
np_record *np_rows_stored_network(const np_seen_network *have, const np_network *want);
np_record *np_rows_live_network(const np_seen_network *have, const np_network *want);
/* As in the record: without hosts, all that was observed. */
np_record *np_rows_seen_network(const np_network *network, bool autostart);

/* "disks.data", "nics.mgmt", "hosts.10.0.0.2": things that can be there or not, rather than fields with a value. */
bool np_row_is_item(const char *name);
/* "memory_max": recorded only when the lab file gives it. */
bool np_row_is_limit(const char *name);
/* "disks.data.bus": a field of such a thing. */
bool np_row_is_part(const char *name);
