/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of a run: a live display on a terminal, plain lines elsewhere, JSON lines with --json. */
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/cli.h"

#define REDRAW_MS 500
#define HEARTBEAT_SECONDS 30
#define SHOWN_MAX 12 /* running steps that the live display lists */

typedef struct {
	const np_step *step;
	gint64 begun;
	char *stage;
	guint64 done, total;
} running;

struct np_progress {
	GMutex lock;
	GCond wake;
	GThread *ticker;
	bool stop, live, json, quiet, colour, verbose;
	gint64 begun, last_line;
	unsigned steps, finished;
	unsigned drawn;     /* lines of the live part on the screen */
	GPtrArray *active;  /* of running* */
	GString *failures;
	unsigned failed, skipped;
	const np_diags *secrets; /* or NULL */
};

static void running_free(gpointer data)
{
	running *r = data;
	g_free(r->stage);
	g_free(r);
}

static double since(gint64 begun)
{
	return (double)(g_get_monotonic_time() - begun) / 1e6;
}

static unsigned columns(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
		return size.ws_col;
	return 80;
}

static void erase(np_progress *p)
{
	if (p->drawn)
		fprintf(stderr, "\033[%uA\033[J", p->drawn);
	p->drawn = 0;
}

static char *describe(const running *r)
{
	GString *text = g_string_new(r->step->label);
	if (r->stage)
		g_string_append_printf(text, " — %s", r->stage);
	if (r->total > 4096) {
		g_autofree char *done = np_size_human(r->done), *total = np_size_human(r->total);
		g_string_append_printf(text, " — %s of %s", done, total);
	} else if (r->total) {
		g_string_append_printf(text, " — %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, r->done, r->total);
	}
	return g_string_free(text, FALSE);
}

static void put_cut(const char *text, unsigned width)
{
	if (g_utf8_strlen(text, -1) < (glong)width) {
		fputs(text, stderr);
		return;
	}
	g_autofree char *head = g_utf8_substring(text, 0, (glong)width - 1);
	fprintf(stderr, "%s…", head);
}

static void draw(np_progress *p)
{
	if (!p->live)
		return;
	erase(p);
	unsigned width = columns() - 1;
	for (guint i = 0; i < p->active->len && i < SHOWN_MAX; i++) {
		const running *r = g_ptr_array_index(p->active, i);
		g_autofree char *text = describe(r);
		g_autofree char *line = g_strdup_printf("  … %s (%.0f s)", text, since(r->begun));
		put_cut(line, width);
		fputc('\n', stderr);
		p->drawn++;
	}
	fprintf(stderr, "  %u of %u steps, %.0f s\n", p->finished, p->steps, since(p->begun));
	p->drawn++;
	fflush(stderr);
}

static void line(np_progress *p, const char *mark, const char *colour, const char *text)
{
	if (p->quiet)
		return;
	erase(p);
	fprintf(stderr, "%s%s%s [%6.1f s] %s\n", p->colour ? colour : "", mark, p->colour ? "\033[0m" : "", since(p->begun), text);
	p->last_line = g_get_monotonic_time();
	draw(p);
}

static void heartbeat(np_progress *p)
{
	if (p->live || p->json || since(p->last_line) < HEARTBEAT_SECONDS)
		return;
	for (guint i = 0; i < p->active->len && i < SHOWN_MAX; i++) {
		const running *r = g_ptr_array_index(p->active, i);
		g_autofree char *text = describe(r);
		g_autofree char *all = g_strdup_printf("%s: still at it (%.0f s)", text, since(r->begun));
		line(p, "…", "", all);
	}
}

static gpointer tick(gpointer data)
{
	np_progress *p = data;
	g_mutex_lock(&p->lock);
	while (!p->stop) {
		g_cond_wait_until(&p->wake, &p->lock, g_get_monotonic_time() + REDRAW_MS * 1000);
		if (p->stop)
			break;
		heartbeat(p);
		draw(p);
	}
	g_mutex_unlock(&p->lock);
	return NULL;
}

np_progress *np_progress_new(const np_options *options, unsigned steps, const np_diags *secrets)
{
	np_progress *p = g_new0(np_progress, 1);
	g_mutex_init(&p->lock);
	g_cond_init(&p->wake);
	p->steps = steps;
	p->json = options->json;
	p->quiet = options->quiet || options->json;
	p->verbose = options->verbose;
	p->secrets = secrets;
	p->live = !p->quiet && np_live(options);
	p->colour = np_colour(stderr, options);
	p->begun = p->last_line = g_get_monotonic_time();
	p->active = g_ptr_array_new_with_free_func(running_free);
	p->failures = g_string_new(NULL);
	if (!p->quiet)
		p->ticker = g_thread_new("progress", tick, p);
	return p;
}

static running *find(np_progress *p, const np_step *step, guint *index)
{
	for (guint i = 0; i < p->active->len; i++) {
		running *r = g_ptr_array_index(p->active, i);
		if (r->step == step) {
			*index = i;
			return r;
		}
	}
	return NULL;
}

static void member(JsonBuilder *json, const char *name, const char *value)
{
	json_builder_set_member_name(json, name);
	json_builder_add_string_value(json, value);
}

static void print_json(const np_event *event)
{
	g_autoptr(JsonBuilder) json = json_builder_new();
	g_autofree char *type = g_strconcat("step_", np_event_names[event->kind], NULL);
	json_builder_begin_object(json);
	member(json, "type", type);
	member(json, "address", event->step->address);
	member(json, "step", np_step_kind_names[event->step->kind]);
	member(json, "label", event->step->label);
	if (event->text)
		member(json, "message", event->text);
	if (event->kind == NP_EVENT_PROGRESS) {
		json_builder_set_member_name(json, "done");
		json_builder_add_int_value(json, (gint64)event->done);
		json_builder_set_member_name(json, "total");
		json_builder_add_int_value(json, (gint64)event->total);
	}
	if (event->kind == NP_EVENT_DONE || event->kind == NP_EVENT_FAILED) {
		json_builder_set_member_name(json, "seconds");
		json_builder_add_double_value(json, event->seconds);
	}
	json_builder_end_object(json);
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	g_autofree char *text = json_to_string(root, FALSE);
	puts(text);
	fflush(stdout);
}

static void on_stage(np_progress *p, const np_event *event)
{
	guint index;
	running *r = find(p, event->step, &index);
	if (r) {
		g_free(r->stage);
		r->stage = g_strdup(event->text);
	}
	if (g_str_has_prefix(event->text, "warning: ") || (p->verbose && !p->live)) {
		g_autofree char *text = g_strdup_printf("%s — %s", event->step->label, event->text);
		line(p, "!", "\033[33m", text);
	}
}

static void on_end(np_progress *p, const np_event *event)
{
	guint index;
	if (find(p, event->step, &index))
		g_ptr_array_remove_index(p->active, index);
	p->finished++;
	g_autofree char *text = g_strdup_printf("%s (%.1f s)", event->step->label, event->seconds);
	if (event->kind == NP_EVENT_DONE) {
		line(p, "✓", "\033[32m", text);
	} else {
		p->failed++;
		g_autofree char *said = g_strdup_printf("%s: %s", event->step->label, event->text);
		g_autofree char *message = np_message(stderr, said, strlen("error: "));
		g_string_append_printf(p->failures, "error: %s\n", message);
		line(p, "✗", "\033[31m", text);
	}
}

static void on_event(np_progress *p, const np_event *event)
{
	guint index;
	g_mutex_lock(&p->lock);
	if (p->json)
		print_json(event);
	switch (event->kind) {
	case NP_EVENT_START: {
		running *r = g_new0(running, 1);
		r->step = event->step;
		r->begun = g_get_monotonic_time();
		g_ptr_array_add(p->active, r);
		draw(p);
		break;
	}
	case NP_EVENT_STAGE: on_stage(p, event); break;
	case NP_EVENT_PROGRESS: {
		running *r = find(p, event->step, &index);
		if (r) {
			r->done = event->done;
			r->total = event->total;
		}
		break;
	}
	case NP_EVENT_DONE:
	case NP_EVENT_FAILED: on_end(p, event); break;
	case NP_EVENT_SKIPPED:
		p->skipped++;
		p->finished++;
		g_string_append_printf(p->failures, "skipped: %s (%s)\n", event->step->label, event->text);
		break;
	}
	g_mutex_unlock(&p->lock);
}

/* What a guest says may have what it was told in it. */
void np_progress_event(const np_event *event, gpointer progress)
{
	np_progress *p = progress;
	g_autofree char *text = p->secrets && event->text ? np_diags_redact(p->secrets, event->text) : NULL;
	np_event shown = *event;
	if (text)
		shown.text = text;
	on_event(p, &shown);
}

void np_progress_free(np_progress *p)
{
	if (!p)
		return;
	g_mutex_lock(&p->lock);
	p->stop = true;
	erase(p);
	g_cond_signal(&p->wake);
	g_mutex_unlock(&p->lock);
	if (p->ticker)
		g_thread_join(p->ticker);
	if (p->failures->len)
		fputs(p->failures->str, stderr);
	g_string_free(p->failures, TRUE);
	g_ptr_array_unref(p->active);
	g_cond_clear(&p->wake);
	g_mutex_clear(&p->lock);
	g_free(p);
}
