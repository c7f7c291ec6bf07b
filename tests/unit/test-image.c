/* SPDX-License-Identifier: Apache-2.0 */
/* drivers/image: identity and format of image files, and the shares that carry them to the next level. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/ident.h"
#include "base/process.h"
#include "drivers/driver.h"
#include "drivers/image/image.h"

typedef struct {
	char *folder; /* images; the cache is a folder in it */
	np_lab *lab;
} fixture;

static void remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		remove_tree(inner);
	}
	(void)g_remove(path);
}

static void set_up(fixture *f, gconstpointer data)
{
	(void)data;
	f->folder = g_dir_make_tmp("nestplan image-XXXXXX", NULL);
	g_assert_nonnull(f->folder);
	g_autofree char *cache = g_build_filename(f->folder, "cache", NULL);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	f->lab = np_object_new(&np_lab_kind, "lab");
	f->lab->folder = g_strdup(f->folder);
}

static void tear_down(fixture *f, gconstpointer data)
{
	(void)data;
	np_lab_free(f->lab);
	remove_tree(f->folder);
	g_free(f->folder);
}

static char *put(const fixture *f, const char *name, const void *data, gssize length)
{
	char *path = g_build_filename(f->folder, name, NULL);
	g_assert_true(g_file_set_contents(path, data, length, NULL));
	return path;
}

static np_image *add_image(const fixture *f, const char *name, const char *source)
{
	np_image *image = np_object_new(&np_image_kind, name);
	image->source = g_strdup(source);
	g_ptr_array_add(np_objects_own(&f->lab->images), image);
	return image;
}

static void resolve(const fixture *f, np_image *image)
{
	g_autoptr(GError) error = NULL;
	bool good = np_image_resolve(f->lab, image, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(good);
}

static void refuse(const fixture *f, const char *source, int code, const char *words)
{
	np_image *image = add_image(f, "bad", source);
	g_autoptr(GError) error = NULL;
	g_assert_false(np_image_resolve(f->lab, image, NULL, &error));
	g_assert_error(error, NP_ERROR, code);
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, words));
	g_assert_nonnull(strstr(error->message, "image 'bad'"));
	g_assert_null(image->id);
}

static void put32(guint8 *at, guint32 value)
{
	value = GUINT32_TO_BE(value);
	memcpy(at, &value, sizeof value);
}

/* The header of a qcow2 of 1 GiB, in 200 bytes. */
static void qcow2_header(guint8 head[200])
{
	memset(head, 0, 200);
	memcpy(head, "QFI\xfb", 4);
	put32(head + 4, 3);
	put32(head + 20, 16);
	put32(head + 28, 1 << 30);
	put32(head + 100, 104);
}

static void test_qcow2(fixture *f, gconstpointer data)
{
	(void)data;
	guint8 head[200];
	qcow2_header(head);
	g_autofree char *path = put(f, "good.qcow2", head, sizeof head);
	np_image *image = add_image(f, "good", "good.qcow2");
	resolve(f, image);
	g_autofree char *hash = np_ident_sha256(head, sizeof head);
	g_autofree char *id = g_strdup_printf("sha256-%s", hash);
	g_assert_cmpstr(image->path, ==, path);
	g_assert_cmpstr(image->id, ==, id);
	g_assert_cmpint(image->format, ==, NP_FORMAT_QCOW2);
	g_assert_cmpuint(image->bytes, ==, sizeof head);
	g_assert_cmpuint(image->virtual_size, ==, 1 << 30);
}

static void test_qcow2_bad(fixture *f, gconstpointer data)
{
	(void)data;
	static const struct {
		unsigned at;
		guint32 value;
		const char *words;
	} cases[] = {
	        {4, 7, "version"},          {12, 104, "backing file"}, {16, 9, "backing file"}, {32, 2, "encrypted"},
	        {20, 40, "makes no sense"}, {28, 0, "makes no sense"}, {76, 4, "another file"}, {76, 2, "corrupt"},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint8 head[200];
		qcow2_header(head);
		put32(head + cases[i].at, cases[i].value);
		g_autofree char *path = put(f, "bad.qcow2", head, sizeof head);
		refuse(f, "bad.qcow2", NP_ERROR_INVALID, cases[i].words);
	}
	g_autofree char *path = put(f, "short", "QFI\xfb", 4);
	refuse(f, "short", NP_ERROR_INVALID, "cut off");
}

