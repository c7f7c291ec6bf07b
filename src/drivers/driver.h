/* SPDX-License-Identifier: Apache-2.0 */
/* The contract between nestplan and the libraries. Four tables of operations; each is implemented by one folder, and by
 * fakes in tests. Unless said, an operation blocks, is thread-safe (several threads may use one np_conn), is
 * idempotent where its comment says "ensure", sets *error on failure, and never prints. */
#pragma once
#include <gio/gio.h>
#include <stdbool.h>

#include "base/process.h"
#include "world/world.h"

/* ── names, shared by all ─────────────────────────────────────────────── */
#define NP_POOL_IMAGES "nestplan-images"
#define NP_MARK_URI "urn:nestplan:1"
/* Serial of the disk that brings a hypervisor the images of its nodes; its file system changes with them, the serial does not. */
#define NP_SHARE_SERIAL "nestplan-images"
/* "nestplan-LAB"; caller frees. */
char *np_pool_name(const char *lab);
/* "compute-1.root.qcow2"; caller frees. */
char *np_volume_name(const char *node, const char *disk);
/* Serial by which a guest finds one of its disks, at most 20 characters: the disk's name, or a short hash of a longer one.
 * Caller frees. */
char *np_disk_serial(const char *disk);
/* "sha256-HEX.qcow2"; caller frees. */
char *np_image_volume(const np_image *image);

/* ── hypervisor: drivers/libvirt ──────────────────────────────────────── */
typedef struct np_conn np_conn;

/* All that a domain definition is made from. Borrowed by the call. */
typedef struct {
	const char *lab;
	const np_node *node;
	bool kvm;             /* the accelerator, decided */
	const char *flag;     /* "svm" or "vmx": required on a node that carries nodes, disabled on a leaf */
	const char *image_id; /* for the mark */
	const char *share;    /* volume in NP_POOL_IMAGES attached read-only and shareable, serial "nestplan-images"; or NULL */
	const np_record *record; /* kept in the mark as last applied; NULL: none */
} np_domain_spec;

/* What others made, as a lab. */
typedef struct {
	const char *name;           /* of the lab */
	const char *uri, *storage;  /* for its section host; NULL: left out */
	const char *const *domains; /* libvirt's names, NULL-terminated; NULL or empty: all that carry no mark */
	bool adopt;                 /* the lab is to own them: their UUIDs are written, networks are used by their bridges, and what
	                               stands in the way is looked for as well */
} np_import_request;

/* What a lab takes over: an element for each of its nodes or networks, in the lab's order. */
typedef struct {
	const GPtrArray *origins;         /* of char*: libvirt's names of the domains */
	const GPtrArray *nodes, *networks; /* of np_record*: for their marks */
} np_adoption;

/* What the lab file cannot say of a thing, or what stands in the way of owning it. */
typedef struct {
	gconstpointer object; /* node, network, disk or NIC of the lab, or the lab; borrowed */
	char *about;          /* "domain 'web'" */
	char *text;           /* without a full stop; may hold anything that the thing's XML holds */
	bool obstacle;        /* it cannot be adopted */
} np_remark;

typedef struct {
	np_lab *lab;        /* what was found, marked as set; not completed */
	GPtrArray *origins; /* of char*: libvirt's name of each node of the host, in their order */
	GPtrArray *remarks; /* of np_remark* */
} np_import;
void np_import_free(np_import *import); /* NULL-tolerant */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_import, np_import_free)

/* Called, also from the driver's event thread, when a domain no longer runs: off, or else paused. how: in words; static. */
typedef void (*np_stopped_fn)(bool off, const char *how, gpointer data);
/* Called from the driver's event thread with text as the guest's console prints it. */
typedef void (*np_console_fn)(const char *text, gsize length, gpointer data);
typedef void (*np_progress_fn)(guint64 done, guint64 total, gpointer data);

