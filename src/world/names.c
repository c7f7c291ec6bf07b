/* SPDX-License-Identifier: Apache-2.0 */
/* Names of what a lab owns in storage: volumes have no metadata, so their pool and name say whose they are. */
#include <string.h>

#include "base/ident.h"
#include "drivers/driver.h"

#define SERIAL_MAX 20 /* of a virtio disk, and the shortest of all */

char *np_pool_name(const char *lab)
{
	return g_strdup_printf("nestplan-%s", lab);
}

char *np_volume_name(const char *node, const char *disk)
{
	return g_strdup_printf("%s.%s.qcow2", node, disk);
}

char *np_disk_serial(const char *disk)
{
	/* That of the images share is not for others. */
	if (strlen(disk) <= SERIAL_MAX && strcmp(disk, NP_SHARE_SERIAL) != 0)
		return g_strdup(disk);
	return np_ident_short(SERIAL_MAX, disk, NULL);
}

char *np_image_volume(const np_image *image)
{
	return g_strdup_printf("%s.%s", image->id, image->format == NP_FORMAT_RAW ? "raw" : "qcow2");
}

void np_keypair_clear(np_keypair *pair)
{
	g_free(pair->private_openssh);
	g_free(pair->public_line);
	*pair = (np_keypair){0};
}
