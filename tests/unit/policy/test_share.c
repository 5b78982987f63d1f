/*
 * Shares: the sum, who gets what, and that nobody is left with nothing, for
 * some tables and for thousands of drawn ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/share.h"

#include <stdbool.h>

#include "unit.h"

#define MEMBERS 64

static const struct row {
	uint64_t whole;
	uint64_t want[5], most[5], rate[5];	/* want 0 ends a row */
} rows[] = {
	/* two who want all have half each */
	{ 1000, { SHARE_ALL, SHARE_ALL }, { SHARE_ALL, SHARE_ALL },
	    { 500, 500 } },
	/* who wants little leaves the rest to the others */
	{ 1000, { 100, SHARE_ALL, SHARE_ALL },
	    { SHARE_ALL, SHARE_ALL, SHARE_ALL }, { 100, 450, 450 } },
	/* what nobody wants lies on top of all, alike */
	{ 1000, { 100, 200 }, { SHARE_ALL, SHARE_ALL }, { 450, 550 } },
	/* a most is kept, and is the others' gain */
	{ 1000, { SHARE_ALL, SHARE_ALL }, { 300, SHARE_ALL }, { 300, 700 } },
	{ 1000, { SHARE_ALL, SHARE_ALL }, { 300, 200 }, { 300, 200 } },
	/* no sum: each his most */
	{ SHARE_ALL, { 5, SHARE_ALL }, { 300, SHARE_ALL },
	    { 300, SHARE_ALL } },
	/* less than one for each */
	{ 2, { SHARE_ALL, SHARE_ALL, SHARE_ALL },
	    { SHARE_ALL, SHARE_ALL, SHARE_ALL }, { 0, 0, 0 } },
	{ 7, { SHARE_ALL }, { SHARE_ALL }, { 7 } },
};

static struct share *
link_all(struct share *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s[i].next = i + 1 < n ? &s[i + 1] : NULL;
	return n > 0 ? s : NULL;
}

static void
shares_are_as_in_the_table(void **state)
{
	struct share s[5];

	(void)state;
	share_divide(NULL, 5);
	for (size_t r = 0; r < COUNT(rows); r++) {
		size_t n = 0;

		for (; n < 5 && rows[r].want[n] > 0; n++)
			s[n] = (struct share) { .want = rows[r].want[n],
				.most = rows[r].most[n] };
		share_divide(link_all(s, n), rows[r].whole);
		for (size_t i = 0; i < n; i++)
			if (s[i].rate != rows[r].rate[i])
				fail_msg("row %zu, member %zu: %llu", r, i,
				    (unsigned long long)s[i].rate);
	}
}

static uint64_t
draw(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
may_want(const struct share *s)
{
	return least(s->want, s->most);
}

static void
check_one(const struct share *s, size_t n, uint64_t whole)
{
	uint64_t sum = 0, wants = 0;

	for (size_t i = 0; i < n; i++) {
		sum += s[i].rate;
		wants += least(may_want(&s[i]), whole);
		assert_true(s[i].rate <= s[i].most);
		/* none starves */
		assert_true(s[i].rate >= least(may_want(&s[i]), whole / n));
	}
	assert_true(sum <= whole);
	/* nothing is kept from those who want it, but for the rounding */
	assert_true(sum + n >= least(whole, wants));
	/* who has less than he wants has as much as anybody, but for one */
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (s[i].rate < may_want(&s[i]))
				assert_true(s[i].rate + 1 >= s[j].rate);
}

static void
any_shares_are_fair_and_fit(void **state)
{
	struct share s[MEMBERS];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = 1 + draw() % MEMBERS;
		uint64_t whole = draw() >> (28 + draw() % 30);

		for (size_t i = 0; i < n; i++) {
			s[i] = (struct share) { .want = SHARE_ALL,
				.most = SHARE_ALL };
			if (draw() % 3 != 0)
				s[i].want = draw() >> (28 + draw() % 36);
			if (draw() % 4 == 0)
				s[i].most = draw() >> (28 + draw() % 36);
		}
		share_divide(link_all(s, n), whole);
		check_one(s, n, whole);
	}
}

static void
wants_follow_what_was_used(void **state)
{
	(void)state;
	assert_true(share_want(900, 1000, 7) == SHARE_ALL);
	assert_true(share_want(899, 1000, 7) == 899 + 224 + 7);
	assert_true(share_want(0, 1000, 7) == 7);
	assert_true(share_want(0, 0, 7) == SHARE_ALL);
	assert_true(share_want(1 << 20, SHARE_ALL, 0) == 5 << 18);
	assert_true(share_of_newcomer(1000, 0) == 1000);
	assert_true(share_of_newcomer(1000, 2) == 333);
	assert_true(share_of_newcomer(SHARE_ALL, 2) == SHARE_ALL);
}

static void
small_changes_are_none(void **state)
{
	(void)state;
	assert_true(share_is_other(0, 0) && share_is_other(0, 1));
	assert_false(share_is_other(3200, 3200));
	assert_false(share_is_other(3300, 3200));
	assert_true(share_is_other(3301, 3200));
	assert_false(share_is_other(3100, 3200));
	assert_true(share_is_other(3099, 3200));
	assert_true(share_is_other(SHARE_ALL, 3200));
}

static void
little_waits_unsent(void **state)
{
	(void)state;
	assert_int_equal(share_unsent(SHARE_ALL), 0);
	assert_int_equal(share_unsent(0), 65536);
	assert_int_equal(share_unsent(4 * 65536 + 4), 65537);
	assert_int_equal(share_unsent((uint64_t)1 << 60), 4 << 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_as_in_the_table),
		cmocka_unit_test(any_shares_are_fair_and_fit),
		cmocka_unit_test(wants_follow_what_was_used),
		cmocka_unit_test(small_changes_are_none),
		cmocka_unit_test(little_waits_unsent),
	};

	return RUN(tests);
}
