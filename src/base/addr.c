/*
 * base/addr.c: addresses of either family; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

static_assert(sizeof(struct addr) == 20, "sent over a channel as it is");

struct addr
addr_of_sockaddr(const struct sockaddr_storage *ss)
{
	struct addr a = { .family = ADDR_NONE };

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)ss;

		a.family = ADDR_V4;
		a.port = ntohs(in->sin_port);
		memcpy(a.ip, &in->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)ss;

		a.family = ADDR_V6;
		a.port = ntohs(in6->sin6_port);
		memcpy(a.ip, &in6->sin6_addr, 16);
	}
	return a;
}

socklen_t
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == ADDR_V4) {
		struct sockaddr_in *in = (void *)ss;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	if (a->family == ADDR_V6) {
		struct sockaddr_in6 *in6 = (void *)ss;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
	return 0;
}

struct addr
addr_unmap(struct addr a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
	struct addr v4 = { .family = ADDR_V4, .port = a.port };

	if (a.family != ADDR_V6 || memcmp(a.ip, prefix, sizeof(prefix)) != 0)
		return a;
	memcpy(v4.ip, a.ip + 12, 4);
	return v4;
}

bool
addr_same_ip(const struct addr *a, const struct addr *b)
{
	struct addr x = addr_unmap(*a), y = addr_unmap(*b);

	return x.family != ADDR_NONE && x.family == y.family &&
	    memcmp(x.ip, y.ip, x.family == ADDR_V4 ? 4 : 16) == 0;
}

bool
addr_same(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

bool
addr_is_in(const struct addr *list, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (addr_same(&list[i], a))
			return true;
	return false;
}

bool
addr_in_net(const struct addr *a, const struct addr_net *net)
{
	struct addr x = addr_unmap(*a);
	size_t whole = net->bits / 8, rest = net->bits % 8;

	if (x.family != net->base.family)
		return false;
	if (memcmp(x.ip, net->base.ip, whole) != 0)
		return false;
	return rest == 0 ||
	    (x.ip[whole] ^ net->base.ip[whole]) >> (8 - rest) == 0;
}

bool
addr_parse_ip(struct sv text, struct addr *out)
{
	char copy[INET6_ADDRSTRLEN];
	struct addr a = { .family = ADDR_NONE };

	if (text.len == 0 || text.len >= sizeof(copy) ||
	    memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';

	if (inet_pton(AF_INET, copy, a.ip) == 1)
		a.family = ADDR_V4;
	else if (inet_pton(AF_INET6, copy, a.ip) == 1)
		a.family = ADDR_V6;
	else
		return false;
	*out = a;
	return true;
}

bool
addr_parse_ip_port(struct sv text, struct addr *out)
{
	struct sv ip = text, port;
	struct addr a;
	uint64_t number;
	const char *colon = NULL;

	if (text.len > 0)
		colon = memrchr(text.ptr, ':', text.len);
	if (colon == NULL)
		return false;
	ip.len = (size_t)(colon - text.ptr);
	port = sv_drop(text, ip.len + 1);
	if (ip.len >= 2 && ip.ptr[0] == '[' && ip.ptr[ip.len - 1] == ']') {
		ip = (struct sv) { ip.ptr + 1, ip.len - 2 };
		if (!addr_parse_ip(ip, &a) || a.family != ADDR_V6)
			return false;
	} else if (!addr_parse_ip(ip, &a) || a.family != ADDR_V4)
		return false;
	if (!sv_number(port, UINT16_MAX, &number))
		return false;
	a.port = (uint16_t)number;
	*out = a;
	return true;
}

bool
addr_parse_net(struct sv text, struct addr_net *out)
{
	const char *slash = NULL;
	struct sv ip = text;
	struct addr_net net;
	uint64_t bits, most;

	if (text.len > 0)
		slash = memchr(text.ptr, '/', text.len);
	if (slash != NULL)
		ip.len = (size_t)(slash - text.ptr);
	if (!addr_parse_ip(ip, &net.base))
		return false;
	net.base = addr_unmap(net.base);
	bits = most = net.base.family == ADDR_V4 ? 32 : 128;
	if (slash != NULL && !sv_number(sv_drop(text, ip.len + 1), most, &bits))
		return false;
	net.bits = (uint32_t)bits;
	*out = net;
	return true;
}

const char *
addr_format_ip(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	int af = a->family == ADDR_V4 ? AF_INET : AF_INET6;

	if (a->family == ADDR_NONE ||
	    inet_ntop(af, a->ip, buf, ADDR_TEXT_MAX) == NULL)
		memcpy(buf, "none", sizeof("none"));
	return buf;
}

const char *
addr_format(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	if (a->family == ADDR_V6)
		snprintf(buf, ADDR_TEXT_MAX, "[%.46s]:%u", ip, a->port);
	else
		snprintf(buf, ADDR_TEXT_MAX, "%.46s:%u", ip, a->port);
	return buf;
}

void
addr_client_key(const struct addr *a, uint64_t key[2])
{
	struct addr plain = addr_unmap(*a);

	key[0] = plain.family;
	key[1] = 0;
	memcpy(&key[1], plain.ip, plain.family == ADDR_V4 ? 4 : 8);
}

struct addr
addr_of_client_key(const uint64_t key[2])
{
	struct addr a = { .family = (uint8_t)key[0] };

	memcpy(a.ip, &key[1], a.family == ADDR_V4 ? 4 : 8);
	return a;
}
