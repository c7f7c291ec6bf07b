/* SPDX-License-Identifier: Apache-2.0 */
/* The same files as netconf writes before the first boot, as a script for a running guest. Which style the guest has is
 * known only inside, so the script carries them all. */
#include "drivers/guestfs/netscript.h"

#include <string.h>

#include "drivers/guestfs/iface.h"
#include "drivers/guestfs/netconf.h"

/* put PATH MODE: standard input becomes the file when it is another. $kept are the files of this configuration.
 * find_device MAC: the interface of hardware that has it (a bridge over it has the same one).
 * settle NAME MAC: waits for a NIC that was just plugged in, and gives it its name.
 * is_up DEVICE [ADDRESS] */
static const char prologue[] =
	"export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C\n"
	"kept=' '\n"
	"failed=\n"
	"fail() { echo \"$*\" >&2; failed=yes; }\n"
	"put() {\n"
	"  kept=\"$kept$1 \"\n"
	"  text=$(cat)\n"
	"  [ \"$text\" != \"$(cat \"$1\" 2>/dev/null)\" ] || return 0\n"
	"  mkdir -p \"${1%/*}\"\n"
	"  (umask 077; printf '%s\\n' \"$text\" >\"$1.nestplan\") && chmod \"$2\" \"$1.nestplan\" && mv -f \"$1.nestplan\" \"$1\" ||\n"
	"    fail \"$1 cannot be written\"\n"
	"}\n"
	"find_device() {\n"
	"  for folder in /sys/class/net/*; do\n"
	"    [ -e \"$folder/device\" ] && [ \"$(cat \"$folder/address\")\" = \"$1\" ] && { echo \"${folder##*/}\"; return; }\n"
	"  done\n"
	"}\n"
	"settle() {\n"
	"  tries=0\n"
	"  while device=$(find_device \"$2\"); [ -z \"$device\" ]; do\n"
	"    tries=$((tries + 1))\n"
	"    [ $tries -lt 150 ] || { fail \"NIC '$1' ($2) has not shown up\"; return; }\n"
	"    sleep 0.2\n"
	"  done\n"
	"  ! command -v udevadm >/dev/null || udevadm settle --timeout=30\n"
	"  device=$(find_device \"$2\")\n"
	"  [ \"$device\" != \"$1\" ] || return 0\n"
	"  ip link set dev \"$device\" down\n"
	"  ip link set dev \"$device\" name \"$1\" || fail \"NIC '$1' ($2) cannot be renamed from $device\"\n"
	"}\n"
	"is_up() {\n"
	"  case $(ip link show dev \"$1\" 2>/dev/null) in *[\\<,]UP[,\\>]*) ;; *) return 1 ;; esac\n"
	"  [ -n \"$2\" ] || return 0\n"
	"  case $(ip -4 addr show dev \"$1\") in *\" $2/\"*) ;; *) return 1 ;; esac\n"
	"}\n"
	"has_systemd() { [ -d /usr/lib/systemd ] || [ -d /lib/systemd ]; }\n"
	"wants() { [ -e \"/etc/systemd/system/$1\" ] || [ -L \"/etc/systemd/system/$1\" ]; }\n";

/* The same questions as np_net_style_detect asks of a disk. */
static const char detect[] =
	"if [ -d /etc/netplan ] && [ -e /usr/sbin/netplan ]; then style=netplan\n"
	"elif wants multi-user.target.wants/systemd-networkd.service || wants dbus-org.freedesktop.network1.service; then style=networkd\n"
	"elif [ -e /etc/network/interfaces ] && has_systemd; then style=ifupdown\n"
	"elif [ -e /etc/network/interfaces ]; then style=mactab\n"
	"else echo 'its network is configured in no way that nestplan knows' >&2; exit 1\n"
	"fi\n";

/* Interfaces that are gone are not looked for; the files of them go, those that others wrote stay. start DEVICE: what is
 * not up, or has another address. attach NIC BRIDGE: into a bridge that is there already, or out of one of nestplan's. */
static const char epilogue[] =
	"for file in /etc/systemd/network/10-nestplan-*; do\n"
	"  case $kept in *\" $file \"*) ;; *) rm -f \"$file\" ;; esac\n"
	"done\n"
	"attach() {\n"
	"  now=$(readlink \"/sys/class/net/$1/master\")\n"
	"  now=${now##*/}\n"
	"  if [ \"$now\" = \"$2\" ]; then return 0\n"
	"  elif [ -n \"$2\" ]; then\n"
	"    [ -e \"/sys/class/net/$2\" ] || return 0\n"
	"    ip -4 addr flush dev \"$1\"\n"
	"    ip link set dev \"$1\" master \"$2\" && ip link set dev \"$1\" up || fail \"NIC '$1' cannot be put into bridge '$2'\"\n"
	"  else\n"
	"    case $now in np[0-9a-f][0-9a-f]*) ip link set dev \"$1\" nomaster || fail \"NIC '$1' stays in bridge '$now'\" ;; esac\n"
	"  fi\n"
	"}\n"
	"start() {\n"
	"  case $style in\n"
	"    netplan) netplan apply ;;\n"
	"    networkd) networkctl reload && networkctl reconfigure \"$1\" || systemctl restart systemd-networkd.service ;;\n"
	"    *) ifdown \"$1\" >/dev/null 2>&1\n"
	"      ip -4 addr flush dev \"$1\" 2>/dev/null\n"
	"      ifup \"$1\" ;;\n"
	"  esac\n"
	"}\n"
	"ensure() {\n"
	"  ! is_up \"$1\" \"$2\" || return 0\n"
	"  start \"$1\" || { fail \"interface '$1' cannot be started\"; return; }\n"
	"  tries=0\n"
	"  until is_up \"$1\" \"$2\"; do\n"
	"    tries=$((tries + 1))\n"
	"    [ $tries -lt 100 ] || { fail \"interface '$1' does not come up${2:+ with address $2}\"; return; }\n"
	"    sleep 0.2\n"
	"  done\n"
	"}\n";

