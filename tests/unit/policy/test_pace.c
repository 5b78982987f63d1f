/*
 * So many in a minute, at once or one after the other, and in no minute twice
 * as many.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/pace.h"

#include "unit.h"

#define MINUTE 60000

/* How many are had at that moment. */
static unsigned
take_all(uint64_t *earned, uint64_t now, uint32_t per_minute)
{
	unsigned n = 0;

	while (n < 100000 && pace_take(earned, now, per_minute))
		n++;
	return n;
}

static void
so_many_at_once_and_so_many_more_each_minute(void **state)
{
	static const uint32_t limits[] = { 1, 2, 7, 10, 59, 600, 999, 59999,
		60000 };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		uint64_t earned = 0, now = 1000000;
		unsigned more = 0;

		assert_int_equal(take_all(&earned, now, limits[i]),
		    limits[i]);
		assert_false(pace_take(&earned, now, limits[i]));
		for (int ms = 1; ms <= MINUTE; ms++)
			more += take_all(&earned, now + (uint64_t)ms,
			    limits[i]);
		/* What is had in milliseconds is rounded down. */
		assert_in_range(more, limits[i] / 2, limits[i]);
		/* All is earned again by who waits, and no more than that. */
		now += (uint64_t)10 * MINUTE;
		assert_int_equal(take_all(&earned, now, limits[i]),
		    limits[i]);
	}
}

static void
test_e09_who_has_had_least_is_first(void **state)
{
	uint64_t crowd = 0, one = 0, now = 5;

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_true(pace_take(&crowd, now, 0));
	assert_true(pace_take(&one, now, 0));
	assert_true(one > now && one < crowd);
	/* Without a limit nobody is refused, ever. */
	assert_int_equal(take_all(&crowd, now, 0), 100000);
	assert_in_range(crowd, now + MINUTE, now + MINUTE + 60);
}

static void
a_limit_that_came_down_is_kept_at_once(void **state)
{
	uint64_t earned = 0, now = 7;

	(void)state;
	assert_int_equal(take_all(&earned, now, 600), 600);
	assert_int_equal(take_all(&earned, now + MINUTE / 2, 10), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once_and_so_many_more_each_minute),
		cmocka_unit_test(test_e09_who_has_had_least_is_first),
		cmocka_unit_test(a_limit_that_came_down_is_kept_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
