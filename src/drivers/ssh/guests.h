/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of np_guests; for this folder only. */
#pragma once
#include "drivers/driver.h"

/* The ssh server that the lab's host URI goes through. */
typedef struct {
	GPtrArray *argv; /* of char*: ssh and its options as the URI asks for them, without a NULL at the end */
	char *host;
} np_hop;

/* NULL without error when the URI (may be NULL) stays on this machine. */
np_hop *np_hop_parse(const char *uri, GError **error);
void np_hop_free(np_hop *hop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_hop, np_hop_free)

/* One node. It lives as long as its np_guests, and only `ip` ever changes. */
typedef struct np_guest np_guest;
struct np_guest {
	char *address;
	char *alias;      /* address with '.' for '/': its name in config and known_hosts */
	char *host_key;   /* "ssh-ed25519 AAAA… comment" */
	char *socket;     /* control socket of its master connection */
	np_ip ip;         /* guarded by np_guests.lock */
	np_guest *parent; /* borrowed; NULL at level 1 */
	GMutex master;    /* held while its master connection is made */
};

struct np_guests {
	char *lab;
	GBytes *seed;
	char *ssh; /* the program */
	char *folder, *config, *wrapper;
	np_hop *hop;            /* NULL: the host is this machine */
	GMutex lock;            /* guards what follows; never held over a connection */
	GPtrArray *list;        /* of np_guest*, parents before children */
	GHashTable *by_address; /* borrowed keys and values */
};

/* NP_ERROR_NOT_FOUND when the node is not known. */
np_guest *np_guest_find(np_guests *guests, const char *address, GError **error);
/* Text of its address now; caller frees. */
char *np_guest_ip(np_guests *guests, np_guest *guest);
/* By how much more than an L1 it has to be waited for: 1 there. */
unsigned np_guest_patience(const np_guest *guest);

/* A private folder with a short path where programs can be executed. Caller frees. */
char *np_folder_new(GError **error);
/* Removes the folder and the files in it. */
void np_folder_remove(const char *folder);

/* Writes key and wrapper, once. */
bool np_config_keys(const np_guests *guests, GError **error);
/* Writes config and known_hosts. Call with the lock held. */
bool np_config_write(const np_guests *guests, GError **error);

bool np_master_exists(const np_guest *guest);
/* Ends the master connection and waits until its socket is gone. */
void np_master_end(const np_guests *guests, const np_guest *guest);

typedef enum {
	NP_LOGIN_DONE,
	NP_LOGIN_RETRY,   /* not reached, or not ready */
	NP_LOGIN_REFUSED, /* reached; it does not let us in */
	NP_LOGIN_FOREIGN, /* another host key */
	NP_LOGIN_ERROR,   /* *error is set: cancelled, or ssh cannot be run */
} np_login;
/* One attempt that makes the master connection; *ret_message (owned) says why not. try: also runs a command there, since some
 * images let one in only to be told to log in as somebody else. */
np_login np_master_login(const np_guests *guests, np_guest *guest, bool try, guint64 timeout_ms, GCancellable *cancel,
                         char **ret_message, GError **error);
/* Makes sure of master connections to the node and all above it. */
bool np_master_ensure(np_guests *guests, np_guest *guest, guint64 timeout_ms, GCancellable *cancel, GError **error);

/* The error of a machine that answers with another host key. */
void np_guest_foreign(np_guests *guests, np_guest *guest, const char *message, GError **error);
bool np_guest_run(np_guests *guests, np_guest *guest, const char *script, guint64 timeout_ms, GCancellable *cancel,
                  np_process_result *ret, GError **error);
bool np_guest_wait(np_guests *guests, np_guest *guest, guint64 timeout_ms, GCancellable *cancel, GError **error);

/* Returns when port 22 has shown an SSH banner. deadline: monotonic microseconds. */
bool np_probe_wait(np_guests *guests, np_guest *guest, gint64 deadline, GCancellable *cancel, GError **error);
/* Sleeps; false when cancelled, with the error set. */
bool np_pause(guint64 ms, GCancellable *cancel, GError **error);
/* Milliseconds until the deadline, at least 1. */
guint64 np_deadline_left(gint64 deadline);
/* Last line that says something; caller frees. */
char *np_last_line(const char *text);
