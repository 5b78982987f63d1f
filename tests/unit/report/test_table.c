/*
 * tests/unit/report/test_table.c: rows by key, and the maximum.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/table.h"

#include <stdio.h>

#include "unit.h"

static struct sv
number(char buf[16], unsigned n)
{
	snprintf(buf, 16, "key %u", n);
	return sv_of(buf);
}

static void
test_each_key_has_its_row_while_the_table_grows(void **state)
{
	struct report_table t;
	char buf[16];

	(void)state;
	report_table_init(&t, 100000, 1u << 20);
	for (unsigned round = 1; round <= 2; round++)
		for (unsigned i = 0; i < 5000; i++)
			report_table_at(&t, number(buf, i))->bytes += i;
	assert_int_equal(t.count, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(report_table_at(&t, number(buf, i))->bytes,
		    2 * i);
	assert_int_equal(t.others_events, 0);
	report_table_free(&t);
}

static void
test_what_finds_no_room_is_counted_as_others(void **state)
{
	struct report_table t;
	char buf[16];

	(void)state;
	report_table_init(&t, 100, 1u << 20);
	for (unsigned i = 0; i < 130; i++)
		report_table_at(&t, number(buf, i))->files++;
	assert_int_equal(t.count, 100);
	assert_int_equal(t.others_events, 30);
	assert_int_equal(t.others.files, 30);
	/* Who has a row keeps it. */
	report_table_at(&t, number(buf, 99))->files++;
	assert_int_equal(t.others_events, 30);
	assert_null(report_table_row(&t, number(buf, 101)));
	report_table_free(&t);
}

static void
test_keys_have_a_maximum_of_bytes(void **state)
{
	struct report_table t;

	(void)state;
	report_table_init(&t, 100, 10);
	assert_non_null(report_table_row(&t, SV("12345678")));
	assert_null(report_table_row(&t, SV("abc")));
	assert_non_null(report_table_row(&t, SV("ab")));
	assert_non_null(report_table_row(&t, SV("")));
	assert_non_null(report_table_row(&t, SV("12345678")));
	assert_int_equal(t.count, 3);
	report_table_free(&t);
	report_table_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_each_key_has_its_row_while_the_table_grows),
		cmocka_unit_test(test_what_finds_no_room_is_counted_as_others),
		cmocka_unit_test(test_keys_have_a_maximum_of_bytes),
	};

	return RUN(tests);
}
