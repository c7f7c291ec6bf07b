/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads into a folder without enough room: room FOLDER, a file system of 2 MiB, with a libvirtd for this test alone
 * (room.sh). */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "drivers/driver.h"

#define POOL   "nestplan-nptest-room"
#define URI    "qemu:///system"
#define NAME   "a.raw"
#define ROUNDS 100
#define MIB    ((gsize)1 << 20)

static const char *folder, *pool, *file, *ballast;

static void make_random(const char *path, gsize size)
{
	g_autofree guint32 *bytes = g_malloc(size);
	for (gsize i = 0; i < size / 4; i++)
		bytes[i] = g_random_int();
	g_autoptr(GError) error = NULL;
	g_file_set_contents(path, (char *)bytes, (gssize)size, &error);
	g_assert_no_error(error);
}

static np_conn *open_pool(void)
{
	g_autoptr(GError) error = NULL;
	np_conn *conn = np_libvirt.open(URI, &error);
	g_assert_no_error(error);
	np_libvirt.pool_ensure(conn, POOL, pool, &error);
	g_assert_no_error(error);
	return conn;
}

static bool upload(np_conn *conn, GError **error)
{
	return np_libvirt.volume_upload(conn, POOL, NAME, "raw", file, NULL, NULL, NULL, error);
}

/* As a site's observer sees it: what is incomplete is not there. */
static void assert_not_whole(np_conn *conn)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(np_seen_site) site = np_seen_site_new("");
	np_libvirt.observe(conn, "nptest-room", site, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_hash_table_size(site->volumes), ==, 0);
}

static void assert_same_bytes(void)
{
	g_autofree char *path = g_build_filename(pool, NAME, NULL);
	g_autofree char *wanted = NULL, *got = NULL;
	gsize length = 0, got_length = 0;
	g_assert_true(g_file_get_contents(file, &wanted, &length, NULL));
	g_assert_true(g_file_get_contents(path, &got, &got_length, NULL));
	g_assert_cmpuint(length, ==, got_length);
	g_assert_true(memcmp(wanted, got, length) == 0);
}

static void remove_all(np_conn *conn)
{
	g_autoptr(GError) error = NULL;
	g_unlink(ballast);
	np_libvirt.volume_delete(conn, POOL, NAME, &error);
	g_assert_no_error(error);
	np_libvirt.close(conn);
}

/* What libvirt knows of the room says that it is enough; it is gone when the bytes come. Then libvirt 9.0 fails, or
 * closes the connection, or says that all went well; which one is chance. */
static void test_lost_room(void)
{
	g_autoptr(GHashTable) answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	make_random(file, MIB);
	for (int i = 0; i < ROUNDS; i++) {
		np_conn *conn = open_pool();
		/* The later the space ends the more often the daemon forgets it. */
		make_random(ballast, MIB + MIB / 8 * (gsize)(1 + i % 6));
		g_autoptr(GError) error = NULL;
		g_assert_false(upload(conn, &error));
		if (!strstr(error->message, "o space left") || !strstr(error->message, NAME))
			g_error("%s", error->message);
		if (g_hash_table_add(answers, g_strdup(error->message)))
			g_test_message("%s", error->message);
		np_libvirt.close(conn);
		g_unlink(ballast);
		conn = open_pool();
		assert_not_whole(conn);
		remove_all(conn);
	}
}

static void test_no_room(void)
{
	make_random(file, MIB);
	make_random(ballast, MIB + MIB / 2);
	np_conn *conn = open_pool();
	g_autoptr(GError) error = NULL;
	g_assert_false(upload(conn, &error));
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, "o space left"));
	g_autoptr(GDir) dir = g_dir_open(pool, 0, NULL);
	g_assert_null(g_dir_read_name(dir));
	/* Room that somebody makes meanwhile counts. */
	g_clear_error(&error);
	g_unlink(ballast);
	upload(conn, &error);
	g_assert_no_error(error);
	assert_same_bytes();
	remove_all(conn);
}

/* A hole needs no room, wherever it is. */
static void test_holes(void)
{
	make_random(file, MIB);
	FILE *handle = g_fopen(file, "r+");
	g_assert_nonnull(handle);
	g_assert_cmpint(fseek(handle, 8 * (long)MIB, SEEK_SET), ==, 0);
	g_assert_cmpint(fputs("after a hole", handle), >=, 0);
	g_assert_cmpint(fflush(handle), ==, 0);
	g_assert_cmpint(ftruncate(fileno(handle), 16 * (long)MIB), ==, 0);
	fclose(handle);
	np_conn *conn = open_pool();
	g_autoptr(GError) error = NULL;
	upload(conn, &error);
	g_assert_no_error(error);
	assert_same_bytes();
	remove_all(conn);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (argc != 2)
		return 2;
	folder = argv[1];
	pool = g_build_filename(folder, "pool", NULL);
	ballast = g_build_filename(folder, "ballast", NULL);
	file = g_strconcat(folder, ".raw", NULL);
	g_test_add_func("/room/lost", test_lost_room);
	g_test_add_func("/room/none", test_no_room);
	g_test_add_func("/room/holes", test_holes);
	return g_test_run();
}
