/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files and folders of them: the corpus as a test, without libFuzzer. */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replay(const char *path)
{
	g_autofree char *text = NULL;
	gsize length;
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;
	if (dir == NULL) {
		g_assert_true(g_file_get_contents(path, &text, &length, NULL));
		LLVMFuzzerTestOneInput((const uint8_t *)text, length);
		return 1;
	}
	for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		n += replay(inner);
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned n = 0;
	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%u inputs\n", n);
	return n == 0;
}
