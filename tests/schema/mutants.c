/* SPDX-License-Identifier: Apache-2.0 */
/* Prints labs made from the field tables, each with one value changed, and whether nestplan takes them: one JSON object
 * a line,
 * {"text":…,"ok":…,"change":…}. tests/unit/agreement.sh compares the verdicts with the JSON Schema's. The first lab is
 * unchanged. */
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"

typedef struct {
	GString *out;
	unsigned next;   /* number of the next place that can be changed */
	unsigned target; /* which is changed */
	unsigned how;    /* index of changes; N_CHANGES and above: the key */
	gboolean hit;
	char *change; /* in words */
} generator;

/* Values that stand for any other. */
static const char *const changes[] = {NULL /* the key is left out */,
                                      "",
                                      "~",
                                      "null",
                                      "'null'",
                                      "true",
                                      "false",
                                      "'true'",
                                      "yes",
                                      "no",
                                      "'yes'",
                                      "True",
                                      "on",
                                      "0",
                                      "1",
                                      "2",
                                      "'2'",
                                      "-1",
                                      "+1",
                                      "007",
                                      "0777",
                                      "'0777'",
                                      "0o17",
                                      "0x1F",
                                      "1.5",
                                      "2.0",
                                      "1e3",
                                      ".inf",
                                      "12345678901234567890",
                                      "70000",
                                      "[]",
                                      "{}",
                                      "[a]",
                                      "['a', 'b']",
                                      "{a: b}",
                                      "[[]]",
                                      "[1]",
                                      "[null]",
                                      "[true]",
                                      "{a: {}}",
                                      "{a: }",
                                      "{A: {}}",
                                      "''",
                                      "'   '",
                                      "text",
                                      "'text with spaces'",
                                      "auto",
                                      "none",
                                      "512MiB",
                                      "'512MiB'",
                                      "8 GiB",
                                      "8GB",
                                      "8gib",
                                      "1KiB",
                                      "10m",
                                      "'90s'",
                                      "1h30m",
                                      "90",
                                      "10.20.0.0/24",
                                      "10.50.0.0/16",
                                      "10.20.0.1/24",
                                      "10.20.0.9",
                                      "300.1.1.1",
                                      "\"0644\"",
                                      "'rw-r--r--'",
                                      "/absolute/path",
                                      "relative/path",
                                      "../outside",
                                      "'${var.text}'",
                                      "'${var.number}'",
                                      "'${var.truth}'",
                                      "'${var.none}'",
                                      "'${'",
                                      "'$${'",
                                      "'${node.index}'",
                                      "\"line\\nline\"",
                                      "\"line\\n\"",
                                      "52:54:00:12:34:56",
                                      "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                                      "'0:0'",
                                      "root",
                                      "é",
                                      "2026-11-23",
                                      "0b101",
                                      "1_000",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                      "!!str text"};
static const char *const keys[] = {"other", "Name", "'a b'", "1", "''", "a23456789012345678901234567890123456"};

/* Valid values where type and default do not say one; "" leaves the key out. */
static const struct {
	const char *place, *value;
} samples[] = {
        {"lab.version", "1"},
        {"lab.name", "demo"},
        {"host.uri", "qemu:///system"},
        {"image.source", "tiny.qcow2"},
        {"image.sha256", "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'"},
        {"image.format", "qcow2"},
        {"variable.default", "12"},
        {"variable.type", "string"},
        {"network.bridge", ""},
        {"network.nic", ""},
        {"network.mtu", "1400"},
        {"cpu.mode", "custom"},
        {"cpu.model", "EPYC"},
        {"disk.size", "2GiB"},
        {"node.uuid", ""}, /* two nodes would have the same */
        {"NIC.mac", ""},
        {"NIC.address", ""},
        {"file.path", "/etc/x"},
        {"file.source", ""},
        {"file.content", "'x ${node.name}'"},
        {"file.template", "true"},
        {"user.name", "stack"},
        {"services.enable", "[a.service]"},
        {"services.disable", "[b.timer]"},
        {"inject.packages", "[vim]"},
        {"inject.run", "[echo x]"},
        {"access.authorized_keys", "['ssh-ed25519 AAAA me', /root/key.pub]"},
        {"user.authorized_keys", "[/root/key.pub]"},
        {"node.type", ""},
        {"node.count", ""},
        {"node.image", "tiny"},
        {"node.memory", "1GiB"},
        {"node.vcpus", "2"},
        {"node.memory_max", "2GiB"},
        {"node.vcpus_max", "4"},
        {"node.accel", "auto"},
        {"node.overcommit", "true"},
        {"ready.wait", "boot"},
        {"ready.timeout", "5m"},
        {"host.storage", "/var/lib/nestplan"},
};

