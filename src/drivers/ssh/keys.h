/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 keys derived from the lab's seed: nothing to store for each guest, the same key after a rebuild, and a plan
 * that knows them before anything exists. Key = Ed25519(HMAC-SHA256(seed, purpose)). */
#pragma once
#include "drivers/driver.h"

/* purpose: "client" for the lab's own key, "host/ADDRESS" for a guest's host key. comment: e.g. "nestplan LAB". */
bool np_key_derive(GBytes *seed, const char *purpose, const char *comment, np_keypair *ret, GError **error);
/* 32 random bytes. */
GBytes *np_key_seed_new(GError **error);
