/* SPDX-License-Identifier: Apache-2.0 */
/* The domains of one site. Each is asked for by itself, so several are asked for at once: while the daemon writes one description,
 * others are read. */
#include "drivers/libvirt/observe.h"

#include <string.h>

#include "base/error.h"
#include "drivers/libvirt/describe.h"
#include "drivers/libvirt/domain.h"
#include "drivers/libvirt/domain_read.h"
#include "drivers/libvirt/parallel.h"

static np_power read_power(virDomainPtr domain)
{
	int state = VIR_DOMAIN_SHUTOFF;
	(void)virDomainGetState(domain, &state, NULL, 0);
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN:
	case VIR_DOMAIN_PMSUSPENDED: return NP_POWER_RUNNING;
	case VIR_DOMAIN_PAUSED: return NP_POWER_PAUSED;
	case VIR_DOMAIN_CRASHED: return NP_POWER_CRASHED;
	default: return NP_POWER_OFF;
	}
}

/* The names in the two states that nearly all are in: two lists instead of a question for each. */
typedef struct {
	GHashTable *running, *off;
} power_table;

static void power_table_clear(power_table *table)
{
	g_clear_pointer(&table->running, g_hash_table_unref);
	g_clear_pointer(&table->off, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(power_table, power_table_clear)

static GHashTable *names_in_state(np_conn *conn, unsigned flag)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) domains = np_domain_list(conn, flag, NULL);
	for (guint i = 0; domains && i < domains->len; i++)
		g_hash_table_add(names, g_strdup(virDomainGetName(g_ptr_array_index(domains, i))));
	return names;
}

static void read_powers(np_conn *conn, power_table *ret)
{
	ret->running = names_in_state(conn, VIR_CONNECT_LIST_DOMAINS_RUNNING);
	ret->off = names_in_state(conn, VIR_CONNECT_LIST_DOMAINS_SHUTOFF);
}

/* One in neither list, or that went from one to the other between them, is asked. */
static np_power power_of(const power_table *table, virDomainPtr domain)
{
	bool running = g_hash_table_contains(table->running, virDomainGetName(domain));
	bool off = g_hash_table_contains(table->off, virDomainGetName(domain));
	if (running == off)
		return read_power(domain);
	return running ? NP_POWER_RUNNING : NP_POWER_OFF;
}

static bool runs(np_power power)
{
	return power == NP_POWER_RUNNING || power == NP_POWER_PAUSED;
}

/* What runs may differ from what is stored. A domain that stopped meanwhile is off. */
static bool observe_live(virDomainPtr domain, const np_mark *mark, np_seen_node *seen, GError **error)
{
	GError *local = NULL;
	g_autoptr(xmlDoc) doc = np_domain_describe_live(domain, &local);
	if (local) {
		g_propagate_error(error, local);
		return false;
	}
	if (!doc)
		return true;
	xmlNode *root = xmlDocGetRootElement(doc);
	np_domain_read_live(root, mark, seen);
	seen->ready = seen->power == NP_POWER_RUNNING && np_domain_is_ready(root);
	seen->unsettled = seen->memory_limit && seen->live->memory >= seen->memory_limit && !np_domain_is_settled(root);
	return true;
}

typedef struct {
	const char *lab;
	GPtrArray *domains;
	power_table powers;
	np_seen_node **nodes; /* one for each domain, NULL: not the lab's */
	bool *foreign;
	GError **errors;
} look;

static bool observe_domain(look *l, guint i, GError **error)
{
	virDomainPtr domain = g_ptr_array_index(l->domains, i);
	GError *local = NULL;
	g_autoptr(xmlDoc) doc = np_domain_describe(domain, &local);
	if (local)
		g_propagate_error(error, local);
	if (!doc)
		return !local;
	xmlNode *root = xmlDocGetRootElement(doc);
	g_auto(np_mark) mark = {0};
	(void)np_mark_read(root, &mark);
	l->foreign[i] = !np_observe_wants(&mark, l->lab);
	if (l->foreign[i])
		return true;
	np_seen_node *seen = l->nodes[i] = np_domain_read(root, &mark);
	seen->power = power_of(&l->powers, domain);
	return !runs(seen->power) || observe_live(domain, &mark, seen, error);
}

static bool look_at(guint i, gpointer data)
{
	look *l = data;
	return observe_domain(l, i, &l->errors[i]);
}

static bool collect(look *l, np_seen_site *site, GError **error)
{
	g_autoptr(GError) first = NULL;
	for (guint i = 0; i < l->domains->len; i++) {
		if (!first)
			first = g_steal_pointer(&l->errors[i]);
		g_clear_error(&l->errors[i]);
		if (l->nodes[i])
			g_ptr_array_add(site->nodes, l->nodes[i]);
		if (l->foreign[i])
			np_observe_foreign(site, "domain", virDomainGetName(g_ptr_array_index(l->domains, i)));
	}
	if (!first)
		return true;
	g_propagate_error(error, g_steal_pointer(&first));
	return false;
}

bool np_observe_domains(np_conn *conn, const char *lab, np_seen_site *site, GError **error)
{
	g_autoptr(GPtrArray) domains = np_domain_list(conn, 0, error);
	if (!domains)
		return false;
	g_autofree np_seen_node **nodes = g_new0(np_seen_node *, domains->len);
	g_autofree bool *foreign = g_new0(bool, domains->len);
	g_autofree GError **errors = g_new0(GError *, domains->len);
	look l = {.lab = lab, .domains = domains, .nodes = nodes, .foreign = foreign, .errors = errors};
	read_powers(conn, &l.powers);
	np_parallel(domains->len, look_at, &l);
	power_table_clear(&l.powers);
	return collect(&l, site, error);
}
