/*
 * watch/packet.c: a segment's checksums (RFC 1071).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/packet.h"

#include <arpa/inet.h>
#include <string.h>

#define TCP 6

/* Two sums of 32 bits in one of 64: 2^32 words fit before either carries. */
static uint64_t
add_word(uint64_t sum, const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return sum + (word & UINT32_MAX) + (word >> 32);
}

/*
 * Words are added as they lie in memory: a ones' complement sum does not care
 * about byte order (RFC 1071 §2), as long as each piece but the last has an
 * even length.
 */
static uint64_t
add(uint64_t sum, const uint8_t *bytes, size_t n)
{
	uint32_t half;
	uint16_t pair;

	for (; n >= 32; n -= 32, bytes += 32) {
		sum = add_word(sum, bytes);
		sum = add_word(sum, bytes + 8);
		sum = add_word(sum, bytes + 16);
		sum = add_word(sum, bytes + 24);
	}
	for (; n >= 8; n -= 8, bytes += 8)
		sum = add_word(sum, bytes);
	if ((n & 4) != 0) {
		memcpy(&half, bytes, sizeof(half));
		sum += half;
		bytes += 4;
	}
	if ((n & 2) != 0) {
		memcpy(&pair, bytes, sizeof(pair));
		sum += pair;
		bytes += 2;
	}
	return (n & 1) != 0 ? sum + htons((uint16_t)(*bytes << 8)) : sum;
}

/* What includes its own checksum adds up to all ones. */
static bool
is_good(uint64_t sum)
{
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return sum == UINT16_MAX;
}

static bool
is_ip4_good(const uint8_t *header)
{
	if (header[10] == 0 && header[11] == 0)
		return true;
	return is_good(add(0, header, (header[0] & 0x0fu) * 4u));
}

enum seg_checksum
segment_checksum(const struct segment *s)
{
	size_t ip_bytes = s->src.family == ADDR_V4 ? 4 : 16;
	uint32_t len = s->tcp_header + s->wire_len;
	uint32_t pseudo[2] = { htonl(len), htonl(TCP) };
	uint64_t sum;

	if (s->ip4 != NULL && !is_ip4_good(s->ip4))
		return CHECKSUM_BAD;
	if (s->cut || s->source_routed)
		return CHECKSUM_UNKNOWN;
	sum = add(0, s->src.ip, ip_bytes);
	sum = add(sum, s->dst.ip, ip_bytes);
	sum = add(sum, (const uint8_t *)pseudo, sizeof(pseudo));
	return is_good(add(sum, s->tcp, len)) ? CHECKSUM_GOOD : CHECKSUM_BAD;
}