static void test_raw(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *path = put(f, "disk.img", "0123456789", -1);
	np_image *image = add_image(f, "raw", "disk.img");
	resolve(f, image);
	g_assert_cmpint(image->format, ==, NP_FORMAT_RAW);
	g_assert_cmpuint(image->bytes, ==, 10);
	g_assert_cmpuint(image->virtual_size, ==, 512);
	g_autofree char *hash = np_ident_sha256("0123456789", 10);
	image->sha256 = g_strdup(hash);
	resolve(f, image);

	g_autoptr(GError) error = NULL;
	image->sha256[0] = image->sha256[0] == '0' ? '1' : '0';
	g_assert_false(np_image_resolve(f->lab, image, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	g_assert_nonnull(strstr(error->message, hash));
}

static void test_not_images(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *xz = put(f, "a.xz",
	                          "\xfd"
	                          "7zXZ\0rest",
	                          10);
	g_autofree char *vmdk = put(f, "a.vmdk", "KDMVrest", -1);
	g_autofree char *empty = put(f, "empty", "", 0);
	refuse(f, "a.xz", NP_ERROR_INVALID, "unpack");
	refuse(f, "a.vmdk", NP_ERROR_INVALID, "qemu-img convert");
	refuse(f, "empty", NP_ERROR_INVALID, "empty");
	refuse(f, "missing", NP_ERROR_NOT_FOUND, "does not exist");
	refuse(f, ".", NP_ERROR_INVALID, "not a file");
	refuse(f, "http://127.0.0.1:1/a.img", NP_ERROR_UNREACHABLE, "download it yourself");

	np_image *image = add_image(f, "declared", "a.vmdk");
	g_autofree char *raw = put(f, "a.vmdk", "boot", -1);
	image->format = NP_FORMAT_QCOW2;
	g_autoptr(GError) error = NULL;
	g_assert_false(np_image_resolve(f->lab, image, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_INVALID);
	g_assert_nonnull(strstr(error->message, "is raw, not qcow2"));
}

/* A remembered hash is used, which a changed cache shows; a changed file or a broken cache is not trusted. */
static void test_cache(fixture *f, gconstpointer data)
{
	(void)data;
	g_autofree char *path = put(f, "disk.img", "first", -1);
	np_image *image = add_image(f, "raw", "disk.img");
	g_autofree char *hashes = g_build_filename(f->folder, "cache", "nestplan", "hashes", NULL);
	resolve(f, image);
	g_assert_false(g_file_test(hashes, G_FILE_TEST_EXISTS)); /* too young to be remembered */
	g_usleep(100 * 1000);
	resolve(f, image);
	g_autofree char *real = g_strdup(image->id);

	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(hashes, &text, NULL, NULL));
	char *hash = strstr(text, real + strlen("sha256-"));
	g_assert_nonnull(hash);
	memcpy(hash, "00000000", 8);
	g_assert_true(g_file_set_contents(hashes, text, -1, NULL));
	resolve(f, image);
	g_assert_true(g_str_has_prefix(image->id, "sha256-00000000"));

	g_assert_true(g_file_set_contents(hashes, "\x01 no key file\n[", -1, NULL));
	resolve(f, image);
	g_assert_cmpstr(image->id, ==, real);

	g_autofree char *again = put(f, "disk.img", "other", -1);
	resolve(f, image);
	g_assert_cmpstr(image->id, !=, real);
}

static np_node *add_node(np_site *site, const char *name, const char *image)
{
	np_node *node = np_object_new(&np_node_kind, name);
	node->image = g_strdup(image);
	g_ptr_array_add(np_objects_own(&site->nodes), node);
	return node;
}

/* host ─ a (big) ─ a/b (big) ─ a/b/c (small), a/d (small); e (big) carries nothing */
static np_node *tree(fixture *f)
{
	g_autofree char *big = g_malloc(3 << 20);
	memset(big, 'B', 3 << 20);
	g_autofree char *path = put(f, "big \"one\".img", big, 3 << 20);
	g_autofree char *small = put(f, "small.img", "small", -1);
	g_assert_cmpint(g_chmod(small, 0600), ==, 0);
	resolve(f, add_image(f, "big", "big \"one\".img"));
	resolve(f, add_image(f, "small", "small.img"));
	np_node *a = add_node(&f->lab->site, "a", "big");
	add_node(&f->lab->site, "e", "big");
	np_node *b = add_node(&a->site, "b", "big");
	add_node(&a->site, "d", "small");
	add_node(&b->site, "c", "small");
	return a;
}

static void test_share_name(fixture *f, gconstpointer data)
{
	(void)data;
	np_node *a = tree(f);
	np_node *b = a->site.nodes->pdata[0];
	np_node *e = f->lab->site.nodes->pdata[1];
	g_auto(np_share) share_a = {NULL}, share_b = {NULL}, again = {NULL}, none = {NULL}, more = {NULL};
	g_assert_true(np_share_name(f->lab, &a->site, &share_a));
	g_assert_true(np_share_name(f->lab, &b->site, &share_b));
	g_assert_true(np_share_name(f->lab, &a->site, &again));
	g_assert_false(np_share_name(f->lab, &e->site, &none));
	g_assert_null(none.volume);
	g_assert_cmpstr(share_a.volume, ==, again.volume);
	g_assert_cmpstr(share_a.volume, !=, share_b.volume);
	g_assert_cmpuint(strlen(share_a.label), ==, 15);
	g_assert_true(g_str_has_prefix(share_a.label, "np-"));
	g_assert_false(g_file_test(share_a.path, G_FILE_TEST_EXISTS));
	add_node(&b->site, "c2", "small");
	np_share_clear(&again);
	g_assert_true(np_share_name(f->lab, &a->site, &again));
	g_assert_cmpstr(share_a.volume, ==, again.volume); /* the same images */
	add_node(&b->site, "c3", "big");
	g_assert_true(np_share_name(f->lab, &a->site, &more));
	g_assert_cmpstr(share_a.volume, !=, more.volume); /* a deeper site needs another */
}

static bool have_mke2fs(void)
{
	if (g_file_test("/usr/sbin/mke2fs", G_FILE_TEST_IS_EXECUTABLE) ||
	    g_file_test("/sbin/mke2fs", G_FILE_TEST_IS_EXECUTABLE))
		return true;
	g_test_skip("mke2fs is not installed (e2fsprogs)");
	return false;
}

/* A command of debugfs on the image; its output. */
static char *inside(const char *path, const char *request)
{
	const char *argv[] = {"/sbin/debugfs", "-R", request, path, NULL};
	g_auto(np_process_result) result = {0};
	g_autoptr(GError) error = NULL;
	g_assert_true(np_process_run(argv, NULL, 0, NULL, &result, &error));
	g_assert_no_error(error);
	return g_steal_pointer(&result.output);
}

static void check_content(const np_share *share, const char *name, const char *source, const char *folder)
{
	g_autofree char *copy = g_build_filename(folder, "copy", NULL);
	g_autofree char *dump = g_strdup_printf("dump %s \"%s\"", name, copy);
	g_autofree char *said = inside(share->path, dump);
	g_autofree char *want = NULL, *got = NULL;
	gsize want_length, got_length;
	g_assert_true(g_file_get_contents(source, &want, &want_length, NULL));
	g_assert_true(g_file_get_contents(copy, &got, &got_length, NULL));
	g_assert_cmpuint(got_length, ==, want_length);
	g_assert_true(memcmp(got, want, got_length) == 0);
	g_autofree char *stat_request = g_strdup_printf("stat %s", name);
	g_autofree char *stat_text = inside(share->path, stat_request);
	g_assert_nonnull(strstr(stat_text, "Mode:  0644"));
	g_assert_cmpint(g_unlink(copy), ==, 0);
}

static void test_share_build(fixture *f, gconstpointer data)
{
	(void)data;
	if (!have_mke2fs())
		return;
	np_node *a = tree(f);
	np_node *b = a->site.nodes->pdata[0];
	g_auto(np_share) share_a = {NULL}, share_b = {NULL}, again = {NULL};
	g_autoptr(GError) error = NULL;
	g_assert_true(np_share_build(f->lab, &a->site, &share_a, NULL, &error));
	g_assert_no_error(error);
	g_assert_true(np_share_name(f->lab, &b->site, &share_b));
	for (guint i = 0; i < f->lab->images->len; i++) {
		const np_image *image = f->lab->images->pdata[i];
		g_autofree char *name = np_image_volume(image);
		check_content(&share_a, name, image->path, f->folder);
	}
	check_content(&share_a, share_b.volume, share_b.path, f->folder);
	g_autofree char *list = inside(share_a.path, "ls -p /");
	g_assert_null(strstr(list, "lost+found"));
	g_autofree char *super = inside(share_a.path, "show_super_stats -h");
	g_assert_nonnull(strstr(super, share_a.label));

	g_autofree char *first = NULL, *second = NULL;
	gsize length;
	g_assert_true(g_file_get_contents(share_a.path, &first, &length, NULL));
	g_assert_cmpint(g_unlink(share_a.path), ==, 0);
	g_assert_true(np_share_build(f->lab, &a->site, &again, NULL, &error));
	gsize again_length;
	g_assert_true(g_file_get_contents(again.path, &second, &again_length, NULL));
	g_assert_cmpuint(length, ==, again_length);
	g_assert_true(memcmp(first, second, length) == 0);
}

static guint count(const char *folder)
{
	guint n = 0;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	while (dir != NULL && g_dir_read_name(dir) != NULL)
		n++;
	return n;
}

static void test_share_fails(fixture *f, gconstpointer data)
{
	(void)data;
	if (!have_mke2fs())
		return;
	np_node *a = tree(f);
	np_node *b = a->site.nodes->pdata[0];
	g_autofree char *shares = g_build_filename(f->folder, "cache", "nestplan", "shares", NULL);
	g_auto(np_share) share = {NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	g_cancellable_cancel(cancel);
	g_assert_false(np_share_build(f->lab, &b->site, &share, cancel, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_CANCELLED);
	g_clear_error(&error);
	g_assert_cmpuint(count(shares), ==, 0);

	np_node *e = f->lab->site.nodes->pdata[1];
	g_assert_false(np_share_build(f->lab, &e->site, &share, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	g_clear_error(&error);

	g_autofree char *path = put(f, "small.img", "SMALL", -1); /* the same size, another content */
	g_assert_false(np_share_build(f->lab, &b->site, &share, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_FAILED);
	g_assert_nonnull(strstr(error->message, "changed meanwhile"));
	g_clear_error(&error);
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_false(np_share_build(f->lab, &b->site, &share, NULL, &error));
	g_assert_error(error, NP_ERROR, NP_ERROR_NOT_FOUND);
	g_assert_cmpuint(count(shares), ==, 0);
	g_assert_null(share.volume);
}

static gpointer build_thread(gpointer data)
{
	fixture *f = data;
	const np_node *a = f->lab->site.nodes->pdata[0];
	g_auto(np_share) share = {NULL};
	return GINT_TO_POINTER(np_share_build(f->lab, &a->site, &share, NULL, NULL));
}

static void test_share_twice(fixture *f, gconstpointer data)
{
	(void)data;
	if (!have_mke2fs())
		return;
	(void)tree(f);
	GThread *threads[4];
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("build", build_thread, f);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		g_assert_true(GPOINTER_TO_INT(g_thread_join(threads[i])));
	g_autofree char *shares = g_build_filename(f->folder, "cache", "nestplan", "shares", NULL);
	g_assert_cmpuint(count(shares), ==, 2);
}

#define ADD(name, fn) g_test_add("/image/" name, fixture, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("qcow2", test_qcow2);
	ADD("qcow2-bad", test_qcow2_bad);
	ADD("raw", test_raw);
	ADD("not-images", test_not_images);
	ADD("cache", test_cache);
	ADD("share-name", test_share_name);
	ADD("share-build", test_share_build);
	ADD("share-fails", test_share_fails);
	ADD("share-twice", test_share_twice);
	return g_test_run();
}
