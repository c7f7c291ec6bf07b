/* SPDX-License-Identifier: Apache-2.0 */
#include "run/adopt.h"

#include "plan/plan.h"

bool np_run_adopt(const np_hypervisor_ops *ops, np_conn *conn, const np_lab *lab, const GPtrArray *origins, GError **error)
{
	g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func((GDestroyNotify)np_record_free);
	g_autoptr(GPtrArray) networks = g_ptr_array_new_with_free_func((GDestroyNotify)np_record_free);
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		const np_node *node = g_ptr_array_index(lab->site.nodes, i);
		g_ptr_array_add(nodes, np_node_record(lab, node, NULL, node->accel != NP_ACCEL_EMULATE));
	}
	for (guint i = 0; i < lab->site.networks->len; i++)
		g_ptr_array_add(networks, np_network_record(lab, g_ptr_array_index(lab->site.networks, i)));
	return ops->adopt(conn, lab, &(np_adoption){origins, nodes, networks}, error);
}