typedef struct {
	/* uri NULL: libvirt's default (its own environment and configuration). Error NP_ERROR_UNREACHABLE. */
	np_conn *(*open)(const char *uri, GError **error);
	void (*close)(np_conn *conn); /* NULL-tolerant */
	bool (*alive)(np_conn *conn);
	char *(*uri)(np_conn *conn); /* the canonical URI */
	/* All but what needs the domain capabilities: modes, models, nested. Asked once a connection. */
	bool (*facts)(np_conn *conn, np_host_facts *ret, GError **error);
	/* Adds those. A hypervisor that cannot say leaves them unknown. */
	void (*cpus)(np_conn *conn, np_host_facts *facts);

	/* Fills site->nodes, networks, foreign, volumes, pool with what is there; `lab` NULL: of every lab. The mark's other
	 * attributes go into np_seen_node. Addresses are those of the mark. */
	bool (*observe)(np_conn *conn, const char *lab, np_seen_site *site, GError **error);
	/* Names of all labs that have an object here. */
	GPtrArray *(*labs)(np_conn *conn, GError **error);

	bool (*pool_ensure)(np_conn *conn, const char *name, const char *folder, GError **error); /* define, build, start, refresh */
	bool (*pool_delete)(np_conn *conn, const char *name, GError **error); /* ensure gone; folder too when empty; not an error when missing */
	GPtrArray *(*volumes)(np_conn *conn, const char *pool, GError **error); /* names of complete ones; empty when there is no pool */
	/* Uploads a local file as volume `name`; incomplete uploads are not left behind under that name. */
	bool (*volume_upload)(np_conn *conn, const char *pool, const char *name, const char *format, const char *path,
	                      np_progress_fn progress, gpointer data, GCancellable *cancel, GError **error);
	bool (*volume_create)(np_conn *conn, const char *pool, const char *name, const char *format, guint64 capacity, GError **error);
	bool (*volume_delete)(np_conn *conn, const char *pool, const char *name, GError **error); /* ensure gone */

	/* Defines and starts. A foreign network of that name: NP_ERROR_CLASH. autostart on. record: for the mark;
	 * may be NULL. */
	bool (*network_ensure)(np_conn *conn, const np_lab *lab, const np_network *network, const np_record *record, GError **error);
	/* Attaches the running domains of the lab that have a NIC on the network to its bridge: after a network was started anew
	 * they are on none. For a moment those that are on it are not. */
	bool (*network_reattach)(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
	bool (*network_delete)(np_conn *conn, const char *lab, const char *libvirt_name, GError **error); /* ensure gone; refuses foreign */

	/* Defines (or redefines). A foreign domain of that name: NP_ERROR_CLASH. Devices keep the addresses that they had. */
	bool (*domain_define)(np_conn *conn, const np_domain_spec *spec, GError **error);
	/* Brings the stored definition, and the running domain where there is one, to the spec without interruption: memory
	 * (balloon), vCPUs (only upward), NICs and data disks attached and detached, NICs moved to another network, disks grown,
	 * description and mark. Volumes of new disks exist already; those of removed ones are left. Only what differs is done.
	 * NP_ERROR_UNSUPPORTED, before anything is changed: something cannot be done while it runs, and is named. A guest that
	 * does not let go of a device, or does not give back memory, is an error after a while. */
	bool (*domain_update)(np_conn *conn, const np_domain_spec *spec, GError **error);
	bool (*domain_start)(np_conn *conn, const char *lab, const char *libvirt_name, GError **error); /* ensure running; then checks that the live
	                                                   XML still has the required nesting feature and the asked domain type */
	/* Replaces what the mark keeps as last applied; nothing else changes, and what runs is not disturbed. */
	bool (*domain_record)(np_conn *conn, const char *lab, const char *libvirt_name, const np_record *record, GError **error);
	bool (*network_record)(np_conn *conn, const char *lab, const char *libvirt_name, const np_record *record, GError **error);
	/* Notes that the running domain was seen ready; forgotten when it stops. observe reads it into np_seen_node.ready. */
	bool (*domain_ready)(np_conn *conn, const char *lab, const char *libvirt_name, GError **error);
	bool (*domain_reset)(np_conn *conn, const char *lab, const char *libvirt_name, GError **error); /* the reset button; one that is paused goes on */
	/* Tells when the running domain stops, at once if it has; until domain_unwatch. NULL with an error when it is not there. */
	gpointer (*domain_watch)(np_conn *conn, const char *libvirt_name, np_stopped_fn fn, gpointer data, GError **error);
	void (*domain_unwatch)(gpointer watch); /* NULL-tolerant; fn is not called afterwards */
	/* Graceful; after timeout_ms (0: at once) the power is cut. Waits by event. Ensure off. */
	bool (*domain_stop)(np_conn *conn, const char *lab, const char *libvirt_name, guint64 timeout_ms, GCancellable *cancel, GError **error);
	bool (*domain_undefine)(np_conn *conn, const char *lab, const char *libvirt_name, GError **error); /* ensure gone (NVRAM, managed save); refuses foreign, refuses running */

	/* Reads domains that are not nestplan's, with their networks and disks. Changes nothing. NP_ERROR_NOT_FOUND names a domain
	 * that does not exist. */
	np_import *(*import)(np_conn *conn, const np_import_request *request, GError **error);
	/* Gives domains to the lab as its nodes: each gets the name, the mark and the networks of its node, and its disks a second
	 * name in the lab's pool (a hard link; the first name stays). They must be off; they are not started. lab: completed, from
	 * import's text. When anything fails all is as it was, and the error says so, or what could not be put back. */
	bool (*adopt)(np_conn *conn, const np_lab *lab, const np_adoption *taken, GError **error);

	/* Streams the serial console until console_close; returns NULL with an error when it is not to be had. */
	gpointer (*console_open)(np_conn *conn, const char *libvirt_name, np_console_fn fn, gpointer data, GError **error);
	void (*console_close)(gpointer console); /* NULL-tolerant; fn is not called afterwards */

	/* Secrets by usage name ("nestplan/LAB/key"). get: NULL without error when missing. */
	GBytes *(*secret_get)(np_conn *conn, const char *usage, GError **error);
	bool (*secret_create)(np_conn *conn, const char *usage, const char *description, GBytes *value, GError **error); /* NP_ERROR_BUSY when it exists */
	char *(*secret_describe)(np_conn *conn, const char *usage); /* description, NULL when missing */
	/* Ensure gone. description: only when it still is the one with these words (NULL: any), decided by identity, so that a
	 * lock that somebody has taken over in the meantime is never removed. */
	bool (*secret_delete)(np_conn *conn, const char *usage, const char *description, GError **error);
	GPtrArray *(*secrets)(np_conn *conn, GError **error); /* usage names that start with "nestplan/" */
} np_hypervisor_ops;
extern const np_hypervisor_ops np_libvirt; /* drivers/libvirt; "ext" URIs as everything else */

/* ── kernel of this machine: drivers/kmod ─────────────────────────────── */
/* What the kernel's nesting is to become. */
typedef struct {
	const char *module;      /* "kvm_amd", "kvm_intel" */
	const char *const *labs; /* that need it, NULL-terminated; empty: none any more, and the file goes */
	bool reload;             /* unload the module and load it, so that the file's presence or absence takes effect now */
} np_nesting_request;

typedef struct {
	/* root: "" for the real system, else a folder that stands for / in tests. */
	bool (*facts)(const char *root, np_kernel_facts *ret, GError **error);
	/* Writes NP_NESTING_FILE (always nested=1; it keeps the value from before nestplan) or removes it, and with reload unloads
	 * and loads the module, then reads `nested` again: it is 1 with labs, the value from before without. When anything
	 * fails the file and the module are as they were, and the error says so (or says what could not be put back).
	 * NP_ERROR_BUSY when something uses the module: nothing was changed, and the message names who. Never forces. */
	bool (*nesting)(const char *root, const np_nesting_request *request, GError **error);
} np_kernel_ops;
extern const np_kernel_ops np_kmod;

/* ── guest disks: drivers/guestfs ─────────────────────────────────────── */
/* Key material of the lab, all derived from one 32-byte seed (drivers/ssh/keys.h). */
typedef struct {
	char *private_openssh; /* OpenSSH private key file text */
	char *public_line;     /* "ssh-ed25519 AAAA… comment" */
} np_keypair;
void np_keypair_clear(np_keypair *pair);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_keypair, np_keypair_clear)

