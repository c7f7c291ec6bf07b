/* SPDX-License-Identifier: Apache-2.0 */
/* Images as local files: identity, size, and the share volume by which a node's children get theirs. */
#pragma once
#include <gio/gio.h>

#include "drivers/image/fetch.h"
#include "lab/model.h"

/* Fills path, id, bytes, virtual_size, format; downloads an image that a URL names. The SHA-256 is cached by (path, device, inode, size, mtime, ctime) in
 * the user's cache folder. A wrong sha256, a missing file or a qcow2 with a backing or external data file is an error
 * that names it. how: of a download, may be NULL. */
bool np_image_resolve(const np_lab *lab, np_image *image, const np_fetch_how *how, GError **error);

/* A read-only ext4 volume with the images that the nodes inside `site` (and below) are made from; for sites deeper down
 * their own share lies in it as well. */
typedef struct {
	char *volume; /* "share-HEX.raw": content-addressed name in the images pool */
	char *label;  /* file-system label, ≤ 16 characters, unique by content: "np-" + 12 hex */
	char *path;   /* local file, in the user's cache folder */
} np_share;
void np_share_clear(np_share *share);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_share, np_share_clear)

/* Names only: no I/O; needs resolved images. False when the site has no nodes (ret untouched). */
bool np_share_name(const np_lab *lab, const np_site *site, np_share *ret);
/* Builds the file when the cache has none (mke2fs -d; each image's bytes are copied once). */
bool np_share_build(const np_lab *lab, const np_site *site, np_share *ret, GCancellable *cancel, GError **error);
