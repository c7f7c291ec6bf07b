/* SPDX-License-Identifier: Apache-2.0 */
/* A local file becomes a volume. libvirt cannot rename volumes, so a second one, "NAME.….uploading", is made before
 * NAME and deleted when NAME is whole. Where that is found, the upload is under way or was cut off, and NAME is not
 * listed. libvirt lets others delete a volume that is being written (tried, 9.0), so before an upload is cleared away
 * it is watched: one that still goes on is waited for. */
#include "drivers/libvirt/upload.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/libvirt/names.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/transfer.h"
#include "drivers/libvirt/volume.h"
#include "drivers/libvirt/xml.h"

#define WATCH_PAUSE_US (500 * 1000)
/* Longer than a broken connection lives: keepalive gives up after 30 s. */
#define IMAGES_PATIENCE_US (35 * G_USEC_PER_SEC)

/* The bytes say what the volume is; libvirt reads them when it refreshes the pool. */
static bool check_format(const np_upload *job, virStorageVolPtr volume, GError **error)
{
	char *text = virStorageVolGetXMLDesc(volume, 0);
	g_autoptr(xmlDoc) doc = text ? np_xml_parse(text, job->name, NULL) : NULL;
	free(text);
	if (!doc)
		return np_upload_fail(job, error);
	g_autofree char *is = np_xml_get(xmlDocGetRootElement(doc), "target/format/@type");
	if (strcmp(job->format, "qcow2") != 0 || g_strcmp0(is, "qcow2") == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' was to be a qcow2 disk, but %s finds '%s' in it.",
	            job->path, job->conn->uri, is ? is : "nothing");
	return false;
}

/* Size that a guest sees: of a qcow2 file from its header, else the file's. */
static guint64 virtual_size(const np_upload *job)
{
	guint8 header[32];
	if (strcmp(job->format, "qcow2") != 0 || pread(job->fd, header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header, "QFI\xfb", 4) != 0)
		return job->size;
	guint64 size;
	memcpy(&size, header + 24, sizeof(size));
	return GUINT64_FROM_BE(size);
}

static bool fill(np_upload *job, GError **error)
{
	bool mock = job->conn->mock;
	/* Made as raw: the file's bytes follow as they are, whatever they mean. */
	g_autoptr(virStorageVol) volume = np_volume_make(job->conn, job->pool, job->name, mock ? job->format : "raw",
	                                                 mock ? virtual_size(job) : job->size, error);
	if (!volume)
		return false;
	if (mock)
		return true;
	return np_upload_transfer(job, volume, error) && np_pool_refresh(job->conn, job->pool, error) &&
	       np_upload_check_end(job, volume, error) && check_format(job, volume, error);
}

/* ── one at a time under a name ───────────────────────────────────────── */

/* What changes while somebody uploads: the markers, and the volume's sizes and times. NULL without an error: no marker.
 */
static char *take_picture(const np_upload *job, GError **error)
{
	g_autoptr(GPtrArray) markers = np_volume_markers(job->conn, job->pool, job->name, error);
	if (!markers || markers->len == 0)
		return NULL;
	GString *picture = g_string_new(NULL);
	for (guint i = 0; i < markers->len; i++)
		g_string_append_printf(picture, "%s\n", (const char *)g_ptr_array_index(markers, i));
	g_autoptr(virStorageVol) volume = virStorageVolLookupByName(job->pool, job->name);
	char *text = volume ? virStorageVolGetXMLDesc(volume, 0) : NULL;
	g_string_append(picture, text ? text : "");
	free(text);
	return g_string_free(picture, FALSE);
}

/* Returns when there is no marker any more: another's upload has ended, or was cut off and is cleared away. There is no
 * event for what happens to volumes. */
static bool settle(const np_upload *job, GError **error)
{
	g_autofree char *before = NULL;
	gint64 since = g_get_monotonic_time();
	for (;;) {
		GError *local = NULL;
		g_autofree char *now = take_picture(job, &local);
		if (!now) {
			if (local)
				g_propagate_error(error, local);
			return !local;
		}
		if (before && strcmp(before, now) != 0)
			since = g_get_monotonic_time();
		if (g_get_monotonic_time() - since >= job->patience_us)
			return np_volume_clear(job->conn, job->pool, job->name, error);
		if (g_cancellable_is_cancelled(job->cancel))
			return np_upload_fail(job, error);
		g_free(before);
		before = g_steal_pointer(&now);
		g_usleep(WATCH_PAUSE_US);
	}
}

