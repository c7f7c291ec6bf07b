/* SPDX-License-Identifier: Apache-2.0 */
/* The world: what was observed, as the lab's own structs plus a status. */
#pragma once
#include <stdbool.h>

#include "lab/model.h"
#include "world/record.h"

typedef enum { NP_POWER_OFF, NP_POWER_RUNNING, NP_POWER_PAUSED, NP_POWER_CRASHED } np_power;
extern const char *const np_power_names[];

/* What a hypervisor says of itself. */
typedef struct {
	char *uuid;       /* of the machine, lower case */
	char *arch;       /* "x86_64" */
	char *version;    /* "QEMU 7.2.22, libvirt 9.0.0" */
	guint64 memory;   /* bytes; 0: unknown */
	unsigned cpus;    /* 0: unknown */
	bool local;       /* this machine's own daemon */
	bool offers_kvm;  /* listed in capabilities; no proof (KVM may be advertised and useless) */
	bool offers_qemu;
	char *flag;       /* "svm" or "vmx" as libvirt's host CPU shows it, NULL: none */
	char *security;   /* how libvirt confines guests: "apparmor, dac"; NULL: unknown */
	int qemu_uid, qemu_gid; /* whom guests run as; -1: unknown */
	int nested;       /* whether guests under KVM are offered that flag, by libvirt's domain capabilities; -1: unknown */
	unsigned modes_kvm, modes_qemu; /* bit (1 << np_cpu_mode) for each supported mode; 0: unknown */
	GHashTable *models_kvm, *models_qemu; /* name of a CPU model → "yes" or "no": usable; NULL: unknown. Not changed once made. */
} np_host_facts;
void np_host_facts_clear(np_host_facts *facts);

typedef enum { NP_MODULE_ABSENT, NP_MODULE_LIVE, NP_MODULE_BUILTIN, NP_MODULE_OTHER } np_module_state;

/* Where an option of the module is set. */
typedef struct {
	char *file;    /* "/etc/modprobe.d/kvm.conf", "/proc/cmdline" */
	unsigned line; /* counts from 1; 0: the kernel command line */
	char *value;   /* "0", "Y" */
} np_option_source;

/* A process that has /dev/kvm open, or a virtual machine of it: while there is one the module cannot be unloaded. */
typedef struct {
	int pid;
	char *command; /* "qemu-system-x86" */
	char *domain;  /* name of the libvirt domain, NULL: none */
} np_holder;

/* A way of the kernel's main routing table to other machines. */
typedef struct {
	np_cidr range;
	char *device; /* "eth0" */
	bool link;    /* the range is the device's own: its machines are neighbours; not of tunnels and the like */
} np_route;

/* What the kernel of this machine says. */
typedef struct {
	char *vendor;            /* "AuthenticAMD", "GenuineIntel" as in /proc/cpuinfo; NULL: unknown */
	char *flag;              /* "svm", "vmx" in /proc/cpuinfo, NULL: none */
	char *module;            /* "kvm_amd", "kvm_intel": the one that belongs to the flag, else the one that is loaded; NULL */
	np_module_state state;
	int nested;              /* 1, 0, -1: unknown */
	bool device;             /* /dev/kvm can be opened for reading and writing */
	char *device_error;      /* why not, NULL when it can */
	char *vm_error;          /* why KVM made no virtual machine although the device opened, NULL: it did */
	bool loadable;           /* a file of the module is installed for the running kernel */
	char *blacklist;         /* "FILE:LINE" that blacklists the module, NULL: none does */
	GPtrArray *sources;      /* of np_option_source*: all that set `nested`, in the order in which the kernel reads them: the last
	                            wins. Without nestplan's own file. */
	np_option_source *bad;   /* the source whose value this module refuses (kvm_amd takes integers only), NULL; borrowed */
	GPtrArray *holders;      /* of np_holder*, by pid; other users' processes are seen only by root */
	GPtrArray *slow;         /* of char*: whole sentences about parameters that make nesting slow */
	char *forbidden;         /* why this process may not load modules, NULL: it may */
	GPtrArray *labs;         /* of char*: labs that nestplan's own file names; empty: there is no such file */
	int before;              /* `nested` before nestplan switched it on, from that file; -1: unknown or no file */
	GPtrArray *routes;       /* of np_route*: IPv4, without the default one; empty: none, or unknown */
} np_kernel_facts;
/* Empty lists, unknown values. */
void np_kernel_facts_init(np_kernel_facts *facts);
void np_kernel_facts_clear(np_kernel_facts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_kernel_facts, np_kernel_facts_clear)

