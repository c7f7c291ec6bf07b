/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/image_format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum { SECTOR = 512, HEAD = 512, QCOW2_V2_HEADER = 72, QCOW2_V3_HEADER = 104 };
/* incompatible features of qcow2 version 3 */
enum { QCOW2_CORRUPT = 1 << 1, QCOW2_EXTERNAL = 1 << 2 };

typedef int owned_fd;
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(owned_fd, close, -1)

/* What people have instead of a raw disk; a raw disk starts with code of a boot sector, or zeros. */
static const struct {
	gsize offset, length;
	const char *magic, *what;
} others[] = {
        {0, 6,
         "\xfd"
         "7zXZ\0",
         "compressed with xz: unpack it first"},
        {0, 3, "\x1f\x8b\x08", "compressed with gzip: unpack it first"},
        {0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"},
        {0, 3, "BZh", "compressed with bzip2: unpack it first"},
        {0, 4, "PK\3\4", "a ZIP archive: unpack it first"},
        {257, 5, "ustar", "a tar archive: unpack it first"},
        {0, 4, "KDMV", "a VMDK: convert it with qemu-img convert -O qcow2"},
        {0, 4, "QED\0", "a QED image: convert it with qemu-img convert -O qcow2"},
        {0, 8, "vhdxfile", "a VHDX: convert it with qemu-img convert -O qcow2"},
        {0, 8, "conectix", "a VHD: convert it with qemu-img convert -O qcow2"},
        {64, 4, "\x7f\x10\xda\xbe", "a VDI: convert it with qemu-img convert -O qcow2"},
        {0, 9, "<!DOCTYPE", "a web page: the download went wrong"},
        {0, 5, "<html", "a web page: the download went wrong"},
};

static guint32 big32(const guint8 *at)
{
	guint32 value;
	memcpy(&value, at, sizeof value);
	return GUINT32_FROM_BE(value);
}

static guint64 big64(const guint8 *at)
{
	guint64 value;
	memcpy(&value, at, sizeof value);
	return GUINT64_FROM_BE(value);
}

/* Reads the header itself: a guest image that names other files of this machine would hand them to the guest. */
static const char *qcow2_fault(const guint8 *head, gsize length)
{
	if (length < QCOW2_V2_HEADER)
		return "is cut off: its qcow2 header is incomplete";
	guint32 version = big32(head + 4), cluster_bits = big32(head + 20);
	if (version != 2 && version != 3)
		return "has an unknown qcow2 version: convert it with qemu-img convert -O qcow2";
	if (big64(head + 8) != 0 || big32(head + 16) != 0)
		return "has a backing file: flatten it with qemu-img convert -O qcow2";
	if (big32(head + 32) != 0)
		return "is encrypted: decrypt it with qemu-img convert -O qcow2";
	if (cluster_bits < 9 || cluster_bits > 21 || big64(head + 24) == 0 || big64(head + 24) > G_MAXINT64)
		return "is damaged: its qcow2 header makes no sense";
	if (version == 2)
		return NULL;
	if (length < QCOW2_V3_HEADER)
		return "is cut off: its qcow2 header is incomplete";
	guint64 features = big64(head + 72);
	if ((features & QCOW2_EXTERNAL) != 0)
		return "keeps its data in another file: make one file with qemu-img convert -O qcow2";
	if ((features & QCOW2_CORRUPT) != 0)
		return "is marked as corrupt: see qemu-img check";
	return NULL;
}

static const char *raw_fault(const guint8 *head, gsize length)
{
	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		gsize end = others[i].offset + others[i].length;
		if (end <= length && memcmp(head + others[i].offset, others[i].magic, others[i].length) == 0)
			return others[i].what;
	}
	return NULL;
}

static bool read_head(const char *path, guint8 head[HEAD], gsize *ret_length, GError **error)
{
	g_auto(owned_fd) fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, head, HEAD, 0) : -1;
	if (n < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be read: %s", path, g_strerror(errno));
		return false;
	}
	*ret_length = (gsize)n;
	return true;
}

bool np_format_probe(const char *path, guint64 bytes, np_format *ret_format, guint64 *ret_virtual_size, GError **error)
{
	guint8 head[HEAD];
	gsize length;
	if (!read_head(path, head, &length, error))
		return false;
	bool qcow2 = length >= 4 && memcmp(head, "QFI\xfb", 4) == 0;
	const char *fault = qcow2 ? qcow2_fault(head, length) : raw_fault(head, length);
	if (!qcow2 && bytes == 0)
		fault = "empty";
	if (fault != NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "the file '%s' %s%s", path, qcow2 ? "" : "is ", fault);
		return false;
	}
	*ret_format = qcow2 ? NP_FORMAT_QCOW2 : NP_FORMAT_RAW;
	*ret_virtual_size = qcow2 ? big64(head + 24) : (bytes + SECTOR - 1) / SECTOR * SECTOR;
	return true;
}
