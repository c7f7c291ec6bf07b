/* SPDX-License-Identifier: Apache-2.0 */
/* Field tables of the lab itself: host, access, images, variables, networks. */
#include "lab/tables.h"

static const np_field host_fields[] = {
        {NP_FIELD(np_host, uri, "uri", NP_FIELD_STRING), .flags = NP_FIELD_SHOWN,
         .doc = "Libvirt URI of the host; without it libvirt picks one, and --connect overrides it."},
        {NP_FIELD(np_host, nesting, "nesting", NP_FIELD_ENUM), .values = np_nesting_names, .def = "enable",
         .doc = "What to do where nested virtualization is off: switch it on, fail, or ignore it."},
        {NP_FIELD(np_host, storage, "storage", NP_FIELD_STRING), .def = "/var/lib/nestplan", .pattern = "^/", .flags = NP_FIELD_SHOWN,
         .pattern_help = "it must be an absolute path on the host",
         .doc = "Folder of the lab's disks, on the host and in each node that carries nodes."},
        {NP_FIELD(np_host, overcommit, "overcommit", NP_FIELD_BOOL), .def = "false",
         .doc = "Let the nodes of the host have more memory together than it has; else a plan of them is refused."},
};

const np_kind np_host_kind = {
        .name = "host", .doc = "The hypervisor at level 0.", NP_KIND_FIELDS(np_host, host_fields)};

static const np_field access_fields[] = {
        {NP_FIELD(np_access, authorized_keys, "authorized_keys", NP_FIELD_STRINGS), .flags = NP_FIELD_PATH | NP_FIELD_KEY,
         .doc = "Public SSH keys, or files of them, that may log in as root everywhere, beside the lab's own key. "
                "Nodes that run are given changed ones by ssh."},
};

static void access_clear(gpointer object)
{
	np_access *access = object;
	g_clear_pointer(&access->keys_id, g_free);
}

const np_kind np_access_kind = {.name = "access",
                                .doc = "Who may log in to the nodes.",
                                NP_KIND_FIELDS(np_access, access_fields),
                                .clear = access_clear};

static const np_field image_fields[] = {
        {NP_FIELD(np_image, source, "source", NP_FIELD_STRING), .flags = NP_FIELD_REQUIRED | NP_FIELD_PATH | NP_FIELD_URL,
         .pattern = "^.+$", .pattern_help = "it must name a file or a URL",
         .doc = "File, relative to the lab file, or URL (http, https) of the image. What a URL names is downloaded once, by plan or "
                "apply, and kept in ~/.cache/nestplan/downloads."},
        {NP_FIELD(np_image, sha256, "sha256", NP_FIELD_STRING), .pattern = "^[0-9a-f]{64}$", .flags = NP_FIELD_SHOWN,
         .pattern_help = "it must be 64 hexadecimal digits", .doc = "SHA-256 that the image must have. A download that was cut off goes on where it ended only if it is given."},
        {NP_FIELD(np_image, format, "format", NP_FIELD_ENUM), .values = np_format_names, .def = "auto",
         .doc = "Format of the image; auto looks at its first bytes."},
};

static void image_clear(gpointer object)
{
	np_image *image = object;
	g_clear_pointer(&image->path, g_free);
	g_clear_pointer(&image->id, g_free);
}

const np_kind np_image_kind = {.name = "image",
                               .doc = "A disk image that nodes start from.",
                               NP_KIND_FIELDS(np_image, image_fields),
                               .clear = image_clear};

static const char *const variable_types[] = {"string", "integer", "boolean", NULL};

static const np_field variable_fields[] = {
        {NP_FIELD(np_variable, def, "default", NP_FIELD_STRING), .flags = NP_FIELD_ANY | NP_FIELD_EARLY,
         .doc = "Value without --var; a variable without default must be given."},
        {NP_FIELD(np_variable, type, "type", NP_FIELD_STRING), .flags = NP_FIELD_EARLY, .values = variable_types, .def = "string",
         .doc = "What its values must be."},
        {NP_FIELD(np_variable, description, "description", NP_FIELD_STRING), .flags = NP_FIELD_EARLY, .doc = "What it is for."},
        {NP_FIELD(np_variable, sensitive, "sensitive", NP_FIELD_BOOL), .flags = NP_FIELD_EARLY, .def = "false", .doc = "Never show its value; only texts may use it."},
};

static void variable_clear(gpointer object)
{
	np_variable *variable = object;
	g_clear_pointer(&variable->value, g_free);
}

