/*
 * tests/fuzz/fuzz_decode.c: any packets, of any link type.  A segment's header
 * and payload lie within its packet, or within a datagram that was put
 * together; its lengths agree; each packet has one result; and fragments stay
 * within their bounds.
 *
 * Input, packet by packet: one byte for the link type and what is odd about
 * it, two for its length (big endian), then the packet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "watch/decode.h"

#define HEADER 3
#define LINK 0x0f
#define ODD_CUT 0x10		/* more was on the wire */
#define ODD_LATER 0x20		/* by 20 s: the second time, fragments go */
#define STEP_NS INT64_C(20000000000)

static const int links[] = {
	DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL, DLT_LOOP, DLT_RAW,
	DLT_IPV4, DLT_IPV6, DLT_PPP, DLT_PPP_SERIAL, DLT_IEEE802_11,
};

#define LINKS (sizeof(links) / sizeof(links[0]))

/* By number: pointers into different objects must not be compared. */
static bool
lies_within(const uint8_t *from, size_t n, const struct packet *p)
{
	uintptr_t at = (uintptr_t)from, begin = (uintptr_t)p->data;

	return at >= begin && at - begin <= p->len && n <= p->len -
	    (at - begin);
}

static void
check_segment(const struct segment *s, const struct packet *p)
{
	uint32_t header = (uint32_t)(s->data - s->tcp);

	assert(s->data != NULL && s->len <= s->wire_len);
	assert(s->tcp_header >= 20 && s->tcp_header <= 60);
	assert(header <= s->tcp_header && header >= 20);
	assert(s->cut == (s->len + header < s->wire_len + s->tcp_header));
	assert(s->tunnels <= DECODE_DEPTH);
	assert(s->src.family == s->dst.family);
	assert(s->src.family == ADDR_V4 || s->src.family == ADDR_V6);
	assert(s->number == p->number && s->ts_ns == p->ts_ns);
	assert(s->reassembled || !s->fragments_differ);
	if (s->reassembled)
		assert(s->len + header <= FRAG_BYTES);
	else
		assert(lies_within(s->tcp, header + s->len, p));
	if (s->cut || s->source_routed)
		assert(segment_checksum(s) != CHECKSUM_GOOD);
	else
		assert(segment_checksum(s) != CHECKSUM_UNKNOWN);
}

/* In a block of just its size, so that a sanitizer sees a byte too far. */
static void
decode_one(struct decoder *d, struct packet *p, const uint8_t *data)
{
	uint8_t *exact = malloc(p->len > 0 ? p->len : 1);
	struct segment s;

	if (exact == NULL)
		abort();
	memcpy(exact, data, p->len);
	p->data = exact;
	if (decode_packet(d, p, &s) == DECODE_SEGMENT)
		check_segment(&s, p);
	free(exact);
}

static void
check_decoder(const struct decoder *d, uint64_t packets)
{
	uint64_t sum = 0;

	for (int r = 0; r < DECODE_COUNT; r++)
		sum += d->count[r];
	assert(sum == packets);
	assert(frag_waiting(d->frag) <= FRAG_DATAGRAMS);
	assert(frag_bytes(d->frag) <= FRAG_MEMORY);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoder *d = decoder_new(1);
	struct packet p = { 0 };

	if (d == NULL)
		abort();
	while (size >= HEADER) {
		uint8_t what = data[0];
		uint32_t len = (uint32_t)data[1] << 8 | data[2];

		data += HEADER;
		size -= HEADER;
		p.len = len < size ? len : (uint32_t)size;
		p.wire_len = p.len + ((what & ODD_CUT) != 0 ? 40 : 0);
		p.link = links[(what & LINK) % LINKS];
		p.ts_ns += (what & ODD_LATER) != 0 ? STEP_NS : 1;
		p.number++;
		decode_one(d, &p, data);
		data += p.len;
		size -= p.len;
	}
	check_decoder(d, p.number);
	decoder_free(d);
	return 0;
}
