/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as text: level by level, alike changes of a count folded into one entry, for 80 columns. */
#include <string.h>

#include "base/address.h"
#include "base/units.h"
#include "base/wrap.h"
#include "plan/diff.h"
#include "plan/runs.h"

#define VALUE_MAX  48
#define WIDTH      80
#define FOLD_MIN   5  /* as many alike become one entry */
#define NAMES_MAX  12
#define FIELDS_MAX 12

/* Changes that read alike but for the numbers in their addresses. */
typedef struct {
	GPtrArray *changes; /* of const np_change*, borrowed */
	unsigned level;
} group;

typedef struct {
	const np_plan *plan;
	GString *out;
	bool colour, all, wrap;
} renderer;

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

/* A value on one line: what would end it, or move the terminal's cursor, is written out. */
static char *visible(const char *value)
{
	GString *text = g_string_new(NULL);
	for (const char *c = value; *c; c = g_utf8_next_char(c)) {
		gunichar letter = g_utf8_get_char(c);
		if (letter == '\n')
			g_string_append(text, "\\n");
		else if (g_unichar_iscntrl(letter))
			g_string_append_printf(text, "\\x%02x", letter);
		else
			g_string_append_unichar(text, letter);
	}
	return g_string_free(text, FALSE);
}

/* Where two values begin to differ, in characters. */
static glong common_length(const char *a, const char *b)
{
	glong n = 0;
	for (; a && b && *a && g_utf8_get_char(a) == g_utf8_get_char(b); n++) {
		a = g_utf8_next_char(a);
		b = g_utf8_next_char(b);
	}
	return n;
}

#define LEAD 8 /* characters of a cut value that are shown around where it differs */

/* From where on two values are shown of which the shorter room is `limit`: their beginning, or the word in which they begin to
 * differ. */
static glong first_shown(const char *a, const char *b, glong limit)
{
	glong common = common_length(a, b), start = common;
	if (common <= limit - LEAD)
		return 0;
	while (start > 0 && *g_utf8_offset_to_pointer(a, start - 1) != ' ')
		start--;
	return common - start > limit / 2 ? common - LEAD : start;
}

/* Long values are cut, and never inside a character. Takes the value. */
static char *cut(char *value, glong limit, glong start)
{
	g_autofree char *whole = value;
	glong length = g_utf8_strlen(whole, -1);
	if (length <= limit)
		return g_steal_pointer(&whole);
	const char *lead = start ? "…" : "";
	glong room = limit - (start > 0);
	bool ends = length - start <= room;
	g_autofree char *part = g_utf8_substring(whole, start, ends ? length : start + room - 1);
	return g_strconcat(lead, part, ends ? "" : "…", NULL);
}

