/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/runs.h"

#include <string.h>

typedef struct {
	const char *address;
	const guint64 *numbers;
} member;

typedef struct {
	member *members;
	guint length, width; /* width: numbers of each */
	guint64 *numbers, *least, *most;
} table;

/* Numbers of an address into `ret` (NULL: they are only counted). */
static guint read_numbers(const char *address, guint64 *ret)
{
	guint n = 0;
	while (*(address += strcspn(address, "0123456789"))) {
		char *end;
		guint64 number = g_ascii_strtoull(address, &end, 10);
		if (ret)
			ret[n] = number;
		n++;
		address = end;
	}
	return n;
}

static gint compare_members(gconstpointer a, gconstpointer b, gpointer width)
{
	const member *x = a, *y = b;
	for (guint i = 0; i < GPOINTER_TO_UINT(width); i++)
		if (x->numbers[i] != y->numbers[i])
			return x->numbers[i] < y->numbers[i] ? -1 : 1;
	return 0;
}

static void read_table(table *t, const GPtrArray *addresses)
{
	for (guint i = 0; i < t->length; i++) {
		guint64 *own = t->numbers + (gsize)i * t->width;
		t->members[i] = (member){g_ptr_array_index(addresses, i), own};
		(void)read_numbers(t->members[i].address, own);
		for (guint k = 0; k < t->width; k++) {
			t->least[k] = i ? MIN(t->least[k], own[k]) : own[k];
			t->most[k] = i ? MAX(t->most[k], own[k]) : own[k];
		}
	}
	if (t->length)
		g_qsort_with_data(t->members, (gint)t->length, sizeof(member), compare_members, GUINT_TO_POINTER(t->width));
}

static gboolean follows(const table *t, const member *a, const member *b)
{
	guint k = t->width;
	while (k-- > 0 && a->numbers[k] == t->most[k])
		if (b->numbers[k] != t->least[k])
			return FALSE;
	if (k >= t->width || b->numbers[k] != a->numbers[k] + 1)
		return FALSE;
	return k == 0 || memcmp(a->numbers, b->numbers, k * sizeof(guint64)) == 0;
}

GPtrArray *np_runs(const GPtrArray *addresses)
{
	GPtrArray *runs = g_ptr_array_new_with_free_func(g_free);
	table t = {.length = addresses->len, .width = addresses->len ? read_numbers(g_ptr_array_index(addresses, 0), NULL) : 0};
	g_autofree member *members = t.members = g_new0(member, t.length);
	g_autofree guint64 *numbers = t.numbers = g_new0(guint64, (gsize)(t.length + 2) * t.width + 1);
	t.least = numbers + (gsize)t.length * t.width;
	t.most = t.least + t.width;
	read_table(&t, addresses);
	for (guint first = 0, last = 0; first < t.length; first = ++last) {
		while (last + 1 < t.length && follows(&t, &members[last], &members[last + 1]))
			last++;
		g_ptr_array_add(runs, first == last ? g_strdup(members[first].address)
		                                    : g_strdup_printf("%s … %s", members[first].address, members[last].address));
	}
	return runs;
}
