/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/frag.h"

#include <string.h>

#include "base/addr.h"
#include "unit.h"

#define SECOND INT64_C(1000000000)

static uint8_t pattern[FRAG_BYTES];

static int
fill_pattern(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 + i / 256);
	return 0;
}

static struct frag_key
key_of(uint32_t id)
{
	return (struct frag_key) {
		.src = { 10, 1 }, .dst = { 10, 2 }, .id = id,
		.family = ADDR_V4, .protocol = 6,
	};
}

/* Bytes offset..offset+len of the pattern. */
static enum frag_result
add_at(struct frag *f, int64_t now_ns, uint32_t id, uint32_t offset,
    uint32_t len, bool more, struct frag_whole *out)
{
	struct frag_key key = key_of(id);
	struct frag_piece piece = {
		.data = pattern + (offset < FRAG_BYTES ? offset : 0),
		.offset = offset, .len = len, .more = more, .protocol = 6,
	};

	return frag_add(f, now_ns, &key, &piece, out);
}

static void
a_datagram_of_any_size_comes_whole(void **state)
{
	static const uint32_t table[] = {
		9, 16, 1480, 2047, 2048, 2049, 4096, 40000, 65528, 65535,
	};
	struct frag *f = frag_new(1);
	struct frag_whole whole;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		enum frag_result r = FRAG_WAITING;
		uint32_t step = table[i] < 1480 ? 8 : 1480;

		for (uint32_t at = 0; at < table[i]; at += step) {
			bool more = at + step < table[i];

			assert_int_equal(r, FRAG_WAITING);
			r = add_at(f, 0, 1, at, more ? step : table[i] - at,
			    more, &whole);
		}
		assert_int_equal(r, FRAG_WHOLE);
		assert_int_equal(whole.len, table[i]);
		assert_int_equal(whole.protocol, 6);
		assert_false(whole.differ);
		assert_memory_equal(whole.data, pattern, table[i]);
	}
	assert_int_equal(frag_bytes(f), 0);
	assert_int_equal(frag_counters(f)->whole, COUNT(table));
	frag_free(f);
}

/* Each row is one datagram of 40 bytes; the last piece completes it. */
static void
pieces_overlap_in_every_way(void **state)
{
	static const struct {
		struct { uint32_t at, len; bool more; } piece[5];
	} table[] = {
		{ { { 0, 24, true }, { 16, 24, false } } },
		{ { { 16, 24, false }, { 0, 24, true } } },
		{ { { 8, 8, true }, { 0, 40, false } } },
		{ { { 0, 8, true }, { 0, 32, true }, { 24, 16, false } } },
		{ { { 0, 8, true }, { 0, 8, true }, { 32, 8, false },
		    { 32, 8, false }, { 8, 24, true } } },
		{ { { 0, 23, true }, { 16, 24, false } } }, /* 16 of 23 */
	};
	struct frag *f = frag_new(1);
	struct frag_whole whole;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		enum frag_result r = FRAG_WAITING;

		for (int k = 0; k < 5 && table[i].piece[k].len > 0; k++) {
			assert_int_equal(r, FRAG_WAITING);
			r = add_at(f, 0, 1, table[i].piece[k].at,
			    table[i].piece[k].len, table[i].piece[k].more,
			    &whole);
		}
		if (r != FRAG_WHOLE || whole.len != 40 || whole.differ ||
		    memcmp(whole.data, pattern, 40) != 0)
			fail_msg("row %zu", i);
	}
	frag_free(f);
}