/* One root disk to make: an overlay of an image, grown, with the node's configuration inside. */
typedef struct {
	const np_lab *lab;
	const np_node *node;
	const np_image *image;        /* path: the local base image */
	const char *path;             /* overlay to create (qcow2), in STAGING/LAB/ */
	const char *backing;          /* relative: "../images/sha256-….qcow2" (a link in STAGING/images to the base) */
	guint64 size;                 /* bytes; ≥ the image's virtual size */
	const np_keypair *host_key;   /* the guest's SSH host key */
	const char *const *authorized; /* public key lines, NULL-terminated */
	bool has_share;               /* an images share is attached: mount the disk with serial NP_SHARE_SERIAL at STORAGE/images,
	                                 read-only, nofail */
} np_disk_job;

typedef struct {
	/* Makes all the overlays in one appliance. kvm: libguestfs may use KVM, else force_tcg. progress(done, total) counts
	 * finished disks. On failure nothing is promised of the overlays; *failed (may be NULL) gets the index of the disk
	 * that failed, or -1. Closes the appliance before it returns. */
	bool (*build)(const np_disk_job *jobs, unsigned n_jobs, bool kvm, np_progress_fn progress, gpointer data, GCancellable *cancel,
	              int *failed, GError **error);
	/* Hash of what `inject` writes for a node, contents of source files included. Caller frees. */
	char *(*inject_id)(const np_lab *lab, const np_node *node, GError **error);
	/* POSIX shell text that gives a running guest the network configuration that `build` would have written into its disk,
	 * names its NICs and brings up those that are not up. It fails with a line on stderr for each thing that it could not do,
	 * and does nothing in a guest that has it all. Pure. Caller frees. */
	char *(*network_script)(const np_node *node, GError **error);
	/* Version of libguestfs. Caller frees. */
	char *(*version)(void);
} np_disk_ops;
extern const np_disk_ops np_guestfs;

