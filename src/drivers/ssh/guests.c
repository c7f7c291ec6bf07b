/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/ssh/guests.h"

#include <string.h>

#include "base/address.h"
#include "base/error.h"
#include "base/ident.h"
#include "drivers/ssh/keys.h"

static void guest_free(gpointer data)
{
	np_guest *guest = data;
	g_free(guest->address);
	g_free(guest->alias);
	g_free(guest->host_key);
	g_free(guest->socket);
	g_mutex_clear(&guest->master);
	g_free(guest);
}

static char *alias_of(const char *address)
{
	return g_strdelimit(g_strdup(address), "/", '.');
}

/* Addresses go into files that ssh and shells read. */
static bool address_is_plain(const char *address)
{
	static const char plain[] = G_CSET_a_2_z G_CSET_DIGITS "-/";
	return *address != '\0' && *address != '-' && *address != '/' && strspn(address, plain) == strlen(address);
}

np_guest *np_guest_find(np_guests *guests, const char *address, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guests->lock);
	np_guest *guest = g_hash_table_lookup(guests->by_address, address);
	if (guest == NULL)
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND,
		            "node '%s' cannot be logged in to: no IP address of it is known; give one "
		            "of its nics an address, or a network with a cidr",
		            address);
	return guest;
}

/* The handshakes of all levels above come first, and each level's own is slower: emulated, an L1 takes 10 s on a busy machine, an
 * L2 was not through after 20. */
unsigned np_guest_patience(const np_guest *guest)
{
	unsigned level = np_address_level(guest->address);
	return level * level;
}

char *np_guest_ip(np_guests *guests, np_guest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guests->lock);
	return np_ip_format(guest->ip);
}

static bool host_key(GBytes *seed, const char *lab, const char *address, np_keypair *ret, GError **error)
{
	g_autofree char *purpose = address ? g_strdup_printf("host/%s", address) : g_strdup("client");
	g_autofree char *comment = g_strdup_printf("nestplan %s%s%s", lab, address ? " " : "", address ? address : "");
	return np_key_derive(seed, purpose, comment, ret, error);
}

/* Call with the lock held. */
static bool guest_new(np_guests *guests, const char *address, np_ip ip, GError **error)
{
	g_autofree char *site = np_address_site(address);
	np_guest *parent = g_hash_table_lookup(guests->by_address, site);
	if (!address_is_plain(address) || ip == 0 || (*site && parent == NULL)) {
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND, "node '%s' cannot be logged in to: %s", address,
		            ip == 0 ? "no IP address of it is known"
		                    : "the node it runs on cannot be logged in to either");
		return false;
	}
	g_auto(np_keypair) pair = {NULL};
	if (!host_key(guests->seed, guests->lab, address, &pair, error))
		return false;
	np_guest *guest = g_new0(np_guest, 1);
	g_autofree char *name = np_ident_short(12, "ssh", address, NULL);
	guest->address = g_strdup(address);
	guest->alias = alias_of(address);
	guest->host_key = g_strdup(pair.public_line);
	guest->socket = g_build_filename(guests->folder, name, NULL);
	guest->ip = ip;
	guest->parent = parent;
	g_mutex_init(&guest->master);
	g_ptr_array_add(guests->list, guest);
	g_hash_table_insert(guests->by_address, guest->address, guest);
	return true;
}

/* A node that cannot be reached is an error for who asks for it, not for the lab. */
static void add_lab_node(np_node *node, gpointer data)
{
	const np_nic *nic = np_node_access_nic(node);
	if (nic != NULL)
		(void)guest_new(data, node->address, nic->address, NULL);
}

static void guests_close(np_guests *guests)
{
	if (guests == NULL)
		return;
	for (guint i = guests->list->len; guests->config != NULL && i > 0; i--)
		np_master_end(guests, guests->list->pdata[i - 1]);
	if (guests->folder != NULL)
		np_folder_remove(guests->folder);
	g_free(guests->lab);
	g_bytes_unref(guests->seed);
	g_free(guests->ssh);
	g_free(guests->folder);
	g_free(guests->config);
	g_free(guests->wrapper);
	np_hop_free(guests->hop);
	g_mutex_clear(&guests->lock);
	g_hash_table_unref(guests->by_address);
	g_ptr_array_unref(guests->list);
	g_free(guests);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_guests, guests_close)

