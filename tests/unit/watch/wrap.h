/*
 * tests/unit/watch/wrap.h: packets made by hand.  A packet is named by its
 * layers, one letter each, from the outside in: "ev4t" is TCP in IPv4 in a
 * VLAN on Ethernet.
 *
 *	e Ethernet	s S cooked v1, v2	n N loopback, little, big endian
 *	v q 9 tags 0x8100, 0x88a8, 0x9100	o PPPoE		p P PPP, HDLC's
 *	m M MPLS label, last, not last		g G GRE, with all its fields
 *	x VXLAN		4 5 IPv4, with options	6 IPv6		u UDP
 *	h r R d a f hop-by-hop, routing (done, not done), destination, AH,
 *	atomic fragment				t T TCP, with options
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WRAP_MAX 4096
#define WRAP_PAYLOAD "PORT 10,0,0,1,4,1\r\n"

struct bytes {
	uint8_t at[WRAP_MAX];
	uint32_t len;
};

static const uint8_t wrap_ip4[8] = { 192, 0, 2, 1, 198, 51, 100, 2 };
static const uint8_t wrap_ip6[32] = {
	0x20, 0x01, 0x0d, 0xb8, [15] = 1, 0x20, 0x01, 0x0d, 0xb8, [31] = 2,
};

static inline void
wrap_front(struct bytes *b, const void *header, uint32_t n)
{
	assert(n <= WRAP_MAX - b->len);
	memmove(b->at + n, b->at, b->len);
	memcpy(b->at, header, n);
	b->len += n;
}

static inline void
wrap_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* As RFC 1071 spells it, a byte pair at a time. */
static inline uint32_t
wrap_sum(uint32_t sum, const uint8_t *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t
wrap_ethertype(char inside)
{
	switch (inside) {
	case '4':
	case '5':
		return 0x0800;
	case '6':
		return 0x86dd;
	case 'v':
		return 0x8100;
	case 'q':
		return 0x88a8;
	case '9':
		return 0x9100;
	case 'o':
		return 0x8864;
	case 'm':
	case 'M':
		return 0x8847;
	case 'e':
		return 0x6558;
	default:
		return 0x0806;
	}
}

static inline uint8_t
wrap_protocol(char inside)
{
	static const char letters[] = "h45tTux6rRfgGad";
	static const uint8_t numbers[] = {
		0, 4, 4, 6, 6, 17, 17, 41, 43, 43, 44, 47, 47, 51, 60,
	};
	const char *found = strchr(letters, inside);

	return inside == '\0' || found == NULL ? 59 : numbers[found - letters];
}

static inline void
wrap_tcp(struct bytes *b, bool is_v6, bool has_options)
{
	uint8_t h[32] = {
		0x0f, 0xb5, 0, 21, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18,
		0x20, 0, 0, 0, 0, 9, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8,
	};
	uint32_t n = has_options ? 32 : 20, sum;

	if (has_options)
		h[12] = 0x80;
	wrap_front(b, h, n);
	sum = is_v6 ? wrap_sum(0, wrap_ip6, 32) : wrap_sum(0, wrap_ip4, 8);
	sum = wrap_sum(sum + 6 + b->len, b->at, b->len);
	wrap_put16(b->at + 16, ~sum & 0xffff);
}

static inline void
wrap_v4(struct bytes *b, char inside, bool has_options)
{
	uint8_t h[28] = {
		0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 63, wrap_protocol(inside), 0,
		0, [20] = 1, 1, 1, 1, 1, 1, 1, 0,
	};
	uint32_t n = has_options ? 28 : 20;

	if (has_options)
		h[0] = 0x47;
	wrap_put16(h + 2, b->len + n);
	memcpy(h + 12, wrap_ip4, 8);
	wrap_put16(h + 10, ~wrap_sum(0, h, n) & 0xffff);
	wrap_front(b, h, n);
}

static inline void
wrap_v6(struct bytes *b, char inside)
{
	uint8_t h[40] = { 0x60, [6] = wrap_protocol(inside), 62 };

	wrap_put16(h + 4, b->len);
	memcpy(h + 8, wrap_ip6, 32);
	wrap_front(b, h, sizeof(h));
}

static inline void
wrap_ether(struct bytes *b, char inside)
{
	uint8_t h[14] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	wrap_put16(h + 12, wrap_ethertype(inside));
	wrap_front(b, h, sizeof(h));
}

static inline void
wrap_cooked(struct bytes *b, char inside, bool is_v2)
{
	uint8_t h[20] = { 0, 0, 0, 1, 0, 6 };

	wrap_put16(h + (is_v2 ? 0 : 14), wrap_ethertype(inside));
	wrap_front(b, h, is_v2 ? 20 : 16);
}

static inline void
wrap_tag(struct bytes *b, char inside)
{
	uint8_t h[4] = { 0, 42 };

	wrap_put16(h + 2, wrap_ethertype(inside));
	wrap_front(b, h, sizeof(h));
}

static inline void
wrap_ppp(struct bytes *b, char inside, bool has_hdlc)
{
	uint8_t h[4] = { 0xff, 0x03, 0, inside == '6' ? 0x57 : 0x21 };

	if (inside == 'm' || inside == 'M')
		wrap_put16(h + 2, 0x0281);
	wrap_front(b, has_hdlc ? h : h + 2, has_hdlc ? 4 : 2);
}

static inline void
wrap_pppoe(struct bytes *b)
{
	uint8_t h[6] = { 0x11, 0, 0, 7 };

	wrap_put16(h + 4, b->len);
	wrap_front(b, h, sizeof(h));
}

static inline void
wrap_gre(struct bytes *b, char inside, bool has_all)
{
	uint8_t h[16] = { has_all ? 0xb0 : 0 };

	wrap_put16(h + 2, wrap_ethertype(inside));
	wrap_front(b, h, has_all ? 16 : 4);
}

static inline void
wrap_udp(struct bytes *b, bool is_vxlan)
{
	uint8_t h[16] = { 0x80, 0, 0x12, is_vxlan ? 0xb5 : 0, [8] = 8, 0, 0, 0,
		0, 0, 7, 0 };
	uint32_t n = is_vxlan ? 16 : 8;

	wrap_put16(h + 4, b->len + n);
	wrap_front(b, h, n);
}

static inline void
wrap_extension(struct bytes *b, char layer, char inside)
{
	uint8_t h[24] = { wrap_protocol(inside) };
	uint32_t n = 8;

	if (layer == 'd') {
		h[1] = 1;
		n = 16;
	} else if (layer == 'r' || layer == 'R') {
		h[1] = 2;
		h[3] = layer == 'R';
		n = 24;
	} else if (layer == 'a') {
		h[1] = 4;
		n = 24;
	}
	wrap_front(b, h, n);
}

static inline void
wrap_loopback(struct bytes *b, char inside, bool is_big)
{
	uint8_t family = inside == '6' ? 30 : 2;
	uint8_t h[4] = { 0 };

	h[is_big ? 3 : 0] = family;
	wrap_front(b, h, sizeof(h));
}

static inline void
wrap_layer(struct bytes *b, char layer, char inside, bool is_v6)
{
	uint8_t label[4] = { 0, 1, layer == 'm', 64 };

	switch (layer) {
	case 'e': wrap_ether(b, inside); break;
	case 's':
	case 'S': wrap_cooked(b, inside, layer == 'S'); break;
	case 'n':
	case 'N': wrap_loopback(b, inside, layer == 'N'); break;
	case 'v':
	case 'q':
	case '9': wrap_tag(b, inside); break;
	case 'o': wrap_pppoe(b); break;
	case 'p':
	case 'P': wrap_ppp(b, inside, layer == 'P'); break;
	case 'm':
	case 'M': wrap_front(b, label, sizeof(label)); break;
	case 'g':
	case 'G': wrap_gre(b, inside, layer == 'G'); break;
	case 'u':
	case 'x': wrap_udp(b, layer == 'x'); break;
	case '4':
	case '5': wrap_v4(b, inside, layer == '5'); break;
	case '6': wrap_v6(b, inside); break;
	case 't':
	case 'T': wrap_tcp(b, is_v6, layer == 'T'); break;
	default: wrap_extension(b, layer, inside); break;
	}
}

/* What the TCP at position i lies in: the nearest IP before it. */
static inline bool
wrap_is_v6(const char *layers, size_t i)
{
	while (i > 0 && strchr("456", layers[i]) == NULL)
		i--;
	return layers[i] == '6';
}

static inline struct bytes
wrap_payload(const char *layers, const void *payload, uint32_t len)
{
	struct bytes b = { .len = len };

	memcpy(b.at, payload, len);
	for (size_t i = strlen(layers); i-- > 0;)
		wrap_layer(&b, layers[i], layers[i + 1],
		    wrap_is_v6(layers, i));
	return b;
}

static inline struct bytes
wrap(const char *layers)
{
	return wrap_payload(layers, WRAP_PAYLOAD, sizeof(WRAP_PAYLOAD) - 1);
}
