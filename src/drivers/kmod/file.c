/* SPDX-License-Identifier: Apache-2.0 */
/* NP_NESTING_FILE: what it says, and how it is replaced. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/kmod/kmod.h"

#define FIRST_LINE "# Written by nestplan, which removes it with the last lab that needs it. Do not edit."

void np_nesting_file_clear(np_nesting_file *file)
{
	g_free(file->module);
	g_clear_pointer(&file->labs, g_ptr_array_unref);
	g_clear_pointer(&file->bytes, g_bytes_unref);
	*file = (np_nesting_file){.before = -1};
}

/* One line behind the first. False: nestplan does not write such a line. */
static bool take_line(const char *line, np_nesting_file *file)
{
	if (g_str_has_prefix(line, "# labs: ")) {
		g_auto(GStrv) names = g_strsplit(line + strlen("# labs: "), " ", -1);
		for (char **name = names; *name != NULL; name++)
			g_ptr_array_add(file->labs, g_strdup(*name));
	} else if (strcmp(line, "# before: nested=0") == 0 || strcmp(line, "# before: nested=1") == 0) {
		file->before = line[strlen(line) - 1] - '0';
	} else if (file->module == NULL && g_str_has_prefix(line, "options ") && g_str_has_suffix(line, " nested=1")) {
		const char *module = line + strlen("options ");
		file->module = g_strndup(module, strcspn(module, " "));
		return strlen(line) == strlen("options  nested=1") + strlen(file->module);
	} else {
		return *line == '\0';
	}
	return true;
}

static bool take_text(const char *text, np_nesting_file *file)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	if (lines[0] == NULL || strcmp(lines[0], FIRST_LINE) != 0)
		return false;
	for (char **line = lines + 1; *line != NULL; line++)
		if (!take_line(*line, file))
			return false;
	return file->module != NULL && file->labs->len > 0;
}

/* A link is somebody else's: replacing it would not change what it points to. */
void np_nesting_file_read(const char *root, np_nesting_file *ret)
{
	g_autofree char *path = g_strconcat(root, NP_NESTING_FILE, NULL);
	np_nesting_file_clear(ret);
	ret->labs = g_ptr_array_new_with_free_func(g_free);
	GStatBuf status;
	char *text;
	gsize length;
	ret->exists = g_lstat(path, &status) == 0;
	if (!ret->exists || !S_ISREG(status.st_mode) || !g_file_get_contents(path, &text, &length, NULL))
		return;
	ret->bytes = g_bytes_new_take(text, length);
	ret->ours = strlen(text) == length && take_text(text, ret);
	if (ret->ours)
		return;
	g_clear_pointer(&ret->module, g_free);
	g_ptr_array_set_size(ret->labs, 0);
	ret->before = -1;
}

GBytes *np_nesting_file_bytes(const char *module, const char *const *labs, int before)
{
	g_autofree char *names = g_strjoinv(" ", (char **)labs);
	char *text = g_strdup_printf(FIRST_LINE "\n# labs: %s\n%soptions %s nested=1\n", names,
	                             before < 0 ? "" : before ? "# before: nested=1\n" : "# before: nested=0\n", module);
	return g_bytes_new_take(text, strlen(text));
}

static bool failed(const char *what, GError **error)
{
	g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "%s cannot be %s: %s", NP_NESTING_FILE, what, g_strerror(errno));
	return false;
}

static bool write_all(int fd, GBytes *bytes)
{
	gsize length;
	const char *data = g_bytes_get_data(bytes, &length);
	while (length > 0) {
		gssize done = write(fd, data, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		data += done;
		length -= (gsize)done;
	}
	return fchmod(fd, 0644) == 0 && fsync(fd) == 0;
}

/* So that the change of name outlives a power cut. */
static bool sync_folder(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return good;
}

/* modprobe reads neither names that begin with a dot nor those without .conf. */
static bool replace(const char *path, GBytes *bytes)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *temporary = g_build_filename(folder, ".zz-nestplan.XXXXXX", NULL);
	int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool good = write_all(fd, bytes);
	int code = errno;
	(void)close(fd);
	if (good && rename(temporary, path) == 0)
		return sync_folder(path);
	if (good)
		code = errno;
	(void)unlink(temporary);
	errno = code;
	return false;
}

bool np_nesting_file_put(const char *root, GBytes *bytes, GError **error)
{
	g_autofree char *path = g_strconcat(root, NP_NESTING_FILE, NULL);
	if (bytes != NULL)
		return replace(path, bytes) || failed("written", error);
	if (unlink(path) != 0)
		return errno == ENOENT || failed("removed", error);
	return sync_folder(path) || failed("removed for good", error);
}
