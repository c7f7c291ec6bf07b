/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes of a site ask of the node that carries them. The host's own memory is known only to the world. */
#include "base/units.h"
#include "lab/check.h"
#include "lab/lab.h"

static guint64 add(guint64 a, guint64 b)
{
	return a > G_MAXUINT64 - b ? G_MAXUINT64 : a + b;
}

np_demand np_site_demand(const np_site *site)
{
	np_demand sum = {0};
	for (guint i = 0; i < site->nodes->len; i++) {
		const np_node *node = site->nodes->pdata[i];
		sum.memory = add(sum.memory, node->memory);
		sum.vcpus = add(sum.vcpus, node->vcpus);
		sum.most_vcpus = MAX(sum.most_vcpus, node->vcpus);
		for (guint k = 0; k < node->disks->len; k++) {
			guint64 bytes = np_disk_bytes(node, node->disks->pdata[k]);
			sum.disk = add(sum.disk, bytes);
			sum.disk_unknown = sum.disk_unknown || bytes == 0;
		}
	}
	return sum;
}

gboolean np_demand_is_crowded(const np_demand *demand, guint64 cpus)
{
	guint64 each = demand->vcpus / NP_VCPU_RATIO;
	return each > cpus || (each == cpus && demand->vcpus % NP_VCPU_RATIO > 0);
}

static np_pos at(const np_node *node, const char *field)
{
	return np_object_at(&np_node_kind, &node->base, field);
}

/* Nodes that share a place, through their type or defaults, are told one by one where they carry different sums. */
static gboolean is_told(np_checker *c, np_pos pos, const char *what, guint64 sum)
{
	g_autofree char *key = g_strdup_printf("%s %" G_GUINT64_FORMAT, what, sum);
	return np_check_told(c, pos, key);
}

static void memory_check(np_checker *c, const np_node *node, const np_demand *sum)
{
	np_pos pos = at(node, "memory");
	if (node->memory == 0 || sum->memory <= node->memory || node->overcommit || is_told(c, pos, "memory", sum->memory))
		return;
	g_autofree char *needed = np_size_human(sum->memory);
	g_autofree char *there = np_size_human(node->memory);
	np_diags_error(c->diags, NP_CODE_MEMORY_OVER, pos, "give it more, or write 'overcommit: true' into it",
	               "the nodes inside '%s' have %s of memory together, more than its own %s", node->address, needed,
	               there);
}

static void vcpus_check(np_checker *c, const np_node *node, const np_demand *sum)
{
	np_pos pos = at(node, "vcpus");
	if (node->vcpus == 0)
		return;
	gboolean one = sum->most_vcpus > node->vcpus;
	if (one && !is_told(c, pos, "one", sum->most_vcpus))
		np_diags_warning(c->diags, NP_CODE_VCPUS_OVER, pos, NULL,
		                 "a node inside '%s' has %" G_GUINT64_FORMAT
		                 " vCPUs, more than its carrier's %" G_GUINT64_FORMAT,
		                 node->address, sum->most_vcpus, node->vcpus);
	gboolean others = !one || sum->vcpus > sum->most_vcpus;
	if (others && np_demand_is_crowded(sum, node->vcpus) && !is_told(c, pos, "all", sum->vcpus))
		np_diags_warning(c->diags, NP_CODE_VCPUS_OVER, pos, NULL,
		                 "the nodes inside '%s' have %" G_GUINT64_FORMAT
		                 " vCPUs together, more than %d for each of its %" G_GUINT64_FORMAT,
		                 node->address, sum->vcpus, NP_VCPU_RATIO, node->vcpus);
}

static void disk_check(np_checker *c, const np_node *node, const np_demand *sum)
{
	const np_disk *root = np_map_find(node->disks, "root");
	guint64 own = root ? np_disk_bytes(node, root) : 0;
	if (own == 0 || sum->disk <= own)
		return;
	g_autofree char *needed = np_size_human(sum->disk);
	g_autofree char *there = np_size_human(own);
	np_pos size = np_object_at(&np_disk_kind, &root->base, "size"), pos = size.line > 0 ? size : node->base.pos;
	if (!is_told(c, pos, "disk", sum->disk))
		np_diags_warning(c->diags, NP_CODE_DISK_OVER, pos, NULL,
	                 "the disks of the nodes inside '%s' may grow to %s, more than its root disk's %s%s",
	                 node->address, needed, there, root->size == 0 ? ", its image's size" : "");
}

void np_check_capacity(np_checker *c, const np_node *node)
{
	np_demand sum = np_site_demand(&node->site);
	if (node->site.nodes->len == 0)
		return;
	memory_check(c, node, &sum);
	vcpus_check(c, node, &sum);
	disk_check(c, node, &sum);
}

/* `more`: by an amount that is not known. */
static void quantity_render(GString *out, guint64 wanted, gboolean more, guint64 there)
{
	g_autofree char *needed = np_size_human(wanted);
	g_autofree char *own = there > 0 ? np_size_human(there) : g_strdup("?");
	g_autofree char *both = more && wanted == 0 ? g_strdup_printf("? of %s", own)
	                                            : g_strdup_printf("%s%s of %s", needed, more ? " + ?" : "", own);
	g_string_append_printf(out, "%-22s", both);
}

static void site_render(GString *out, const np_site *site)
{
	np_demand sum = np_site_demand(site);
	const np_node *node = site->node;
	const np_disk *root = node ? np_map_find(node->disks, "root") : NULL;
	if (site->nodes->len > 0) {
		g_autofree char *own = node ? g_strdup_printf("%" G_GUINT64_FORMAT, node->vcpus) : g_strdup("?");
		g_autofree char *vcpus = g_strdup_printf("%" G_GUINT64_FORMAT " of %s", sum.vcpus, own);
		g_string_append_printf(out, "%-6u %-28s %-6u ", site->level, node ? site->address : "(host)",
		                       site->nodes->len);
		quantity_render(out, sum.memory, FALSE, node ? node->memory : 0);
		g_string_append_printf(out, " %-12s ", vcpus);
		quantity_render(out, sum.disk, sum.disk_unknown, root ? np_disk_bytes(node, root) : 0);
		while (out->str[out->len - 1] == ' ')
			g_string_truncate(out, out->len - 1);
		g_string_append_c(out, '\n');
	}
	for (guint i = 0; i < site->nodes->len; i++)
		site_render(out, &((const np_node *)site->nodes->pdata[i])->site);
}

char *np_resources_render(const np_lab *lab)
{
	GString *out = g_string_new(NULL);
	g_string_append_printf(out, "%-6s %-28s %-6s %-22s %-12s %s\n", "LEVEL", "SITE", "NODES", "MEMORY", "VCPUS",
	                       "DISK");
	site_render(out, &lab->site);
	return g_string_free(out, FALSE);
}
