/* SPDX-License-Identifier: Apache-2.0 */
/* A local file's bytes go into a volume, holes as holes. What libvirt says of a volume that has no space is not to be
 * relied on: when the last writes fail, its daemon forgets that (virFDStreamCloseInt overwrites the worker's
 * result; 9.0), or closes the connection. So the space is looked at before, and the end of the bytes afterwards. */
#include "drivers/libvirt/transfer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "drivers/libvirt/pool.h"

#define BLOCK (64 * 1024)

/* ── the file, as libvirt's stream asks for it ─────────────────────────── */

static void advance(np_upload *job, guint64 bytes)
{
	job->done += bytes;
	if (job->progress)
		job->progress(MIN(job->done, job->size), job->size, job->data);
}

static int read_some(virStreamPtr stream, char *buffer, size_t length, void *data)
{
	(void)stream;
	np_upload *job = data;
	if (g_cancellable_is_cancelled(job->cancel)) {
		errno = ECANCELED;
		return -1;
	}
	ssize_t got;
	do
		got = read(job->fd, buffer, length);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		advance(job, (guint64)got);
	return (int)got;
}

/* Whether the file has data or a hole at its position, and how much of it. */
static int read_section(virStreamPtr stream, int *in_data, long long *length, void *opaque)
{
	(void)stream;
	np_upload *job = opaque;
	off_t here = lseek(job->fd, 0, SEEK_CUR);
	off_t data = here < 0 ? -1 : lseek(job->fd, here, SEEK_DATA);
	if (here < 0 || (data < 0 && errno != ENXIO))
		return -1;
	off_t end = (off_t)job->size;
	*in_data = data == here;
	if (*in_data) {
		end = lseek(job->fd, here, SEEK_HOLE);
		if (end < 0)
			return -1;
	} else if (data >= 0) {
		end = data;
	}
	*length = MAX(end - here, 0);
	return lseek(job->fd, here, SEEK_SET) < 0 ? -1 : 0;
}

static int skip(virStreamPtr stream, long long length, void *data)
{
	(void)stream;
	np_upload *job = data;
	if (g_cancellable_is_cancelled(job->cancel)) {
		errno = ECANCELED;
		return -1;
	}
	advance(job, (guint64)length);
	return lseek(job->fd, (off_t)length, SEEK_CUR) < 0 ? -1 : 0;
}

/* ── the transfer ─────────────────────────────────────────────────────── */

bool np_upload_fail(const np_upload *job, GError **error)
{
	if (g_cancellable_is_cancelled(job->cancel)) {
		g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "The upload of volume '%s' was cancelled.", job->name);
		return false;
	}
	g_autoptr(GError) local = NULL;
	np_virt_error(&local, NP_ERROR_FAILED, "'%s' cannot be uploaded as volume '%s' of pool '%s' at %s", job->path,
	              job->name, virStoragePoolGetName(job->pool), job->conn->uri);
	if (np_conn_alive(job->conn))
		g_propagate_error(error, g_steal_pointer(&local));
	else
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
		            "%s The connection ended; libvirt also does that where there is no space left.",
		            local->message);
	return false;
}

bool np_upload_fail_to_read(const np_upload *job, GError **error)
{
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be read for its upload: %s.", job->path,
	            g_strerror(errno));
	return false;
}

/* Old daemons have no sparse streams. */
static virStreamPtr begin(np_upload *job, virStorageVolPtr volume, bool *sparse, GError **error)
{
	g_autoptr(virStream) stream = virStreamNew(job->conn->vir, 0);
	*sparse = true;
	if (stream && virStorageVolUpload(volume, stream, 0, 0, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) < 0) {
		*sparse = false;
		g_clear_pointer(&stream, virStreamFree);
		stream = virStreamNew(job->conn->vir, 0);
	}
	if (stream && (*sparse || virStorageVolUpload(volume, stream, 0, 0, 0) == 0))
		return g_steal_pointer(&stream);
	np_upload_fail(job, error);
	return NULL;
}

bool np_upload_transfer(np_upload *job, virStorageVolPtr volume, GError **error)
{
	bool sparse = false;
	g_autoptr(virStream) stream = begin(job, volume, &sparse, error);
	if (!stream)
		return false;
	int sent = sparse ? virStreamSparseSendAll(stream, read_some, read_section, skip, job)
	                  : virStreamSendAll(stream, read_some, job);
	if (sent == 0 && !g_cancellable_is_cancelled(job->cancel))
		return virStreamFinish(stream) == 0 || np_upload_fail(job, error);
	np_upload_fail(job, error);
	virStreamAbort(stream);
	return false;
}

/* ── the space ────────────────────────────────────────────────────────── */

/* The file's next section with data, from *end on; false: there is none. */
static bool next_section(const np_upload *job, off_t *start, off_t *end)
{
	*start = lseek(job->fd, *end, SEEK_DATA);
	*end = *start < 0 ? -1 : lseek(job->fd, *start, SEEK_HOLE);
	return *end >= 0;
}

