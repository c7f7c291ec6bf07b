/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/guestfs/ptable.h"

#include <string.h>

#define MBR_ENTRIES 446u
#define MBR_ENTRY   16u
#define GPT_HEADER  92u /* bytes of the header that its checksum covers, at least */
#define GPT_SPARE   33u /* sectors that the copy at the end takes */

/* Types of partitions that hold a Linux root: Linux data, root of x86-64, root of arm64; as the bytes are on disk. */
static const guint8 linux_types[][16] = {
        {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4},
        {0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09},
        {0x45, 0xb0, 0x21, 0xb9, 0xf0, 0x1d, 0xc3, 0x41, 0xaf, 0x44, 0x4c, 0x6f, 0x28, 0x0d, 0x3f, 0xae},
};

static guint32 get32(const guint8 *p)
{
	return (guint32)p[0] | (guint32)p[1] << 8 | (guint32)p[2] << 16 | (guint32)p[3] << 24;
}

static guint64 get64(const guint8 *p)
{
	return (guint64)get32(p) | (guint64)get32(p + 4) << 32;
}

static void put32(guint8 *p, guint32 value)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (guint8)(value >> (8 * i));
}

static void put64(guint8 *p, guint64 value)
{
	put32(p, (guint32)value);
	put32(p + 4, (guint32)(value >> 32));
}

static guint32 crc32(const guint8 *data, gsize length)
{
	guint32 crc = 0xffffffffu;
	for (gsize i = 0; i < length; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
	}
	return ~crc;
}

void np_ptable_clear(np_ptable *table)
{
	g_clear_pointer(&table->partitions, g_array_unref);
}

/* Geometry of a GPT's entries; false when the header is not one, or they are not all within `length`. */
static bool gpt_entries(const guint8 *head, gsize length, gsize *ret_offset, guint32 *ret_count, guint32 *ret_size)
{
	if (length < 2 * NP_SECTOR || memcmp(head + NP_SECTOR, "EFI PART", 8) != 0)
		return false;
	const guint8 *header = head + NP_SECTOR;
	guint64 lba = get64(header + 72);
	guint32 count = get32(header + 80), size = get32(header + 84);
	if (lba < 2 || lba > NP_PTABLE_SECTORS || count == 0 || count > 1024 || size < 128 || size > 4096)
		return false;
	*ret_offset = (gsize)lba * NP_SECTOR;
	*ret_count = count;
	*ret_size = size;
	return *ret_offset + (gsize)count * size <= length;
}

static bool gpt_is_linux(const guint8 *type)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(linux_types); i++)
		if (memcmp(type, linux_types[i], 16) == 0)
			return true;
	return false;
}

static void gpt_parse(const guint8 *head, gsize length, np_ptable *ret)
{
	static const guint8 unused[16] = {0};
	gsize offset;
	guint32 count, size;
	if (!gpt_entries(head, length, &offset, &count, &size))
		return;
	for (guint32 i = 0; i < count; i++) {
		const guint8 *entry = head + offset + (gsize)i * size;
		guint64 first = get64(entry + 32), last = get64(entry + 40);
		if (memcmp(entry, unused, 16) == 0 || last < first)
			continue;
		np_partition part = {
		        .number = i + 1, .start = first, .sectors = last - first + 1, .linux_fs = gpt_is_linux(entry)};
		g_array_append_val(ret->partitions, part);
	}
}

static void mbr_parse(const guint8 *head, np_ptable *ret)
{
	for (unsigned i = 0; i < 4; i++) {
		const guint8 *entry = head + MBR_ENTRIES + i * MBR_ENTRY;
		np_partition part = {.number = i + 1,
		                     .start = get32(entry + 8),
		                     .sectors = get32(entry + 12),
		                     .linux_fs = entry[4] == 0x83};
		if (entry[4] != 0 && part.sectors > 0)
			g_array_append_val(ret->partitions, part);
	}
}

/* The boot sector of a file system ends with the same two bytes; only a table has boot flags of 0 or 80 hex. */
static bool mbr_is_table(const guint8 *head)
{
	bool any = false;
	for (unsigned i = 0; i < 4; i++) {
		const guint8 *entry = head + MBR_ENTRIES + i * MBR_ENTRY;
		if (entry[0] != 0x00 && entry[0] != 0x80)
			return false;
		any = any || entry[4] != 0;
	}
	return any;
}

void np_ptable_parse(const guint8 *head, gsize length, np_ptable *ret)
{
	ret->kind = NP_PTABLE_NONE;
	ret->partitions = g_array_new(FALSE, FALSE, sizeof(np_partition));
	if (length < NP_SECTOR || head[510] != 0x55 || head[511] != 0xaa || !mbr_is_table(head))
		return;
	ret->kind = head[MBR_ENTRIES + 4] == 0xee ? NP_PTABLE_GPT : NP_PTABLE_MBR;
	if (ret->kind == NP_PTABLE_GPT)
		gpt_parse(head, length, ret);
	else
		mbr_parse(head, ret);
}

