/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/ssh/guests.h"

#include <string.h>

#include "base/error.h"

void np_hop_free(np_hop *hop)
{
	if (hop == NULL)
		return;
	g_ptr_array_unref(hop->argv);
	g_free(hop->host);
	g_free(hop);
}

static void hop_option(np_hop *hop, const char *option, const char *value)
{
	g_ptr_array_add(hop->argv, g_strdup(option));
	g_ptr_array_add(hop->argv, g_strdup(value));
}

/* The user's own ssh, with the user's own configuration: libvirt goes the same way. */
static np_hop *hop_new(GUri *uri, GHashTable *params)
{
	np_hop *hop = g_new0(np_hop, 1);
	const char *command = params ? g_hash_table_lookup(params, "command") : NULL;
	const char *keyfile = params ? g_hash_table_lookup(params, "keyfile") : NULL;
	const char *no_tty = params ? g_hash_table_lookup(params, "no_tty") : NULL;
	hop->argv = g_ptr_array_new_with_free_func(g_free);
	hop->host = g_strdup(g_uri_get_host(uri));
	g_ptr_array_add(hop->argv, g_strdup(command ? command : "ssh"));
	if (g_uri_get_user(uri) != NULL)
		hop_option(hop, "-l", g_uri_get_user(uri));
	if (g_uri_get_port(uri) > 0) {
		g_autofree char *port = g_strdup_printf("%d", g_uri_get_port(uri));
		hop_option(hop, "-p", port);
	}
	if (keyfile != NULL)
		hop_option(hop, "-i", keyfile);
	if (no_tty != NULL && strcmp(no_tty, "0") != 0)
		hop_option(hop, "-o", "BatchMode=yes");
	return hop;
}

np_hop *np_hop_parse(const char *text, GError **error)
{
	const char *plus = text ? strchr(text, '+') : NULL;
	if (plus == NULL || !(g_str_has_prefix(plus, "+ssh:") || g_str_has_prefix(plus, "+libssh:") ||
	                      g_str_has_prefix(plus, "+libssh2:")))
		return NULL;
	g_autoptr(GError) local = NULL;
	g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_QUERY, &local);
	g_autoptr(GHashTable) params = NULL;
	if (uri != NULL && g_uri_get_query(uri) != NULL)
		params = g_uri_parse_params(g_uri_get_query(uri), -1, "&;", G_URI_PARAMS_NONE, &local);
	if (local != NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "the host's URI '%s' cannot be understood: %s", text,
		            local->message);
		return NULL;
	}
	const char *host = g_uri_get_host(uri);
	const char *user = g_uri_get_user(uri);
	if (host == NULL || *host == '\0' || *host == '-' || strpbrk(host, " \t\r\n") != NULL ||
	    (user && *user == '-')) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
		            "the host's URI '%s' names no machine to log in to: write "
		            "qemu+ssh://USER@HOST/system",
		            text);
		return NULL;
	}
	return hop_new(uri, params);
}