static guint64 data_bytes(const np_upload *job)
{
	guint64 sum = 0;
	off_t start, end = 0;
	while (next_section(job, &start, &end))
		sum += (guint64)(end - start);
	return sum;
}

/* As of the pool's last refresh. True where libvirt cannot say. */
static bool has_room(const np_upload *job, guint64 *free_bytes)
{
	virStoragePoolInfo info;
	*free_bytes = virStoragePoolGetInfo(job->pool, &info) == 0 ? info.available : G_MAXUINT64;
	return *free_bytes >= data_bytes(job);
}

static bool fail_for_room(const np_upload *job, guint64 free_bytes, GError **error)
{
	g_autofree char *needed = np_size_human(data_bytes(job)), *there = np_size_human(free_bytes);
	g_set_error(
	        error, NP_ERROR, NP_ERROR_FAILED,
	        "'%s' cannot be uploaded as volume '%s' of pool '%s' at %s: No space left in the pool; it takes %s, "
	        "and %s is free.",
	        job->path, job->name, virStoragePoolGetName(job->pool), job->conn->uri, needed, there);
	return false;
}

bool np_upload_check_room(const np_upload *job, GError **error)
{
	guint64 free_bytes;
	if (job->conn->mock || has_room(job, &free_bytes))
		return true;
	return np_pool_refresh(job->conn, job->pool, error) &&
	       (has_room(job, &free_bytes) || fail_for_room(job, free_bytes, error));
}

/* ── the end of the bytes ─────────────────────────────────────────────── */

typedef struct {
	off_t at;
	size_t length; /* 0: all is zero */
	char bytes[BLOCK];
} tail;

static bool is_zero(const char *bytes, size_t length)
{
	return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static bool read_block(const np_upload *job, tail *last, GError **error)
{
	size_t got = 0;
	while (got < last->length) {
		ssize_t n = pread(job->fd, last->bytes + got, last->length - got, last->at + (off_t)got);
		if (n == 0)
			errno = ENODATA; /* somebody made the file shorter */
		if (n <= 0 && errno != EINTR)
			return np_upload_fail_to_read(job, error);
		got += (size_t)MAX(n, 0);
	}
	return true;
}

/* The last one that is not all zero, of the bytes before `end`. */
static bool find_in_section(const np_upload *job, off_t start, off_t end, tail *last, GError **error)
{
	last->at = end;
	last->length = 0;
	while (last->at > start && is_zero(last->bytes, last->length)) {
		last->length = (size_t)MIN(last->at - start, BLOCK);
		last->at -= (off_t)last->length;
		if (!read_block(job, last, error))
			return false;
	}
	if (is_zero(last->bytes, last->length))
		last->length = 0;
	return true;
}

static bool find_last(const np_upload *job, tail *last, GError **error)
{
	off_t limit = (off_t)job->size, start, end, last_start, last_end;
	do {
		last_start = last_end = end = 0;
		while (next_section(job, &start, &end) && start < limit) {
			last_start = start;
			last_end = MIN(end, limit);
		}
		if (!find_in_section(job, last_start, last_end, last, error))
			return false;
		limit = last_start;
	} while (last->length == 0 && limit > 0);
	return true;
}

/* Fewer bytes than asked for: the volume ends before. */
static bool receive(const np_upload *job, virStorageVolPtr volume, const tail *last, char *bytes, size_t *got,
                    GError **error)
{
	g_autoptr(virStream) stream = virStreamNew(job->conn->vir, 0);
	if (!stream || virStorageVolDownload(volume, stream, (guint64)last->at, last->length, 0) < 0)
		return np_upload_fail(job, error);
	int n = 1;
	for (*got = 0; *got < last->length && n > 0; *got += (size_t)MAX(n, 0))
		n = virStreamRecv(stream, bytes + *got, last->length - *got);
	if (n >= 0)
		return virStreamFinish(stream) == 0 || np_upload_fail(job, error);
	np_upload_fail(job, error);
	virStreamAbort(stream);
	return false;
}

bool np_upload_check_end(const np_upload *job, virStorageVolPtr volume, GError **error)
{
	g_autofree tail *last = g_new(tail, 1);
	g_autofree char *there = g_malloc(BLOCK);
	size_t got = 0;
	if (!find_last(job, last, error))
		return false;
	if (last->length == 0)
		return true;
	if (!receive(job, volume, last, there, &got, error))
		return false;
	if (got == last->length && memcmp(last->bytes, there, got) == 0)
		return true;
	guint64 free_bytes;
	if (!has_room(job, &free_bytes))
		return fail_for_room(job, free_bytes, error);
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
	            "'%s' did not arrive whole as volume '%s' of pool '%s' at %s, though libvirt reported no error.",
	            job->path, job->name, virStoragePoolGetName(job->pool), job->conn->uri);
	return false;
}