/* Words after `column` columns that are taken; further lines begin with `indent` blanks. */
static void append_wrapped(GString *out, unsigned column, unsigned indent, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	for (char **word = words; *word; word++) {
		unsigned width = (unsigned)g_utf8_strlen(*word, -1);
		if (word != words && column + 1 + width > WIDTH) {
			g_string_append_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (word != words) {
			g_string_append_c(out, ' ');
			column++;
		}
		g_string_append(out, *word);
		column += width;
	}
	g_string_append_c(out, '\n');
}

/* "a, b, c and 97 more" */
static char *names_text(const GPtrArray *names, bool all)
{
	GString *text = g_string_new(NULL);
	guint shown = all ? names->len : MIN(names->len, NAMES_MAX);
	for (guint i = 0; i < shown; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "", (char *)g_ptr_array_index(names, i));
	if (shown < names->len)
		g_string_append_printf(text, " and %u more", names->len - shown);
	return g_string_free(text, FALSE);
}

static char *created_node(const np_change *change, bool with_address)
{
	const np_node *node = change->node;
	g_autofree char *memory = np_size_format(node->memory);
	const np_nic *nic = np_node_access_nic(node);
	g_autofree char *ip = nic && nic->address ? np_ip_format(nic->address) : g_strdup("no address");
	return g_strdup_printf("(%s, %" G_GUINT64_FORMAT " vCPU%s, %s, %s%s%s%s)", node->image ? node->image : "no image", node->vcpus,
	                       node->vcpus == 1 ? "" : "s", memory, change->kvm ? "kvm" : "emulated", with_address ? ", " : "",
	                       with_address ? ip : "", np_node_is_site(node) ? ", hypervisor" : "");
}

static char *created_network(const np_change *change, bool with_address)
{
	const np_network *network = change->network;
	const char *mode = np_net_mode_names[network->mode];
	if (!np_cidr_is_set(network->cidr) || !with_address)
		return g_strdup_printf("(%s%s)", mode, network->dhcp && np_cidr_is_set(network->cidr) ? ", dhcp" : "");
	g_autofree char *cidr = np_cidr_format(network->cidr);
	return g_strdup_printf("(%s, %s%s)", cidr, mode, network->dhcp ? ", dhcp" : "");
}

/* What stands behind the address. */
static char *describe(const np_plan *plan, const np_change *change, bool with_address)
{
	if (change->action == NP_ACTION_CREATE && !change->deferred)
		return np_plan_hide(plan, change->kind == NP_CHANGE_NODE ? created_node(change, with_address)
		                                                         : created_network(change, with_address));
	bool impact = change->action == NP_ACTION_UPDATE && !change->start_only && !change->recorded;
	return g_strdup_printf("# %s%s%s", change->reason ? change->reason : "", impact ? "; impact: " : "",
	                       impact ? np_impact_names[change->impact] : "");
}

#define FIELD_INDENT 10
#define AFTER_INDENT 18
#define ARROW        3 /* "-> " */

static void append_field(GString *out, const np_change *change, const np_field_change *field, bool whole)
{
	bool mixed = change->moved == NP_MOVED_BOTH && (field->moved == NP_MOVED_LAB || field->moved == NP_MOVED_WORLD);
	const char *who = !mixed ? "" : field->moved == NP_MOVED_LAB ? "  # lab.yaml" : "  # outside nestplan";
	g_autofree char *name = g_strdup_printf("%*s%-10s ", FIELD_INDENT, "", field->name);
	g_autofree char *where = field->where ? g_strdup_printf(" (%s)", field->where) : g_strdup("");
	glong used = g_utf8_strlen(name, -1) + (glong)strlen(where);
	char *before = visible(field->before ? field->before : "(none)"), *after = visible(field->after ? field->after : "(none)");
	if (!whole) {
		glong room = CLAMP(WIDTH - used, 2 * LEAD, VALUE_MAX);
		glong room_after = MIN(VALUE_MAX, WIDTH - AFTER_INDENT - ARROW - (glong)strlen(who));
		glong start = first_shown(before, after, MIN(room, room_after));
		before = cut(before, room, start);
		after = cut(after, room_after, start);
	}
	glong width = used + g_utf8_strlen(before, -1) + 1 + ARROW + g_utf8_strlen(after, -1) + (glong)strlen(who);
	g_string_append_printf(out, "%s%s%s", name, before, where);
	if (width <= WIDTH)
		g_string_append_c(out, ' ');
	else
		g_string_append_printf(out, "\n%*s", AFTER_INDENT, "");
	g_string_append_printf(out, "-> %s%s\n", after, who);
	g_free(before);
	g_free(after);
}

static void append_fields(renderer *r, const np_change *change)
{
	guint shown = r->all ? change->fields->len : MIN(change->fields->len, FIELDS_MAX);
	for (guint i = 0; i < shown; i++)
		append_field(r->out, change, g_ptr_array_index(change->fields, i), r->all);
	if (shown < change->fields->len)
		g_string_append_printf(r->out, "          and %u more fields\n", change->fields->len - shown);
}

static void append_names(renderer *r, const char *word, const GPtrArray *names)
{
	if (!names->len)
		return;
	g_autofree char *list = names_text(names, r->all);
	g_autofree char *text = g_strdup_printf("%s: %s", word, list);
	g_string_append(r->out, "          ");
	append_wrapped(r->out, 10, 12, text);
}

/* Nodes that several changes take down, each once. */
static GPtrArray *all_down(const group *g)
{
	GPtrArray *names = g_ptr_array_new();
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < g->changes->len; i++) {
		const np_change *change = g_ptr_array_index(g->changes, i);
		for (guint k = 0; k < change->takes_down->len; k++)
			if (g_hash_table_add(known, g_ptr_array_index(change->takes_down, k)))
				g_ptr_array_add(names, g_ptr_array_index(change->takes_down, k));
	}
	return names;
}

