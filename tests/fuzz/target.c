/* SPDX-License-Identifier: Apache-2.0 */
/* text → lab → check → print → plan. Built with clang's libFuzzer (NP_FUZZ=ON), and with replay.c as a test. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"
#include "plan/graph.h"
#include "plan/order.h"
#include "world/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As drivers/image and guestfs do, without looking at files. */
static void node_resolve(np_node *node, gpointer data G_GNUC_UNUSED)
{
	node->inject_id = g_strdup("i");
	if (node->site.nodes->len > 0)
		node->site.share = g_strdup("share-1.raw");
}

static void plan_make(np_lab *lab)
{
	for (guint i = 0; i < lab->images->len; i++)
		((np_image *)lab->images->pdata[i])->id = g_strdup_printf("sha256-%u", i);
	np_lab_foreach_node(&lab->site, node_resolve, NULL);
	g_autoptr(np_world) world = np_world_new(lab->name);
	world->root->reachable = true;
	world->root->facts.arch = g_strdup("x86_64");
	world->root->facts.memory = (guint64)8 << 30;
	world->root->facts.cpus = 4;
	g_ptr_array_add(world->root->ranges, np_foreign_range_new((np_cidr){0xc0a87a00, 24}, g_strdup("default"), g_strdup("virbr0"), true));
	g_ptr_array_add(world->kernel.routes, np_route_new((np_cidr){0x0a000000, 9}, g_strdup("eth0"), false));
	np_accel_decide(&world->root->facts, &world->kernel, &world->accel);
	g_autoptr(np_plan) plan = np_plan_make(lab, world, NULL);
	g_autofree char *text = np_plan_render(plan, 0), *json = np_plan_json(plan, false);
	g_autofree char *dot = np_graph_render(lab, plan, NP_GRAPH_DOT, false);
	g_autofree char *mermaid = np_graph_render(lab, NULL, NP_GRAPH_MERMAID, true);
	g_assert_nonnull(text);
	g_assert_nonnull(json);
	g_assert_nonnull(dot);
	g_assert_nonnull(mermaid);
	if (plan->problems->len == 0)
		g_ptr_array_unref(np_order_make(lab, world, plan));
}

/* What is printed is a lab again, and prints as the same text; but for values that are not printed. */
static void print_check(const np_lab *lab, const np_load_options *options)
{
	g_autoptr(np_diags) diags = NULL;
	g_autofree char *first = np_lab_print(lab);
	if (lab->written != NULL || strstr(first, "sensitive: true") != NULL)
		return;
	g_autoptr(np_lab) again = np_lab_parse(first, strlen(first), options, &diags);
	g_autofree char *rendered = np_diags_render(diags, FALSE);
	if (again == NULL) {
		fprintf(stderr, "the printed lab is not valid:\n%s%s", rendered, first);
		abort(); /* g_error traps, and then libFuzzer keeps no input */
	}
	g_autofree char *second = np_lab_print(again);
	g_assert_cmpstr(first, ==, second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	np_load_options options = {.file = "lab.yaml", .folder = "/labs", .max_nodes = 1000};
	g_autoptr(np_diags) diags = NULL;
	g_autoptr(np_lab) lab = np_lab_parse((const char *)data, size, &options, &diags);
	g_autofree char *rendered = np_diags_render(diags, FALSE);
	g_autofree char *json = np_diags_json(diags, NULL);
	g_assert_nonnull(json);
	g_assert_true((lab == NULL) == (diags->errors > 0));
	g_assert_true(g_utf8_validate(rendered, -1, NULL));
	if (lab == NULL)
		return 0;
	print_check(lab, &options);
	plan_make(lab);
	return 0;
}
