/* SPDX-License-Identifier: Apache-2.0 */
/* From a lab, and what a plan does to it, to boxes. */
#include "plan/graph_box.h"

#include <string.h>

#include "base/address.h"

#define LINE_CHARS   40 /* characters of a line in a box */
#define VALUE_CHARS  18 /* of a value before or after a change */
#define NOTE_LINES   3  /* lines of a description */
#define FIELDS_SHOWN 3  /* changed fields that are shown */

typedef struct {
	const np_lab *lab;
	const np_plan *plan; /* or NULL */
	GHashTable *deletes; /* address of a site → GPtrArray of const np_change*: what is deleted there */
} builder;

static void port_free(gpointer data)
{
	np_port *port = data;
	g_free(port->name);
	g_free(port->network);
	g_free(port);
}

void np_box_free(np_box *box)
{
	if (!box)
		return;
	g_free(box->address);
	g_free(box->last);
	g_free(box->range);
	g_free(box->over);
	g_ptr_array_unref(box->lines);
	g_ptr_array_unref(box->note);
	g_ptr_array_unref(box->ports);
	g_ptr_array_unref(box->inside);
	g_free(box);
}

/* A box in `site` (NULL: it is the host). */
static np_box *box_add(np_box *site, np_box_kind kind, const char *address, const np_change *change)
{
	np_box *box = g_new0(np_box, 1);
	box->kind = kind;
	box->address = g_strdup(address);
	box->members = 1;
	box->depth = site ? site->depth + 1 : 0;
	box->mark = !change ? NP_ACTION_NONE : change->deferred ? NP_MARK_LATER : (unsigned)change->action;
	box->lines = g_ptr_array_new_with_free_func(g_free);
	box->note = g_ptr_array_new_with_free_func(g_free);
	box->ports = g_ptr_array_new_with_free_func(port_free);
	box->inside = g_ptr_array_new_with_free_func((GDestroyNotify)np_box_free);
	if (site)
		g_ptr_array_add(site->inside, box);
	return box;
}

/* A value as the lab file has it: what a sensitive variable stands for is in no picture. Caller frees. */
static char *value(const builder *b, const np_kind *kind, const char *name, gconstpointer object)
{
	const np_field *field = np_kind_field(kind, name);
	const char *written =
	        b->lab->written ? g_hash_table_lookup(b->lab->written, (const char *)object + field->offset) : NULL;
	return written ? g_strdup(written) : np_field_format(field, object);
}

static char *cut(const char *text, glong max)
{
	if (g_utf8_strlen(text, -1) <= max)
		return g_strdup(text);
	g_autofree char *head = g_utf8_substring(text, 0, max - 1);
	return g_strconcat(head, "…", NULL);
}

/* Breaks text between its words into lines, at most `max` of them; the last one shows that there was more. */
static void add_wrapped(GPtrArray *lines, const char *text, guint max)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
	g_autoptr(GString) line = g_string_new(NULL);
	bool over = false;
	for (char **word = words; *word && !over; word++) {
		bool full = line->len && g_utf8_strlen(line->str, -1) + 1 + g_utf8_strlen(*word, -1) > LINE_CHARS;
		over = full && lines->len + 1 == max;
		if (full && !over) {
			g_ptr_array_add(lines, cut(line->str, LINE_CHARS));
			g_string_truncate(line, 0);
		}
		g_string_append_printf(line, "%s%s", line->len && **word ? " " : "", *word);
	}
	if (line->len)
		g_ptr_array_add(lines, cut(line->str, LINE_CHARS));
}

/* What is planned for something that exists. */
static void add_planned(np_box *box, const np_change *change)
{
	if (!change || change->deferred || (change->action != NP_ACTION_UPDATE && change->action != NP_ACTION_REPLACE))
		return;
	for (guint i = 0; i < MIN(change->fields->len, FIELDS_SHOWN); i++) {
		const np_field_change *field = g_ptr_array_index(change->fields, i);
		g_autofree char *before = cut(field->before ? field->before : "(none)", VALUE_CHARS);
		g_autofree char *after = cut(field->after ? field->after : "(none)", VALUE_CHARS);
		g_ptr_array_add(box->lines, g_strdup_printf("%s: %s → %s", field->name, before, after));
	}
	if (change->fields->len > FIELDS_SHOWN)
		g_ptr_array_add(box->lines, g_strdup_printf("and %u more", change->fields->len - FIELDS_SHOWN));
	if (change->start_only && change->fields->len == 0)
		g_ptr_array_add(box->lines, cut(change->reason, LINE_CHARS));
	if (change->action == NP_ACTION_UPDATE && change->impact == NP_IMPACT_RESTART)
		g_ptr_array_add(box->lines, g_strdup("takes a restart"));
}