static void
the_first_copy_is_kept_and_the_second_told(void **state)
{
	struct frag *f = frag_new(1);
	struct frag_key key = key_of(1);
	struct frag_piece other = {
		.data = (const uint8_t *)"AAAAAAAABBBBBBBB", .offset = 8,
		.len = 16, .more = true, .protocol = 6,
	};
	struct frag_whole whole;

	(void)state;
	assert_int_equal(add_at(f, 0, 1, 0, 16, true, &whole), FRAG_WAITING);
	assert_int_equal(frag_add(f, 0, &key, &other, &whole), FRAG_WAITING);
	assert_int_equal(frag_add(f, 0, &key, &other, &whole), FRAG_WAITING);
	assert_int_equal(add_at(f, 0, 1, 24, 3, false, &whole), FRAG_WHOLE);
	assert_true(whole.differ);
	assert_int_equal(whole.len, 27);
	assert_memory_equal(whole.data, pattern, 16);
	assert_memory_equal(whole.data + 16, "BBBBBBBB", 8);
	assert_int_equal(frag_counters(f)->differ, 1);
	frag_free(f);
}

static void
two_words_about_what_is_inside_differ(void **state)
{
	struct frag *f = frag_new(1);
	struct frag_key key = key_of(1);
	struct frag_piece p = {
		.data = pattern, .len = 8, .more = true, .protocol = 17,
	};
	struct frag_whole whole;

	(void)state;
	assert_int_equal(add_at(f, 0, 1, 0, 8, true, &whole), FRAG_WAITING);
	assert_int_equal(frag_add(f, 0, &key, &p, &whole), FRAG_WAITING);
	assert_int_equal(add_at(f, 0, 1, 8, 8, false, &whole), FRAG_WHOLE);
	assert_true(whole.differ);
	assert_int_equal(whole.protocol, 6);
	frag_free(f);
}

static void
pieces_that_fit_nowhere_are_refused(void **state)
{
	static const struct {
		uint32_t at, len;
		bool more;
	} table[] = {
		{ 0, 0, false }, { 0, 0, true }, { 0, 7, true },
		{ 4, 8, false }, { 65528, 8, false }, { 65535, 1, false },
		{ 65536, 8, true }, { 8, 65528, false }, { UINT32_MAX - 7, 8,
		    false }, { 0, UINT32_MAX, false },
		{ 24, 8, true },	/* behind the last, below */
		{ 16, 4, false },	/* another last */
		{ 16, 16, true },
	};
	struct frag *f = frag_new(1);
	struct frag_whole whole;

	(void)state;
	assert_int_equal(add_at(f, 0, 1, 16, 8, false, &whole), FRAG_WAITING);
	for (size_t i = 0; i < COUNT(table); i++)
		if (add_at(f, 0, 1, table[i].at, table[i].len, table[i].more,
		    &whole) != FRAG_BAD)
			fail_msg("row %zu", i);
	assert_int_equal(frag_counters(f)->bad, COUNT(table));
	/* The last must not end before what has come. */
	assert_int_equal(add_at(f, 0, 2, 16, 8, true, &whole), FRAG_WAITING);
	assert_int_equal(add_at(f, 0, 2, 8, 8, false, &whole), FRAG_BAD);
	/* What was there before still becomes whole. */
	assert_int_equal(add_at(f, 0, 1, 0, 16, true, &whole), FRAG_WHOLE);
	assert_true(whole.differ);
	frag_free(f);
}

static void
datagrams_do_not_mix(void **state)
{
	struct frag *f = frag_new(1);
	struct frag_key key[5] = {
		key_of(1), key_of(2), key_of(1), key_of(1), key_of(1),
	};
	struct frag_piece p = {
		.data = pattern, .len = 8, .more = true, .protocol = 6,
	};
	struct frag_whole whole;

	(void)state;
	key[2].src[15] = 1;
	key[3].dst[0] = 1;
	key[4].protocol = 47;
	for (int i = 0; i < 5; i++)
		assert_int_equal(frag_add(f, 0, &key[i], &p, &whole),
		    FRAG_WAITING);
	assert_int_equal(frag_waiting(f), 5);
	p.offset = 8;
	p.more = false;
	for (int i = 0; i < 5; i++)
		assert_int_equal(frag_add(f, 0, &key[i], &p, &whole),
		    FRAG_WHOLE);
	assert_int_equal(frag_waiting(f), 0);
	frag_free(f);
}

