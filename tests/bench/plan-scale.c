/* SPDX-License-Identifier: Apache-2.0 */
/* How long a plan and its order take in memory: NODES nodes, "flat" at the host or "nested" in hypervisors of GUESTS each; all new,
 * all as they should be, all changed, all destroyed. Prints seconds of the processor, a line each. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/lab.h"
#include "plan/order.h"

#define GUESTS 99

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
		known->network->base.set = ~(guint64)0;
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

static void measure(const char *what, const np_lab *lab, const np_world *world, const np_plan_options *options)
{
	clock_t begin = clock();
	g_autoptr(np_plan) plan = np_plan_make(lab, world, options);
	clock_t planned = clock();
	if (plan->problems->len)
		g_error("%s", (char *)g_ptr_array_index(plan->problems, 0));
	g_autoptr(GPtrArray) steps = np_order_make(lab, world, plan);
	clock_t ordered = clock();
	g_autofree char *text = np_plan_render(plan, 0);
	clock_t rendered = clock();
	printf("%-10s %7u changes %7u steps  plan %.3f s  order %.3f s  render %.3f s\n", what, plan->changes->len, steps->len,
	       (double)(planned - begin) / CLOCKS_PER_SEC, (double)(ordered - planned) / CLOCKS_PER_SEC,
	       (double)(rendered - ordered) / CLOCKS_PER_SEC);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	unsigned nodes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	char *(*text)(unsigned, const char *) = argc > 2 && strcmp(argv[2], "flat") == 0 ? flat_text : nested_text;
	g_autoptr(np_lab) lab = make_lab(text(nodes, "256MiB")), other = make_lab(text(nodes, "512MiB"));
	g_autoptr(np_world) empty = make_world(NULL), full = make_world(lab);
	measure("create", lab, empty, NULL);
	measure("unchanged", lab, full, NULL);
	measure("changed", other, full, NULL);
	measure("destroy", lab, full, &(np_plan_options){.destroy = true});
	return 0;
}
