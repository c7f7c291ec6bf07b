/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cidr.h"

#include <string.h>

#include "base/units.h"

/* Reads a decimal number of at most `max` without leading zeros (some parsers take those for octal). */
static bool number_parse(const char **text, unsigned max, unsigned *ret)
{
	const char *c = *text;
	if (!g_ascii_isdigit(*c) || (*c == '0' && g_ascii_isdigit(c[1])))
		return false;
	unsigned value = 0;
	while (g_ascii_isdigit(*c) && value <= max)
		value = value * 10 + (unsigned)(*c++ - '0');
	if (value > max)
		return false;
	*ret = value;
	*text = c;
	return true;
}

static bool ip_parse_prefix(const char **text, np_ip *ret)
{
	np_ip ip = 0;
	const char *c = *text;
	for (unsigned i = 0; i < 4; i++) {
		unsigned octet;
		if (i > 0 && *c++ != '.')
			return false;
		if (!number_parse(&c, 255, &octet))
			return false;
		ip = ip << 8 | octet;
	}
	*ret = ip;
	*text = c;
	return true;
}

bool np_ip_parse(const char *text, np_ip *ret)
{
	np_ip ip;
	if (!ip_parse_prefix(&text, &ip) || *text != '\0')
		return false;
	*ret = ip;
	return true;
}

const char *np_ip_text(np_ip ip, char text[NP_IP_TEXT])
{
	char *end = text;
	for (unsigned shift = 32; shift > 0; shift -= 8) {
		unsigned byte = ip >> (shift - 8) & 255;
		if (byte >= 100)
			*end++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*end++ = (char)('0' + byte / 10 % 10);
		*end++ = (char)('0' + byte % 10);
		*end++ = shift > 8 ? '.' : '\0';
	}
	return text;
}

char *np_ip_format(np_ip ip)
{
	char text[NP_IP_TEXT];
	return g_strdup(np_ip_text(ip, text));
}

np_ip np_cidr_netmask(np_cidr cidr)
{
	return cidr.prefix == 0 ? 0 : ~(np_ip)0 << (32 - cidr.prefix);
}

np_ip np_cidr_broadcast(np_cidr cidr)
{
	return cidr.base | ~np_cidr_netmask(cidr);
}

bool np_cidr_parse(const char *text, np_cidr *ret, const char **why)
{
	np_cidr cidr;
	const char *c = text;
	if (!ip_parse_prefix(&c, &cidr.base)) {
		*why = "a range is written like 10.20.0.0/24";
		return false;
	}
	if (*c++ != '/') {
		*why = "the prefix length is missing, as in 10.20.0.0/24";
		return false;
	}
	if (!number_parse(&c, 32, &cidr.prefix) || *c != '\0') {
		*why = "the prefix length must be a number from 1 to 32";
		return false;
	}
	if (cidr.prefix == 0) {
		*why = "the range must not be the whole Internet";
		return false;
	}
	if ((cidr.base & ~np_cidr_netmask(cidr)) != 0) {
		*why = "bits are set behind the prefix";
		return false;
	}
	*ret = cidr;
	return true;
}

char *np_cidr_format(np_cidr cidr)
{
	g_autofree char *base = np_ip_format(cidr.base);
	return g_strdup_printf("%s/%u", base, cidr.prefix);
}

bool np_cidr_contains(np_cidr cidr, np_ip ip)
{
	return np_cidr_is_set(cidr) && (ip & np_cidr_netmask(cidr)) == cidr.base;
}

bool np_cidr_overlaps(np_cidr a, np_cidr b)
{
	return np_cidr_contains(a, b.base) || np_cidr_contains(b, a.base);
}

bool np_cidr_is_set(np_cidr cidr)
{
	return cidr.base != 0 || cidr.prefix != 0;
}

static const struct {
	np_cidr range;
	const char *what;
} reserved[] = {
        {{0x00000000, 8}, "where addresses stand for no machine"},
        {{0x7f000000, 8}, "which each machine keeps for itself (loopback)"},
        {{0xa9fe0000, 16}, "which machines give themselves (link-local)"},
        {{0xe0000000, 4}, "where addresses stand for groups (multicast)"},
        {{0xf0000000, 4}, "which is reserved"},
};

const char *np_cidr_reserved(np_cidr cidr, np_cidr *ret)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(reserved); i++) {
		*ret = reserved[i].range;
		if (np_cidr_overlaps(cidr, reserved[i].range))
			return reserved[i].what;
	}
	return NULL;
}
