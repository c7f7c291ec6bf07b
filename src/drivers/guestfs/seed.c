/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/seed.h"

#include "drivers/guestfs/accounts.h"
#include "drivers/guestfs/files.h"
#include "drivers/guestfs/firstboot.h"
#include "drivers/guestfs/hosts.h"
#include "drivers/guestfs/hypervisor.h"
#include "drivers/guestfs/netconf.h"
#include "drivers/guestfs/units.h"

static void seed_item_free(gpointer data)
{
	np_seed_item *item = data;
	g_free(item->path);
	g_free(item->target);
	g_clear_pointer(&item->content, g_bytes_unref);
	g_free(item);
}

np_seed *np_seed_new(void)
{
	return g_ptr_array_new_with_free_func(seed_item_free);
}

static np_seed_item *seed_add(np_seed *seed, np_seed_kind kind, const char *path)
{
	for (guint i = 0; i < seed->len; i++) {
		const np_seed_item *old = seed->pdata[i];
		if (g_str_equal(old->path, path)) {
			g_ptr_array_remove_index(seed, i);
			break;
		}
	}
	np_seed_item *item = g_new0(np_seed_item, 1);
	item->kind = kind;
	item->path = g_strdup(path);
	g_ptr_array_add(seed, item);
	return item;
}

void np_seed_bytes(np_seed *seed, const char *path, GBytes *content, guint32 mode, guint32 uid, guint32 gid)
{
	np_seed_item *item = seed_add(seed, NP_SEED_FILE, path);
	item->content = g_bytes_ref(content);
	item->mode = mode;
	item->uid = uid;
	item->gid = gid;
}

void np_seed_text(np_seed *seed, const char *path, guint32 mode, const char *text)
{
	np_seed_item *item = seed_add(seed, NP_SEED_FILE, path);
	item->content = g_bytes_new(text, strlen(text));
	item->mode = mode;
}

void np_seed_edit(np_seed *seed, const char *path, const char *text)
{
	np_seed_text(seed, path, 0644, text);
	((np_seed_item *)seed->pdata[seed->len - 1])->keep = true;
}

void np_seed_folder(np_seed *seed, const char *path, guint32 mode, guint32 uid, guint32 gid)
{
	np_seed_item *item = seed_add(seed, NP_SEED_FOLDER, path);
	item->mode = mode;
	item->uid = uid;
	item->gid = gid;
}

void np_seed_link(np_seed *seed, const char *path, const char *target)
{
	seed_add(seed, NP_SEED_LINK, path)->target = g_strdup(target);
}

void np_seed_remove(np_seed *seed, const char *path)
{
	(void)seed_add(seed, NP_SEED_REMOVE, path);
}

const np_seed_item *np_seed_find(const np_seed *seed, const char *path)
{
	for (guint i = 0; i < seed->len; i++) {
		const np_seed_item *item = seed->pdata[i];
		if (g_str_equal(item->path, path))
			return item;
	}
	return NULL;
}

char *np_seed_current(const np_seed *seed, const np_guest_view *view, const char *path)
{
	const np_seed_item *item = np_seed_find(seed, path);
	if (item == NULL)
		return np_view_read(view, path);
	if (item->kind != NP_SEED_FILE)
		return NULL;
	gsize length = 0;
	const char *data = g_bytes_get_data(item->content, &length);
	return g_strndup(data ? data : "", length);
}

/* Clones must not share it: DHCP leases and the journal go by it. systemd fills an empty one at boot. */
static void render_machine_id(np_seed *seed, const np_guest_view *view)
{
	if (np_view_exists(view, "/etc/machine-id"))
		np_seed_text(seed, "/etc/machine-id", 0444, "");
	g_autofree char *link = np_view_link(view, "/var/lib/dbus/machine-id");
	if (link == NULL && np_view_exists(view, "/var/lib/dbus/machine-id"))
		np_seed_remove(seed, "/var/lib/dbus/machine-id");
}