static void
what_waits_too_long_is_dropped(void **state)
{
	static const int64_t times[] = { 0, INT64_MAX - 40 * SECOND };
	struct frag_whole whole;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		struct frag *f = frag_new(1);
		int64_t t = times[i];

		add_at(f, t, 1, 0, 8, true, &whole);
		add_at(f, t + 10 * SECOND, 2, 0, 8, true, &whole);
		add_at(f, t + 30 * SECOND, 3, 0, 8, true, &whole);
		assert_int_equal(frag_waiting(f), 3);
		add_at(f, t + 30 * SECOND + 1, 3, 0, 8, true, &whole);
		assert_int_equal(frag_waiting(f), 2);
		assert_int_equal(frag_counters(f)->expired, 1);
		/* A clock that goes back drops nothing, nor overflows. */
		add_at(f, INT64_MIN, 3, 0, 8, true, &whole);
		assert_int_equal(frag_waiting(f), 2);
		frag_free(f);
	}
}

static void
the_oldest_of_too_many_goes(void **state)
{
	struct frag *f = frag_new(1);
	struct frag_whole whole;

	(void)state;
	for (uint32_t id = 0; id < 3 * FRAG_DATAGRAMS; id++)
		assert_int_equal(add_at(f, 0, id, 0, 8, true, &whole),
		    FRAG_WAITING);
	assert_int_equal(frag_waiting(f), FRAG_DATAGRAMS);
	assert_int_equal(frag_counters(f)->no_slot, 2 * FRAG_DATAGRAMS);
	assert_int_equal(add_at(f, 0, 2 * FRAG_DATAGRAMS, 8, 8, false, &whole),
	    FRAG_WHOLE);
	assert_int_equal(add_at(f, 0, 2 * FRAG_DATAGRAMS - 1, 8, 8, false,
	    &whole), FRAG_WAITING);
	frag_free(f);
}

static void
bytes_are_bounded(void **state)
{
	struct frag *f = frag_new(1);
	struct frag_whole whole;
	uint32_t most = 0;

	(void)state;
	for (uint32_t id = 0; id < 200; id++) {
		assert_int_equal(add_at(f, 0, id, 8, 65520, true, &whole),
		    FRAG_WAITING);
		if (frag_bytes(f) > most)
			most = frag_bytes(f);
	}
	assert_true(most <= FRAG_MEMORY && most > FRAG_MEMORY - 131072);
	assert_true(frag_counters(f)->no_room > 100);
	assert_int_equal(add_at(f, 0, 199, 0, 8, true, &whole), FRAG_WAITING);
	assert_int_equal(add_at(f, 0, 199, 65528, 7, false, &whole),
	    FRAG_WHOLE);
	assert_memory_equal(whole.data, pattern, 65535);
	frag_free(f);
}

/* A lone piece far behind takes a block, not 64 KiB. */
static void
a_hole_costs_nothing(void **state)
{
	struct frag *f = frag_new(1);
	struct frag_whole whole;

	(void)state;
	assert_int_equal(add_at(f, 0, 1, 65520, 8, true, &whole),
	    FRAG_WAITING);
	assert_true(frag_bytes(f) < 4096);
	frag_free(f);
	frag_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_of_any_size_comes_whole),
		cmocka_unit_test(pieces_overlap_in_every_way),
		cmocka_unit_test(the_first_copy_is_kept_and_the_second_told),
		cmocka_unit_test(two_words_about_what_is_inside_differ),
		cmocka_unit_test(pieces_that_fit_nowhere_are_refused),
		cmocka_unit_test(datagrams_do_not_mix),
		cmocka_unit_test(what_waits_too_long_is_dropped),
		cmocka_unit_test(the_oldest_of_too_many_goes),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(a_hole_costs_nothing),
	};

	return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