/* ── networks ── */

static void describe_network(const builder *b, np_box *box, const np_network *network)
{
	g_autofree char *mtu = network->mtu ? value(b, &np_network_kind, "mtu", network) : NULL;
	g_autofree char *bridge = network->bridge ? value(b, &np_network_kind, "bridge", network) : NULL;
	GString *line = g_string_new(np_net_mode_names[network->mode]);
	if (bridge)
		g_string_append_printf(line, " %s", bridge);
	else if (network->nic)
		g_string_append_printf(line, " over %s", network->nic);
	if (mtu)
		g_string_append_printf(line, " · mtu %s", mtu);
	g_ptr_array_add(box->lines, g_string_free(line, FALSE));
	box->range = value(b, &np_network_kind, "cidr", network);
	box->over = g_strdup(network->nic);
}

static void add_network(const builder *b, np_box *site, const np_network *network)
{
	const np_change *change = b->plan ? np_plan_find(b->plan, network->address) : NULL;
	np_box *box = box_add(site, NP_BOX_NETWORK, network->address, change);
	describe_network(b, box, network);
	add_planned(box, change);
}

/* ── nodes ── */

static void add_port(np_box *box, const char *site, const np_nic *nic)
{
	np_port *port = g_new0(np_port, 1);
	g_autofree char *leaf = nic->network ? g_strconcat("network.", nic->network, NULL) : NULL;
	port->name = g_strdup(nic->base.name);
	port->network = leaf ? np_address_join(site, leaf) : g_strdup(""); /* somebody gave it another kind of NIC */
	port->first = port->last = nic->address;
	g_ptr_array_add(box->ports, port);
}

/* With a plan it is known what `auto` comes to. */
static const char *accel_decided(const np_node *node, const np_change *change)
{
	if (node->accel != NP_ACCEL_AUTO || !change || change->deferred || change->action == NP_ACTION_DELETE)
		return "";
	return change->kvm ? ": kvm" : ": emulated";
}

static char *describe_accel(const builder *b, const np_node *node, const np_change *change)
{
	GString *line = g_string_new(NULL);
	g_string_printf(line, "accel %s%s", np_accel_names[node->accel], accel_decided(node, change));
	if (node->cpu.mode != NP_CPU_AUTO) {
		g_autofree char *model = value(b, &np_cpu_kind, "model", &node->cpu);
		g_string_append_printf(line, " · cpu %s%s%s", np_cpu_mode_names[node->cpu.mode], model ? " " : "",
		                       model ? model : "");
	}
	if (node->protect)
		g_string_append(line, " · protected");
	return g_string_free(line, FALSE);
}

static void describe_node(const builder *b, np_box *box, const np_node *node, const np_change *change)
{
	g_autofree char *image = value(b, &np_node_kind, "image", node), *site = np_address_site(box->address);
	g_autofree char *vcpus = value(b, &np_node_kind, "vcpus", node);
	g_autofree char *memory = value(b, &np_node_kind, "memory", node);
	g_autofree char *note = value(b, &np_node_kind, "description", node);
	g_ptr_array_add(box->lines, g_strdup_printf("%s%s%s vCPU%s · %s", image ? image : "", image ? " · " : "", vcpus,
	                                            node->vcpus == 1 ? "" : "s", memory));
	g_ptr_array_add(box->lines, describe_accel(b, node, change));
	if (note)
		add_wrapped(box->note, note, NOTE_LINES);
	for (guint i = 0; node->nics && i < node->nics->len; i++)
		add_port(box, site, g_ptr_array_index(node->nics, i));
}

