/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/decode.h"

#include <pcap/dlt.h>
#include <stdlib.h>

#include "unit.h"
#include "watch/wrap.h"

static const struct {
	int link;
	const char *layers;
	int tunnels;
} packets[] = {
	{ DLT_EN10MB, "e4t", 0 },
	{ DLT_EN10MB, "e4T", 0 },
	{ DLT_EN10MB, "e5T", 0 },
	{ DLT_EN10MB, "e6t", 0 },
	{ DLT_EN10MB, "ev4t", 1 },
	{ DLT_EN10MB, "eqv4t", 2 },
	{ DLT_EN10MB, "e9v6t", 2 },
	{ DLT_LINUX_SLL, "s4t", 0 },
	{ DLT_LINUX_SLL, "sv6t", 1 },
	{ DLT_LINUX_SLL2, "S4t", 0 },
	{ DLT_LINUX_SLL2, "S6t", 0 },
	{ DLT_NULL, "n4t", 0 },
	{ DLT_NULL, "n6t", 0 },
	{ DLT_NULL, "N4t", 0 },
	{ DLT_LOOP, "N6t", 0 },
	{ DLT_RAW, "4t", 0 },
	{ DLT_RAW, "6t", 0 },
	{ DLT_IPV4, "5t", 0 },
	{ DLT_IPV6, "6T", 0 },
	{ DLT_PPP, "p4t", 0 },
	{ DLT_PPP, "P6t", 0 },
	{ DLT_PPP_SERIAL, "P4t", 0 },
	{ DLT_PPP, "pm4t", 1 },
	{ DLT_EN10MB, "eop4t", 1 },
	{ DLT_EN10MB, "evop6t", 2 },
	{ DLT_EN10MB, "em4t", 1 },
	{ DLT_EN10MB, "eMMm6t", 3 },
	{ DLT_EN10MB, "e4g4t", 1 },
	{ DLT_EN10MB, "e4g6t", 1 },
	{ DLT_EN10MB, "e4G4t", 1 },
	{ DLT_EN10MB, "e6ge4t", 1 },
	{ DLT_EN10MB, "e4Gev4t", 2 },
	{ DLT_EN10MB, "e4xe4t", 1 },
	{ DLT_EN10MB, "e6xev6t", 2 },
	{ DLT_EN10MB, "e44t", 1 },
	{ DLT_EN10MB, "e46t", 1 },
	{ DLT_EN10MB, "e64t", 1 },
	{ DLT_EN10MB, "e66t", 1 },
	{ DLT_EN10MB, "e6ht", 0 },
	{ DLT_EN10MB, "e6rt", 0 },
	{ DLT_EN10MB, "e6dt", 0 },
	{ DLT_EN10MB, "e6at", 0 },
	{ DLT_EN10MB, "e6ft", 0 },
	{ DLT_EN10MB, "e6hdrfadt", 0 },
	{ DLT_EN10MB, "e4at", 0 },
	{ DLT_EN10MB, "e4a6dt", 1 },
	{ DLT_EN10MB, "evvvvvvvv4t", 8 },
};

/* In a block of just its size, so that a sanitizer sees a byte too far. */
static enum decode_result
decode_exact(struct decoder *d, int link, const uint8_t *data, uint32_t len,
    uint32_t wire_len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct packet p = {
		.number = 7, .ts_ns = 8, .data = exact, .len = len,
		.wire_len = wire_len, .link = link,
	};
	enum decode_result r;
	struct segment s;

	assert_non_null(exact);
	memcpy(exact, data, len);
	r = decode_packet(d, &p, &s);
	if (r == DECODE_SEGMENT && !s.reassembled) {
		assert_true(s.data >= exact && s.data + s.len <= exact + len);
		assert_true(s.len <= s.wire_len);
		assert_int_equal(s.number, 7);
		segment_checksum(&s);
	}
	free(exact);
	return r;
}

static enum decode_result
decode_bytes(struct decoder *d, int link, const struct bytes *b,
    struct segment *s)
{
	struct packet p = {
		.number = 3, .ts_ns = 4, .data = b->at, .len = b->len,
		.wire_len = b->len, .link = link,
	};

	return decode_packet(d, &p, s);
}

