/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/firstboot.h"

#include "base/error.h"
#include "drivers/guestfs/units.h"
#include "lab/lab.h"

#define FOLDER "/var/lib/nestplan/firstboot"
#define UNIT   "nestplan-firstboot.service"

static const char unit_text[] = "[Unit]\n"
                                "Description=First boot of this machine, as its lab asks for\n"
                                "Wants=network-online.target\n"
                                "After=network-online.target\n"
                                "ConditionPathExists=!" FOLDER "/done\n"
                                "ConditionPathExists=!" FOLDER "/failed\n"
                                "\n"
                                "[Service]\n"
                                "Type=oneshot\n"
                                "RemainAfterExit=yes\n"
                                "ExecStart=/bin/sh " FOLDER "/start\n"
                                "Environment=HOME=/root\n"
                                "StandardOutput=append:/var/log/nestplan-firstboot.log\n"
                                "StandardError=inherit\n"
                                "TimeoutStartSec=infinity\n"
                                "\n"
                                "[Install]\n"
                                "WantedBy=multi-user.target\n";

static const char start_text[] = "#!/bin/sh\n"
                                 "# Runs the steps in order, each once.\n"
                                 "cd " FOLDER " || exit 1\n"
                                 "for step in ./[0-9]*; do\n"
                                 "\techo \"nestplan: $step\"\n"
                                 "\t\"$step\"\n"
                                 "\tstatus=$?\n"
                                 "\tif [ $status -ne 0 ]; then\n"
                                 "\t\techo \"nestplan: $step ended with status $status\"\n"
                                 "\t\techo \"$step ended with status $status\" >failed\n"
                                 "\t\texit 1\n"
                                 "\tfi\n"
                                 "done\n"
                                 "touch done\n";

/* The command that installs packages, by what the image has; NULL when none is known. */
static const char *installer(const np_guest_view *view)
{
	static const char *const known[][2] = {
	        {"/usr/bin/apt-get", "export DEBIAN_FRONTEND=noninteractive\n"
	                             "apt-get -q update\n"
	                             "apt-get -q -y -o Dpkg::Options::=--force-confold install"},
	        {"/usr/bin/dnf", "dnf -y install"},
	        {"/usr/bin/zypper", "zypper --non-interactive install"},
	        {"/usr/bin/pacman", "pacman -Sy --noconfirm --needed"},
	};
	for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
		if (np_view_exists(view, known[i][0]))
			return known[i][1];
	return NULL;
}

static void add_step(np_seed *seed, unsigned number, const char *name, const char *text)
{
	g_autofree char *path = g_strdup_printf(FOLDER "/%03u-%s", number, name);
	g_autofree char *script = g_strdup_printf("%s%s\n", g_str_has_prefix(text, "#!") ? "" : "#!/bin/sh\n", text);
	np_seed_text(seed, path, 0700, script);
}

static bool add_packages(np_seed *seed, const GPtrArray *packages, const np_guest_view *view, GError **error)
{
	const char *command = installer(view);
	if (command == NULL) {
		g_set_error(
		        error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		        "inject.packages needs apt-get, dnf, zypper or pacman in the image, and it has none of them");
		return false;
	}
	g_autoptr(GString) text = g_string_new("set -e\n");
	g_string_append(text, command);
	for (guint i = 0; i < packages->len; i++)
		g_string_append_printf(text, " %s", (char *)packages->pdata[i]);
	add_step(seed, 0, "packages", text->str);
	return true;
}

/* Units that come with the packages. */
static void add_services(np_seed *seed, const np_services *services, const np_guest_view *view)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; services->enable != NULL && i < services->enable->len; i++) {
		g_autofree char *unit = np_unit_name(services->enable->pdata[i]);
		if (!np_unit_exists(view, unit))
			g_string_append_printf(text, "systemctl enable --now '%s' || exit 1\n", unit);
	}
	if (text->len > 0)
		add_step(seed, 1, "services", text->str);
}

static bool add_commands(np_seed *seed, const np_lab *lab, const np_node *node, GError **error)
{
	const GPtrArray *run = node->inject.run;
	for (guint i = 0; run != NULL && i < run->len; i++) {
		g_autofree char *text = np_lab_expand(lab, node, run->pdata[i], error);
		if (text == NULL)
			return false;
		add_step(seed, i + 2, "run", text);
	}
	return true;
}

bool np_firstboot_render(const np_lab *lab, const np_node *node, const np_guest_view *view, np_seed *seed,
                         GError **error)
{
	const np_inject *inject = &node->inject;
	guint packages = inject->packages ? inject->packages->len : 0, run = inject->run ? inject->run->len : 0;
	if (packages + run == 0)
		return true;
	if (!np_view_exists(view, "/usr/lib/systemd/system") && !np_view_exists(view, "/lib/systemd/system")) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNSUPPORTED,
		            "inject.packages and inject.run need systemd, which its image has not: remove the keys or "
		            "take another image");
		return false;
	}
	np_seed_folder(seed, FOLDER, 0700, 0, 0);
	if (packages > 0) {
		if (!add_packages(seed, inject->packages, view, error))
			return false;
		add_services(seed, &inject->services, view);
	}
	if (!add_commands(seed, lab, node, error))
		return false;
	np_seed_text(seed, FOLDER "/start", 0700, start_text);
	np_seed_text(seed, "/etc/systemd/system/" UNIT, 0644, unit_text);
	np_seed_link(seed, "/etc/systemd/system/multi-user.target.wants/" UNIT, "/etc/systemd/system/" UNIT);
	return true;
}