static const char *sample(const np_kind *kind, const np_field *field)
{
	g_autofree char *place = g_strdup_printf("%s.%s", kind->name, field->name);
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
		if (strcmp(samples[i].place, place) == 0)
			return samples[i].value;
	return field->def ? field->def : "x";
}

static void object_put(generator *g, const np_kind *kind, const char *context, unsigned level);

static void map_put(generator *g, const np_field *field, const char *context, unsigned level)
{
	static const char *const names[][2] = {{"network", "mgmt"}, {"NIC", "mgmt"},           {"disk", "root"},
	                                       {"image", "tiny"},   {"CPU feature", "x2apic"}, {"variable", "other"}};
	const char *name = "a";
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(names[i][0], field->of->name) == 0)
			name = names[i][1];
	if (level > 0 && (strcmp(name, "mgmt") == 0))
		name = "int";
	unsigned number = g->next++;
	gboolean here = number == g->target && g->how >= G_N_ELEMENTS(changes);
	g_string_append(g->out, "{");
	if (strcmp(field->of->name, "variable") == 0)
		g_string_append(g->out,
		                "text: {default: abc}, number: {type: integer, default: 3}, truth: {type: boolean, "
		                "default: true}, none: {}, ");
	g_string_append_printf(g->out, "%s: ", here ? keys[g->how - G_N_ELEMENTS(changes)] : name);
	if (here) {
		g->hit = TRUE;
		g->change = g_strdup_printf("name %s in %s", keys[g->how - G_N_ELEMENTS(changes)], field->name);
	}
	object_put(g, field->of, context, level);
	g_string_append(g->out, "}");
}

static void value_put(generator *g, const np_kind *kind, const np_field *field, const char *context, unsigned level)
{
	switch (field->type) {
	case NP_FIELD_STRUCT: object_put(g, field->of, context, level); break;
	case NP_FIELD_TEMPLATE: object_put(g, field->of, "defaults", level); break;
	case NP_FIELD_TEMPLATES: map_put(g, field, "type", level); break;
	case NP_FIELD_NODES: map_put(g, field, "node", level + 1); break;
	case NP_FIELD_MAP: map_put(g, field, context, level); break;
	case NP_FIELD_LIST:
		g_string_append(g->out, "[");
		object_put(g, field->of, context, level);
		g_string_append(g->out, "]");
		break;
	case NP_FIELD_MODE: g_string_append(g->out, "'0640'"); break;
	case NP_FIELD_CIDR: g_string_append_printf(g->out, "10.%u.0.0/24", 20 + 10 * level); break;
	case NP_FIELD_STRING:
		if (strcmp(kind->name, "NIC") == 0 && strcmp(field->name, "network") == 0) {
			g_string_append(g->out, level > 0 ? "int" : "mgmt");
			break;
		}
		/* fall through */
	default: g_string_append(g->out, sample(kind, field)); break;
	}
}

/* Keys that a valid lab has at this place. */
static gboolean is_there(const np_kind *kind, const np_field *field, const char *context, unsigned level)
{
	static const char *const inner[] = {"nics", "networks", "nodes", NULL};
	if (sample(kind, field)[0] == '\0')
		return FALSE;
	if (strcmp(kind->name, "node") != 0)
		return TRUE;
	if (strcmp(context, "node") != 0)
		return (field->flags & NP_FIELD_OWN) == 0 && !g_strv_contains(inner, field->name);
	return level < 2 || (field->type != NP_FIELD_NODES && strcmp(field->name, "networks") != 0);
}