static void
check_segment(const struct segment *s, const char *layers)
{
	char text[ADDR_TEXT_MAX];
	size_t i = strlen(layers);
	bool is_v6;

	while (strchr("456", layers[--i]) == NULL)
		;
	is_v6 = layers[i] == '6';
	assert_string_equal(addr_format(&s->src, text), is_v6 ?
	    "[2001:db8::1]:4021" : "192.0.2.1:4021");
	assert_string_equal(addr_format(&s->dst, text), is_v6 ?
	    "[2001:db8::2]:21" : "198.51.100.2:21");
	assert_int_equal(s->seq, 0x01020304);
	assert_int_equal(s->ack, 0x05060708);
	assert_int_equal(s->flags, SEGMENT_ACK | SEGMENT_PSH);
	assert_int_equal(s->window, 0x2000);
	assert_int_equal(s->urgent, 9);
	assert_int_equal(s->ttl, is_v6 ? 62 : 63);
	assert_int_equal(s->wire_len, sizeof(WRAP_PAYLOAD) - 1);
	assert_int_equal(s->len, s->wire_len);
	assert_memory_equal(s->data, WRAP_PAYLOAD, s->len);
	assert_int_equal(segment_checksum(s), CHECKSUM_GOOD);
}

static void
every_way_to_a_segment_is_walked(void **state)
{
	struct decoder *d = decoder_new(1);

	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		const char *layers = packets[i].layers;
		struct bytes b = wrap(layers);
		struct segment s;

		if (decode_bytes(d, packets[i].link, &b, &s) != DECODE_SEGMENT)
			fail_msg("%s: no segment", layers);
		check_segment(&s, layers);
		if (s.tunnels != packets[i].tunnels)
			fail_msg("%s: %d tunnels", layers, s.tunnels);
		assert_false(s.cut || s.reassembled || s.fragments_differ);
	}
	assert_int_equal(d->count[DECODE_SEGMENT], COUNT(packets));
	decoder_free(d);
}

static void
bytes_behind_the_datagram_are_no_payload(void **state)
{
	static const char *const table[] = {
		"e4t", "e6t", "ev4T", "eop4t", "e4xe4t", "e4ge6t",
	};
	struct decoder *d = decoder_new(1);

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct bytes b = wrap(table[i]);
		struct segment s;

		memset(b.at + b.len, 0xee, 6);
		b.len += 6;
		assert_int_equal(decode_bytes(d, DLT_EN10MB, &b, &s),
		    DECODE_SEGMENT);
		check_segment(&s, table[i]);
	}
	decoder_free(d);
}

/* Cut by the capture (wire_len stays), and sent short (it does not). */
static void
no_prefix_shows_bytes_beyond_it(void **state)
{
	struct decoder *d = decoder_new(1);

	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		struct bytes b = wrap(packets[i].layers);
		int link = packets[i].link;

		for (uint32_t n = 0; n < b.len; n++) {
			enum decode_result r;

			r = decode_exact(d, link, b.at, n, n);
			if (r == DECODE_SEGMENT)
				fail_msg("%s: %u bytes", packets[i].layers, n);
			r = decode_exact(d, link, b.at, n, b.len);
			if (r != DECODE_SEGMENT && r != DECODE_TRUNCATED &&
			    r != DECODE_NOT_TCP)
				fail_msg("%s: %u of %u bytes: %s",
				    packets[i].layers, n, b.len,
				    decode_name(r));
		}
	}
	decoder_free(d);
}

