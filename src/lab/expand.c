/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/expand.h"

#include <string.h>

#include "base/error.h"
#include "lab/lab.h"

void np_problem_clear(np_problem *problem)
{
	g_clear_pointer(&problem->message, g_free);
	g_clear_pointer(&problem->hint, g_free);
	g_clear_pointer(&problem->unknown, g_free);
}

const char *np_problem_hint(np_problem *problem, const np_lab *lab)
{
	if (problem->hint != NULL || problem->unknown == NULL)
		return problem->hint;
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < lab->variables->len; i++)
		g_ptr_array_add(names, ((np_object *)lab->variables->pdata[i])->name);
	g_ptr_array_add(names, NULL);
	const char *nearest = np_nearest(problem->unknown, (const char *const *)names->pdata);
	problem->hint = nearest ? g_strdup_printf("did you mean '%s'?", nearest)
	                        : g_strdup("declare it in the section 'variables'");
	return problem->hint;
}

gboolean np_text_has_expression(const char *text)
{
	return strstr(text, "${") != NULL;
}

static char *variable_resolve(const np_scope *scope, const char *name, np_problem *problem)
{
	const np_variable *variable = np_lab_variable(scope->lab, name);
	if (variable != NULL && variable->sensitive && scope->sensitive != NULL)
		*scope->sensitive = variable;
	if (variable != NULL && variable->value != NULL)
		return g_strdup(variable->value);
	problem->code = variable != NULL ? NP_CODE_VARIABLE_VALUE : NP_CODE_VARIABLE_UNKNOWN;
	if (variable != NULL) {
		problem->message = g_strdup_printf("variable '%s' has no value", name);
		problem->hint = g_strdup_printf("give it one with --var %s=VALUE, or a default", name);
		return NULL;
	}
	problem->message = g_strdup_printf("there is no variable '%s'", name);
	problem->unknown = g_strdup(name);
	return NULL;
}

static char *nic_resolve(const np_node *node, const char *nic_name, np_problem *problem)
{
	const np_nic *nic = np_map_find(node->nics, nic_name);
	if (nic != NULL && nic->address != 0)
		return np_ip_format(nic->address);
	problem->code = NP_CODE_EXPRESSION_TARGET;
	if (nic == NULL)
		problem->message = g_strdup_printf("node '%s' has no NIC '%s'", node->address, nic_name);
	else
		problem->message = g_strdup_printf("NIC '%s' of node '%s' has no address", nic_name, node->address);
	return NULL;
}

/* ${node.nics.NIC.address} and ${nodes.PATH.nics.NIC.address}; `path` is NULL for the former. */
static char *address_resolve(const np_scope *scope, const char *path, const char *nic_name, np_problem *problem)
{
	if (scope->late)
		return g_strdup("");
	if (!scope->completed) {
		problem->code = NP_CODE_EXPRESSION_EARLY;
		problem->message = g_strdup("addresses of NICs are not known here yet");
		problem->hint = g_strdup("they can be used in inject.files.content, inject.run and template files");
		return NULL;
	}
	const np_node *node = path ? np_lab_node(scope->lab, path) : scope->node;
	if (node != NULL)
		return nic_resolve(node, nic_name, problem);
	problem->code = NP_CODE_EXPRESSION_TARGET;
	problem->message = g_strdup_printf("there is no node '%s'", path);
	return NULL;
}

static char *unknown_report(const char *name, np_problem *problem)
{
	static const char *const known[] = {"lab.name",
	                                    "node.name",
	                                    "node.index",
	                                    "node.address",
	                                    "var.X",
	                                    "node.nics.NIC.address",
	                                    "nodes.PATH.nics.NIC.address",
	                                    NULL};
	const char *nearest = np_nearest(name, known);
	problem->code = NP_CODE_EXPRESSION;
	problem->message = g_strdup_printf("nothing is known as ${%s}", name);
	if (nearest != NULL)
		problem->hint = g_strdup_printf("did you mean ${%s}?", nearest);
	else
		problem->hint = g_strdup_printf("write $${%s} where ${%s} is meant as it stands", name, name);
	return NULL;
}