static char *title(const group *g)
{
	const np_change *first = g_ptr_array_index(g->changes, 0), *last = g_ptr_array_index(g->changes, g->changes->len - 1);
	if (first == last)
		return g_strdup(first->address);
	return g_strdup_printf("%s … %s × %u", first->address, last->address, g->changes->len);
}

/* Its title names the first and the last; some between them may be no part of it. */
static void append_gaps(renderer *r, const group *g)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	for (guint i = 0; i < g->changes->len; i++)
		g_ptr_array_add(addresses, (gpointer)((const np_change *)g_ptr_array_index(g->changes, i))->address);
	g_autoptr(GPtrArray) runs = np_runs(addresses);
	if (runs->len > 1)
		append_names(r, "these", runs);
}

static void append_group(renderer *r, const group *g)
{
	const np_change *change = g_ptr_array_index(g->changes, 0);
	g_autofree char *name = title(g), *text = describe(r->plan, change, g->changes->len == 1);
	const char *sign = change->deferred ? "?" : np_action_signs[change->action];
	g_string_append_printf(r->out, "  %s%3s %s%s  ", r->colour ? action_colour(change->action) : "", sign, name,
	                       r->colour ? "\033[0m" : "");
	append_wrapped(r->out, 8 + (unsigned)g_utf8_strlen(name, -1), 10, text);
	if (g->changes->len > 1)
		append_gaps(r, g);
	append_fields(r, change);
	g_autoptr(GPtrArray) down = all_down(g);
	if (change->action != NP_ACTION_DELETE)
		append_names(r, "takes down", down);
	if (change->action != NP_ACTION_DELETE && change->loses->len)
		append_names(r, g->changes->len > 1 ? "each loses" : "loses", change->loses);
	append_names(r, "re-attaches", change->reattaches);
}

/* ── grouping ── */

/* "compute-#/guest-#" */
static void append_shape(GString *key, const char *address)
{
	for (const char *c = address; *c; c++)
		if (!g_ascii_isdigit(*c))
			g_string_append_c(key, *c);
		else if (c == address || !g_ascii_isdigit(c[-1]))
			g_string_append_c(key, '#');
}

static char *group_key(const np_plan *plan, const np_change *change)
{
	GString *key = g_string_new(NULL);
	append_shape(key, change->address);
	g_autofree char *text = describe(plan, change, false);
	g_string_append_printf(key, "|%d|%d|%s", change->action, change->deferred, text);
	for (guint i = 0; i < change->fields->len; i++)
		append_field(key, change, g_ptr_array_index(change->fields, i), true);
	g_autofree char *loses = names_text(change->loses, true), *reattaches = names_text(change->reattaches, true);
	g_string_append_printf(key, "|%s|%s", loses, reattaches);
	return g_string_free(key, FALSE);
}

static void group_free(gpointer data)
{
	group *g = data;
	g_ptr_array_unref(g->changes);
	g_free(g);
}

static group *group_add(GPtrArray *groups, const np_change *change)
{
	group *g = g_new0(group, 1);
	g->changes = g_ptr_array_new();
	g->level = change->kind == NP_CHANGE_HOST ? 0 : change->level;
	g_ptr_array_add(g->changes, (gpointer)change);
	g_ptr_array_add(groups, g);
	return g;
}

/* Alike changes, by key. */
static GHashTable *gather(const renderer *r, GPtrArray *keys)
{
	GHashTable *alike = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, NULL);
	for (guint i = 0; i < r->plan->changes->len; i++) {
		char *key = group_key(r->plan, g_ptr_array_index(r->plan->changes, i));
		g_ptr_array_add(keys, key);
		g_hash_table_insert(alike, key, GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(alike, key)) + 1));
	}
	return alike;
}