static void add_site(const builder *b, np_box *box, const np_site *site);

static void add_node(const builder *b, np_box *site, const np_node *node)
{
	const np_change *change = b->plan ? np_plan_find(b->plan, node->address) : NULL;
	np_box *box = box_add(site, NP_BOX_NODE, node->address, change);
	describe_node(b, box, node, change);
	add_planned(box, change);
	add_site(b, box, &node->site);
}

static void add_deleted(const builder *b, np_box *site, const np_change *change)
{
	if (change->kind == NP_CHANGE_NETWORK) {
		np_box *box = box_add(site, NP_BOX_NETWORK, change->address, change);
		describe_network(b, box, change->seen_network->network);
	} else if (change->kind == NP_CHANGE_NODE) {
		np_box *box = box_add(site, NP_BOX_NODE, change->address, change);
		describe_node(b, box, change->seen->node, change);
		add_site(b, box, NULL);
	}
}

/* ── sites ── */

static void add_deletes(const builder *b, np_box *box, np_change_kind kind)
{
	const GPtrArray *deletes = g_hash_table_lookup(b->deletes, box->address);
	for (guint i = 0; deletes && i < deletes->len; i++) {
		const np_change *change = g_ptr_array_index(deletes, i);
		if (change->kind == kind)
			add_deleted(b, box, change);
	}
}

/* All that is in a site: networks first, and what is deleted after what stays. site: NULL when the lab does not have
 * it. */
static void add_site(const builder *b, np_box *box, const np_site *site)
{
	for (guint i = 0; site && i < site->networks->len; i++)
		add_network(b, box, g_ptr_array_index(site->networks, i));
	add_deletes(b, box, NP_CHANGE_NETWORK);
	for (guint i = 0; site && i < site->nodes->len; i++)
		add_node(b, box, g_ptr_array_index(site->nodes, i));
	add_deletes(b, box, NP_CHANGE_NODE);
}

/* guest-2 before guest-10. */
static int compare_addresses(gconstpointer a, gconstpointer b)
{
	const char *one = (*(const np_change *const *)a)->address, *other = (*(const np_change *const *)b)->address;
	size_t stem_one, stem_other;
	guint64 number_one = np_box_number(one, &stem_one), number_other = np_box_number(other, &stem_other);
	int order = strncmp(one, other, MIN(stem_one, stem_other));
	if (order == 0 && stem_one != stem_other)
		return stem_one < stem_other ? -1 : 1;
	return order ? order : (number_one > number_other) - (number_one < number_other);
}

static GHashTable *deletes_by_site(const np_plan *plan)
{
	GHashTable *sites = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
	for (guint i = 0; plan && i < plan->changes->len; i++) {
		np_change *change = g_ptr_array_index(plan->changes, i);
		if (change->action != NP_ACTION_DELETE)
			continue;
		GPtrArray *list = g_hash_table_lookup(sites, change->site);
		if (!list) {
			list = g_ptr_array_new();
			g_hash_table_insert(sites, (gpointer)change->site, list);
		}
		g_ptr_array_add(list, change);
	}
	GHashTableIter iter;
	gpointer list;
	g_hash_table_iter_init(&iter, sites);
	while (g_hash_table_iter_next(&iter, NULL, &list))
		g_ptr_array_sort(list, compare_addresses);
	return sites;
}

/* What is done to the host itself. */
static void add_settings(np_box *host, const np_plan *plan)
{
	for (guint i = 0; plan && i < plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(plan->changes, i);
		if (change->kind != NP_CHANGE_HOST)
			continue;
		np_box *box = box_add(host, NP_BOX_SETTING, change->address, change);
		add_wrapped(box->lines, change->reason, NOTE_LINES);
	}
}

np_box *np_box_build(const np_lab *lab, const np_plan *plan)
{
	g_autoptr(GHashTable) deletes = deletes_by_site(plan);
	builder b = {lab, plan, deletes};
	np_box *host = box_add(NULL, NP_BOX_HOST, "", NULL);
	g_ptr_array_add(host->lines, g_strdup_printf("lab %s", lab->name));
	add_settings(host, plan);
	add_site(&b, host, &lab->site);
	return host;
}
