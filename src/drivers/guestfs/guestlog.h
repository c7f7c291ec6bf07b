/* SPDX-License-Identifier: Apache-2.0 */
/* The last lines that the appliance wrote, for the message when it does not start. */
#pragma once
#include <glib.h>

#define NP_GUESTLOG_LINES 30u

typedef struct {
	GQueue lines;     /* of char* */
	GString *partial; /* line not ended yet */
} np_guestlog;

void np_guestlog_init(np_guestlog *log);
void np_guestlog_clear(np_guestlog *log);
void np_guestlog_add(np_guestlog *log, const char *text, gsize length);
/* Printable, each line indented. Caller frees. */
char *np_guestlog_text(const np_guestlog *log);
/* What to do about a known failure of the launch, from all that was said; NULL: not known. Static. */
const char *np_guestlog_hint(const char *text);
