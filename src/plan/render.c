/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as text. */
#include <string.h>

#include "base/address.h"
#include "plan/plan.h"

#define VALUE_MAX 48

static const char *action_colour(np_action action)
{
	switch (action) {
	case NP_ACTION_CREATE: return "\033[32m";
	case NP_ACTION_UPDATE: return "\033[33m";
	case NP_ACTION_REPLACE: return "\033[35m";
	case NP_ACTION_DELETE: return "\033[31m";
	case NP_ACTION_NONE: break;
	}
	return "";
}

/* Long values are cut; a cut must not split a UTF-8 character. */
static char *cut(const char *value)
{
	if (!value)
		return g_strdup("(none)");
	if (g_utf8_strlen(value, -1) <= VALUE_MAX)
		return g_strdup(value);
	g_autofree char *head = g_utf8_substring(value, 0, VALUE_MAX - 1);
	return g_strdup_printf("%s…", head);
}

static char *created_node(const np_change *change)
{
	const np_node *node = change->node;
	g_autofree char *memory = np_field_format(np_kind_field(&np_node_kind, "memory"), node);
	const np_nic *nic = np_node_access_nic(node);
	g_autofree char *ip = nic && nic->address ? np_ip_format(nic->address) : g_strdup("no address");
	return g_strdup_printf("%s, %" G_GUINT64_FORMAT " vCPU%s, %s, %s, %s%s", node->image ? node->image : "no image", node->vcpus,
	                       node->vcpus == 1 ? "" : "s", memory, change->kvm ? "kvm" : "emulated", ip,
	                       np_node_is_site(node) ? ", hypervisor" : "");
}

static char *created_network(const np_change *change)
{
	const np_network *network = change->network;
	const char *mode = np_net_mode_names[network->mode];
	if (!np_cidr_is_set(network->cidr))
		return g_strdup(mode);
	g_autofree char *cidr = np_cidr_format(network->cidr);
	return g_strdup_printf("%s, %s%s", cidr, mode, network->dhcp ? ", dhcp" : "");
}

static void render_fields(GString *out, const np_change *change, const char *indent)
{
	for (guint i = 0; i < change->fields->len; i++) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		g_autofree char *before = cut(field->before), *after = cut(field->after);
		g_string_append_printf(out, "%s      %-10s %s -> %s\n", indent, field->name, before, after);
	}
}

static void render_takes_down(GString *out, const np_change *change, const char *indent)
{
	if (change->takes_down->len == 0 || change->action == NP_ACTION_DELETE)
		return;
	g_string_append_printf(out, "%s      takes down: ", indent);
	for (guint i = 0; i < change->takes_down->len; i++)
		g_string_append_printf(out, "%s%s", i ? ", " : "", (char *)g_ptr_array_index(change->takes_down, i));
	g_string_append_c(out, '\n');
}

static void render_change(GString *out, const np_change *change, bool colour)
{
	g_autofree char *indent = g_strnfill((change->level - 1) * 2, ' ');
	const char *sign = change->deferred ? "?" : np_action_signs[change->action];
	g_autofree char *detail = NULL;
	if (change->action == NP_ACTION_CREATE && !change->deferred)
		detail = change->kind == NP_CHANGE_NODE ? created_node(change) : created_network(change);
	g_string_append_printf(out, "%s  %s%3s %s%s", indent, colour ? action_colour(change->action) : "", sign, change->address,
	                       colour ? "\033[0m" : "");
	if (detail)
		g_string_append_printf(out, "  (%s)", detail);
	else if (change->reason)
		g_string_append_printf(out, "  # %s%s%s", change->reason,
		                       change->action == NP_ACTION_UPDATE && !change->start_only ? "; impact: " : "",
		                       change->action == NP_ACTION_UPDATE && !change->start_only ? np_impact_names[change->impact] : "");
	g_string_append_c(out, '\n');
	render_fields(out, change, indent);
	render_takes_down(out, change, indent);
}

static void render_list(GString *out, const GPtrArray *list, const char *word, const char *colour)
{
	for (guint i = 0; i < list->len; i++)
		g_string_append_printf(out, "%s%s:%s %s\n", colour ? colour : "", word, colour ? "\033[0m" : "",
		                       (char *)g_ptr_array_index(list, i));
}

char *np_plan_render(const np_plan *plan, bool colour)
{
	GString *out = g_string_new(NULL);
	render_list(out, plan->problems, "error", colour ? "\033[31m" : NULL);
	render_list(out, plan->warnings, "warning", colour ? "\033[33m" : NULL);
	if (plan->problems->len)
		return g_string_free(out, FALSE);
	if (np_plan_is_empty(plan)) {
		g_string_append(out, "No changes. The lab matches its file.\n");
		return g_string_free(out, FALSE);
	}
	for (guint i = 0; i < plan->changes->len; i++)
		render_change(out, g_ptr_array_index(plan->changes, i), colour);
	if (plan->deferred)
		g_string_append_printf(out, "\n%u of the above (?) known when the hypervisor that carries them is up.\n", plan->deferred);
	g_string_append_printf(out, "\nPlan: %u to add, %u to change, %u to destroy.\n", plan->add, plan->change, plan->destroy);
	return g_string_free(out, FALSE);
}
