/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/libvirt/conn.h"

bool np_volume_upload(np_conn *conn, const char *pool, const char *name, const char *format, const char *path,
                      np_progress_fn progress, gpointer data, GCancellable *cancel, GError **error);
/* As np_volume_upload, but another's upload under that name counts as cut off when nothing moves for patience_us. */
bool np_volume_upload_patient(np_conn *conn, const char *pool, const char *name, const char *format, const char *path,
                              gint64 patience_us, np_progress_fn progress, gpointer data, GCancellable *cancel,
                              GError **error);