const np_partition *np_ptable_last(const np_ptable *table)
{
	const np_partition *last = NULL;
	for (guint i = 0; i < table->partitions->len; i++) {
		const np_partition *part = &g_array_index(table->partitions, np_partition, i);
		if (last == NULL || part->start > last->start)
			last = part;
	}
	return last;
}

static void patch_free(gpointer data)
{
	np_patch *patch = data;
	g_bytes_unref(patch->bytes);
	g_free(patch);
}

static void patch_add(GPtrArray *patches, guint64 sector, const guint8 *data, gsize length)
{
	np_patch *patch = g_new0(np_patch, 1);
	patch->offset = sector * NP_SECTOR;
	patch->bytes = g_bytes_new(data, length);
	g_ptr_array_add(patches, patch);
}

static void mbr_grow(GPtrArray *patches, const guint8 *head, const np_partition *last, guint64 sectors)
{
	guint64 end = MIN(sectors, (guint64)G_MAXUINT32);
	if (end <= last->start + last->sectors)
		return;
	guint8 sector[NP_SECTOR];
	memcpy(sector, head, sizeof sector);
	guint8 *entry = sector + MBR_ENTRIES + (last->number - 1) * MBR_ENTRY;
	put32(entry + 12, (guint32)(end - last->start));
	entry[5] = entry[6] = entry[7] = 0xff; /* the end is beyond what cylinders and heads can say */
	entry[5] = 0xfe;
	patch_add(patches, 0, sector, sizeof sector);
}

static void gpt_header_seal(guint8 *header, guint64 self, guint64 other, guint64 entries, guint32 entries_crc)
{
	put64(header + 24, self);
	put64(header + 32, other);
	put64(header + 72, entries);
	put32(header + 88, entries_crc);
	put32(header + 16, 0);
	put32(header + 16, crc32(header, get32(header + 12)));
}

/* Moves the copy to the new end, and the last partition's end before it. */
static bool gpt_grow(GPtrArray *patches, const guint8 *head, gsize length, const np_partition *last, guint64 sectors)
{
	gsize offset;
	guint32 count, size;
	if (!gpt_entries(head, length, &offset, &count, &size))
		return false;
	guint32 header_size = get32(head + NP_SECTOR + 12);
	gsize table = (gsize)count * size, table_sectors = (table + NP_SECTOR - 1) / NP_SECTOR;
	if (header_size < GPT_HEADER || header_size > NP_SECTOR || table_sectors > GPT_SPARE - 1)
		return false;
	guint64 usable = sectors - table_sectors - 2; /* last sector that partitions may use */
	if (usable <= last->start + last->sectors - 1)
		return true;

	g_autofree guint8 *copy = g_memdup2(head, length);
	guint8 *header = copy + NP_SECTOR, *entries = copy + offset;
	put64(entries + (gsize)(last->number - 1) * size + 40, usable);
	put64(header + 48, usable);
	guint32 crc = crc32(entries, table);
	gpt_header_seal(header, 1, sectors - 1, offset / NP_SECTOR, crc);
	put32(copy + MBR_ENTRIES + 12, (guint32)MIN(sectors - 1, (guint64)G_MAXUINT32)); /* the protective MBR */
	gsize front = offset + table_sectors * NP_SECTOR;
	patch_add(patches, 0, copy, MIN(front, length));

	g_autofree guint8 *back = g_malloc0((table_sectors + 1) * NP_SECTOR);
	memcpy(back, entries, table);
	memcpy(back + table_sectors * NP_SECTOR, header, NP_SECTOR);
	gpt_header_seal(back + table_sectors * NP_SECTOR, sectors - 1, 1, usable + 1, crc);
	patch_add(patches, usable + 1, back, (table_sectors + 1) * NP_SECTOR);
	return true;
}

GPtrArray *np_ptable_grow(const guint8 *head, gsize length, guint64 sectors, const char **why)
{
	g_auto(np_ptable) table = {0};
	g_autoptr(GPtrArray) patches = g_ptr_array_new_with_free_func(patch_free);
	np_ptable_parse(head, length, &table);
	const np_partition *last = np_ptable_last(&table);
	if (table.kind == NP_PTABLE_GPT && last == NULL) {
		*why = "its GUID partition table cannot be read";
		return NULL;
	}
	if (last == NULL || !last->linux_fs)
		return g_steal_pointer(&patches);
	if (last->start + last->sectors > sectors) {
		*why = "its last partition ends beyond the disk";
		return NULL;
	}
	if (table.kind == NP_PTABLE_MBR) {
		mbr_grow(patches, head, last, sectors);
	} else if (!gpt_grow(patches, head, length, last, sectors)) {
		*why = "its GUID partition table is of an unusual form";
		return NULL;
	}
	return g_steal_pointer(&patches);
}
