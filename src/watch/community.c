/*
 * watch/community.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/community.h"

#include <netinet/in.h>
#include <string.h>

#include "tls/digest.h"

#define LONGEST (2 + 16 + 16 + 2 + 4)

static size_t
ip_bytes(const struct addr *a)
{
	return a->family == ADDR_V6 ? 16 : 4;
}

static bool
is_ordered(const struct addr *a, const struct addr *b)
{
	int order = memcmp(a->ip, b->ip, ip_bytes(a));

	return order < 0 || (order == 0 && a->port < b->port);
}

static size_t
put(unsigned char *out, size_t n, const void *bytes, size_t len)
{
	memcpy(out + n, bytes, len);
	return n + len;
}

/* Seed, addresses, protocol, ports: in network order, the smaller end first. */
const char *
community_id(const struct addr *a, const struct addr *b,
    char out[COMMUNITY_MAX])
{
	const struct addr *first = is_ordered(a, b) ? a : b;
	const struct addr *second = first == a ? b : a;
	uint16_t ports[2] = { htons(first->port), htons(second->port) };
	unsigned char text[LONGEST] = { 0, 0 }, digest[DIGEST_SHA1];
	size_t n = 2;

	n = put(text, n, first->ip, ip_bytes(first));
	n = put(text, n, second->ip, ip_bytes(second));
	text[n++] = IPPROTO_TCP;
	text[n++] = 0;
	n = put(text, n, ports, sizeof(ports));
	digest_sha1(text, n, digest);
	memcpy(out, "1:", 2);
	digest_base64(digest, sizeof(digest), out + 2);
	return out;
}
