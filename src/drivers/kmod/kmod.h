/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of drivers/kmod, and for its tests. Every path is below `root`: "" is the real system, else a folder that stands
 * for /. Paths in results are without root. */
#pragma once
#include <libkmod.h>

#include "drivers/driver.h"

typedef struct kmod_ctx kmod_ctx;
typedef struct kmod_module kmod_module;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kmod_ctx, kmod_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kmod_module, kmod_module_unref)

/* ── system.c: files of the kernel, and libkmod's view ────────────────── */
/* Content without the white space at its end; NULL when it cannot be read. Caller frees. */
char *np_kmod_read(const char *root, const char *path);
bool np_kmod_exists(const char *root, const char *path);
/* "/sys/module/MODULE/REST". Caller frees. */
char *np_kmod_sys(const char *module, const char *rest);
/* configured: with modprobe.d; /proc/cmdline is always read, and always the real one. NULL: no memory. */
kmod_ctx *np_kmod_context(const char *root, bool configured);
np_module_state np_kmod_state(const char *root, const char *module);
/* 1, 0, -1: unknown or not loaded. */
int np_kmod_nested(const char *root, const char *module);
/* A file of the module is installed for the running kernel. */
bool np_kmod_loadable(const char *root, const char *module);
/* Why this process may not load or unload modules, NULL: it may. Caller frees. */
char *np_kmod_forbidden(const char *root);

/* ── conf.c: lines of modprobe.d and of the kernel command line ────────── */
typedef struct {
	char *file;    /* "/etc/modprobe.d/kvm.conf", "/proc/cmdline" */
	unsigned line; /* where it begins, from 1; 0: the kernel command line */
	char *command; /* "options", "blacklist", "install" */
	char *module;  /* with underscores */
	char *rest;    /* "nested=1 npt=0" */
} np_conf_line;
/* Those three commands, as libkmod reads them and in that order: files by name over all folders, a name in an earlier
 * folder hides later ones, the kernel command line last. */
GPtrArray *np_conf_read(const char *root);
/* As the kernel splits a module's parameters: at white space outside of quotes. Quotes are dropped. */
char **np_conf_words(const char *text);
/* Folders of modprobe.d, first one first; NULL-terminated. */
extern const char *const np_conf_folders[];

/* ── options.c: what those lines say of a module ──────────────────────── */
/* Value of `nested` as the module reads it: 1, 0, -1: the module refuses it. value NULL: only the name is given. */
int np_option_truth(const char *module, const char *value);
int np_option_source_truth(const char *module, const np_option_source *source);
/* Fills sources and bad, in order; the lines of NP_NESTING_FILE are left out when it is nestplan's. */
void np_options_nested(const GPtrArray *conf, bool own_file, np_kernel_facts *facts);
/* "FILE:LINE" that keeps the module from being loaded, NULL. Caller frees. */
char *np_options_blacklist(const GPtrArray *conf, const char *module);
/* "FILE:LINE" that is the last to set the parameter, NULL. Caller frees. */
char *np_options_origin(const GPtrArray *conf, const char *module, const char *parameter);
/* "FILE:LINE", or "the kernel command line". Caller frees. */
char *np_option_place(const char *file, unsigned line);
/* What libkmod itself, asked anew, would load the module with: 1, 0, -1: no option of it sets nested, or a refused one does. */
int np_options_effective(const char *root, const char *module);

/* ── holders.c, parameters.c ──────────────────────────────────────────── */
void np_holders_find(const char *root, GPtrArray *ret);
void np_parameters_slow(const char *root, const char *module, const GPtrArray *conf, GPtrArray *ret);

/* ── file.c: NP_NESTING_FILE ──────────────────────────────────────────── */
typedef struct {
	bool exists;
	bool ours;       /* each line of it is one that nestplan writes */
	char *module;    /* that it is for; NULL unless ours */
	GPtrArray *labs; /* of char* */
	int before;
	GBytes *bytes;   /* as it is, NULL: does not exist or cannot be read */
} np_nesting_file;
void np_nesting_file_read(const char *root, np_nesting_file *ret);
void np_nesting_file_clear(np_nesting_file *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_nesting_file, np_nesting_file_clear)
GBytes *np_nesting_file_bytes(const char *module, const char *const *labs, int before);
/* Replaces it at once and durably, mode 0644; bytes NULL: removes it (ensure gone). */
bool np_nesting_file_put(const char *root, GBytes *bytes, GError **error);

/* ── loader.c, switch.c ───────────────────────────────────────────────── */
/* The two calls that change the kernel; a seam for tests. Both return 0 or a negative errno. */
typedef struct np_loader np_loader;
struct np_loader {
	int (*remove)(const np_loader *loader, const char *root, const char *module); /* this module only, at once or not at all */
	/* configured: with the options of modprobe.d. options: after all others, may be NULL. -EEXIST: it (or the module of
	 * the other vendor) is loaded; positive: a blacklist line keeps it out. */
	int (*insert)(const np_loader *loader, const char *root, const char *module, bool configured, const char *options);
};
extern const np_loader np_loader_kernel; /* the real one: for root "" only */

/* One run of np_kernel_ops.nesting. */
typedef struct {
	const char *root;
	const np_nesting_request *request;
	const np_loader *loader;
	np_kernel_facts facts; /* before anything is touched */
	np_nesting_file file;  /* likewise */
	bool on;               /* some lab needs it */
	int before;            /* for the file */
	int want;              /* `nested` afterwards, -1: as it comes */
	bool reload;           /* asked for, and needed */
	bool file_touched, module_touched;
} np_switch;
/* np_kernel_ops.nesting with a loader of its own. */
bool np_switch_run(const char *root, const np_nesting_request *request, const np_loader *loader, GError **error);
/* refuse.c: everything that is known beforehand to go wrong; touches nothing. */
bool np_switch_allowed(const np_switch *s, GError **error);
/* Sets NP_ERROR_BUSY when somebody uses the module. */
bool np_switch_idle(const np_switch *s, GError **error);
/* restore.c: puts back what was touched and adds to *error how that went. Returns false. */
bool np_switch_restore(np_switch *s, GError **error);
/* Unloads the module unless it is not there. */
bool np_switch_unload(np_switch *s, GError **error);
/* Loads the module and reads `nested`, which must be `want` (-1: any). */
bool np_switch_load(np_switch *s, bool configured, const char *options, int want, GError **error);

/* ── routes.c ─────────────────────────────────────────────────────────── */
void np_routes_read(const char *root, GPtrArray *ret);

/* np_kernel_ops.facts */
bool np_kmod_facts(const char *root, np_kernel_facts *ret, GError **error);
