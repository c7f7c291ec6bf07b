/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/codes.h"

#include "base/diag.h"

const np_code_info np_codes[] = {
        {NP_CODE_FILE_TOO_LARGE, "file too large",
         "A lab file may have up to 48 MiB. A lab with many similar nodes is shorter with `count` and "
         "`types`."},
        {NP_CODE_FILE_ENCODING, "not UTF-8",
         "The lab file must be UTF-8 text. Save it as UTF-8 in your editor, or convert it, as in `iconv -f"
         " UTF-16 -t UTF-8`."},
        {NP_CODE_FILE_NUL, "NUL character",
         "A NUL byte, or `\"\\0\"` in a text. No name, path or command can contain one; the file may be a "
         "disk image or another binary file."},
        {NP_CODE_YAML_SYNTAX, "not YAML",
         "The text does not follow YAML's grammar. Most often the indentation of this line or the one "
         "before is wrong, a tab is used to indent, or a value with `: ` or a leading `@`, `` ` ``, `%`, "
         "`{` needs quotes."},
        {NP_CODE_FILE_EMPTY, "empty file",
         "There is nothing in the file, or only comments. A lab needs at least `version: 1` and `name`."},
        {NP_CODE_FILE_DOCUMENTS, "several documents",
         "The file has more than one YAML document (`---`). Give each lab a file of its own."},
        {NP_CODE_YAML_TAG, "tag",
         "Tags such as `!ref` or `!!str` are not part of the language: the kind of each value is known "
         "from its key."},
        {NP_CODE_KEY_TWICE, "duplicate key",
         "The same key is there twice in one mapping, so that one of its values would be lost. Remove one."},
        {NP_CODE_ALIAS_UNKNOWN, "alias without anchor",
         "`*name` refers to `&name`, which must come earlier in the file."},
        {NP_CODE_ALIAS_CYCLE, "alias contains itself", "An anchor's value uses its own alias, which has no end."},
        {NP_CODE_ALIAS_BOMB, "aliases unfold too far",
         "Aliases and merges may add up to a million values. More is nearly always a mistake or an attack."},
        {NP_CODE_YAML_DEPTH, "nested too deep", "Lists and mappings may be nested up to 100 deep."},
        {NP_CODE_KEY_NOT_TEXT, "key is not text",
         "A key must be plain text; a list or mapping as a key (or `{{x}}` without quotes) is not "
         "possible."},
        {NP_CODE_MERGE_WRONG, "wrong merge", "`<<` takes a mapping, an alias of one, or a list of those."},
        {NP_CODE_FILE_NO_MAPPING, "not a mapping",
         "The lab file as a whole must be a mapping of keys such as `version`, `name` and `nodes`."},
        {NP_CODE_VERSION, "unknown version",
         "This nestplan reads version 1 of the language. A newer file needs a newer nestplan."},
        {NP_CODE_YAML_VALUES, "too many values", "A lab file may have up to 4 million keys and values."},
        {NP_CODE_FILE_UNREADABLE, "file cannot be read",
         "The lab file, or a file of `--var-file`, is not there, is a folder or a pipe, or may not be read. "
         "`validate --json` reports it by this code; without `--json` it is an error like those of other files."},
        {NP_CODE_KEY_UNKNOWN, "unknown key",
         "The key is not one of this mapping's. Unknown keys are errors because a misspelled one would "
         "silently have no effect."},
        {NP_CODE_KIND, "wrong kind of value",
         "A list stands where a mapping or a single value is expected, or the other way round."},
        {NP_CODE_NO_VALUE, "no value",
         "The key is there with nothing behind it. Give it a value, or remove the key so that its default "
         "holds."},
        {NP_CODE_BOOLEAN, "not a boolean",
         "Only `true` and `false` are booleans. `yes`, `on` and `True` mean different things to different "
         "readers of YAML."},
        {NP_CODE_NUMBER, "not a valid number",
         "A whole number in decimal digits, without quotes, sign or leading zero, within its limits."},
        {NP_CODE_SIZE, "not a valid size",
         "A size is a whole number with a unit: `512MiB`, `8GiB`, `1TiB`. `GB` is 10^9 bytes. A number "
         "alone is an error because nobody agrees on what it would count."},
        {NP_CODE_DURATION, "not a valid duration",
         "A duration is one or more whole numbers with units: `90s`, `10m`, `1h30m`."},
        {NP_CODE_CHOICE, "not one of the values", "The key takes only certain words. The message lists them."},
        {NP_CODE_FORMAT, "not valid text",
         "The text does not have the form that the key needs, such as a MAC address, an absolute path or a"
         " checksum."},
        {NP_CODE_MODE, "not a valid mode",
         "Permissions are three or four octal digits in quotes: `\"0644\"`. Without quotes YAML readers "
         "disagree on whether it is octal."},
        {NP_CODE_CIDR, "not a valid range",
         "An IPv4 range is the network's address with a prefix length: `10.20.0.0/24`; all bits behind the"
         " prefix are zero."},
        {NP_CODE_IP, "not a valid address",
         "An IPv4 address, such as `10.20.0.31`. IPv6 addresses are not part of version 1."},
        {NP_CODE_QUOTES, "wrong quotes",
         "Numbers and booleans are written without quotes; text that YAML would read as a number, a "
         "boolean or null needs them. So every reader of the file sees the same value."},
        {NP_CODE_NAME, "not a valid name",
         "Names become names of libvirt objects, host names and interfaces, so their characters and length"
         " are limited."},
        {NP_CODE_NAME_TWICE, "listed twice", "The same name is in a list twice."},
        {NP_CODE_KEY_PLACE, "key in the wrong place",
         "`type` and `count` belong to a node itself; in a type or in defaults they would apply to every "
         "node that uses it."},
        {NP_CODE_LAB_TOO_LARGE, "lab too large",
         "Counts inside counts, or large texts in types, unfold into more than nestplan takes into memory."},
        {NP_CODE_KEY_MISSING, "required key missing", "The mapping needs a key that is not there."},
        {NP_CODE_TYPE_UNKNOWN, "unknown type", "`type` must name an entry of the section `types`."},
        {NP_CODE_TYPE_CYCLE, "type contains itself", "A type's nodes use the same type again, which has no end."},
        {NP_CODE_DEFAULTS_NODES, "nodes in defaults",
         "`nodes` in `defaults` would be inside those nodes as well, without end. Put them into a type."},
        {NP_CODE_TOO_MANY_NODES, "too many nodes", "A lab may have up to 150,000 nodes."},
        {NP_CODE_TOO_MANY_LEVELS, "too many levels", "Nodes may be nested up to 32 levels deep."},
        {NP_CODE_VARIABLE_UNKNOWN, "unknown variable", "`${var.NAME}` needs NAME in the section `variables`."},
        {NP_CODE_VARIABLE_VALUE, "variable without value",
         "The variable has no default, and no `--var`, `--var-file` or `NESTPLAN_VAR_NAME` gives it a "
         "value."},
        {NP_CODE_EXPRESSION, "unknown expression",
         "Known are `${lab.name}`, `${node.name}`, `${node.index}`, `${node.address}`, "
         "`${node.nics.NIC.address}`, `${nodes.PATH.nics.NIC.address}` and `${var.NAME}`. Write `$${` for "
         "a literal `${`."},
        {NP_CODE_EXPRESSION_OPEN, "expression without end",
         "The `}` of a `${…}` is missing. Write `$${` for a literal `${`."},
        {NP_CODE_EXPRESSION_PLACE, "expression outside of a node",
         "`${node.…}` is known only inside a node, its type or defaults."},
        {NP_CODE_EXPRESSION_EARLY, "not known yet",
         "A variable's own keys are read first, so they cannot use other variables or the lab's name. Addresses of NICs can be used in `inject.files.content`, `inject.run` and template files; they "
         "are worked out after everything else is known."},
        {NP_CODE_EXPRESSION_TARGET, "expression without target",
         "A `${…}` names a node or NIC that is not there, or a NIC without an address."},
        {NP_CODE_VARIABLE_TYPE, "wrong type of variable",
         "The value does not fit the variable's `type`: an integer is decimal digits, a boolean `true` or "
         "`false`."},
        {NP_CODE_VARIABLE_SYNTAX, "wrong assignment", "A variable is set by `--var NAME=VALUE`, or by `NESTPLAN_VAR_NAME` in the environment; its value is UTF-8 text."},
        {NP_CODE_VARIABLE_OPTION, "variable not declared",
         "`--var` or `--var-file` sets a variable that the lab does not declare in its section "
         "`variables`."},
        {NP_CODE_VARIABLE_FILE, "wrong file of variables",
         "A file for `--var-file` is a YAML mapping from variables to single values."},
        {NP_CODE_VARIABLE_SENSITIVE, "sensitive variable in what is shown",
         "Plans, pictures and messages show numbers, sizes, addresses, words and names, in forms in which a value cannot be "
         "told and hidden. So a sensitive variable is refused there; it may be in descriptions, in sources of images, in "
         "authorized_keys and in the texts of inject."},
        {NP_CODE_NODE_INCOMPLETE, "node without image, memory or vcpus",
         "Every node needs `image`, `memory` and `vcpus`, in itself, in its type or in defaults."},
        {NP_CODE_IMAGE_UNKNOWN, "unknown image", "`image` must name an entry of the section `images`."},
        {NP_CODE_CPU_MODEL, "CPU model and mode disagree", "`model` goes with `mode: custom`, which needs one."},
        {NP_CODE_CPU_ACCEL, "CPU mode and accelerator disagree",
         "An emulated node has no host CPU to pass through; use `maximum`."},
        {NP_CODE_DISK_SIZE, "disk without size", "Every disk but `root` (which has its image's size) needs a `size`."},
        {NP_CODE_NODE_TWICE, "two nodes of one name",
         "`count` makes NAME-1, NAME-2, …, and one of those is the name of another node of the same site."},
        {NP_CODE_NODE_NAME_LONG, "name too long",
         "With its number from `count` the node's name has more than 31 characters."},
        {NP_CODE_FILE_SOURCE, "source and content", "An injected file has exactly one of `source` and `content`."},
        {NP_CODE_SITE_UNREACHABLE, "hypervisor cannot be reached",
         "A node that carries nodes or networks is managed through a NIC with an address: put one on a "
         "network that has a `cidr`."},
        {NP_CODE_READY_NIC, "nothing to wait for",
         "`wait: ssh` and `wait: hypervisor` need a NIC with an address: on a network that has a `cidr`."},
        {NP_CODE_LAB_NAME, "reserved name", "The name is used by nestplan itself."},
        {NP_CODE_IMAGE_PROTOCOL, "unknown protocol", "Images come from files or by http and https."},
        {NP_CODE_CPU_NESTING, "hypervisor without virtualization",
         "A node that carries nodes needs the CPU feature vmx or svm, which its `cpu.features` switch off."},
        {NP_CODE_TEMPLATE_CONTENT, "content is always expanded",
         "`${…}` in `content` is always expanded, so `template: false` cannot hold. Write `$${` for a "
         "literal `${`, or put the text into a file and name it by `source`."},
        {NP_CODE_MAX_BELOW, "maximum below the value",
         "`memory_max` and `vcpus_max` say how far `memory` and `vcpus` can be raised while the node runs, so they "
         "are at least as much. Left out, they are the same."},
        {NP_CODE_UUID_TWICE, "UUID taken twice",
         "Two nodes have the same UUID. Leave it out, and one is derived; with `count` it cannot be written."},
        {NP_CODE_IMAGE_UNPINNED, "download without a sha256",
         "What the server sends is what boots. With `sha256` it must be what the lab was written for; apply says which one it got."},
        {NP_CODE_NETWORK_UNKNOWN, "unknown network",
         "A NIC is on a network of the site that carries its node: of the host for level 1, of the node "
         "around it below."},
        {NP_CODE_ADDRESS_OUTSIDE, "address outside of its network",
         "The NIC's address is not in the `cidr` of its network."},
        {NP_CODE_ADDRESS_TWICE, "address taken twice", "Two NICs on one segment have the same address."},
        {NP_CODE_ADDRESS_GATEWAY, "address of the gateway", "The first address of a network is its site's own, also on the bridges that are over it."},
        {NP_CODE_ADDRESS_EDGE, "first or last address",
         "The first address of a range names the network and the last is its broadcast address; neither is"
         " a machine's."},
        {NP_CODE_ADDRESS_RANGE, "address without range", "A NIC has an address, but its network has no `cidr`."},
        {NP_CODE_NETWORK_FULL, "no address left",
         "The network's range is too small for its NICs. The top quarter is for DHCP unless `dhcp: false`."},
        {NP_CODE_NETWORK_KEYS, "keys of another mode",
         "`bridge` and `nic` are for `mode: bridge`, which needs one of them and has no DHCP."},
        {NP_CODE_NETWORK_CIDR, "network without range", "A network needs `cidr`, unless it is a bridge."},
        {NP_CODE_NETWORK_PREFIX, "prefix length", "A network's prefix length is from 8 to 30."},
        {NP_CODE_NETWORK_OVERLAP, "ranges overlap",
         "Two networks that one machine sees have ranges that overlap, so that its routes are ambiguous. A"
         " node sees its own networks and those of all sites around it. `plan` and `apply` compare with the "
         "host's routes and its other libvirt networks, too."},
        {NP_CODE_NETWORK_MTU, "MTU does not fit",
         "A bridge inside a node cannot carry larger packets than the network of the NIC that it is over. A network of "
         "another mode is a hop of its own and may have any MTU: its node routes, and tells senders what fits."},
        {NP_CODE_MAC_TWICE, "MAC address taken twice",
         "Two NICs have the same MAC address. With `count`, use `${node.index}` in it, or leave it out: "
         "MAC addresses are derived then."},
        {NP_CODE_NETWORK_LIBVIRT, "range of libvirt's own network",
         "192.168.122.0/24 is the network `default` that libvirt comes with; where that exists the lab's "
         "network cannot start."},
        {NP_CODE_NETWORK_WIDER, "range wider than its wire's",
         "A bridge inside a node is on the wire of the network that its `nic` is on. Its range may be the same, a part of it, or "
         "another one, but not one that goes beyond it: machines of the two would not agree on who is their neighbour."},
        {NP_CODE_NETWORK_RESERVED, "range that is no network's",
         "0.0.0.0/8, 127.0.0.0/8 (loopback), 169.254.0.0/16 (link-local), 224.0.0.0/4 (multicast) and 240.0.0.0/4 (reserved) are not "
         "for machines of a network. Use a private range: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, or a part of one."},
        {NP_CODE_ADDRESS_DHCP, "address that DHCP may give away",
         "A network keeps the addresses of its own site's nodes for them, also in the top quarter that is for DHCP. "
         "Of a NIC on a bridge over its wire, inside a node, it knows nothing, and may give the address to another "
         "machine."},
        {NP_CODE_MEMORY_OVER, "memory over 100 %",
         "The nodes inside a node need more memory than it has. Make it larger, them smaller, or write "
         "`overcommit: true` into the node that carries them. The host's own memory is compared when it is "
         "known: by `plan` and `apply` (`host: {overcommit: true}`), and by `doctor`."},
        {NP_CODE_VCPUS_OVER, "many vCPUs on few",
         "The nodes inside a node have more than four vCPUs for each of its own, or one has more than it. "
         "It works, slowly."},
        {NP_CODE_DISK_OVER, "disks larger than their carrier",
         "The disks of the nodes inside a node may grow larger than its root disk, where they are kept. A root disk "
         "without a size has its image's, as far as the image's file can be read. The host's free space is "
         "compared when it is known: by `plan`, `apply` and `doctor` on the host itself."},
        {NP_CODE_IMAGE_MISSING, "image not there",
         "The file of an image does not exist (yet). Build or fetch it before `apply`."},
        {NP_CODE_IMAGE_FORMAT, "image of another format",
         "The image's first bytes say another format than its key `format`."},
        {NP_CODE_IMAGE_SIZE, "image larger than its disk",
         "The root disk is smaller than its image. A disk can be larger than its image, never smaller."},
        {NP_CODE_SOURCE_MISSING, "file not there", "A file that `source` names cannot be read."},
        {NP_CODE_PATH_OUTSIDE, "path leaves the lab's folder",
         "A relative path must stay in the folder of the lab file, so that a lab can be shared. Write an "
         "absolute path if the file is meant. A file to be written into a guest may not be a link that leads out, "
         "either."},
        {NP_CODE_KEY_FILE, "key file not there", "A file of public keys cannot be read."},
        {NP_CODE_TEMPLATE_TEXT, "template does not expand",
         "A file with `template: true` has a `${…}` that is not known."},
        {0},
};

static const struct {
	unsigned first;
	const char *title;
} chapters[] = {{0, "The file"},   {100, "Keys and values"}, {200, "Variables and expressions"}, {300, "Nodes"},
                {400, "Networks"}, {500, "Capacity"},        {600, "Files beside the lab file"}};

char *np_codes_render(void)
{
	GString *out = g_string_new(
	        "# Diagnostics\n\n"
	        "What `nestplan validate` and all other commands report about a lab file, by code. Codes are "
	        "stable.\nThis page is the output of `nestplan schema --diagnostics`.\n");
	for (unsigned i = 0, chapter = 0; np_codes[i].code != 0; i++) {
		const np_code_info *info = &np_codes[i];
		for (; chapter < G_N_ELEMENTS(chapters) && info->code >= chapters[chapter].first; chapter++)
			g_string_append_printf(out, "\n## %s\n", chapters[chapter].title);
		g_autofree char *code = np_code_format(info->code);
		g_string_append_printf(out, "\n### %s: %s\n\n%s\n", code, info->title, info->doc);
	}
	return g_string_free(out, FALSE);
}
