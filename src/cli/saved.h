/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in a file: what was asked for, of which lab file, and what was found to be done. `apply FILE` plans again and does it only
 * when that is still the same. It has no secrets: sensitive variables are left out and must be given again; that they are the same is told by sums. */
#pragma once
#include "cli/cli.h"

typedef struct np_saved {
	char *lab_file, *connect; /* absolute path; URI or NULL */
	char *uri, *uuid;         /* of the hypervisor that was looked at; uuid NULL: it says none */
	char **vars, **targets, **replace; /* "NAME=VALUE" of what is not sensitive; addresses; NULL: none */
	bool destroy, refresh_only;
	char *salt, *fingerprint, *found; /* sums of the lab and of what exists (cli/fingerprint.h) */
	char *plan;               /* the plan's JSON */
} np_saved;
void np_saved_free(np_saved *saved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(np_saved, np_saved_free)

/* Writes the plan with the options that it was made with; mode 0600. The lab must be resolved (np_context_resolve). */
bool np_saved_write(const char *file, const np_context *context, const np_options *options, const np_plan *plan, GError **error);
/* Reads a saved plan. NULL without an error when the file is something else (a lab file), or is not there. */
np_saved *np_saved_read(const char *file, GError **error);
/* Puts what was asked for into the options; the lab file, variables and targets are those of the saved plan. An error when they
 * were given as well. */
bool np_saved_apply_options(const np_saved *saved, np_options *options, GError **error);
/* Whether this is the hypervisor that the plan is for, which `connect` alone does not say; else an error. */
bool np_saved_check_host(const np_saved *saved, const np_context *context, GError **error);
/* Whether the lab and what is to be done are still the same; else an error that says what moved. */
bool np_saved_check(const np_saved *saved, const np_context *context, const np_plan *plan, GError **error);