/* nestplan's own file of module options, below the root of the file system. */
#define NP_NESTING_FILE "/etc/modprobe.d/zz-nestplan.conf"

/* Why nesting cannot be switched on in this kernel now, with what to do; NULL: nothing stands in the way. Caller frees. */
char *np_nesting_obstacle(const np_kernel_facts *kernel);
/* Who uses the module, "domain 'x' (pid 1), process 2 (qemu)", without the domains of a lab (NULL: all); NULL: nobody. Caller frees. */
char *np_nesting_holders(const np_kernel_facts *kernel, const char *lab);

/* What nestplan itself needs on this machine, and what QEMU needs of its folders. */
typedef struct {
	char *uri;          /* of the libvirt that was asked; NULL: it does not answer */
	char *guestfs;      /* version of libguestfs */
	char *storage;      /* nearest folder to the site's storage that exists */
	char *denied;       /* folder on the way there that QEMU's user may not pass; NULL: none */
	bool kvm_denied;    /* QEMU's user may not open /dev/kvm, which exists */
	guint64 free;       /* bytes free there, without what is kept for root */
	GPtrArray *missing; /* of char*: programs that are not found */
} np_local_facts;
void np_local_facts_clear(np_local_facts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_local_facts, np_local_facts_clear)

/* Which accelerator a site gives its nodes, and why. */
typedef struct {
	bool kvm;
	bool nested;     /* a node under this accelerator can be a hypervisor with KVM */
	bool needs_switch; /* kvm, but nesting is off in the kernel */
	const char *flag; /* "svm"/"vmx" that nodes which carry nodes get; borrowed from the facts or static */
	char *reason;    /* whole sentence */
	char *switch_commands; /* with needs_switch: the exact commands, else NULL */
} np_accel_answer;
void np_accel_answer_clear(np_accel_answer *answer);

/* What a warning says of emulation. Measured by this project (Debian 12, QEMU 7.2, a second level with and without KVM). */
#define NP_EMULATION_COST "about 10 times slower than with KVM (a small guest booted in 189 s instead of 17 s)"

/* Pure: from the facts to the answer. kernel may be NULL (a remote host). */
void np_accel_decide(const np_host_facts *host, const np_kernel_facts *kernel, np_accel_answer *ret);

/* Evidence gathered inside a level that KVM works there. */
typedef enum { NP_CHECK_FLAG, NP_CHECK_MODULE, NP_CHECK_NESTED, NP_CHECK_DEVICE, NP_CHECK_VM, NP_CHECK_CAPABILITIES, NP_CHECK_COUNT } np_check;
extern const char *const np_check_names[]; /* "flag", "module", "nested", "device", "vm", "capabilities" */
typedef struct {
	bool gathered;
	bool ok[NP_CHECK_COUNT];
	char *detail[NP_CHECK_COUNT]; /* what was seen, e.g. "kvm_amd", "nested=0"; owned */
	bool kvm;                     /* all of them */
} np_proof;
void np_proof_clear(np_proof *proof);
/* First missing link in words with what to do ("module kvm_amd is not loaded …"); NULL when proven. Caller frees. */
char *np_proof_missing(const np_proof *proof);

typedef struct np_seen_site np_seen_site;

