/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/image/image.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/image/cache.h"
#include "lab/image_format.h"
#include "lab/lab.h"

static bool is_remote(const char *source)
{
	return np_text_is_url(source) && !g_str_has_prefix(source, "file://");
}

/* Absolute path of a local file, which is downloaded where the source is a URL. */
static char *local_path(const np_lab *lab, const np_image *image, const np_fetch_how *how, GError **error)
{
	const char *source = image->source;
	if (g_str_has_prefix(source, "file://"))
		return g_filename_from_uri(source, NULL, error);
	if (is_remote(source))
		return np_fetch(source, image->sha256, how, error);
	return g_canonicalize_filename(source, lab->folder ? lab->folder : ".");
}

static bool check_file(const char *path, struct stat *ret, GError **error)
{
	if (stat(path, ret) < 0) {
		g_set_error(error, NP_ERROR, errno == ENOENT ? NP_ERROR_NOT_FOUND : NP_ERROR_FAILED,
		            "the file '%s' %s%s", path, errno == ENOENT ? "does not exist" : "cannot be used: ",
		            errno == ENOENT ? "" : g_strerror(errno));
		return false;
	}
	if (!S_ISREG(ret->st_mode)) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "'%s' is not a file: name a disk image", path);
		return false;
	}
	return true;
}

static bool check_format(const np_image *image, const char *path, np_format found, GError **error)
{
	if (image->format == NP_FORMAT_AUTO || image->format == (int)found)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
	            "the file '%s' is %s, not %s as its format says: correct or remove the format", path,
	            np_format_names[found], np_format_names[image->format]);
	return false;
}

static bool check_sha256(const np_image *image, const char *path, const char *hash, GError **error)
{
	if (image->sha256 == NULL || g_ascii_strcasecmp(image->sha256, hash) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
	            "the file '%s' has the SHA-256 %s instead of %s: it is damaged, or another "
	            "version than the lab was written for",
	            path, hash, image->sha256);
	return false;
}

/* A web page, say, in place of an image is not kept: another time the server may send the image. */
static bool probe(const np_image *image, const char *path, const struct stat *st, np_format *format, guint64 *virtual_size,
                  GError **error)
{
	if (np_format_probe(path, (guint64)st->st_size, format, virtual_size, error))
		return true;
	if (is_remote(image->source))
		unlink(path);
	return false;
}

static bool resolve(const np_lab *lab, np_image *image, const np_fetch_how *how, GError **error)
{
	g_autofree char *path = local_path(lab, image, how, error);
	struct stat st;
	np_format format;
	guint64 virtual_size;
	if (path == NULL || !check_file(path, &st, error) || !probe(image, path, &st, &format, &virtual_size, error) ||
	    !check_format(image, path, format, error))
		return false;
	g_autofree char *hash = np_cache_sha256(path, error);
	if (hash == NULL || !check_sha256(image, path, hash, error))
		return false;
	g_free(image->path);
	g_free(image->id);
	image->path = g_steal_pointer(&path);
	image->id = g_strdup_printf("sha256-%s", hash);
	image->bytes = (guint64)st.st_size;
	image->virtual_size = virtual_size;
	image->format = (int)format;
	return true;
}

bool np_image_resolve(const np_lab *lab, np_image *image, const np_fetch_how *how, GError **error)
{
	if (resolve(lab, image, how, error))
		return true;
	g_prefix_error(error, "image '%s': ", image->base.name);
	return false;
}
