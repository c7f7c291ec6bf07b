/* SPDX-License-Identifier: Apache-2.0 */
/* plan-scale [NODES [ROUNDS]]: how long a plan and its order take in memory: NODES nodes (100,000) and a tenth of them, in hypervisors
 * of GUESTS each, and all at the host; all new, all as they should be, all to be restarted, all destroyed. They take turns, and of each
 * the least of the rounds is shown, in seconds of the processor. Exit code 1 when 100,000 nodes take more than SECONDS_MAX. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/lab.h"
#include "plan/order.h"

#define GUESTS      99
#define CASES       4
#define FACTOR      10
#define SECONDS_MAX 1.0

static char *flat_text(unsigned nodes, const char *memory)
{
	return g_strdup_printf("version: 1\nname: scale\nhost: {overcommit: true}\nimages: {i: {source: i.qcow2}}\n"
	                       "networks: {mgmt: {cidr: 10.0.0.0/12}}\n"
	                       "nodes: {node: {count: %u, image: i, memory: %s, vcpus: 1, nics: [mgmt]}}\n", nodes, memory);
}

static char *nested_text(unsigned nodes, const char *memory)
{
	return g_strdup_printf(
		"version: 1\nname: scale\nimages: {i: {source: i.qcow2}}\nnetworks: {mgmt: {cidr: 10.0.0.0/12}}\n"
		"nodes:\n  hyp:\n    count: %u\n    image: i\n    memory: 64GiB\n    vcpus: 8\n    nics: [mgmt]\n    overcommit: true\n"
		"    networks: {int: {cidr: 10.200.0.0/16}}\n"
		"    nodes: {guest: {count: %u, image: i, memory: %s, vcpus: 1, nics: [int]}}\n", nodes / (GUESTS + 1), GUESTS, memory);
}

/* Takes text. */
static np_lab *make_lab(char *text)
{
	np_diags *diags = NULL;
	np_load_options options = {.file = "lab.yaml", .folder = "/lab"};
	np_lab *lab = np_lab_parse(text, strlen(text), &options, &diags);
	if (!lab) {
		g_autofree char *message = np_diags_render(diags, false);
		g_error("%s", message);
	}
	np_diags_free(diags);
	g_free(text);
	((np_image *)g_ptr_array_index(lab->images, 0))->id = g_strdup("sha256-i");
	return lab;
}

static np_node *copy_node(np_node *node)
{
	np_node *copy = np_object_new(&np_node_kind, node->base.name);
	copy->address = g_strdup(node->address);
	copy->memory = node->memory;
	copy->vcpus = node->vcpus;
	np_object_mark(&np_node_kind, &copy->base, "memory");
	np_object_mark(&np_node_kind, &copy->base, "vcpus");
	copy->accel = NP_ACCEL_KVM;
	copy->cpu.mode = NP_CPU_HOST_PASSTHROUGH;
	for (guint i = 0; i < node->disks->len; i++) {
		np_disk *disk = g_ptr_array_index(node->disks, i), *one = np_object_new(&np_disk_kind, disk->base.name);
		g_ptr_array_add(np_objects_own(&copy->disks), one);
	}
	for (guint i = 0; i < node->nics->len; i++) {
		np_nic *nic = g_ptr_array_index(node->nics, i), *one = np_object_new(&np_nic_kind, nic->base.name);
		g_free(one->network);
		one->network = g_strdup(nic->network ? nic->network : nic->base.name);
		one->mac = g_strdup(nic->mac);
		one->address = nic->address;
		g_ptr_array_add(np_objects_own(&copy->nics), one);
	}
	return copy;
}

static void fill(np_seen_site *seen, const np_site *site)
{
	for (guint i = 0; i < site->networks->len; i++) {
		np_network *network = g_ptr_array_index(site->networks, i);
		np_seen_network *known = np_seen_network_new();
		g_free(known->network->base.name);
		known->network->base.name = g_strdup(network->base.name);
		known->network->address = g_strdup(network->address);
		known->network->cidr = network->cidr;
		known->network->mode = network->mode;
		known->network->dhcp = network->dhcp;
		for (unsigned k = 0; k < np_network_kind.n_fields; k++)
			np_object_mark(&np_network_kind, &known->network->base, np_network_kind.fields[k].name);
		known->active = known->autostart = true;
		g_ptr_array_add(seen->networks, known);
	}
	for (guint i = 0; i < site->nodes->len; i++) {
		np_node *node = g_ptr_array_index(site->nodes, i);
		np_seen_node *known = np_seen_node_new();
		np_node_free(known->node);
		known->node = copy_node(node);
		known->live = copy_node(node);
		known->power = NP_POWER_RUNNING;
		known->ready = true;
		known->image_id = g_strdup("sha256-i");
		known->hypervisor = np_node_is_site(node);
		if (known->hypervisor) {
			known->inside = np_seen_site_new(node->address);
			known->inside->reachable = known->inside->proof.gathered = known->inside->proof.kvm = true;
			fill(known->inside, &node->site);
		}
		g_ptr_array_add(seen->nodes, known);
	}
	np_seen_site_index(seen);
}

