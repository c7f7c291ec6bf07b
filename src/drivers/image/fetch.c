/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/image/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/ident.h"
#include "drivers/image/cache.h"

/* A server that sends less than this for so long sends nothing. */
#define SLOW_BYTES_PER_SECOND 1024L
#define SLOW_SECONDS          60L
#define CONNECT_SECONDS       30L
#define REDIRECTS_MAX         10L

typedef int owned_fd;
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(owned_fd, close, -1)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CURL, curl_easy_cleanup)

typedef struct {
	const char *url, *sha256;
	const np_fetch_how *how;
	char *shown; /* the URL without what may be secret */
	char *path, *part;
	int fd;       /* of the part, locked */
	off_t had;    /* bytes that were there before this transfer */
	int trouble;  /* errno of a write that failed; 0: none */
} fetch;

static void fetch_clear(fetch *f)
{
	g_free(f->shown);
	g_free(f->path);
	g_free(f->part);
	if (f->fd >= 0)
		close(f->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(fetch, fetch_clear)

/* A user, a password and a query may be secrets. */
static char *without_secrets(const char *url)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED | G_URI_FLAGS_PARSE_RELAXED, NULL);
	return uri ? g_uri_to_string_partial(uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT) : NULL;
}

/* The name tells a person who looks into the folder what the file is. */
static char *copy_path(const char *shown, const char *url, const char *sha256)
{
	g_autofree char *base = g_path_get_basename(shown), *key = np_ident_short(16, url, sha256 ? sha256 : "", NULL);
	g_strcanon(base, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-", '_');
	g_autofree char *name = g_strdup_printf("downloads/%s-%.80s", key, base);
	return np_cache_path(name);
}

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static size_t take(char *bytes, size_t size, size_t count, void *data)
{
	fetch *f = data;
	size_t length = size * count, done = 0;
	while (done < length) {
		ssize_t n = write(f->fd, bytes + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			f->trouble = errno;
			return 0;
		}
		done += (size_t)n;
	}
	return length;
}

/* Non-zero ends the transfer. */
static int follow(void *data, curl_off_t total, curl_off_t now, curl_off_t up_total G_GNUC_UNUSED, curl_off_t up_now G_GNUC_UNUSED)
{
	const fetch *f = data;
	const np_fetch_how *how = f->how;
	if (how->progress && now > 0)
		how->progress(f->shown, (guint64)(f->had + now), total > 0 ? (guint64)(f->had + total) : 0, how->data);
	return how->cancel && g_cancellable_is_cancelled(how->cancel);
}

static void set_up(CURL *curl, fetch *f, char *why)
{
	bool secure = g_ascii_strncasecmp(f->url, "https:", strlen("https:")) == 0;
	curl_easy_setopt(curl, CURLOPT_URL, f->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_PER_SECOND);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "nestplan/" NP_VERSION);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, follow);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, f);
	if (f->had > 0)
		curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)f->had);
}

static bool start_over(fetch *f, GError **error)
{
	f->had = 0;
	if (ftruncate(f->fd, 0) == 0 && lseek(f->fd, 0, SEEK_SET) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be emptied: %s", f->part, g_strerror(errno));
	return false;
}

static void explain(const fetch *f, CURLcode code, const char *why, GError **error)
{
	if (f->how->cancel && g_cancellable_is_cancelled(f->how->cancel))
		g_set_error(error, NP_ERROR, NP_ERROR_CANCELLED, "The download of '%s' was interrupted.", f->shown);
	else if (f->trouble)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "'%s' cannot be kept in '%s': %s; make room, or set XDG_CACHE_HOME to another place", f->shown, f->part,
		            g_strerror(f->trouble));
	else
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE,
		            "'%s' cannot be downloaded: %s; check the address and the network, or download it yourself and give the "
		            "file's path", f->shown, *why ? why : curl_easy_strerror(code));
}

