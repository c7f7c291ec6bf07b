/* SPDX-License-Identifier: Apache-2.0 */
/* The lab: what is wanted, as a tree of sites. The same structs hold what was observed (world/).
 *
 *   np_lab ── site (level 0: the host)
 *               ├─ networks[]
 *               └─ nodes[] ── site (level 1) ── networks[], nodes[] ── …
 */
#pragma once
#include "base/cidr.h"
#include "base/diag.h"
#include "lab/field.h"

#define NP_INDEX_MIN 16 /* as many entries of a map are searched one by one */

typedef struct np_node np_node;
typedef struct np_lab np_lab;
typedef struct np_image np_image;
typedef struct np_network np_network;

typedef enum { NP_ACCEL_KVM, NP_ACCEL_EMULATE, NP_ACCEL_AUTO } np_accel;
typedef enum {
	NP_CPU_AUTO, NP_CPU_HOST_PASSTHROUGH, NP_CPU_HOST_MODEL, NP_CPU_MAXIMUM, NP_CPU_CUSTOM
} np_cpu_mode;
typedef enum { NP_POLICY_REQUIRE, NP_POLICY_OPTIONAL, NP_POLICY_DISABLE, NP_POLICY_FORCE, NP_POLICY_FORBID } np_policy;
typedef enum { NP_NET_NAT, NP_NET_ISOLATED, NP_NET_ROUTE, NP_NET_OPEN, NP_NET_BRIDGE } np_net_mode;
typedef enum { NP_BUS_VIRTIO, NP_BUS_SCSI, NP_BUS_SATA } np_bus;
typedef enum { NP_CACHE_DEFAULT, NP_CACHE_NONE, NP_CACHE_WRITEBACK, NP_CACHE_WRITETHROUGH, NP_CACHE_UNSAFE } np_cache;
typedef enum { NP_WAIT_AUTO, NP_WAIT_NONE, NP_WAIT_BOOT, NP_WAIT_SSH, NP_WAIT_HYPERVISOR } np_wait;
typedef enum { NP_NESTING_ENABLE, NP_NESTING_REQUIRE, NP_NESTING_IGNORE } np_nesting;
typedef enum { NP_GIVEN_DEFAULT, NP_GIVEN_OPTION, NP_GIVEN_FILE, NP_GIVEN_ENVIRONMENT } np_given;
typedef enum { NP_FORMAT_AUTO, NP_FORMAT_QCOW2, NP_FORMAT_RAW } np_format;

#define NP_IMAGE_NONE "no-image" /* in place of an image's name: the root disk is not made from one */

extern const char *const np_accel_names[], *const np_cpu_mode_names[], *const np_policy_names[], *const np_net_mode_names[],
	*const np_bus_names[], *const np_cache_names[], *const np_wait_names[], *const np_nesting_names[],
	*const np_format_names[];

typedef struct { /* cpu.features: NAME: POLICY */
	np_object base;
	int policy;
} np_feature;

typedef struct {
	np_object base;
	int mode;            /* np_cpu_mode */
	char *model;         /* only with custom */
	GPtrArray *features; /* of np_feature* */
} np_cpu;

/* libvirt and QEMU give no parts of these: memory is rounded up to MiB (qemuDomainAlignMemorySizes), volumes to KiB. */
#define NP_MEMORY_UNIT (G_GUINT64_CONSTANT(1) << 20)
#define NP_DISK_UNIT   (G_GUINT64_CONSTANT(1) << 10)

typedef struct {
	np_object base;
	guint64 size; /* bytes, whole NP_DISK_UNITs; 0 for "root": the image's own size */
	int bus, cache;
	gboolean lost; /* observed: its volume is gone */
	char *source;  /* observed: no volume of the lab's but this file or device, which is never deleted; NULL: a volume */
} np_disk;

typedef struct {
	np_object base;   /* name: also the interface's name inside the guest */
	char *network;    /* name of a network of the parent site; default: the NIC's own name */
	np_ip address;    /* after complete: always set where the network has a cidr */
	char *mac;        /* after complete: always set */
} np_nic;

