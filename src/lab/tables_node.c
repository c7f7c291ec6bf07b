/* SPDX-License-Identifier: Apache-2.0 */
/* Field tables of a node and its parts. */
#include "lab/tables.h"

static const np_field feature_fields[] = {
        {NP_FIELD(np_feature, policy, "policy", NP_FIELD_ENUM), .values = np_policy_names, .def = "require",
         .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART, .doc = "What libvirt does about the feature."},
};

const np_kind np_feature_kind = {
        .name = "CPU feature",
        .doc = "A CPU feature, named as libvirt names it.",
        NP_KIND_FIELDS(np_feature, feature_fields),
        .shorthand = "policy",
        .key_pattern = "^[a-z0-9][a-z0-9_.-]{0,62}$",
        .key_help = "a CPU feature is named by small letters, digits, '_', '.' and '-'",
};

static const np_field cpu_fields[] = {
        {NP_FIELD(np_cpu, mode, "mode", NP_FIELD_ENUM), .values = np_cpu_mode_names, .def = "auto",
         .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "The CPU the guest sees; auto takes the host's with KVM and the maximum with emulation. For speed "
                "host-passthrough is best, then host-model, then custom; for migration it is the other way round."},
        {NP_FIELD(np_cpu, model, "model", NP_FIELD_STRING), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
         .pattern_help = "it must be the name of a CPU model that libvirt knows, such as EPYC",
         .doc = "With mode custom: a CPU model that libvirt knows."},
        {NP_FIELD(np_cpu, features, "features", NP_FIELD_MAP), .of = &np_feature_kind, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "CPU features to require or to hide."},
};

const np_kind np_cpu_kind = {
        .name = "cpu", .doc = "The CPU of a node.", NP_KIND_FIELDS(np_cpu, cpu_fields), .shorthand = "mode"};

static const np_field disk_fields[] = {
        {NP_FIELD(np_disk, size, "size", NP_FIELD_SIZE), .min = 1024 * 1024, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "Size, rounded up to KiB; the root disk may leave it out and takes its image's."},
        {NP_FIELD(np_disk, bus, "bus", NP_FIELD_ENUM), .values = np_bus_names, .def = "virtio",
         .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART, .doc = "How it is attached."},
        {NP_FIELD(np_disk, cache, "cache", NP_FIELD_ENUM), .values = np_cache_names, .def = "default",
         .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART, .doc = "The site's caching of it."},
};

static void disk_clear(gpointer object)
{
	np_disk *disk = object;
	g_clear_pointer(&disk->source, g_free);
}

const np_kind np_disk_kind = {.name = "disk",
                              .doc = "A disk of a node.",
                              NP_KIND_FIELDS(np_disk, disk_fields),
                              .shorthand = "size",
                              .clear = disk_clear};

static const np_field nic_fields[] = {
        {NP_FIELD(np_nic, network, "network", NP_FIELD_STRING), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "Network of the node's site; without it the one named like the NIC."},
        {NP_FIELD(np_nic, address, "address", NP_FIELD_IP), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "IPv4 address; without it one is derived from the names of lab, node and NIC. With count it is the "
                "first node's, and the others follow."},
        {NP_FIELD(np_nic, mac, "mac", NP_FIELD_STRING), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .pattern = "^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$",
         .pattern_help = "it must be a unicast MAC address in small letters, such as 52:54:00:12:34:56",
         .doc = "MAC address; without it one is derived from the names of lab, node and NIC."},
};

const np_kind np_nic_kind = {
        .name = "NIC",
        .doc = "A network interface of a node; its name is also the interface's name inside.",
        NP_KIND_FIELDS(np_nic, nic_fields),
        .names_list = TRUE,
        .key_pattern = "^(?!(lo|all|default)$)[a-z][a-z0-9-]{0,14}$",
        .key_help = "a NIC's name is up to 15 small letters, digits and dashes, starts with a letter, and is not lo, all or "
                    "default, which Linux keeps for itself",
};

#define PATTERN_OWNER "^[0-9]{1,10}:[0-9]{1,10}$"

