/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/hypervisor.h"

#include "base/error.h"
#include "drivers/guestfs/units.h"

#define DEFAULT_NETWORK   "/etc/libvirt/qemu/networks/default.xml"
#define DEFAULT_AUTOSTART "/etc/libvirt/qemu/networks/autostart/default.xml"
/* An emulated machine on a busy host has needed more than a minute to find its disks. */
#define SHARE_OPTIONS     "ext4 ro,nofail,noatime,x-systemd.device-timeout=600 0 0"

/* "192.168.X.0/24" */
static np_cidr subnet(guint32 x)
{
	return (np_cidr){.base = (192u << 24) | (168u << 16) | (x << 8), .prefix = 24};
}

static bool site_uses(const np_site *site, np_cidr range)
{
	for (guint i = 0; site->networks != NULL && i < site->networks->len; i++) {
		const np_network *network = site->networks->pdata[i];
		if (np_cidr_is_set(network->cidr) && np_cidr_overlaps(network->cidr, range))
			return true;
	}
	return false;
}

/* In the node's own networks or in those of any level above it. */
static bool range_used(const np_node *node, np_cidr range)
{
	if (site_uses(&node->site, range))
		return true;
	for (const np_node *at = node; at != NULL; at = at->parent->node)
		if (site_uses(at->parent, range))
			return true;
	return false;
}

/* libvirt's own `default` network would take an address of the level above and cut the node off. */
static void render_default_network(const np_node *node, const np_guest_view *view, np_seed *seed)
{
	if (np_view_present(view, DEFAULT_AUTOSTART))
		np_seed_remove(seed, DEFAULT_AUTOSTART);
	g_autofree char *text = np_view_read(view, DEFAULT_NETWORK);
	if (text == NULL || !range_used(node, subnet(122)))
		return;
	guint32 x = 123;
	while (x < 255 && range_used(node, subnet(x)))
		x++;
	if (x == 255) {
		np_seed_remove(seed, DEFAULT_NETWORK);
		return;
	}
	g_autofree char *prefix = g_strdup_printf("192.168.%u.", x);
	g_auto(GStrv) parts = g_strsplit(text, "192.168.122.", -1);
	g_autofree char *moved = g_strjoinv(prefix, parts);
	np_seed_edit(seed, DEFAULT_NETWORK, moved);
}

static bool render_libvirtd(const np_node *node, const np_guest_view *view, np_seed *seed, GError **error)
{
	static const char *const modular[] = {
	        "virtqemud.socket",   "virtnetworkd.socket", "virtstoraged.socket",
	        "virtsecretd.socket", "virtproxyd.socket",
	};
	if (np_unit_exists(view, "libvirtd.service"))
		return np_unit_enable(view, "libvirtd.service", seed, error);
	if (np_unit_exists(view, "virtqemud.service")) {
		for (unsigned i = 0; i < G_N_ELEMENTS(modular); i++)
			if (np_unit_exists(view, modular[i]) && !np_unit_enable(view, modular[i], seed, error))
				return false;
		return true;
	}
	if (np_view_exists(view, "/usr/sbin/libvirtd"))
		return true; /* another init starts it */
	g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
	            "it carries nodes, but image '%s' has no libvirt daemon: take an image with libvirt and QEMU",
	            node->image);
	return false;
}

static void render_storage(const np_disk_job *job, const np_guest_view *view, np_seed *seed)
{
	g_autofree char *images = g_build_filename(job->node->site.storage, "images", NULL);
	np_seed_folder(seed, job->node->site.storage, 0711, 0, 0);
	np_seed_folder(seed, images, 0711, 0, 0);
	if (!job->has_share)
		return;
	g_autofree char *fstab = np_view_read(view, "/etc/fstab");
	gboolean open_end = fstab != NULL && *fstab != '\0' && !g_str_has_suffix(fstab, "\n");
	g_autofree char *text = g_strdup_printf(
	        "%s%s# the images of the nodes inside, from nestplan\n/dev/disk/by-id/virtio-" NP_SHARE_SERIAL
	        " %s " SHARE_OPTIONS "\n",
	        fstab ? fstab : "", open_end ? "\n" : "", images);
	np_seed_edit(seed, "/etc/fstab", text);
}

bool np_hypervisor_render(const np_disk_job *job, const np_guest_view *view, np_seed *seed, GError **error)
{
	if (!np_node_is_site(job->node))
		return true;
	np_seed_text(seed, "/etc/modprobe.d/nestplan.conf", 0644,
	             "# written by nestplan: this machine's guests run guests\n"
	             "options kvm_intel nested=1\n"
	             "options kvm_amd nested=1\n");
	render_default_network(job->node, view, seed);
	render_storage(job, view, seed);
	return render_libvirtd(job->node, view, seed, error);
}