static char *node_resolve(const np_scope *scope, const char *name, np_problem *problem)
{
	const char *key = name + strlen("node.");
	gboolean is_nic = g_str_has_prefix(key, "nics.") && g_str_has_suffix(key, ".address") && strlen(key) > 13;
	gboolean is_known =
	        is_nic || strcmp(key, "name") == 0 || strcmp(key, "index") == 0 || strcmp(key, "address") == 0;
	if (!is_known)
		return unknown_report(name, problem);
	if (scope->address == NULL) {
		problem->code = NP_CODE_EXPRESSION_PLACE;
		problem->message = g_strdup_printf("${%s} is known only inside a node", name);
		return NULL;
	}
	if (is_nic) {
		g_autofree char *nic = g_strndup(key + 5, strlen(key) - 13);
		return address_resolve(scope, NULL, nic, problem);
	}
	if (strcmp(key, "index") == 0)
		return g_strdup_printf("%u", scope->index);
	return g_strdup(strcmp(key, "name") == 0 ? scope->name : scope->address);
}

static char *other_node_resolve(const np_scope *scope, const char *name, np_problem *problem)
{
	const char *path = name + strlen("nodes."), *nics = strstr(path, ".nics.");
	if (nics == NULL || nics == path || !g_str_has_suffix(nics + 6, ".address") || strlen(nics + 6) <= 8)
		return unknown_report(name, problem);
	g_autofree char *address = g_strndup(path, (gsize)(nics - path));
	g_autofree char *nic = g_strndup(nics + 6, strlen(nics + 6) - 8);
	return address_resolve(scope, address, nic, problem);
}

static char *early_report(const char *message, const char *hint, np_problem *problem)
{
	problem->code = NP_CODE_EXPRESSION_EARLY;
	problem->message = g_strdup(message);
	problem->hint = g_strdup(hint);
	return NULL;
}

static char *name_resolve(const np_scope *scope, const char *name, np_problem *problem)
{
	gboolean is_name = strcmp(name, "lab.name") == 0;
	if (scope->early && (is_name || g_str_has_prefix(name, "var.")))
		return early_report("a variable cannot be made of the lab's name or of other variables", "write its value itself",
		                    problem);
	if (is_name && scope->lab->name == NULL)
		return early_report("the lab's name is not known here", NULL, problem);
	if (is_name)
		return g_strdup(scope->lab->name);
	if (g_str_has_prefix(name, "var."))
		return variable_resolve(scope, name + 4, problem);
	if (g_str_has_prefix(name, "node."))
		return node_resolve(scope, name, problem);
	if (g_str_has_prefix(name, "nodes."))
		return other_node_resolve(scope, name, problem);
	return unknown_report(name, problem);
}

char *np_text_escape(const char *text)
{
	GString *out = g_string_new(NULL);
	for (const char *next; (next = strstr(text, "${")) != NULL; text = next + 2) {
		g_string_append_len(out, text, next - text);
		g_string_append(out, "$${");
	}
	g_string_append(out, text);
	return g_string_free(out, FALSE);
}

static gboolean is_sensitive(const np_lab *lab, const char *name)
{
	const np_variable *variable = g_str_has_prefix(name, "var.") ? np_lab_variable(lab, name + 4) : NULL;
	return variable != NULL && variable->sensitive;
}

/* Replaces the expression at `start` ("${…"); returns what follows it. What is written for a lab file keeps variables
 * that are sensitive, and those whose '$' could begin an expression together with the text behind it. */
