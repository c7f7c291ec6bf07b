/* SPDX-License-Identifier: Apache-2.0 */
/* The mounted disk as a np_guest_view that asks once for each image: overlays of one image hold the same. */
#pragma once
#include "drivers/guestfs/appliance.h"
#include "drivers/guestfs/view.h"

typedef struct {
	np_appliance *appliance;
	GHashTable *seen; /* see np_image_facts */
	GError *error;    /* first failure; all that was rendered is void then */
} np_guestview;

GHashTable *np_guestview_cache_new(void);
/* view.data is `state`. */
np_guest_view np_guestview_of(np_guestview *state);