static const np_field file_fields[] = {
        {NP_FIELD(np_file, path, "path", NP_FIELD_STRING), .pattern = "^/.*[^/]$",
         .pattern_help = "it must be an absolute path of a file in the guest", .flags = NP_FIELD_REQUIRED,
         .doc = "Absolute path in the guest."},
        {NP_FIELD(np_file, source, "source", NP_FIELD_STRING), .flags = NP_FIELD_PATH,
         .doc = "File beside the lab file to copy."},
        {NP_FIELD(np_file, content, "content", NP_FIELD_STRING), .flags = NP_FIELD_LATE,
         .doc = "Text to write instead."},
        {NP_FIELD(np_file, expand, "template", NP_FIELD_BOOL), .def = "false",
         .doc = "Expand ${…} in the file that source names."},
        {NP_FIELD(np_file, mode, "mode", NP_FIELD_MODE), .def = "0644",
         .doc = "Permissions, as a quoted octal number."},
        {NP_FIELD(np_file, owner, "owner", NP_FIELD_STRING), .def = "0:0", .pattern = PATTERN_OWNER,
         .pattern_help = "it must be two numbers, \"UID:GID\"", .doc = "Owner, as numbers \"UID:GID\"."},
};

const np_kind np_file_kind = {
        .name = "file", .doc = "A file written before the first boot.", NP_KIND_FIELDS(np_file, file_fields)};

static const np_field user_fields[] = {
        {NP_FIELD(np_user, user, "name", NP_FIELD_STRING), .pattern = "^[a-z_][a-z0-9_-]{0,30}$",
         .pattern_help =
                 "a user's name is up to 31 small letters, digits, '_' and '-', and does not start with a digit",
         .flags = NP_FIELD_REQUIRED, .doc = "Name of the user."},
        {NP_FIELD(np_user, sudo, "sudo", NP_FIELD_BOOL), .def = "false", .doc = "May become root without a password."},
        {NP_FIELD(np_user, authorized_keys, "authorized_keys", NP_FIELD_STRINGS), .flags = NP_FIELD_PATH | NP_FIELD_KEY,
         .doc = "Public SSH keys, or files of them, that may log in as this user."},
};

const np_kind np_user_kind = {
        .name = "user", .doc = "A user made before the first boot.", NP_KIND_FIELDS(np_user, user_fields)};

#define PATTERN_UNIT "^[A-Za-z0-9:_.@\\\\-]+$"
#define HELP_UNIT    "it must be the name of a systemd unit"

static const np_field services_fields[] = {
        {NP_FIELD(np_services, enable, "enable", NP_FIELD_STRINGS), .pattern = PATTERN_UNIT, .pattern_help = HELP_UNIT,
         .doc = "Units that start at boot."},
        {NP_FIELD(np_services, disable, "disable", NP_FIELD_STRINGS), .pattern = PATTERN_UNIT,
         .pattern_help = HELP_UNIT, .doc = "Units that do not."},
};

const np_kind np_services_kind = {
        .name = "services", .doc = "Systemd units to switch.", NP_KIND_FIELDS(np_services, services_fields)};

static const np_field inject_fields[] = {
        {NP_FIELD(np_inject, files, "files", NP_FIELD_LIST), .of = &np_file_kind, .doc = "Files to write."},
        {NP_FIELD(np_inject, users, "users", NP_FIELD_LIST), .of = &np_user_kind, .doc = "Users to make."},
        {NP_FIELD(np_inject, services, "services", NP_FIELD_STRUCT), .of = &np_services_kind,
         .doc = "Systemd units to switch."},
        {NP_FIELD(np_inject, packages, "packages", NP_FIELD_STRINGS), .pattern = "^[A-Za-z0-9][A-Za-z0-9+._:=~-]*$",
         .pattern_help = "it must be the name of a package", .doc = "Packages to install at first boot."},
        {NP_FIELD(np_inject, run, "run", NP_FIELD_STRINGS), .flags = NP_FIELD_LATE,
         .doc = "Shell commands to run at first boot, in order."},
};

const np_kind np_inject_kind = {.name = "inject",
                                .doc = "What is written into the disk before the first boot.",
                                NP_KIND_FIELDS(np_inject, inject_fields)};

static const np_field ready_fields[] = {
        {NP_FIELD(np_ready, wait, "wait", NP_FIELD_ENUM), .values = np_wait_names, .def = "auto",
         .doc = "What to wait for; auto is hypervisor where the node carries nodes, ssh where it has an address, else "
                "boot."},
        {NP_FIELD(np_ready, timeout, "timeout", NP_FIELD_DURATION), .min = 1000, .def = "10m", .doc = "How long."},
};

const np_kind np_ready_kind = {
        .name = "ready", .doc = "When a node counts as ready.", NP_KIND_FIELDS(np_ready, ready_fields)};

#define PATTERN_UUID "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