/* A guest of one style, as far as rendering asks. */
typedef struct {
	np_net_style style;
	bool systemd;
} guest;

static bool guest_exists(gpointer data, const char *path)
{
	const guest *g = data;
	switch (g->style) {
	case NP_STYLE_NETPLAN: return g_str_has_prefix(path, "/etc/netplan") || g_str_has_suffix(path, "/netplan");
	case NP_STYLE_NETWORKD: return g_str_has_suffix(path, "/systemd-networkd.service");
	default: return g_str_equal(path, "/etc/network/interfaces") || (g->systemd && g_str_has_suffix(path, "lib/systemd"));
	}
}

static char *guest_nothing(gpointer data G_GNUC_UNUSED, const char *path G_GNUC_UNUSED)
{
	return NULL;
}

/* What the lab's author wrote there goes before, as it does when the disk is made. */
static bool is_injected(const np_node *node, const char *path)
{
	for (guint i = 0; i < node->inject.files->len; i++)
		if (g_strcmp0(((const np_file *)node->inject.files->pdata[i])->path, path) == 0)
			return true;
	return false;
}

static void append_file(GString *script, const np_seed_item *item)
{
	g_autofree char *path = g_shell_quote(item->path);
	gsize length = 0;
	const char *text = g_bytes_get_data(item->content, &length);
	g_string_append_printf(script, "put %s %04o <<'END OF FILE'\n", path, item->mode);
	g_string_append_len(script, text, (gssize)length);
	g_string_append(script, "END OF FILE\n");
}

static bool append_style(GString *script, const np_node *node, const char *name, guest g, GError **error)
{
	np_guest_view view = {.data = &g, .exists = guest_exists, .link = guest_nothing, .read = guest_nothing};
	g_autoptr(GPtrArray) seed = np_seed_new();
	if (!np_netconf_render(node, &view, seed, error))
		return false;
	g_string_append_printf(script, "write_%s() {\n:\n", name);
	for (guint i = 0; i < seed->len; i++) {
		const np_seed_item *item = g_ptr_array_index(seed, i);
		/* By now the guest's own programs may look after that one. */
		if (item->kind == NP_SEED_FILE && !g_str_equal(item->path, "/etc/resolv.conf") && !is_injected(node, item->path))
			append_file(script, item);
	}
	g_string_append(script, "}\n");
	return true;
}

static void append_attach(GString *script, const GPtrArray *ifaces)
{
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = g_ptr_array_index(ifaces, i);
		g_autofree char *name = g_shell_quote(iface->name);
		g_autofree char *bridge = g_shell_quote(iface->bridge ? iface->bridge : "");
		g_string_append_printf(script, "attach %s %s\n", name, bridge);
	}
}

static void append_ifaces(GString *script, const np_node *node)
{
	g_autoptr(GPtrArray) ifaces = np_ifaces_of(node);
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = g_ptr_array_index(ifaces, i);
		g_autofree char *name = g_shell_quote(iface->name);
		g_autofree char *mac = g_shell_quote(iface->mac);
		g_string_append_printf(script, "settle %s %s\n", name, mac);
	}
	append_attach(script, ifaces);
	for (guint i = 0; i < ifaces->len; i++) {
		const np_iface *iface = g_ptr_array_index(ifaces, i);
		/* What nothing configures is up when somebody inside wants it to be. */
		if (!iface->address && !iface->dhcp && !iface->bridge)
			continue;
		g_autofree char *device = g_shell_quote(np_iface_device(iface));
		g_autofree char *address = g_shell_quote(iface->ip ? iface->ip : "");
		g_string_append_printf(script, "ensure %s %s\n", device, address);
	}
}

char *np_net_script(const np_node *node, GError **error)
{
	static const struct {
		const char *name;
		guest guest;
	} styles[] = {
		{"netplan", {NP_STYLE_NETPLAN, true}},
		{"networkd", {NP_STYLE_NETWORKD, true}},
		{"ifupdown", {NP_STYLE_IFUPDOWN, true}},
		{"mactab", {NP_STYLE_IFUPDOWN, false}},
	};
	g_autoptr(GString) script = g_string_new(prologue);
	for (unsigned i = 0; i < G_N_ELEMENTS(styles); i++)
		if (!append_style(script, node, styles[i].name, styles[i].guest, error))
			return NULL;
	g_string_append(script, detect);
	g_string_append(script, "write_$style\n");
	g_string_append(script, epilogue);
	append_ifaces(script, node);
	g_string_append(script, "[ -z \"$failed\" ]\n");
	return g_strdup(script->str);
}
