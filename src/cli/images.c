/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a lab, and a display of those that are downloaded. */
#include <string.h>

#include "base/diag.h"
#include "base/units.h"
#include "cli/cli.h"
#include "drivers/image/image.h"

#define REDRAW_US (200 * 1000)

typedef struct {
	const np_options *options;
	np_diags *secrets;
	bool live;
	const np_image *image;
	char *url; /* it is downloaded from; NULL: it is not */
	gint64 drawn;
} display;

static void show(const char *url, guint64 done, guint64 total, gpointer data)
{
	display *d = data;
	if (!d->url) {
		d->url = np_diags_clean(d->secrets, url);
		if (!d->options->quiet && !d->live)
			fprintf(stderr, "downloading %s\n", d->url);
	}
	gint64 now = g_get_monotonic_time();
	if (!d->live || (now - d->drawn < REDRAW_US && done != total))
		return;
	d->drawn = now;
	g_autofree char *got = np_size_human(done), *all = np_size_human(total);
	if (total)
		fprintf(stderr, "\rimage '%s': downloading, %u %% of %s\033[K", d->image->base.name, (unsigned)(done * 100 / total), all);
	else
		fprintf(stderr, "\rimage '%s': downloading, %s\033[K", d->image->base.name, got);
}

static void show_end(display *d, bool good)
{
	const np_image *image = d->image;
	if (!d->url)
		return;
	if (d->live)
		fputs("\r\033[K", stderr);
	if (good && !d->options->quiet) {
		g_autofree char *size = np_size_human(image->bytes);
		fprintf(stderr, "downloaded %s (%s)\n", d->url, size);
		if (!image->sha256)
			fprintf(stderr, "image '%s': to get the same another time, write `sha256: %s`\n", image->base.name,
			        image->id + strlen("sha256-"));
	}
	g_clear_pointer(&d->url, g_free);
}

bool np_images_resolve(np_lab *lab, const np_options *options, GCancellable *cancel, GError **error)
{
	g_autoptr(np_diags) secrets = np_lab_secrets(lab);
	display d = {.options = options, .secrets = secrets, .live = np_live(options)};
	np_fetch_how how = {show, &d, cancel};
	for (guint i = 0; i < lab->images->len; i++) {
		np_image *image = g_ptr_array_index(lab->images, i);
		d.image = image;
		bool good = np_image_resolve(lab, image, &how, error);
		show_end(&d, good);
		if (!good)
			return false;
	}
	return true;
}
