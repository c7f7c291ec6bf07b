/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/guestlog.h"

#include <string.h>

void np_guestlog_init(np_guestlog *log)
{
	g_queue_init(&log->lines);
	log->partial = g_string_new(NULL);
}

void np_guestlog_clear(np_guestlog *log)
{
	g_queue_clear_full(&log->lines, g_free);
	g_string_free(log->partial, TRUE);
	log->partial = NULL;
}

static void line_end(np_guestlog *log)
{
	g_strchomp(log->partial->str);
	if (*log->partial->str != '\0')
		g_queue_push_tail(&log->lines, g_strdup(log->partial->str));
	if (log->lines.length > NP_GUESTLOG_LINES)
		g_free(g_queue_pop_head(&log->lines));
	g_string_truncate(log->partial, 0);
}

void np_guestlog_add(np_guestlog *log, const char *text, gsize length)
{
	for (gsize i = 0; i < length; i++) {
		if (text[i] == '\n')
			line_end(log);
		else if (g_ascii_isprint(text[i]) ||
		         text[i] == '\t') /* a guest's bytes must not reach a terminal as they are */
			g_string_append_c(log->partial, text[i]);
	}
}

char *np_guestlog_text(const np_guestlog *log)
{
	GString *text = g_string_new(NULL);
	for (const GList *at = log->lines.head; at != NULL; at = at->next)
		g_string_append_printf(text, "%s  %s", text->len > 0 ? "\n" : "", (const char *)at->data);
	if (log->partial->len > 0)
		g_string_append_printf(text, "%s  %s", text->len > 0 ? "\n" : "", log->partial->str);
	return g_string_free(text, FALSE);
}

const char *np_guestlog_hint(const char *text)
{
	static const struct {
		const char *said[2];
		const char *hint;
	} known[] = {
	        {{"supermin", "boot/vmlinuz"},
	         "The kernel in /boot cannot be read by this user: as root, chmod 0644 /boot/vmlinuz-*, or set "
	         "SUPERMIN_KERNEL."},
	        {{"supermin", "kernel"},
	         "libguestfs found no kernel to boot its appliance with: install linux-image-amd64 (or another "
	         "linux-image), or set "
	         "LIBGUESTFS_PATH to a fixed appliance."},
	        {{"supermin", ""}, "The appliance cannot be built: `libguestfs-test-tool` says why."},
	        {{"qemu", "not found"}, "QEMU is missing: install qemu-system-x86."},
	        {{"qemu", "No such file"}, "QEMU is missing: install qemu-system-x86."},
	        {{"Failed to get", "lock"}, "A disk is in use by a running machine: stop it first."},
	        {{"Cannot allocate memory", ""},
	         "There is not enough free memory for the appliance, which needs about 1 GiB."},
	        {{"No space left", ""},
	         "The disk that holds the overlays or libguestfs' cache (LIBGUESTFS_CACHEDIR) is full."},
	};
	for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
		if (strstr(text, known[i].said[0]) != NULL && strstr(text, known[i].said[1]) != NULL)
			return known[i].hint;
	return NULL;
}
