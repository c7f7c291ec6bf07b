/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/step.h"

#include <string.h>

const char *const np_step_kind_names[] = {
	"nesting", "pool",   "image", "share", "network", "re-attach", "disks",  "create",         "redefine", "update",
	"start",   "ready",  "prove", "stop",  "delete",  "delete network", "record", "delete pool", NULL};

/* Copies a text to *end, which then stands behind it. */
static const char *place(char **end, const char *text, gsize size)
{
	char *begin = *end;
	memcpy(begin, text, size);
	*end += size;
	return begin;
}

/* A step and its texts are one piece of memory: a plan of many nodes has hundreds of thousands. */
np_step *np_step_new(np_step_kind kind, unsigned id, const char *site, const char *address, const char *who, const char *verb)
{
	gsize site_size = strlen(site) + 1, address_size = strlen(address) + 1, who_size = strlen(who), verb_size = strlen(verb) + 1;
	np_step *step = g_malloc(sizeof(*step) + site_size + address_size + who_size + strlen(": ") + verb_size);
	char *end = (char *)(step + 1);
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	step->id = id;
	step->site = place(&end, site, site_size);
	step->address = place(&end, address, address_size);
	step->label = place(&end, who, who_size);
	(void)place(&end, ": ", strlen(": "));
	(void)place(&end, verb, verb_size);
	return step;
}

static void ids_clear(np_step_ids *ids)
{
	if (ids->ids != ids->few)
		g_free(ids->ids);
}

void np_step_free(np_step *step)
{
	ids_clear(&step->needs);
	ids_clear(&step->after);
	g_clear_pointer(&step->nodes, g_ptr_array_unref);
	g_free(step);
}

void np_step_ids_add(np_step_ids *ids, unsigned id)
{
	if (!ids->ids) {
		ids->ids = ids->few;
		ids->room = NP_STEP_FEW;
	} else if (ids->n == ids->room) {
		bool few = ids->ids == ids->few;
		ids->room *= 2;
		ids->ids = g_renew(unsigned, few ? NULL : ids->ids, ids->room);
		if (few)
			memcpy(ids->ids, ids->few, sizeof(ids->few));
	}
	ids->ids[ids->n++] = id;
}

bool np_step_ids_have(const np_step_ids *ids, unsigned id)
{
	for (unsigned i = 0; i < ids->n; i++)
		if (ids->ids[i] == id)
			return true;
	return false;
}