static const np_field node_fields[] = {
        {NP_FIELD(np_node, type, "type", NP_FIELD_STRING), .flags = NP_FIELD_OWN | NP_FIELD_SHOWN,
         .doc = "The type whose keys it starts from."},
        {NP_FIELD(np_node, count, "count", NP_FIELD_UINT), .max = 100000, .flags = NP_FIELD_OWN,
         .doc = "Makes NAME-1, NAME-2, …; without it the name is used as it is."},
        {NP_FIELD(np_node, uuid, "uuid", NP_FIELD_STRING), .flags = NP_FIELD_OWN | NP_FIELD_SHOWN, .pattern = PATTERN_UUID,
         .pattern_help = "it must be a UUID in small letters, such as 9f86d081-884c-4d65-9a2f-eaa0c55ad015",
         .doc = "UUID of the machine; without it one is derived from the names of lab and node. import --adopt writes "
                "that of the machine it took over."},
        {NP_FIELD(np_node, description, "description", NP_FIELD_STRING), .flags = NP_FIELD_COMPARED | NP_FIELD_VEILED, .impact = NP_IMPACT_LIVE,
         .doc = "For people."},
        {NP_FIELD(np_node, image, "image", NP_FIELD_STRING), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RECREATE,
         .doc = "Image of the root disk, by its name in images; no-image where the root disk begins empty, or was taken "
                "over by import --adopt."},
        {NP_FIELD(np_node, memory, "memory", NP_FIELD_SIZE), .min = 1024 * 1024, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "Memory, in whole MiB: others are rounded up."},
        {NP_FIELD(np_node, vcpus, "vcpus", NP_FIELD_UINT), .min = 1, .max = 4096, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "Number of virtual CPUs."},
        {NP_FIELD(np_node, memory_max, "memory_max", NP_FIELD_SIZE), .min = 1024 * 1024, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART,
         .doc = "How far memory can be raised while the node runs; without it no further than what it started with. "
                "The guest sees as much, and a balloon keeps the rest from it; one without a balloon driver has all of it."},
        {NP_FIELD(np_node, vcpus_max, "vcpus_max", NP_FIELD_UINT), .min = 1, .max = 4096, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART,
         .doc = "How far vcpus can be raised while the node runs; without it no further than what it started with."},
        {NP_FIELD(np_node, accel, "accel", NP_FIELD_ENUM), .values = np_accel_names, .def = "kvm",
         .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "kvm fails rather than emulates; emulate never uses KVM; auto takes KVM where it works."},
        {NP_FIELD(np_node, cpu, "cpu", NP_FIELD_STRUCT), .of = &np_cpu_kind, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "The CPU the guest sees."},
        {NP_FIELD(np_node, protect, "protect", NP_FIELD_BOOL), .def = "false",
         .doc = "Refuse plans that would destroy or recreate the node."},
        {NP_FIELD(np_node, overcommit, "overcommit", NP_FIELD_BOOL), .def = "false",
         .doc = "Let the nodes inside have more memory together than the node itself."},
        {NP_FIELD(np_node, disks, "disks", NP_FIELD_MAP), .of = &np_disk_kind, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RECREATE, .doc = "Disks; root is the first, over the image."},
        {NP_FIELD(np_node, nics, "nics", NP_FIELD_MAP), .of = &np_nic_kind, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "Network interfaces: a list of networks, or a map with details."},
        {NP_FIELD(np_node, inject, "inject", NP_FIELD_STRUCT), .of = &np_inject_kind,
         .doc = "What is written into the disk before the first boot."},
        {NP_FIELD(np_node, ready, "ready", NP_FIELD_STRUCT), .of = &np_ready_kind, .doc = "When it counts as ready."},
        {NP_FIELD(np_node, site.networks, "networks", NP_FIELD_MAP), .of = &np_network_kind,
         .doc = "Networks inside the node."},
        {NP_FIELD(np_node, site.nodes, "nodes", NP_FIELD_NODES), .of = &np_node_kind,
         .doc = "Nodes inside the node: the next level."},
};

static void node_clear(gpointer object)
{
	np_node *node = object;
	g_clear_pointer(&node->address, g_free);
	g_clear_pointer(&node->libvirt_name, g_free);
	np_site_clear(&node->site);
	g_clear_pointer(&node->site.share, g_free);
	g_clear_pointer(&node->inject_id, g_free);
}

const np_kind np_node_kind = {
        .name = "node", .doc = "A virtual machine.", NP_KIND_FIELDS(np_node, node_fields), .clear = node_clear};