static void
a_cut_segment_says_what_is_missing(void **state)
{
	struct decoder *d = decoder_new(1);
	struct bytes b = wrap("e4T");
	struct packet p = {
		.data = b.at, .wire_len = b.len, .link = DLT_EN10MB,
	};
	struct segment s;

	(void)state;
	p.len = 14 + 20 + 32 + 4;	/* four bytes of payload */
	assert_int_equal(decode_packet(d, &p, &s), DECODE_SEGMENT);
	assert_int_equal(s.len, 4);
	assert_int_equal(s.wire_len, sizeof(WRAP_PAYLOAD) - 1);
	assert_true(s.cut);
	assert_int_equal(segment_checksum(&s), CHECKSUM_UNKNOWN);

	p.len = 14 + 20 + 20;		/* not even the options */
	assert_int_equal(decode_packet(d, &p, &s), DECODE_SEGMENT);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.wire_len, sizeof(WRAP_PAYLOAD) - 1);
	decoder_free(d);
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct {
		int link;
		const char *layers;
		int at;		/* -1: as it is */
		uint8_t value;
		enum decode_result expected;
	} table[] = {
		{ 147, "e4t", -1, 0, DECODE_UNKNOWN_LINK },
		{ DLT_EN10MB, "e", -1, 0, DECODE_NOT_IP },
		{ DLT_EN10MB, "ev", -1, 0, DECODE_NOT_IP },
		{ DLT_EN10MB, "e4u", -1, 0, DECODE_NOT_TCP },
		{ DLT_EN10MB, "e6u", -1, 0, DECODE_NOT_TCP },
		{ DLT_EN10MB, "e6", -1, 0, DECODE_NOT_TCP },
		{ DLT_EN10MB, "e4dt", -1, 0, DECODE_NOT_TCP },
		{ DLT_EN10MB, "evvvvvvvvv4t", -1, 0, DECODE_TOO_DEEP },
		{ DLT_EN10MB, "e4444444444t", -1, 0, DECODE_TOO_DEEP },
		{ DLT_EN10MB, "e6hhhhhhhhhhhhhhhhht", -1, 0,
		    DECODE_TOO_DEEP },
		{ DLT_EN10MB, "e6dddddddddddddddddt", -1, 0,
		    DECODE_TOO_DEEP },
		{ DLT_NULL, "n4t", 0, 7, DECODE_NOT_IP },
		{ DLT_RAW, "4t", 0, 0x75, DECODE_NOT_IP },
		{ DLT_EN10MB, "e4t", 14, 0x65, DECODE_BAD_IP },
		{ DLT_EN10MB, "e4t", 14, 0x44, DECODE_BAD_IP },
		{ DLT_EN10MB, "e4t", 17, 19, DECODE_BAD_IP },
		{ DLT_EN10MB, "e4t", 16, 1, DECODE_BAD_IP },
		{ DLT_EN10MB, "e4t", 17, 39, DECODE_BAD_TCP },
		{ DLT_EN10MB, "e6t", 14, 0x40, DECODE_BAD_IP },
		{ DLT_EN10MB, "e6t", 18, 1, DECODE_BAD_IP },
		{ DLT_EN10MB, "e6t", 19, 19, DECODE_BAD_TCP },
		{ DLT_EN10MB, "e6dt", 55, 255, DECODE_BAD_IP },
		{ DLT_EN10MB, "e6at", 55, 0, DECODE_BAD_IP },
		{ DLT_EN10MB, "e4t", 46, 0x40, DECODE_BAD_TCP },
		{ DLT_EN10MB, "e4t", 46, 0xf0, DECODE_BAD_TCP },
		{ DLT_EN10MB, "eop4t", 14, 0x12, DECODE_BAD_LINK },
		{ DLT_EN10MB, "eop4t", 18, 1, DECODE_BAD_LINK },
		{ DLT_EN10MB, "eop4t", 20, 0xc0, DECODE_NOT_IP },
		{ DLT_EN10MB, "em4t", 18, 0x05, DECODE_NOT_IP },
		{ DLT_EN10MB, "e4g4t", 34, 0x40, DECODE_BAD_LINK },
		{ DLT_EN10MB, "e4g4t", 35, 0x01, DECODE_NOT_IP },
		{ DLT_EN10MB, "e4xe4t", 39, 15, DECODE_BAD_LINK },
		{ DLT_EN10MB, "e4xe4t", 38, 1, DECODE_BAD_LINK },
		{ DLT_EN10MB, "e4xe4t", 42, 0, DECODE_NOT_TCP },
	};

	struct decoder *d = decoder_new(1);

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct bytes b = wrap(table[i].layers);
		enum decode_result r;

		if (table[i].at >= 0)
			b.at[table[i].at] = table[i].value;
		r = decode_exact(d, table[i].link, b.at, b.len, b.len);
		if (r != table[i].expected)
			fail_msg("row %zu, %s: %s", i, table[i].layers,
			    decode_name(r));
	}
	decoder_free(d);
}

/* What a card that splits segments was handed: "length 0" is all of it. */
static void
a_length_of_zero_is_the_frames(void **state)
{
	static const struct {
		const char *layers;
		int at;
	} table[] = { { "e4t", 16 }, { "e6t", 18 } };

	struct decoder *d = decoder_new(1);

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct bytes b = wrap(table[i].layers);
		struct segment s;

		wrap_put16(b.at + table[i].at, 0);
		if (b.at[14] >> 4 == 4)
			wrap_put16(b.at + 14 + 10, 0);
		assert_int_equal(decode_bytes(d, DLT_EN10MB, &b, &s),
		    DECODE_SEGMENT);
		check_segment(&s, table[i].layers);
	}
	decoder_free(d);
}