/* An image's name is its content's hash, so one that is there is the one; a disk is never overwritten. */
static bool accept_existing(const np_upload *job, GError **error)
{
	if (strcmp(virStoragePoolGetName(job->pool), NP_POOL_IMAGES) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_CLASH,
	            "Volume '%s' exists already in pool '%s' at %s; it is not overwritten.", job->name,
	            virStoragePoolGetName(job->pool), job->conn->uri);
	return false;
}

/* Another who took this upload for cut off has put its own in place; then that one decides. Where the markers cannot be
 * read nothing says so. */
static bool is_displaced(const np_upload *job, const char *marker)
{
	g_autoptr(GPtrArray) markers = np_volume_markers(job->conn, job->pool, job->name, NULL);
	return markers && (markers->len != 1 || strcmp(g_ptr_array_index(markers, 0), marker) != 0);
}

typedef enum { DONE, FAILED, AGAIN } outcome;

/* After a failure the marker stays where the volume cannot be deleted: it must not look complete. */
static void undo(const np_upload *job, const char *marker)
{
	if (np_volume_drop(job->conn, job->pool, job->name, NULL))
		(void)np_volume_drop(job->conn, job->pool, marker, NULL);
}

/* Creating the volume is what decides between two that upload at once. */
static outcome attempt(np_upload *job, GError **error)
{
	g_autofree char *marker = np_marker_name(job->name);
	g_autoptr(virStorageVol) mark = np_volume_make(job->conn, job->pool, marker, "raw", 0, error);
	if (!mark)
		return FAILED;
	g_autoptr(GError) local = NULL;
	bool filled = fill(job, &local);
	if (is_displaced(job, marker) || g_error_matches(local, NP_ERROR, NP_ERROR_CLASH))
		return np_volume_drop(job->conn, job->pool, marker, error) ? AGAIN : FAILED;
	if (filled)
		return np_volume_drop(job->conn, job->pool, marker, error) ? DONE : FAILED;
	undo(job, marker);
	g_propagate_error(error, g_steal_pointer(&local));
	return FAILED;
}

static bool run(np_upload *job, GError **error)
{
	for (;;) {
		if (!settle(job, error))
			return false;
		if (np_volume_exists(job->pool, job->name))
			return accept_existing(job, error);
		if (!np_upload_check_room(job, error))
			return false;
		if (lseek(job->fd, 0, SEEK_SET) < 0)
			return np_upload_fail_to_read(job, error);
		job->done = 0;
		outcome result = attempt(job, error);
		if (result != AGAIN)
			return result == DONE;
	}
}

static bool open_file(np_upload *job, GError **error)
{
	job->fd = g_open(job->path, O_RDONLY | O_CLOEXEC, 0);
	struct stat status;
	if (job->fd >= 0 && fstat(job->fd, &status) == 0) {
		job->size = (guint64)status.st_size;
		return true;
	}
	np_upload_fail_to_read(job, error);
	if (job->fd >= 0)
		close(job->fd);
	return false;
}

bool np_volume_upload_patient(np_conn *conn, const char *pool_name, const char *name, const char *format,
                              const char *path, gint64 patience_us, np_progress_fn progress, gpointer data,
                              GCancellable *cancel, GError **error)
{
	np_upload job = {.conn = conn,
	                 .name = name,
	                 .format = format,
	                 .path = path,
	                 .patience_us = patience_us,
	                 .progress = progress,
	                 .data = data,
	                 .cancel = cancel};
	if (!open_file(&job, error))
		return false;
	g_mutex_lock(np_conn_pool_lock(conn, pool_name));
	g_autoptr(virStoragePool) pool = np_pool_need(conn, pool_name, error);
	job.pool = pool;
	bool ok = pool && run(&job, error);
	g_mutex_unlock(np_conn_pool_lock(conn, pool_name));
	close(job.fd);
	return ok;
}

bool np_volume_upload(np_conn *conn, const char *pool, const char *name, const char *format, const char *path,
                      np_progress_fn progress, gpointer data, GCancellable *cancel, GError **error)
{
	/* Only the images are shared by labs; in its own pool a lab is alone, for it holds its lock. */
	gint64 patience = strcmp(pool, NP_POOL_IMAGES) == 0 ? IMAGES_PATIENCE_US : 0;
	return np_volume_upload_patient(conn, pool, name, format, path, patience, progress, data, cancel, error);
}
