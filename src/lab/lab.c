/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/check.h"
#include "lab/complete.h"
#include "lab/decode.h"
#include "lab/secrets.h"
#include "lab/text.h"

#define BOM      "\xef\xbb\xbf"
#define READ_MAX (NP_TEXT_MAX + 1024 * 1024) /* beyond what np_doc_parse accepts, so that it gives the reason */

static char *folder_find(const np_load_options *options)
{
	if (options->folder != NULL)
		return g_canonicalize_filename(options->folder, NULL);
	if (options->file == NULL || strcmp(options->file, "-") == 0)
		return g_get_current_dir();
	g_autofree char *folder = g_path_get_dirname(options->file);
	return g_canonicalize_filename(folder, NULL);
}

static const char *shown_name(const char *file)
{
	return file == NULL || strcmp(file, "-") == 0 ? "<stdin>" : file;
}

np_diags *np_load_failed(const char *file, const GError *error)
{
	np_diags *diags = np_diags_new(shown_name(file));
	np_diags_error(diags, NP_CODE_FILE_UNREADABLE, (np_pos){0}, NULL, "%s", error->message);
	return diags;
}

static np_lab *document_load(const np_doc *doc, const np_load_options *options, np_diags *diags, np_origin *origin)
{
	g_autoptr(np_lab) lab = np_lab_decode(doc, options, diags, origin);
	if (lab == NULL)
		return NULL;
	if (lab->name == NULL && diags->errors > 0 && !np_object_has(&np_lab_kind, &lab->base, "version"))
		return NULL; /* not a mapping, or not of this version: more messages would only confuse */
	lab->file = g_strdup(options->file ? options->file : "-");
	lab->folder = folder_find(options);
	np_lab_complete(lab, diags, origin);
	/* A disk without a size has its image's. */
	if (options->check_files)
		np_lab_check_images(lab, diags, origin);
	np_lab_check(lab, diags, origin);
	if (options->check_files)
		np_lab_check_files(lab, diags, origin);
	return diags->errors > 0 ? NULL : g_steal_pointer(&lab);
}

/* Takes the text. */
static np_lab *text_load(char *text, gsize length, const np_load_options *options, np_diags **ret_diags)
{
	static const np_load_options none;
	const np_load_options *o = options ? options : &none;
	g_autoptr(np_diags) diags = np_diags_new(shown_name(o->file));
	gsize skip = length >= 3 && memcmp(text, BOM, 3) == 0 ? 3 : 0;
	np_lab *lab = NULL;
	np_origin origin = {0};
	memmove(text, text + skip, length + 1 - skip);
	g_autoptr(np_doc) doc = np_doc_parse(text, length - skip, diags);
	diags->strict = o->strict != FALSE;
	if (length > NP_TEXT_MAX) /* refused; no line of it is shown */
		diags->text = NULL;
	else if (doc != NULL || g_utf8_validate_len(text, length - skip, NULL))
		diags->text = text;
	else
		diags->text = g_utf8_make_valid(text, (gssize)(length - skip));
	if (diags->text != text)
		g_free(text);
	np_secrets_hide(doc, diags);
	diags->annotate = np_origin_annotate;
	diags->annotate_data = &origin;
	origin.doc = doc;
	if (doc != NULL)
		lab = document_load(doc, o, diags, &origin);
	diags->annotate = NULL;
	if (ret_diags != NULL)
		*ret_diags = g_steal_pointer(&diags);
	return lab;
}

np_lab *np_lab_parse(const char *text, gsize length, const np_load_options *options, np_diags **ret_diags)
{
	g_autofree char *copy = g_malloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return text_load(g_steal_pointer(&copy), length, options, ret_diags);
}

/* Reads to the end, but not without end: the file may be /dev/zero. */
static char *descriptor_read(int fd, gsize *ret_length)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char buffer[65536];
	ssize_t n = 1;
	while (n != 0 && text->len < READ_MAX) {
		n = read(fd, buffer, sizeof buffer);
		if (n < 0 && errno != EINTR)
			return NULL;
		g_string_append_len(text, buffer, MAX(n, 0));
	}
	*ret_length = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* What cannot be one; reading a pipe could wait for ever. */
static gboolean file_check(const char *what, const char *file, int fd, GError **error)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return TRUE;
	if (S_ISDIR(info.st_mode))
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID, "'%s' is a folder; name the %s in it", file, what);
	else if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode))
		g_set_error(error, NP_ERROR, NP_ERROR_INVALID,
		            "'%s' is a pipe and no file; connect it to standard input and name '-'", file);
	else
		return TRUE;
	return FALSE;
}

char *np_text_load(const char *what, const char *file, gsize *ret_length, GError **error)
{
	gboolean is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int code = errno;
	gboolean good = fd >= 0 && (is_stdin || file_check(what, file, fd, error));
	char *text = good ? descriptor_read(fd, ret_length) : NULL;
	code = good ? errno : code;
	if (fd >= 0 && !is_stdin)
		(void)close(fd);
	if (text != NULL || (fd >= 0 && !good))
		return text;
	if (code == ENOENT)
		g_set_error(error, NP_ERROR, NP_ERROR_NOT_FOUND,
		            "there is no %s '%s'; name one, or go to its folder", what, file);
	else
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "cannot read the %s '%s': %s", what,
		            is_stdin ? "<stdin>" : file, g_strerror(code));
	return NULL;
}

np_lab *np_lab_load(const char *file, const np_load_options *options, np_diags **ret_diags, GError **error)
{
	np_load_options o = options ? *options : (np_load_options){0};
	gsize length = 0;
	o.file = o.file ? o.file : file;
	if (ret_diags != NULL)
		*ret_diags = NULL;
	char *text = np_text_load("lab file", file, &length, error);
	return text ? text_load(text, length, &o, ret_diags) : NULL;
}

np_pos np_lab_item_at(const np_lab *lab, const GPtrArray *list, guint i, np_pos otherwise)
{
	const GArray *items = lab->items ? g_hash_table_lookup(lab->items, list) : NULL;
	return items != NULL && i < items->len ? g_array_index(items, np_pos, i) : otherwise;
}