static void field_put(generator *g, const np_kind *kind, const np_field *field, const char *context, unsigned level)
{
	unsigned number = g->next++;
	gboolean here = number == g->target && g->how < G_N_ELEMENTS(changes);
	if (here) {
		g->hit = TRUE;
		g->change = g_strdup_printf("%s.%s: %s", kind->name, field->name,
		                            changes[g->how] ? changes[g->how] : "(out)");
		if (changes[g->how] != NULL)
			g_string_append_printf(g->out, "%s: %s, ", field->name, changes[g->how]);
		/* What lies below is not there, and its places are not counted. */
		return;
	}
	if (!is_there(kind, field, context, level))
		return;
	g_string_append_printf(g->out, "%s: ", field->name);
	value_put(g, kind, field, context,
	          strcmp(kind->name, "node") == 0 && strcmp(field->name, "nics") == 0 ? level - (level > 0) : level);
	g_string_append(g->out, ", ");
}

static void object_put(generator *g, const np_kind *kind, const char *context, unsigned level)
{
	g_string_append(g->out, "{");
	for (unsigned i = 0; i < kind->n_fields; i++)
		field_put(g, kind, &kind->fields[i], context, level);
	g_string_append(g->out, "}");
}

static void lab_put(generator *g)
{
	for (unsigned i = 0; i < np_lab_kind.n_fields; i++) {
		gsize before = g->out->len;
		field_put(g, &np_lab_kind, &np_lab_kind.fields[i], "lab", 0);
		if (g->out->len > before) /* "key: value, " as a line of its own */
			g_string_overwrite(g->out, g->out->len - 2, "\n"), g_string_truncate(g->out, g->out->len - 1);
	}
}

static void verdict_print(const generator *g)
{
	np_load_options options = {.file = "lab.yaml", .folder = "/labs"};
	g_autoptr(np_diags) diags = NULL;
	g_autoptr(np_lab) lab = np_lab_parse(g->out->str, g->out->len, &options, &diags);
	g_autofree char *rendered = np_diags_render(diags, FALSE);
	g_autoptr(JsonBuilder) json = json_builder_new();
	json_builder_begin_object(json);
	json_builder_set_member_name(json, "text");
	json_builder_add_string_value(json, g->out->str);
	json_builder_set_member_name(json, "change");
	json_builder_add_string_value(json, g->change ? g->change : "none");
	json_builder_set_member_name(json, "ok");
	json_builder_add_boolean_value(json, lab != NULL);
	json_builder_set_member_name(json, "says");
	json_builder_add_string_value(json, rendered);
	json_builder_end_object(json);
	g_autoptr(JsonNode) root = json_builder_get_root(json);
	g_autofree char *line = json_to_string(root, FALSE);
	puts(line);
}

static gboolean mutant_print(unsigned target, unsigned how)
{
	g_autoptr(GString) out = g_string_new(NULL);
	generator g = {.out = out, .target = target, .how = how};
	lab_put(&g);
	if (g.hit || target == G_MAXUINT)
		verdict_print(&g);
	g_free(g.change);
	return target < g.next;
}

/* Every seventh of some 17,000, and always the same ones; all with any argument. */
static gboolean is_chosen(unsigned target, unsigned how, int argc)
{
	return argc > 1 || (target * 31 + how * 17) % 7 == 0;
}

int main(int argc, char **argv G_GNUC_UNUSED)
{
	mutant_print(G_MAXUINT, 0);
	unsigned n = G_N_ELEMENTS(changes) + G_N_ELEMENTS(keys);
	gboolean more = TRUE;
	for (unsigned target = 0; more; target++)
		for (unsigned how = 0; how < n && more; how++)
			more = is_chosen(target, how, argc) ? mutant_print(target, how) : more;
	return 0;
}
