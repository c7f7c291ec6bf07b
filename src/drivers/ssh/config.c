/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/ssh/guests.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/error.h"
#include "drivers/ssh/keys.h"

enum { CONNECT_SECONDS = 20 };

/* For every node; ssh takes the first value it meets, so the nodes' own blocks come before. ControlMaster stays off:
 * only this driver makes masters, so that none holds the pipes of a program that libvirt or a user started. */
static const char common[] = "Host *\n"
                             "\tUser root\n"
                             "\tIdentityFile %s/key\n"
                             "\tIdentitiesOnly yes\n"
                             "\tIdentityAgent none\n"
                             "\tUserKnownHostsFile %s/known_hosts\n"
                             "\tGlobalKnownHostsFile /dev/null\n"
                             "\tStrictHostKeyChecking yes\n"
                             "\tUpdateHostKeys no\n"
                             "\tHostKeyAlgorithms ssh-ed25519\n"
                             "\tPreferredAuthentications publickey\n"
                             "\tPasswordAuthentication no\n"
                             "\tBatchMode yes\n"
                             "\tServerAliveInterval 10\n"
                             "\tServerAliveCountMax 6\n"
                             "\tControlMaster no\n"
                             "\tControlPersist 60\n"
                             "\tLogLevel ERROR\n";

/* One word of a ProxyCommand: a shell reads it after ssh has expanded its % tokens. */
static void append_word(GString *text, const char *word)
{
	g_autofree char *quoted = g_shell_quote(word);
	g_auto(GStrv) parts = g_strsplit(quoted, "%", -1);
	g_autofree char *escaped = g_strjoinv("%%", parts);
	g_string_append_printf(text, " %s", escaped);
}

static void append_proxy(GString *text, const np_guests *guests, const np_guest *guest)
{
	if (guest->parent == NULL && guests->hop == NULL)
		return;
	g_string_append(text, "\tProxyCommand");
	if (guest->parent != NULL) {
		append_word(text, guests->ssh);
		g_string_append_printf(text, " -F %s -W %%h:%%p %s\n", guests->config, guest->parent->alias);
		return;
	}
	for (guint i = 0; i < guests->hop->argv->len; i++)
		append_word(text, guests->hop->argv->pdata[i]);
	g_string_append(text, " -W %h:%p --");
	append_word(text, guests->hop->host);
	g_string_append_c(text, '\n');
}

static void append_guest(GString *text, const np_guests *guests, const np_guest *guest)
{
	g_autofree char *ip = np_ip_format(guest->ip);
	bool both = strcmp(guest->address, guest->alias) != 0;
	g_string_append_printf(text, "Host %s%s%s\n", guest->address, both ? " " : "", both ? guest->alias : "");
	g_string_append_printf(text, "\tHostName %s\n\tHostKeyAlias %s\n\tControlPath %s\n\tConnectTimeout %u\n", ip,
	                       guest->alias, guest->socket, CONNECT_SECONDS * np_guest_patience(guest));
	append_proxy(text, guests, guest);
}

static bool write_file(const np_guests *guests, const char *name, const char *text, int mode, GError **error)
{
	g_autofree char *path = g_build_filename(guests->folder, name, NULL);
	g_autoptr(GError) local = NULL;
	if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, mode, &local))
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "the SSH configuration of the guests cannot be written: %s",
	            local->message);
	return false;
}

bool np_config_write(const np_guests *guests, GError **error)
{
	g_autoptr(GString) config = g_string_new(NULL);
	g_autoptr(GString) known = g_string_new(NULL);
	for (guint i = 0; i < guests->list->len; i++) {
		const np_guest *guest = guests->list->pdata[i];
		append_guest(config, guests, guest);
		g_string_append_printf(known, "%s %s\n", guest->alias, guest->host_key);
	}
	g_string_append_printf(config, common, guests->folder, guests->folder);
	return write_file(guests, "known_hosts", known->str, 0600, error) &&
	       write_file(guests, "config", config->str, 0600, error);
}

bool np_config_keys(const np_guests *guests, GError **error)
{
	g_auto(np_keypair) pair = {NULL};
	g_autofree char *comment = g_strdup_printf("nestplan %s", guests->lab);
	if (!np_key_derive(guests->seed, "client", comment, &pair, error))
		return false;
	g_autofree char *ssh = g_shell_quote(guests->ssh);
	g_autofree char *wrapper = g_strdup_printf("#!/bin/sh\nexec %s -F %s \"$@\"\n", ssh, guests->config);
	return write_file(guests, "key", pair.private_openssh, 0600, error) &&
	       write_file(guests, "ssh", wrapper, 0700, error);
}
