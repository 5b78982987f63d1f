/*
 * tests/unit/index/test_row.c: lines of an index, and those that are none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "index/row.h"

#define HASH "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
#define TIME "2026-11-25T10:58:06.000000001Z"

static const char *const good[] = {
	HASH "\t3\t" TIME "\ta/b c",
	"-\t9223372036854775807\t" TIME "\tx",
	HASH "\t0\t@-67768040609740801.000000000Z\tx",
	"link\t4\t" TIME "\tl\t/etc/p\\nw",
	"?\t-\t-\tsecret/",
};

static void
test_parse_and_format_are_inverse(void **state)
{
	static char line[INDEX_LINE_ROOM], again[INDEX_LINE_ROOM];
	struct index_row row;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		memcpy(line, good[i], strlen(good[i]) + 1);
		assert_null(index_row_parse(line, &row));
		size_t n = index_row_format(&row, again);
		assert_int_equal(n, strlen(good[i]) + 1);
		assert_int_equal(again[n - 1], '\n');
		assert_memory_equal(again, good[i], n - 1);
	}
}

static void
test_bad_lines(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{ "", "neither" },
		{ HASH, "columns" },
		{ HASH "\t3\t" TIME, "columns" },
		{ HASH "\t3\t" TIME "\ta\tb", "columns" },
		{ "link\t3\t" TIME "\ta", "columns" },
		{ "link\t3\t" TIME "\ta\tb\tc", "target" },
		{ "98EA\t3\t" TIME "\ta", "neither" },
		{ HASH "0\t3\t" TIME "\ta", "neither" },
		{ HASH "\t-3\t" TIME "\ta", "size" },
		{ HASH "\t9223372036854775808\t" TIME "\ta", "size" },
		{ HASH "\t\t" TIME "\ta", "size" },
		{ HASH "\t3\tyesterday\ta", "time" },
		{ HASH "\t3\t2026-11-25T10:58:06Z\ta", "time" },
		{ HASH "\t3\t" TIME "\t", "path" },
		{ HASH "\t3\t" TIME "\t/etc/passwd", "path" },
		{ HASH "\t3\t" TIME "\ta\\q", "path" },
		{ HASH "\t3\t" TIME "\ta\xff", "path" },
		{ "link\t3\t" TIME "\ta\t", "target" },
		{ "?\t3\t-\ta", "beside" },
		{ "?\t-\t" TIME "\ta", "beside" },
	};
	static char line[INDEX_LINE_ROOM];
	struct index_row row;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		memcpy(line, bad[i].line, strlen(bad[i].line) + 1);
		const char *why = index_row_parse(line, &row);
		assert_non_null(why);
		if (strstr(why, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].line, why);
	}
}

static void
test_times(void **state)
{
	static const struct {
		struct timespec t;
		const char *text;
	} rows[] = {
		{ { 0, 0 }, "1970-01-01T00:00:00.000000000Z" },
		{ { -1, 999999999 }, "1969-12-31T23:59:59.999999999Z" },
		{ { 253402300800, 5 }, "10000-01-01T00:00:00.000000005Z" },
		{ { INT64_MAX, 1 }, "@9223372036854775807.000000001Z" },
	};
	char out[INDEX_TIME_ROOM];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		index_time_format(rows[i].t, out);
		assert_string_equal(out, rows[i].text);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format_are_inverse),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_times),
	};

	return RUN(tests);
}