/* ── guests from inside: drivers/ssh ──────────────────────────────────── */
typedef struct np_guests np_guests; /* one lab's ssh configuration in a private folder */

typedef struct {
	GBytes *(*seed)(GError **error); /* a new seed: 32 random bytes */
	/* seed: 32 bytes. Makes a 0700 folder with key, known_hosts, config (hops through the levels, host URI's ssh host
	 * included when it is remote) and a wrapper for libvirt. */
	np_guests *(*open)(const np_lab *lab, GBytes *seed, GError **error);
	void (*close)(np_guests *guests); /* ends its ssh masters, removes the folder; NULL-tolerant */
	/* Makes a node known (address, ip): nodes of the lab are known from the start, removed ones may be added. */
	bool (*add)(np_guests *guests, const char *address, np_ip ip, GError **error);
	/* Runs a POSIX shell script (fed to `sh -s` on stdin of the remote) as root in the node. */
	bool (*run)(np_guests *guests, const char *address, const char *script, guint64 timeout_ms, GCancellable *cancel,
	            np_process_result *ret, GError **error);
	/* Returns when the node's sshd has answered with its pinned key. timeout_ms of patience; cancel ends it at once. */
	bool (*wait)(np_guests *guests, const char *address, guint64 timeout_ms, GCancellable *cancel, GError **error);
	/* libvirt URI of the hypervisor inside the node. Caller frees. */
	char *(*uri)(np_guests *guests, const char *address);
	/* argv for an interactive or command session, to be exec'd; command may be NULL. Caller frees with g_strfreev. */
	char **(*argv)(np_guests *guests, const char *address, const char *const *command, bool tty);
	/* The lab's client key, and a node's host key. */
	bool (*key)(GBytes *seed, const char *lab, const char *address, np_keypair *ret, GError **error); /* address NULL: client */
	/* Drops a node's master connection (before it stops or is rebuilt). */
	void (*forget)(np_guests *guests, const char *address);
} np_guest_ops;
extern const np_guest_ops np_ssh;

/* ── image files of this machine: drivers/image ───────────────────────── */
typedef struct {
	/* Builds the images share of a site when the cache has none; returns its path. Caller frees. */
	char *(*share)(const np_lab *lab, const np_site *site, GCancellable *cancel, GError **error);
	/* Looks at a storage folder as QEMU's user (uid, gid; -1: do not look) would, and for the programs that nestplan runs.
	 * Fills all but the version of libguestfs. */
	void (*local)(const char *storage, int uid, int gid, np_local_facts *ret);
	/* Bytes that are free, for others than root, where a storage folder is or would be made; 0: unknown. */
	guint64 (*room)(const char *storage);
} np_image_ops;
extern const np_image_ops np_image_files;

typedef struct {
	const np_hypervisor_ops *hypervisor;
	const np_kernel_ops *kernel;
	const np_disk_ops *disk;
	const np_guest_ops *guest;
	const np_image_ops *image;
} np_drivers;