static np_world *make_world(const np_lab *lab)
{
	np_world *world = np_world_new("scale");
	world->root->reachable = true;
	world->accel = (np_accel_answer){.kvm = true, .nested = true, .flag = "svm", .reason = g_strdup("x")};
	if (lab)
		fill(world->root, &lab->site);
	return world;
}

/* One of the four, at one size. */
typedef struct {
	const char *what;
	const np_lab *lab;
	const np_world *world;
	np_plan_options options;
	guint changes, steps;
	double plan, order, render; /* seconds, the least of all rounds; plan and order as they were when they took least together */
} bench_case;

static double since(clock_t begin)
{
	return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

static void measure(bench_case *c)
{
	clock_t begin = clock();
	g_autoptr(np_plan) plan = np_plan_make(c->lab, c->world, &c->options);
	double planned = since(begin);
	if (plan->problems->len)
		g_error("%s", (char *)g_ptr_array_index(plan->problems, 0));
	begin = clock();
	g_autoptr(GPtrArray) steps = np_order_make(c->lab, c->world, plan);
	double ordered = since(begin);
	begin = clock();
	g_autofree char *text = np_plan_render(plan, 0);
	double rendered = since(begin);
	bool first = c->plan <= 0;
	c->changes = plan->changes->len;
	c->steps = steps->len;
	if (first || planned + ordered < c->plan + c->order) {
		c->plan = planned;
		c->order = ordered;
	}
	c->render = first ? rendered : MIN(c->render, rendered);
}

/* A lab and its worlds; they last as long as the program. */
static void make_cases(unsigned nodes, char *(*text)(unsigned, const char *), bench_case cases[CASES])
{
	np_lab *lab = make_lab(text(nodes, "256MiB")), *other = make_lab(text(nodes, "512MiB"));
	np_world *full = make_world(lab);
	cases[0] = (bench_case){.what = "create", .lab = lab, .world = make_world(NULL)};
	cases[1] = (bench_case){.what = "unchanged", .lab = lab, .world = full};
	cases[2] = (bench_case){.what = "restart", .lab = other, .world = full};
	cases[3] = (bench_case){.what = "destroy", .lab = lab, .world = full, .options = {.destroy = true}};
}

static void show(unsigned nodes, const bench_case *c)
{
	printf("%-10s %7u %8u %8u %8.3f %8.3f %8.3f %8.3f", c->what, nodes, c->changes, c->steps, c->plan, c->order, c->plan + c->order,
	       c->render);
}

/* 1: a bound was missed. */
static int compare(const char *shape, unsigned nodes, const bench_case small[CASES], const bench_case large[CASES])
{
	int missed = 0;
	printf("%-10s %7s %8s %8s %8s %8s %8s %8s %7s\n", shape, "nodes", "changes", "steps", "plan s", "order s", "both", "render s", "growth");
	for (unsigned i = 0; i < CASES; i++) {
		double both = large[i].plan + large[i].order, growth = both / (small[i].plan + small[i].order);
		show(nodes / FACTOR, &small[i]);
		printf("\n");
		show(nodes, &large[i]);
		printf(" %6.1fx\n", growth);
		if (nodes <= 100000 && both > SECONDS_MAX) {
			printf("MISSED: %s takes %.3f s, wanted at most %.1f\n", large[i].what, both, SECONDS_MAX);
			missed = 1;
		}
	}
	return missed;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	unsigned nodes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000, rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
	static const struct {
		const char *name;
		char *(*text)(unsigned, const char *);
	} shapes[] = {{"nested", nested_text}, {"flat", flat_text}};
	int missed = 0;
	for (unsigned s = 0; s < G_N_ELEMENTS(shapes); s++) {
		bench_case small[CASES], large[CASES];
		make_cases(nodes / FACTOR, shapes[s].text, small);
		make_cases(nodes, shapes[s].text, large);
		for (unsigned round = 0; round < rounds; round++)
			for (unsigned i = 0; i < CASES; i++) {
				measure(&small[i]);
				measure(&large[i]);
			}
		missed |= compare(shapes[s].name, nodes, small, large);
	}
	return missed;
}