static void
checksums_tell_what_was_changed(void **state)
{
	static const struct {
		const char *layers;
		int at;		/* changed */
		enum seg_checksum expected;
	} table[] = {
		{ "e4t", -1, CHECKSUM_GOOD },
		{ "e4t", 22, CHECKSUM_BAD },	/* TTL: IPv4's own */
		{ "e4t", 38, CHECKSUM_BAD },	/* seq */
		{ "e4t", 72, CHECKSUM_BAD },	/* the last byte */
		{ "e6t", -1, CHECKSUM_GOOD },
		{ "e6t", 21, CHECKSUM_GOOD },	/* hop limit: nobody's */
		{ "e6t", 40, CHECKSUM_BAD },	/* an address */
		{ "e6t", 92, CHECKSUM_BAD },
		{ "e6Rt", -1, CHECKSUM_UNKNOWN },
		{ "e6rt", -1, CHECKSUM_GOOD },
		{ "e46Rt", -1, CHECKSUM_UNKNOWN },
	};

	struct decoder *d = decoder_new(1);

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct bytes b = wrap(table[i].layers);
		struct segment s;

		if (table[i].at >= 0)
			b.at[table[i].at] ^= 0x10;
		assert_int_equal(decode_bytes(d, DLT_EN10MB, &b, &s),
		    DECODE_SEGMENT);
		if (segment_checksum(&s) != table[i].expected)
			fail_msg("row %zu: %d", i, segment_checksum(&s));
	}
	decoder_free(d);
}

static void
checksums_are_right_at_every_length(void **state)
{
	struct decoder *d = decoder_new(1);
	uint8_t payload[100];

	(void)state;
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(0xff - i * 7);
	for (uint32_t n = 0; n <= sizeof(payload); n++) {
		struct bytes b = wrap_payload("e4t", payload, n);
		struct segment s;

		assert_int_equal(decode_bytes(d, DLT_EN10MB, &b, &s),
		    DECODE_SEGMENT);
		assert_int_equal(segment_checksum(&s), CHECKSUM_GOOD);
		b.at[b.len - 1] ^= 1;	/* of the header when n is 0 */
		assert_int_equal(segment_checksum(&s), CHECKSUM_BAD);
	}
	decoder_free(d);
}

/* ---- fragments ---- */

/* Bytes at..at+n of the datagram, as a fragment of its own on Ethernet. */
static struct bytes
piece4(const struct bytes *whole, uint32_t at, uint32_t n)
{
	struct bytes b = { .len = 34 + n };
	bool more = 34 + at + n < whole->len;

	memcpy(b.at, whole->at, 34);
	memcpy(b.at + 34, whole->at + 34 + at, n);
	wrap_put16(b.at + 16, 20 + n);
	wrap_put16(b.at + 20, (more ? 0x2000u : 0) | at / 8);
	return b;
}

static struct bytes
piece6(const struct bytes *whole, uint32_t at, uint32_t n, uint8_t next)
{
	struct bytes b = { .len = 62 + n };
	bool more = 54 + at + n < whole->len;

	memcpy(b.at, whole->at, 54);
	memcpy(b.at + 62, whole->at + 54 + at, n);
	wrap_put16(b.at + 18, 8 + n);
	b.at[20] = 44;
	b.at[54] = next;
	wrap_put16(b.at + 56, at | more);
	b.at[61] = 77;
	return b;
}

static void
fragments_become_a_segment_in_any_order(void **state)
{
	struct decoder *d = decoder_new(1);
	struct bytes whole = wrap("e4t"), part;
	struct segment s;

	(void)state;
	for (int order = 0; order < 2; order++) {
		uint32_t n = whole.len - 34, at[] = { 0, 8, 24 };

		for (int i = 0; i < 3; i++) {
			int k = order == 0 ? i : 2 - i;
			uint32_t end = k < 2 ? at[k + 1] : n;

			part = piece4(&whole, at[k], end - at[k]);
			assert_int_equal(decode_bytes(d, DLT_EN10MB, &part,
			    &s), i < 2 ? DECODE_WAITING : DECODE_SEGMENT);
		}
		check_segment(&s, "4t");
		assert_true(s.reassembled);
		assert_false(s.fragments_differ);
	}
	assert_int_equal(frag_waiting(d->frag), 0);
	decoder_free(d);
}

/* Only what the first fragment says is in it counts, and it may be last. */
static void
ipv6_fragments_believe_the_first_one(void **state)
{
	struct decoder *d = decoder_new(1);
	struct bytes whole = wrap("e6t"), part;
	struct segment s;

	(void)state;
	part = piece6(&whole, 16, whole.len - 54 - 16, 17);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_WAITING);
	part = piece6(&whole, 0, 16, 6);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_SEGMENT);
	check_segment(&s, "6t");
	assert_true(s.reassembled);
	decoder_free(d);
}