typedef struct {
	np_node *node;    /* address, uuid, name, memory, vcpus, accel (KVM or EMULATE), cpu, disks, nics as stored */
	np_node *live;    /* memory, vcpus, accel, disks, nics as it runs; NULL: it does not run, or the hypervisor keeps one only */
	guint64 memory_limit, vcpus_limit; /* how far they can be raised while it runs; bytes, number */
	GHashTable *applied; /* field → value: what nestplan last applied; NULL: not recorded */
	np_power power;
	char *image_id, *inject_id; /* from the mark; may be NULL */
	char *share;      /* volume with its children's images that is attached; NULL: none */
	char *want_accel; /* accel as the lab said when it was made: "auto", … */
	np_ip ip;         /* by which the parent site reaches it; from the mark */
	bool hypervisor;  /* marked as carrying nodes */
	char *damaged;    /* name of a disk that holds no qcow2 image although it should; NULL: none */
	bool ready;       /* it has been seen ready since it was started */
	bool unsettled;   /* it has had all of memory_limit since it was started: its kernel has not given back what is over `memory`, or cannot */
	np_seen_site *inside; /* NULL unless hypervisor */
} np_seen_node;

typedef struct {
	np_network *network; /* as stored */
	np_network *live;    /* as it runs; NULL: it does not, or the hypervisor keeps one only */
	GHashTable *hosts, *live_hosts; /* IP → what np_host_text says: whom the network's DNS and DHCP know; NULL: unknown */
	GHashTable *applied; /* field → value: what nestplan last applied; NULL: not recorded */
	bool active;
	bool autostart;
} np_seen_network;
/* "compute-1", with DHCP "compute-1 52:54:00:…"; NULL stands for what is missing. Caller frees. */
char *np_host_text(const char *name, const char *mac);

/* A range that a libvirt network of somebody else has. */
typedef struct {
	np_cidr range;
	char *network; /* its libvirt name */
	char *device;  /* its bridge; NULL: none */
	bool active;
} np_foreign_range;

struct np_seen_site {
	char *address;       /* "" for the host */
	bool reachable;      /* false: everything below is unknown */
	char *why;           /* not reachable: why */
	np_host_facts facts;
	np_proof proof;      /* the host's is not gathered when it is another machine */
	GPtrArray *nodes;    /* of np_seen_node*, those that carry the lab's mark */
	GPtrArray *networks; /* of np_seen_network*, likewise */
	GHashTable *nodes_by_name; /* of what `nodes` holds; NULL: not made */
	GHashTable *foreign; /* set of "domain NAME", "network NAME", "device BRIDGE": names that others use here */
	GPtrArray *ranges;   /* of np_foreign_range* */
	GHashTable *volumes; /* name → NULL: volumes in the lab's pool; empty when there is no pool */
	bool pool;           /* the lab's pool exists */
};

typedef struct {
	char *lab;          /* name */
	np_seen_site *root;
	np_kernel_facts kernel; /* of the host, when it is this machine */
	bool has_kernel;
	np_accel_answer accel;  /* of the host */
	guint64 room;           /* bytes free for others than root where the host keeps the lab's disks; 0: unknown, the host is another machine */
} np_world;

np_seen_node *np_seen_node_new(void);
void np_seen_node_free(np_seen_node *seen);
np_seen_network *np_seen_network_new(void);
void np_seen_network_free(np_seen_network *seen);
/* Takes the texts. */
np_foreign_range *np_foreign_range_new(np_cidr range, char *network, char *device, bool active);
np_route *np_route_new(np_cidr range, char *device, bool link);
np_seen_site *np_seen_site_new(const char *address);
void np_seen_site_free(np_seen_site *site);
np_world *np_world_new(const char *lab);
void np_world_free(np_world *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_seen_node, np_seen_node_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_seen_network, np_seen_network_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_seen_site, np_seen_site_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_world, np_world_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_host_facts, np_host_facts_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_proof, np_proof_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_accel_answer, np_accel_answer_clear)

/* By name in one site; NULL when missing. Borrowed. */
np_seen_node *np_seen_site_node(const np_seen_site *site, const char *name);
/* Bytes that the disks of a node may take beyond the sizes of those that it has (seen; NULL: it does not exist). They take what was
 * written to them, so this is the most. */
guint64 np_disk_growth(const np_node *node, const np_seen_node *seen);
/* Makes np_seen_site_node quick; the nodes must not change afterwards. */
void np_seen_site_index(np_seen_site *site);
np_seen_network *np_seen_site_network(const np_seen_site *site, const char *name);
/* By address in the whole world; NULL when missing or unknown. Borrowed. */
np_seen_site *np_world_site(const np_world *world, const char *address);
np_seen_node *np_world_node(const np_world *world, const char *address);
