/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: "compute-1", "compute-1/guest-2", "compute-1/network.int"; the host's site is "". */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* site + "/" + name, or name when site is "". Caller frees. */
char *np_address_join(const char *site, const char *name);
/* The site an address lies in: "" for "compute-1", "compute-1" for "compute-1/x". Caller frees. */
char *np_address_site(const char *address);
/* Last component. Borrowed from address. */
const char *np_address_leaf(const char *address);
/* Number of components: 1 for "compute-1", 0 for "". */
unsigned np_address_level(const char *address);
/* True when address is below (or equal to) ancestor; everything is below "". */
bool np_address_within(const char *address, const char *ancestor);
