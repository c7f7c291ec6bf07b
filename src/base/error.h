/* SPDX-License-Identifier: Apache-2.0 */
/* The one GError domain of nestplan. Convention: success leaves *error untouched; a message is a
 * whole sentence that names the thing and what to do; callers add the outer thing with
 * g_prefix_error ("node 'compute-1': …"). Library code returns errors and never prints. */
#pragma once
#include <glib.h>

#define NP_ERROR (np_error_quark())
GQuark np_error_quark(void);

typedef enum {
	NP_ERROR_FAILED,      /* something outside did not work */
	NP_ERROR_INVALID,     /* the lab file is wrong (exit code 3) */
	NP_ERROR_USAGE,       /* the command line is wrong (exit code 64) */
	NP_ERROR_NOT_FOUND,   /* the thing does not exist */
	NP_ERROR_CLASH,       /* a foreign object has our name */
	NP_ERROR_BUSY,        /* somebody else holds the lab */
	NP_ERROR_UNREACHABLE, /* a hypervisor or guest does not answer */
	NP_ERROR_UNSUPPORTED, /* the driver cannot do this */
	NP_ERROR_CANCELLED,   /* ^C (exit code 130) */
} np_error_code;