/* One transfer, from where the part ends. */
static CURLcode transfer(fetch *f, char *why)
{
	static gsize ready;
	if (g_once_init_enter(&ready)) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		g_once_init_leave(&ready, 1);
	}
	g_autoptr(CURL) curl = curl_easy_init();
	*why = '\0';
	if (!curl)
		return CURLE_FAILED_INIT;
	set_up(curl, f, why);
	return curl_easy_perform(curl);
}

static bool download(fetch *f, GError **error)
{
	char why[CURL_ERROR_SIZE];
	CURLcode code = transfer(f, why);
	/* A server that cannot go on from there, or a part that is longer than the whole. */
	if (f->had > 0 && (code == CURLE_RANGE_ERROR || code == CURLE_HTTP_RETURNED_ERROR)) {
		if (!start_over(f, error))
			return false;
		code = transfer(f, why);
	}
	if (code == CURLE_OK)
		return true;
	explain(f, code, why, error);
	/* What nobody goes on with only takes room. */
	struct stat st;
	if (f->trouble || !f->sha256 || fstat(f->fd, &st) < 0 || st.st_size == 0)
		unlink(f->part);
	return false;
}

static bool is_right(const fetch *f, bool *ret, GError **error)
{
	*ret = true;
	if (!f->sha256)
		return true;
	g_autofree char *hash = np_cache_sha256(f->part, error);
	*ret = hash && g_ascii_strcasecmp(hash, f->sha256) == 0;
	if (hash && !*ret && f->had == 0) {
		unlink(f->part);
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
		            "'%s' has the SHA-256 %s instead of %s: it is damaged, or another version than the lab was written for", f->shown,
		            hash, f->sha256);
		return false;
	}
	return hash != NULL;
}

/* Two at once: the second waits, and finds what the first has downloaded, or a part that the first has given up. */
static int lock_part(const char *path, struct stat *ret)
{
	for (;;) {
		struct stat named;
		g_auto(owned_fd) fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, ret) < 0)
			return -1;
		if (lstat(path, &named) == 0 && named.st_ino == ret->st_ino)
			return g_steal_fd(&fd);
	}
}

static bool open_part(fetch *f, GError **error)
{
	struct stat st = {0};
	if (!np_cache_ensure(f->part, error))
		return false;
	f->fd = lock_part(f->part, &st);
	if (f->fd < 0) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be made and locked: %s; set XDG_CACHE_HOME to another place", f->part,
		            g_strerror(errno));
		return false;
	}
	f->had = st.st_size;
	return f->sha256 || start_over(f, error);
}

static bool keep(const fetch *f, GError **error)
{
	if (fsync(f->fd) == 0 && rename(f->part, f->path) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "'%s' cannot be kept as '%s': %s", f->shown, f->path, g_strerror(errno));
	return false;
}

static bool get(fetch *f, GError **error)
{
	bool right;
	if (!open_part(f, error))
		return false;
	if (is_there(f->path)) { /* somebody else was first */
		unlink(f->part);
		return true;
	}
	if (!download(f, error) || !is_right(f, &right, error))
		return false;
	/* What was there before the transfer was wrong. */
	if (!right && (!start_over(f, error) || !download(f, error) || !is_right(f, &right, error)))
		return false;
	return keep(f, error);
}

char *np_fetch(const char *url, const char *sha256, const np_fetch_how *how, GError **error)
{
	static const np_fetch_how quietly;
	g_auto(fetch) f = {.url = url, .sha256 = sha256, .how = how ? how : &quietly, .fd = -1};
	f.shown = without_secrets(url);
	if (!f.shown) {
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "what 'source' says is no URL that can be read");
		return NULL;
	}
	f.path = copy_path(f.shown, url, sha256);
	f.part = g_strconcat(f.path, ".part", NULL);
	return is_there(f.path) || get(&f, error) ? g_steal_pointer(&f.path) : NULL;
}