static void render_host_key(np_seed *seed, const np_keypair *key, const np_guest_view *view)
{
	static const char *const others[] = {"rsa", "ecdsa", "dsa"};
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autofree char *private = g_strdup_printf("/etc/ssh/ssh_host_%s_key", others[i]);
		g_autofree char *public = g_strconcat(private, ".pub", NULL);
		if (np_view_exists(view, private))
			np_seed_remove(seed, private);
		if (np_view_exists(view, public))
			np_seed_remove(seed, public);
	}
	if (key == NULL || key->private_openssh == NULL)
		return;
	g_autofree char *line = g_strconcat(key->public_line, "\n", NULL);
	np_seed_text(seed, "/etc/ssh/ssh_host_ed25519_key", 0600, key->private_openssh);
	np_seed_text(seed, "/etc/ssh/ssh_host_ed25519_key.pub", 0644, line);
}

static void render_root_keys(np_seed *seed, const char *const *lines)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; lines != NULL && lines[i] != NULL; i++)
		g_string_append_printf(text, "%s\n", lines[i]);
	np_seed_folder(seed, "/root/.ssh", 0700, 0, 0);
	np_seed_text(seed, "/root/.ssh/authorized_keys", 0600, text->str);
}

/* Left alone, cloud-init would wait for a data source, configure the network by DHCP and replace the host keys. */
static void render_cloud_init(np_seed *seed, const np_guest_view *view)
{
	if (!np_view_exists(view, "/etc/cloud"))
		return;
	np_seed_text(seed, "/etc/cloud/cloud.cfg.d/99-nestplan.cfg", 0644,
	             "# written by nestplan\n"
	             "datasource_list: [ NoCloud, None ]\n"
	             "network: {config: disabled}\n"
	             "preserve_hostname: true\n"
	             "manage_etc_hosts: false\n"
	             "disable_root: false\n"
	             "ssh_deletekeys: false\n"
	             "ssh_genkeytypes: [ed25519]\n");
}

/* The appliance has no policy to label by: the guest does it at its first boot. */
static void render_selinux(np_seed *seed, const np_guest_view *view)
{
	g_autofree char *config = np_view_read(view, "/etc/selinux/config");
	if (config != NULL && g_regex_match_simple("^SELINUX=(enforcing|permissive)", config, G_REGEX_MULTILINE, 0))
		np_seed_text(seed, "/.autorelabel", 0644, "");
}

static bool render_inject(np_seed *seed, const np_disk_job *job, const np_guest_view *view, GError **error)
{
	const np_inject *inject = &job->node->inject;
	return np_accounts_render(inject->users, view, seed, error) &&
	       np_services_render(&inject->services, inject->packages != NULL && inject->packages->len > 0, view, seed,
	                          error) &&
	       np_firstboot_render(job->lab, job->node, view, seed, error) &&
	       np_files_render(job->lab, job->node, seed, error);
}

np_seed *np_seed_render(const np_disk_job *job, const np_guest_view *view, GError **error)
{
	g_autoptr(GPtrArray) seed = np_seed_new();
	g_autofree char *hostname = g_strconcat(job->node->base.name, "\n", NULL);
	g_autofree char *hosts = np_hosts_render(job->lab, job->node);
	np_seed_text(seed, "/etc/hostname", 0644, hostname);
	np_seed_text(seed, "/etc/hosts", 0644, hosts);
	if (!np_netconf_render(job->node, view, seed, error))
		return NULL;
	render_root_keys(seed, job->authorized);
	render_host_key(seed, job->host_key, view);
	render_machine_id(seed, view);
	render_cloud_init(seed, view);
	render_selinux(seed, view);
	/* What the user asks for comes last, so that it may override ours. */
	if (!np_hypervisor_render(job, view, seed, error) || !render_inject(seed, job, view, error))
		return NULL;
	return g_steal_pointer(&seed);
}