/* A group stands where its first change does; a few that are alike stay where they are. */
static GPtrArray *make_groups(const renderer *r)
{
	GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) alike = gather(r, keys);
	g_autoptr(GHashTable) by_key = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < r->plan->changes->len; i++) {
		const np_change *change = g_ptr_array_index(r->plan->changes, i);
		char *key = g_ptr_array_index(keys, i);
		bool single = r->all || GPOINTER_TO_UINT(g_hash_table_lookup(alike, key)) < FOLD_MIN;
		group *g = single ? NULL : g_hash_table_lookup(by_key, key);
		if (g)
			g_ptr_array_add(g->changes, (gpointer)change);
		else
			g_hash_table_insert(by_key, key, group_add(groups, change));
	}
	return groups;
}

static void append_level(renderer *r, const GPtrArray *groups, unsigned level)
{
	bool begun = false;
	for (guint i = 0; i < groups->len; i++) {
		const group *g = g_ptr_array_index(groups, i);
		if (g->level != level)
			continue;
		if (!begun && level == 0)
			g_string_append(r->out, "Host\n");
		else if (!begun)
			g_string_append_printf(r->out, "Level %u\n", level);
		begun = true;
		append_group(r, g);
	}
}

static void append_changes(renderer *r)
{
	g_autoptr(GPtrArray) groups = make_groups(r);
	unsigned deepest = 0;
	for (guint i = 0; i < groups->len; i++)
		deepest = MAX(deepest, ((group *)g_ptr_array_index(groups, i))->level);
	for (unsigned level = 0; level <= deepest; level++)
		append_level(r, groups, level);
}

static void append_list(renderer *r, const GPtrArray *list, const char *word, const char *colour)
{
	for (guint i = 0; i < list->len; i++) {
		const char *message = g_ptr_array_index(list, i);
		unsigned used = (unsigned)strlen(word) + 2;
		g_autofree char *wrapped = r->wrap ? np_wrap(message, used, NP_WIDTH, used) : g_strdup(message);
		g_string_append_printf(r->out, "%s%s:%s %s\n", r->colour ? colour : "", word, r->colour ? "\033[0m" : "", wrapped);
	}
}

static const char *nothing_to_do(const np_plan *plan)
{
	if (plan->destroys)
		return plan->scope ? "No changes. Nothing of the targets exists.\n" : "No changes. Nothing of the lab exists.\n";
	if (plan->refreshes && plan->warnings->len)
		return "No changes to record. What the warnings name is left to an apply.\n";
	if (plan->refreshes)
		return "No changes. Nothing moved outside nestplan.\n";
	return plan->scope ? "No changes. The targets match their file.\n" : "No changes. The lab matches its file.\n";
}

static void append_summary(renderer *r)
{
	const np_plan *plan = r->plan;
	g_string_append_c(r->out, '\n');
	if (plan->deferred)
		g_string_append_printf(r->out, "%u of the above (?) known when the hypervisor that carries them is up.\n", plan->deferred);
	if (plan->unchanged)
		g_string_append_printf(r->out, "%u unchanged, not listed.\n", plan->unchanged);
	if (plan->scope)
		g_string_append(r->out, "Only the targets, and what they need, were looked at (--target).\n");
	g_string_append_printf(r->out, "Plan: %u to add, %u to change, %u to destroy.\n", plan->add, plan->change, plan->destroy);
}

char *np_plan_render(const np_plan *plan, unsigned flags)
{
	renderer r = {plan, g_string_new(NULL), flags & NP_RENDER_COLOUR, flags & NP_RENDER_ALL, flags & NP_RENDER_WRAP};
	append_list(&r, plan->problems, "error", "\033[31m");
	append_list(&r, plan->warnings, "warning", "\033[33m");
	if (plan->problems->len)
		return g_string_free(r.out, FALSE);
	if (np_plan_is_empty(plan)) {
		g_string_append(r.out, nothing_to_do(plan));
		return g_string_free(r.out, FALSE);
	}
	append_changes(&r);
	append_summary(&r);
	return g_string_free(r.out, FALSE);
}
