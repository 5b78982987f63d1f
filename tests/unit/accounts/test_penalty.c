/*
 * tests/unit/accounts/test_penalty.c: who waits, who is shut out, and that
 * both end; on a clock of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>

#include "accounts/penalty.h"

#define MINUTE 60000ull
#define HOUR (60 * MINUTE)

static struct penalty_try
try_of(const struct penalty *p, const char *from, const char *name)
{
	struct addr a;

	assert_true(addr_parse_ip(sv_of(from), &a));
	return penalty_key(p, &a, sv_of(name));
}

static void
refuse(struct penalty *p, const char *from, const char *name, uint64_t now)
{
	struct penalty_try t = try_of(p, from, name);

	penalty_add(p, &t, now);
}

static uint64_t
wait_for(struct penalty *p, const char *from, const char *name, uint64_t now)
{
	struct penalty_try t = try_of(p, from, name);

	return penalty_wait(p, &t, now);
}

static bool
is_shut(struct penalty *p, const char *from, const char *name, uint64_t now)
{
	struct penalty_try t = try_of(p, from, name);

	return penalty_is_shut(p, &t, now);
}

static void
test_c04_a_source_waits_longer_each_time(void **state)
{
	static const uint64_t expected[] = { 0, 0, 1000, 2000, 4000, 8000,
		16000, 16000, 16000 };
	struct penalty *p = penalty_new();

	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		char name[8];

		snprintf(name, sizeof(name), "u%zu", i);
		assert_int_equal(wait_for(p, "192.0.2.1", name, 5000),
		    expected[i]);
		refuse(p, "192.0.2.1", name, 5000);
	}
	/* His neighbours do not. */
	assert_int_equal(wait_for(p, "192.0.2.2", "x", 5000), 0);
	/* One is forgotten each minute. */
	assert_int_equal(wait_for(p, "192.0.2.1", "x", 5000 + 5 * MINUTE),
	    4000);
	assert_int_equal(wait_for(p, "192.0.2.1", "x", 5000 + HOUR), 0);
	penalty_free(p);
}

static void
test_c04_a_source_is_shut_out_and_let_in_again(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		refuse(p, "192.0.2.1", "a", 0);
	assert_false(is_shut(p, "192.0.2.1", "a", 0));
	refuse(p, "192.0.2.1", "a", 0);
	assert_true(is_shut(p, "192.0.2.1", "b", 0));
	assert_true(is_shut(p, "192.0.2.1", "b", 2 * MINUTE - 1));
	assert_false(is_shut(p, "192.0.2.1", "b", 2 * MINUTE));
	/* The name is not, from elsewhere; it only waits, and not for long. */
	assert_false(is_shut(p, "198.51.100.1", "a", 0));
	assert_int_equal(wait_for(p, "198.51.100.1", "a", 0), 4000);
	penalty_free(p);
}

static void
test_c04_who_goes_on_is_shut_out_for_longer(void **state)
{
	struct penalty *p = penalty_new();
	uint64_t now = 0, length = 2 * MINUTE;

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		uint64_t until;

		while (!is_shut(p, "2001:db8::1", "a", now))
			refuse(p, "2001:db8::1", "a", now);
		for (until = now; is_shut(p, "2001:db8::1", "a", until);)
			until += MINUTE;
		assert_int_equal(until - now, length);
		length = length * 2 < HOUR ? length * 2 : HOUR;
		now = until;
	}
	/* The whole /64 is one source; a day later all is forgotten. */
	now += 24 * HOUR;
	for (unsigned i = 0; i < 10; i++)
		refuse(p, "2001:db8::1", "a", now);
	assert_true(is_shut(p, "2001:db8::3", "a", now));
	assert_false(is_shut(p, "2001:db8::3", "a", now + 2 * MINUTE));
	assert_false(is_shut(p, "2001:db8:0:1::3", "a", now));
	penalty_free(p);
}

static void
test_c04_a_network_counts_for_itself(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		char from[32], name[8];

		snprintf(from, sizeof(from), "192.0.2.%u", i);
		snprintf(name, sizeof(name), "u%u", i);
		assert_false(is_shut(p, from, name, 1));
		refuse(p, from, name, 1);
	}
	assert_true(is_shut(p, "192.0.2.250", "x", 1));
	assert_true(is_shut(p, "::ffff:192.0.2.250", "x", 1));
	assert_false(is_shut(p, "192.0.3.1", "x", 1));
	assert_false(is_shut(p, "192.0.2.250", "x", HOUR));
	penalty_free(p);
}

/* C04: however many try it, and for however long. */
static void
test_c04_no_name_is_shut_out(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		char from[32];

		snprintf(from, sizeof(from), "10.%u.%u.1", i / 250, i % 250);
		refuse(p, from, "victim", 7);
	}
	assert_false(is_shut(p, "203.0.113.1", "victim", 7));
	assert_int_equal(wait_for(p, "203.0.113.1", "victim", 7), 4000);
	assert_int_equal(wait_for(p, "203.0.113.1", "other", 7), 0);
	penalty_free(p);
}

static void
test_a_flood_does_not_push_the_guilty_out(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		refuse(p, "192.0.2.1", "a", 0);
	for (unsigned i = 0; i < 200000; i++) {
		char from[40];

		snprintf(from, sizeof(from), "2001:db8:%x:%x::1", i / 65536,
		    i % 65536);
		refuse(p, from, from, 1);
	}
	assert_true(is_shut(p, "192.0.2.1", "a", 2));
	penalty_free(p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c04_a_source_waits_longer_each_time),
		cmocka_unit_test(
		    test_c04_a_source_is_shut_out_and_let_in_again),
		cmocka_unit_test(test_c04_who_goes_on_is_shut_out_for_longer),
		cmocka_unit_test(test_c04_a_network_counts_for_itself),
		cmocka_unit_test(test_c04_no_name_is_shut_out),
		cmocka_unit_test(test_a_flood_does_not_push_the_guilty_out),
	};

	return RUN(tests);
}