const np_kind np_variable_kind = {
        .name = "variable",
        .doc = "A value that --var and --var-file set, used as ${var.NAME}.",
        NP_KIND_FIELDS(np_variable, variable_fields),
        .key_pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$",
        .key_help = "a variable is named by letters, digits, _ and -, and does not start with a digit",
        .clear = variable_clear,
};

static const np_field network_fields[] = {
        {NP_FIELD(np_network, cidr, "cidr", NP_FIELD_CIDR), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "IPv4 range; its first address is the site's own."},
        {NP_FIELD(np_network, mode, "mode", NP_FIELD_ENUM), .values = np_net_mode_names, .def = "nat",
         .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "How it reaches beyond its site: nat, isolated (not at all), route, open (route without firewall), "
                "bridge."},
        {NP_FIELD(np_network, dhcp, "dhcp", NP_FIELD_BOOL), .def = "true", .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_LIVE,
         .doc = "Hand out addresses from the top quarter of the range; never with mode bridge."},
        {NP_FIELD(np_network, mtu, "mtu", NP_FIELD_UINT), .min = 576, .max = 65535, .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "Largest packet in bytes; without it libvirt's default."},
        {NP_FIELD(np_network, bridge, "bridge", NP_FIELD_STRING), .pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$",
         .pattern_help = "it must be the name of a bridge, up to 15 characters", .flags = NP_FIELD_COMPARED,
         .impact = NP_IMPACT_RESTART, .doc = "With mode bridge: a bridge that the site has already."},
        {NP_FIELD(np_network, nic, "nic", NP_FIELD_STRING), .flags = NP_FIELD_COMPARED, .impact = NP_IMPACT_RESTART,
         .doc = "With mode bridge inside a node: the node's NIC to make a bridge over."},
};

static void network_clear(gpointer object)
{
	np_network *network = object;
	g_clear_pointer(&network->address, g_free);
	g_clear_pointer(&network->uuid, g_free);
	g_clear_pointer(&network->libvirt_name, g_free);
	g_clear_pointer(&network->device, g_free);
	g_clear_pointer(&network->dhcp_range, g_free);
}

const np_kind np_network_kind = {
        .name = "network",
        .doc = "A libvirt network of a site.",
        NP_KIND_FIELDS(np_network, network_fields),
        .clear = network_clear,
};

static const np_field lab_fields[] = {
        {NP_FIELD(np_lab, version, "version", NP_FIELD_UINT), .min = 1, .max = 1, .flags = NP_FIELD_REQUIRED,
         .doc = "Version of the language; this is 1."},
        {NP_FIELD(np_lab, name, "name", NP_FIELD_STRING), .pattern = NP_PATTERN_NAME, .pattern_help = NP_HELP_NAME,
         .flags = NP_FIELD_REQUIRED | NP_FIELD_SHOWN, .doc = "Name of the lab; every object the lab creates carries it."},
        {NP_FIELD(np_lab, variables, "variables", NP_FIELD_MAP), .of = &np_variable_kind,
         .doc = "Values that --var and --var-file set."},
        {NP_FIELD(np_lab, host, "host", NP_FIELD_STRUCT), .of = &np_host_kind, .doc = "The hypervisor at level 0."},
        {NP_FIELD(np_lab, images, "images", NP_FIELD_MAP), .of = &np_image_kind, .doc = "Disk images by name."},
        {NP_FIELD(np_lab, access, "access", NP_FIELD_STRUCT), .of = &np_access_kind,
         .doc = "Who may log in to the nodes."},
        {NP_FIELD(np_lab, site.networks, "networks", NP_FIELD_MAP), .of = &np_network_kind,
         .doc = "Networks of the host."},
        {.name = "defaults",
         .type = NP_FIELD_TEMPLATE,
         .of = &np_node_kind,
         .doc = "Keys that every node starts from."},
        {NP_FIELD(np_lab, types, "types", NP_FIELD_TEMPLATES), .of = &np_node_kind,
         .doc = "Named sets of node keys; a node's own keys go before its type's, those before defaults."},
        {NP_FIELD(np_lab, site.nodes, "nodes", NP_FIELD_NODES), .of = &np_node_kind, .doc = "Nodes of the host."},
};

static void lab_clear(gpointer object)
{
	np_lab *lab = object;
	np_site_clear(&lab->site);
	g_clear_pointer(&lab->file, g_free);
	g_clear_pointer(&lab->folder, g_free);
	g_clear_pointer(&lab->variables_by_name, g_hash_table_unref);
	g_clear_pointer(&lab->written, g_hash_table_unref);
	g_clear_pointer(&lab->items, g_hash_table_unref);
}

const np_kind np_lab_kind = {
        .name = "lab", .doc = "A nested KVM lab.", NP_KIND_FIELDS(np_lab, lab_fields), .clear = lab_clear};
