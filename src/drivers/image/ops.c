/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/driver.h"
#include "drivers/image/image.h"
#include "drivers/image/local.h"

static char *share(const np_lab *lab, const np_site *site, GCancellable *cancel, GError **error)
{
	g_auto(np_share) built = {0};
	if (!np_share_build(lab, site, &built, cancel, error))
		return NULL;
	return g_steal_pointer(&built.path);
}

const np_image_ops np_image_files = {.share = share, .local = np_local_look, .room = np_local_room};
