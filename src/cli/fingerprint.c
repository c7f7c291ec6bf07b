/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fingerprint.h"

#include "base/ident.h"

#define ROUNDS   200000 /* a tenth of a second or so */
#define SUM_SIZE 32     /* SHA-256 */

void np_fingerprint_clear(np_fingerprint *fingerprint)
{
	g_clear_pointer(&fingerprint->lab, g_free);
	g_clear_pointer(&fingerprint->world, g_free);
}

/* The key of the sums is made of the sensitive variables. A file with a plan is its owner's alone (mode 0600), but such files are
 * copied and kept: to try a value on one costs ROUNDS sums, and the salt makes what was tried on another file worth nothing. A value
 * that is easily guessed is still guessed. */
static void make_key(const np_lab *lab, const char *salt, guint8 key[SUM_SIZE])
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	gsize size = SUM_SIZE;
	bool secret = false;
	np_sum_text(sum, salt);
	for (guint i = 0; i < lab->variables->len; i++) {
		const np_variable *variable = g_ptr_array_index(lab->variables, i);
		if (!variable->sensitive)
			continue;
		secret = true;
		np_sum_text(sum, variable->base.name);
		np_sum_text(sum, variable->value);
	}
	g_checksum_get_digest(sum, key, &size);
	for (unsigned i = 0; secret && i < ROUNDS; i++) {
		g_checksum_reset(sum);
		g_checksum_update(sum, key, SUM_SIZE);
		np_sum_text(sum, salt);
		g_checksum_get_digest(sum, key, &size);
	}
}

static void add_node(np_node *node, gpointer data)
{
	np_sum_text(data, node->inject_id);
	np_sum_text(data, node->site.share);
}

/* The completed lab, which has the names of sensitive variables only; the content of its images and of the files that it writes. */
static void add_lab(GChecksum *sum, const np_context *context)
{
	const np_lab *lab = context->lab;
	g_autofree char *text = np_lab_print(lab);
	np_sum_text(sum, text);
	for (guint i = 0; i < lab->images->len; i++)
		np_sum_text(sum, ((const np_image *)g_ptr_array_index(lab->images, i))->id);
	for (guint i = 0; context->keys && i + 1 < context->keys->len; i++)
		np_sum_text(sum, g_ptr_array_index(context->keys, i));
	np_lab_foreach_node(&lab->site, add_node, sum);
}

np_fingerprint np_fingerprint_take(const np_context *context, const np_plan *plan, const char *salt)
{
	g_autoptr(GChecksum) lab = g_checksum_new(G_CHECKSUM_SHA256), world = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 key[SUM_SIZE];
	make_key(context->lab, salt, key);
	add_lab(lab, context);
	np_plan_digest(plan, context->lab, context->world, world);
	return (np_fingerprint){
		.lab = g_compute_hmac_for_string(G_CHECKSUM_SHA256, key, SUM_SIZE, g_checksum_get_string(lab), -1),
		.world = g_compute_hmac_for_string(G_CHECKSUM_SHA256, key, SUM_SIZE, g_checksum_get_string(world), -1),
	};
}
