/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes by argument vector; never a shell. */
#pragma once
#include <gio/gio.h>
#include <stdbool.h>

typedef struct {
	int status;   /* exit code, or 128 + signal */
	char *output; /* stdout, NUL-terminated, owned */
	char *errors; /* stderr, owned */
} np_process_result;
void np_process_result_clear(np_process_result *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_process_result, np_process_result_clear)

/* Runs argv (NULL-terminated), feeds `input` (may be NULL), collects output. The child is killed when timeout_ms
 * (0: none) passes (NP_ERROR_UNREACHABLE) or `cancel` fires. Returns false only when it could not be run to its end;
 * a non-zero exit is in ret->status. */
bool np_process_run(const char *const *argv, const char *input, guint64 timeout_ms, GCancellable *cancel,
                    np_process_result *ret, GError **error);
