/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of an upload. */
#pragma once
#include "drivers/libvirt/conn.h"

/* A local file that becomes a volume; all borrowed. */
typedef struct {
	np_conn *conn;
	virStoragePoolPtr pool;
	const char *name, *format, *path; /* of the volume, of both, of the file */
	gint64 patience_us;
	int fd;
	guint64 size, done; /* bytes of the file: all, and those that are sent or skipped */
	np_progress_fn progress;
	gpointer data;
	GCancellable *cancel;
} np_upload;

/* Whether the pool has the space for the file's data. A compressing file system may need less; then it is refused all
 * the same.
 */
bool np_upload_check_room(const np_upload *job, GError **error);
/* From the file's position on, into an empty volume of its size. */
bool np_upload_transfer(np_upload *job, virStorageVolPtr volume, GError **error);
/* Whether the last bytes that are not zero are in the volume: the daemon writes in order, and nothing more after the
 * first error. The pool was refreshed since the transfer. */
bool np_upload_check_end(const np_upload *job, virStorageVolPtr volume, GError **error);
/* Says that libvirt's last call failed, or that the upload was cancelled. Returns false. */
bool np_upload_fail(const np_upload *job, GError **error);
/* Says what errno says of the file. Returns false. */
bool np_upload_fail_to_read(const np_upload *job, GError **error);