static np_guests *guests_new(const np_lab *lab, GBytes *seed)
{
	np_guests *guests = g_new0(np_guests, 1);
	guests->lab = g_strdup(lab->name);
	guests->seed = g_bytes_ref(seed);
	guests->list = g_ptr_array_new_with_free_func(guest_free);
	guests->by_address = g_hash_table_new(g_str_hash, g_str_equal);
	g_mutex_init(&guests->lock);
	return guests;
}

static np_guests *guests_open(const np_lab *lab, GBytes *seed, GError **error)
{
	g_autoptr(np_guests) guests = guests_new(lab, seed);
	g_autoptr(GError) local = NULL;
	guests->ssh = g_find_program_in_path("ssh");
	if (guests->ssh == NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "the program 'ssh' is missing: install OpenSSH's client");
		return NULL;
	}
	guests->hop = np_hop_parse(lab->host.uri, &local);
	if (local != NULL) {
		g_propagate_error(error, g_steal_pointer(&local));
		return NULL;
	}
	guests->folder = np_folder_new(error);
	if (guests->folder == NULL)
		return NULL;
	guests->config = g_build_filename(guests->folder, "config", NULL);
	guests->wrapper = g_build_filename(guests->folder, "ssh", NULL);
	np_lab_foreach_node(&lab->site, add_lab_node, guests);
	if (!np_config_keys(guests, error) || !np_config_write(guests, error))
		return NULL;
	return g_steal_pointer(&guests);
}

static bool guests_add(np_guests *guests, const char *address, np_ip ip, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guests->lock);
	np_guest *guest = g_hash_table_lookup(guests->by_address, address);
	if (guest != NULL && (ip == 0 || guest->ip == ip))
		return true;
	if (guest != NULL)
		guest->ip = ip;
	else if (!guest_new(guests, address, ip, error))
		return false;
	return np_config_write(guests, error);
}

static bool guests_run(np_guests *guests, const char *address, const char *script, guint64 timeout_ms,
                       GCancellable *cancel, np_process_result *ret, GError **error)
{
	np_guest *guest = np_guest_find(guests, address, error);
	return guest != NULL && np_guest_run(guests, guest, script, timeout_ms, cancel, ret, error);
}

static bool guests_wait(np_guests *guests, const char *address, guint64 timeout_ms, GCancellable *cancel,
                        GError **error)
{
	np_guest *guest = np_guest_find(guests, address, error);
	return guest != NULL && np_guest_wait(guests, guest, timeout_ms, cancel, error);
}

/* libvirt calls the wrapper as `ssh -l root -T -e none -o BatchMode=yes -- ALIAS sh -c …`, where the command uses
 * virt-ssh-helper if there is one and nc if not. */
static char *guests_uri(np_guests *guests, const char *address)
{
	g_autofree char *alias = alias_of(address);
	g_autofree char *wrapper = g_uri_escape_string(guests->wrapper, "/", FALSE);
	return g_strdup_printf("qemu+ssh://root@%s/system?command=%s&no_tty=1", alias, wrapper);
}

static char **guests_argv(np_guests *guests, const char *address, const char *const *command, bool tty)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_add(argv, g_strdup(guests->ssh));
	g_ptr_array_add(argv, g_strdup("-F"));
	g_ptr_array_add(argv, g_strdup(guests->config));
	if (tty)
		g_ptr_array_add(argv, g_strdup("-t"));
	g_ptr_array_add(argv, alias_of(address));
	if (command != NULL)
		g_ptr_array_add(argv, g_strdup("--"));
	for (; command != NULL && *command != NULL; command++)
		g_ptr_array_add(argv, g_strdup(*command));
	g_ptr_array_add(argv, NULL);
	return (char **)g_ptr_array_steal(argv, NULL);
}

/* The node's own master, and those of the nodes inside, which go through it. */
static void guests_forget(np_guests *guests, const char *address)
{
	g_autoptr(GPtrArray) within = g_ptr_array_new();
	g_mutex_lock(&guests->lock);
	for (guint i = guests->list->len; i > 0; i--) {
		np_guest *guest = guests->list->pdata[i - 1];
		if (np_address_within(guest->address, address))
			g_ptr_array_add(within, guest);
	}
	g_mutex_unlock(&guests->lock);
	for (guint i = 0; i < within->len; i++) {
		np_guest *guest = within->pdata[i];
		g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->master);
		np_master_end(guests, guest);
	}
}

const np_guest_ops np_ssh = {
        .seed = np_key_seed_new,
        .open = guests_open,
        .close = guests_close,
        .add = guests_add,
        .run = guests_run,
        .wait = guests_wait,
        .uri = guests_uri,
        .argv = guests_argv,
        .key = host_key,
        .forget = guests_forget,
};