static void
fragments_that_contradict_are_told(void **state)
{
	struct decoder *d = decoder_new(1);
	struct bytes whole = wrap("e4t"), part;
	struct segment s;

	(void)state;
	part = piece4(&whole, 0, 24);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_WAITING);
	part.at[34 + 21] ^= 1;
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_WAITING);
	part = piece4(&whole, 24, whole.len - 34 - 24);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_SEGMENT);
	check_segment(&s, "4t");	/* the first copy */
	assert_true(s.fragments_differ);
	decoder_free(d);
}

/* Both the tunnel's packet and the one in it come in fragments. */
static void
fragments_of_fragments_are_put_together(void **state)
{
	struct decoder *d = decoder_new(1);
	struct bytes whole = wrap("e4t"), inner, outer, part;
	struct segment s;

	(void)state;
	inner = piece4(&whole, 16, whole.len - 34 - 16);
	outer = inner;
	memmove(outer.at, outer.at + 14, outer.len -= 14);
	wrap_layer(&outer, '4', '4', false);
	wrap_layer(&outer, 'e', '4', false);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &outer, &s),
	    DECODE_WAITING);

	inner = piece4(&whole, 0, 16);
	outer = inner;
	memmove(outer.at, outer.at + 14, outer.len -= 14);
	wrap_layer(&outer, '4', '4', false);
	wrap_layer(&outer, 'e', '4', false);
	part = piece4(&outer, 24, outer.len - 34 - 24);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_WAITING);
	part = piece4(&outer, 0, 24);
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_SEGMENT);
	check_segment(&s, "4t");
	assert_int_equal(s.tunnels, 1);
	decoder_free(d);
}

static void
fragments_of_no_use_are_not_kept(void **state)
{
	struct decoder *d = decoder_new(1);
	struct bytes whole = wrap("e4u"), part = piece4(&whole, 0, 8);
	struct packet p = { .link = DLT_EN10MB };
	struct segment s;

	(void)state;
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_NOT_TCP);
	whole = wrap("e4t");
	part = piece4(&whole, 0, 24);
	p.data = part.at;
	p.len = part.len - 1;
	p.wire_len = part.len;
	assert_int_equal(decode_packet(d, &p, &s), DECODE_TRUNCATED);
	assert_int_equal(frag_waiting(d->frag), 0);
	wrap_put16(part.at + 20, 0x1fff);	/* 24 bytes at 65528 */
	assert_int_equal(decode_bytes(d, DLT_EN10MB, &part, &s),
	    DECODE_BAD_FRAGMENT);
	assert_int_equal(frag_waiting(d->frag), 0);
	decoder_free(d);
}

static void
every_prefix_of_a_fragment_is_harmless(void **state)
{
	struct bytes v4 = wrap("e4t"), v6 = wrap("e6t");
	struct bytes part[2] = { piece4(&v4, 0, 24), piece6(&v6, 0, 24, 6) };

	(void)state;
	for (int i = 0; i < 2; i++)
		for (uint32_t n = 0; n <= part[i].len; n++) {
			struct decoder *d = decoder_new(1);

			decode_exact(d, DLT_EN10MB, part[i].at, n, n);
			decode_exact(d, DLT_EN10MB, part[i].at, n,
			    part[i].len);
			decoder_free(d);
		}
}

static void
results_have_names(void **state)
{
	(void)state;
	for (int r = 0; r < DECODE_COUNT; r++) {
		assert_true(strlen(decode_name((enum decode_result)r)) > 0);
		assert_true(strlen(decode_words((enum decode_result)r)) > 0);
	}
	decoder_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_a_segment_is_walked),
		cmocka_unit_test(bytes_behind_the_datagram_are_no_payload),
		cmocka_unit_test(no_prefix_shows_bytes_beyond_it),
		cmocka_unit_test(a_cut_segment_says_what_is_missing),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_length_of_zero_is_the_frames),
		cmocka_unit_test(checksums_tell_what_was_changed),
		cmocka_unit_test(checksums_are_right_at_every_length),
		cmocka_unit_test(fragments_become_a_segment_in_any_order),
		cmocka_unit_test(ipv6_fragments_believe_the_first_one),
		cmocka_unit_test(fragments_that_contradict_are_told),
		cmocka_unit_test(fragments_of_fragments_are_put_together),
		cmocka_unit_test(fragments_of_no_use_are_not_kept),
		cmocka_unit_test(every_prefix_of_a_fragment_is_harmless),
		cmocka_unit_test(results_have_names),
	};

	return RUN(tests);
}