typedef struct {
	np_object base;
	char *path;    /* absolute, in the guest */
	char *source;  /* file beside the lab file (absolute after complete); or */
	char *content; /* text as written: np_lab_expand at its use (NP_FIELD_LATE) */
	gboolean expand; /* key "template": expand ${…} in source's text too */
	guint32 mode;
	char *owner; /* "UID:GID", numeric */
} np_file;

typedef struct {
	np_object base; /* name in a list entry's key "name" is `user` */
	char *user;
	gboolean sudo;
	GPtrArray *authorized_keys;
} np_user;

typedef struct {
	np_object base;
	GPtrArray *enable, *disable;
} np_services;

typedef struct {
	np_object base;
	GPtrArray *files; /* of np_file* */
	GPtrArray *users; /* of np_user* */
	np_services services;
	GPtrArray *packages, *run; /* of char*; run: np_lab_expand at its use */
} np_inject;

typedef struct {
	np_object base;
	int wait;        /* np_wait; never AUTO after complete */
	guint64 timeout; /* milliseconds */
} np_ready;

/* What the DHCP of a network hands out that has no range. */
#define NP_DHCP_RANGE_NONE "none"

struct np_network {
	np_object base;
	np_cidr cidr;
	int mode;        /* np_net_mode */
	gboolean dhcp;
	guint64 mtu;     /* 0: libvirt's default */
	char *bridge;    /* mode bridge: an existing bridge of the site */
	char *nic;       /* mode bridge inside a node: a bridge is made over this NIC */
	/* derived by complete */
	char *address;   /* "network.mgmt", "compute-1/network.int" */
	char *uuid, *libvirt_name; /* LAB.NET */
	char *device;    /* bridge device that libvirt makes, ≤ 15 characters, unique in the lab: "np" + 8 hex digits + … */
	np_ip gateway;   /* first address of cidr, where libvirt's bridge has one */
	char *dhcp_range; /* observed: what its DHCP hands out, "10.0.0.192-10.0.0.254"; NULL: unknown */
	const np_network *outer; /* borrowed: for a bridge over a NIC the network that the NIC is on; else NULL */
};

/* One hypervisor's part of the lab. Inline in np_lab (the host) and in np_node. */
typedef struct {
	GPtrArray *networks; /* of np_network* */
	GPtrArray *nodes;    /* of np_node*, after count expansion */
	/* derived by complete */
	const char *address; /* borrowed: "" for the host, else the node's */
	unsigned level;      /* 0 for the host */
	np_node *node;       /* borrowed; NULL for the host */
	GHashTable *nodes_by_name, *networks_by_name; /* of what they hold; NULL where the arrays are short */
	const char *storage; /* borrowed from the host: absolute folder; STORAGE/images and STORAGE/LAB are the pools' folders */
	char *share;         /* volume that brings the images to a node's site, "share-HEX.raw"; by drivers/image */
} np_site;

struct np_node {
	np_object base; /* name after count expansion: "compute-1" */
	char *type;
	guint64 count;
	char *uuid;        /* after complete: always set */
	char *description;
	char *image;       /* after complete: NULL where the file says no-image */
	guint64 memory, vcpus; /* bytes, whole NP_MEMORY_UNITs, as memory_max is */
	guint64 memory_max, vcpus_max; /* as far as those can be raised while it runs; 0: not given, as much as it has */
	int accel;             /* np_accel */
	np_cpu cpu;
	gboolean protect, overcommit;
	GPtrArray *disks; /* of np_disk*; "root" always first after complete when there is an image */
	GPtrArray *nics;  /* of np_nic* */
	np_inject inject;
	np_ready ready;
	np_site site;     /* networks and nodes inside */
	/* derived by complete */
	char *address, *libvirt_name; /* LAB.NODE */
	unsigned level;   /* 1 for nodes of the host */
	unsigned index;   /* counts from 1; 1 without count */
	gboolean protects; /* a node inside it is protected, at whatever depth */
	char *inject_id;  /* hash of what `inject` writes, file contents included; filled by whoever reads the files */
	np_site *parent;  /* borrowed: the site it lives on */
	const np_image *root_image; /* borrowed: what `image` names; NULL when it names none */
};

