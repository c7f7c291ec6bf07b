/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 addresses and ranges, in host byte order. */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef guint32 np_ip; /* 0: none */
typedef struct {
	np_ip base;      /* network address; host bits are zero */
	unsigned prefix; /* 0–32; base 0 and prefix 0: none */
} np_cidr;

bool np_ip_parse(const char *text, np_ip *ret);
/* "10.20.0.1"; caller frees. */
char *np_ip_format(np_ip ip);
/* The same without an allocation: writes it into `text` and returns that. */
#define NP_IP_TEXT sizeof("255.255.255.255")
const char *np_ip_text(np_ip ip, char text[NP_IP_TEXT]);
/* "10.20.0.0/24". Host bits set are an error; *why is static. */
bool np_cidr_parse(const char *text, np_cidr *ret, const char **why);
char *np_cidr_format(np_cidr cidr);
np_ip np_cidr_netmask(np_cidr cidr);
np_ip np_cidr_broadcast(np_cidr cidr);
bool np_cidr_contains(np_cidr cidr, np_ip ip);
bool np_cidr_overlaps(np_cidr a, np_cidr b);
bool np_cidr_is_set(np_cidr cidr);
/* Of the ranges whose addresses no machine of a network can have the one that this overlaps with, in words (static) and as *ret;
 * NULL: none. */
const char *np_cidr_reserved(np_cidr cidr, np_cidr *ret);