static const char *expression_expand(const np_scope *scope, const char *start, GString *out, np_problem *problem)
{
	const char *end = strchr(start, '}');
	if (end == NULL) {
		problem->code = NP_CODE_EXPRESSION_OPEN;
		problem->message = g_strdup("the '}' of ${…} is missing");
		problem->hint = g_strdup("write $${ where ${ is meant as it stands");
		problem->length = strcspn(start, "\n"); /* so that this one is found again in the file */
		return NULL;
	}
	g_autofree char *name = g_strndup(start + 2, (gsize)(end - start) - 2);
	g_autofree char *value = name_resolve(scope, name, problem);
	problem->length = (gsize)(end - start) + 1;
	if (value == NULL)
		return NULL;
	if (!scope->written)
		g_string_append(out, value);
	else if (is_sensitive(scope->lab, name) || strchr(value, '$') != NULL)
		g_string_append_len(out, start, end + 1 - start);
	else
		g_string_append(out, value);
	return end + 1;
}

char *np_text_expand(const np_scope *scope, const char *text, np_problem *problem)
{
	g_autoptr(GString) out = g_string_new(NULL);
	for (const char *c = text; c != NULL && *c != '\0';) {
		const char *dollar = strchr(c, '$');
		g_string_append_len(out, c, dollar ? dollar - c : (gssize)strlen(c));
		c = dollar;
		if (c == NULL)
			break;
		if (g_str_has_prefix(c, "$${")) {
			g_string_append(out, scope->written ? "$${" : "${");
			c += 3;
		} else if (c[1] != '{') {
			g_string_append_c(out, *c++);
		} else {
			problem->at = (gsize)(c - text);
			c = expression_expand(scope, c, out, problem);
			if (c == NULL)
				return NULL;
		}
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

void np_text_problems(const np_scope *scope, const char *text, np_problem_fn fn, gpointer data)
{
	gsize from = 0, length = strlen(text);
	while (from < length) {
		g_auto(np_problem) problem = {0};
		g_autofree char *expanded = np_text_expand(scope, text + from, &problem);
		if (expanded != NULL)
			return;
		problem.at += from;
		from = problem.at + problem.length;
		fn(&problem, data);
	}
}

void np_text_expressions(const char *text, char **ret_of_node, char **ret_others)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GString *of_node = g_string_new(NULL), *others = g_string_new(NULL);
	for (const char *c = strchr(text, '$'); c != NULL; c = strchr(c, '$')) {
		const char *end = c[1] == '{' ? strchr(c, '}') : NULL;
		if (g_str_has_prefix(c, "$${")) {
			c += 3;
		} else if (end != NULL) {
			char *expression = g_strndup(c, (gsize)(end + 1 - c));
			if (g_hash_table_add(seen, expression))
				g_string_append(g_str_has_prefix(expression, "${node.nics.") ? of_node : others,
				                expression);
			c = end + 1;
		} else if (c[1] == '{') { /* without an end, which is reported where the text is expanded */
			g_string_append(others, "${");
			break;
		} else {
			c++;
		}
	}
	*ret_of_node = g_string_free(of_node, FALSE);
	*ret_others = g_string_free(others, FALSE);
}

np_scope np_scope_of(const np_lab *lab, const np_node *node)
{
	np_scope scope = {.lab = lab, .node = node, .completed = TRUE};
	if (node != NULL) {
		scope.name = node->base.name;
		scope.address = node->address;
		scope.index = node->index;
	}
	return scope;
}

char *np_lab_expand(const np_lab *lab, const np_node *node, const char *text, GError **error)
{
	np_scope scope = np_scope_of(lab, node);
	g_auto(np_problem) problem = {0};
	char *expanded = np_text_expand(&scope, text, &problem);
	if (expanded != NULL)
		return expanded;
	const char *hint = np_problem_hint(&problem, lab);
	if (hint != NULL)
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "%s; %s", problem.message, hint);
	else
		g_set_error_literal(error, NP_ERROR, NP_ERROR_INVALID, problem.message);
	return NULL;
}