struct np_image {
	np_object base;
	char *source, *sha256;
	int format; /* np_format */
	guint64 virtual_size; /* bytes a guest sees; 0: its file was not looked at, or is not there */
	/* derived by drivers/image when the file was looked at */
	char *path;           /* absolute */
	char *id;             /* "sha256-HEX": volume name without ending */
	guint64 bytes;        /* file size */
};

typedef struct {
	np_object base;
	char *uri;     /* NULL: what libvirt itself picks */
	int nesting;   /* np_nesting */
	char *storage; /* absolute */
	gboolean overcommit;
} np_host;

typedef struct {
	np_object base;
	GPtrArray *authorized_keys; /* of char*: files or literal keys */
	char *keys_id;              /* np_access_keys_id of what they are; filled by whoever reads the files, else NULL */
} np_access;

typedef struct {
	np_object base;
	char *def;  /* key "default": as text */
	char *type; /* "string", "integer", "boolean" */
	char *description;
	gboolean sensitive;
	char *value; /* after --var: the effective text */
	int given;       /* np_given: by what */
	np_pos given_at; /* its default's or its place in a file of variables; line 0: none */
} np_variable;

struct np_lab {
	np_object base; /* name: the lab's (same string as `name`) */
	guint64 version;
	char *name;
	GPtrArray *variables, *images; /* of np_variable*, np_image* */
	np_host host;
	np_access access;
	GPtrArray *types; /* names only; their keys are applied to the nodes */
	np_site site;     /* level 0 */
	char *file;       /* as given; "-" for standard input */
	char *folder;     /* absolute folder of the file */
	GHashTable *variables_by_name; /* as those of a site; by np_lab_index */
	GHashTable *written; /* member of an object, or string of a list → its text with sensitive variables in place; or NULL */
	GHashTable *items;   /* list of texts (PATH and LATE fields) → GArray of np_pos: where each stands; or NULL */
};

extern const np_kind np_lab_kind, np_host_kind, np_access_kind, np_image_kind, np_variable_kind, np_network_kind, np_node_kind,
	np_cpu_kind, np_feature_kind, np_disk_kind, np_nic_kind, np_inject_kind, np_file_kind, np_user_kind, np_services_kind,
	np_ready_kind;

void np_lab_free(np_lab *lab);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_lab, np_lab_free)
void np_node_free(np_node *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_node, np_node_free)
void np_network_free(np_network *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_network, np_network_free)

/* True when the node is a hypervisor: it carries nodes (or networks). */
gboolean np_node_is_site(const np_node *node);
/* A node or network of a site by its name, NULL when there is none. Borrowed. */
np_node *np_site_node(const np_site *site, const char *name);
np_network *np_site_network(const np_site *site, const char *name);
/* Makes np_site_node and np_site_network quick; the arrays must not change afterwards. */
void np_site_index(np_site *site);
void np_site_clear(np_site *site);
/* The node at an address that counts from the site, "mid/guest"; NULL when there is none. Borrowed. */
np_node *np_site_find(const np_site *site, const char *address);
/* A variable by its name, NULL when there is none; quick after np_lab_index. Borrowed. */
np_variable *np_lab_variable(const np_lab *lab, const char *name);
void np_lab_index(np_lab *lab);
/* The node or site at an address ("" is the host's site), NULL when there is none. Borrowed. */
np_node *np_lab_node(const np_lab *lab, const char *address);
const np_site *np_lab_site(const np_lab *lab, const char *address);
/* Calls fn for every node, parents before children, in file order. */
void np_lab_foreach_node(const np_site *site, void (*fn)(np_node *node, gpointer data), gpointer data);
/* Addresses that a network's DHCP server may hand out: the top quarter of its range, above all derived addresses. FALSE
 * when the network has no DHCP, or no room for it. */
gboolean np_network_dhcp_range(const np_network *network, np_ip *ret_first, np_ip *ret_last);
/* Bytes of a node's disk; without a size the root disk has its image's. 0: not known. */
guint64 np_disk_bytes(const np_node *node, const np_disk *disk);
/* NIC by which the parent site reaches the node: the first with an address; NULL when none. Borrowed. */
const np_nic *np_node_access_nic(const np_node *node);
const np_network *np_nic_network(const np_node *node, const np_nic *nic);
