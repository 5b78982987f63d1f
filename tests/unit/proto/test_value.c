/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/value.h"

#include <time.h>

#include "unit.h"

static void
times_are_written_and_read(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} table[] = {
		{ 0, "19700101000000" },
		{ -1, "19691231235959" },
		{ 1, "19700101000001" },
		{ 951782399, "20000228235959" },
		{ 951782400, "20000229000000" },
		{ 951868800, "20000301000000" },
		{ 1577934245, "20200102030405" },
		{ 2147483647, "20380119031407" },
		{ 2147483648, "20380119031408" },
		{ 4107542399, "21000228235959" },
		{ 4107542400, "21000301000000" },
		{ -2208988800, "19000101000000" },
		{ -62135596800, "00010101000000" },
		{ VALUE_TIME_LEAST, "00000101000000" },
		{ VALUE_TIME_LEAST + 59 * 86400, "00000229000000" },
		{ VALUE_TIME_MOST, "99991231235959" },
	};
	char text[VALUE_TIME_SIZE];
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		value_format_time(table[i].seconds, text);
		assert_string_equal(text, table[i].text);
		assert_int_equal(value_parse_time(sv_of(text), &seconds),
		    FTP_OK);
		assert_true(seconds == table[i].seconds);
	}
}

static void
times_beyond_four_digits_are_the_nearest(void **state)
{
	char text[VALUE_TIME_SIZE];

	(void)state;
	value_format_time(INT64_MIN, text);
	assert_string_equal(text, "00000101000000");
	value_format_time(VALUE_TIME_LEAST - 1, text);
	assert_string_equal(text, "00000101000000");
	value_format_time(INT64_MAX, text);
	assert_string_equal(text, "99991231235959");
	value_format_time(VALUE_TIME_MOST + 1, text);
	assert_string_equal(text, "99991231235959");
}

/* Every day of ten thousand years, each follows the one before. */
static void
every_day_survives_the_way_round(void **state)
{
	char text[VALUE_TIME_SIZE], last[VALUE_TIME_SIZE] = "";

	(void)state;
	for (int64_t s = VALUE_TIME_LEAST; s <= VALUE_TIME_MOST; s += 86400) {
		int64_t back = 0;

		value_format_time(s, text);
		assert_true(memcmp(last, text, sizeof(text)) < 0);
		assert_int_equal(value_parse_time(sv_of(text), &back), FTP_OK);
		assert_true(back == s);
		memcpy(last, text, sizeof(text));
	}
}

static void
the_c_library_agrees(void **state)
{
	(void)state;
	for (int64_t s = VALUE_TIME_LEAST; s <= VALUE_TIME_MOST;
	    s += 98765432) {
		struct value_date d = value_date_of(s);
		time_t t = s;
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(d.year, tm.tm_year + 1900);
		assert_int_equal(d.month, tm.tm_mon + 1);
		assert_int_equal(d.day, tm.tm_mday);
		assert_int_equal(d.hour, tm.tm_hour);
		assert_int_equal(d.minute, tm.tm_min);
		assert_int_equal(d.second, tm.tm_sec);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum ftp_err err;
	} table[] = {
		{ "20200102030405.5", FTP_OK },
		{ "20200102030405.123456789", FTP_OK },
		{ "20161231235960", FTP_OK },
		{ "20200229000000", FTP_OK },
		{ "", FTP_SYNTAX },
		{ "2020010203040", FTP_SYNTAX },
		{ "202001020304056", FTP_SYNTAX },
		{ "20200102030405.", FTP_SYNTAX },
		{ "20200102030405.x", FTP_SYNTAX },
		{ "20200102030405 ", FTP_SYNTAX },
		{ "20200102030405,5", FTP_SYNTAX },
		{ "-2020010203040", FTP_SYNTAX },
		{ "20200002030405", FTP_RANGE },
		{ "20201302030405", FTP_RANGE },
		{ "20200100030405", FTP_RANGE },
		{ "20200132030405", FTP_RANGE },
		{ "20210229000000", FTP_RANGE },
		{ "21000229000000", FTP_RANGE },
		{ "20200102240000", FTP_RANGE },
		{ "20200102006000", FTP_RANGE },
		{ "20200102000061", FTP_RANGE },
	};
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (value_parse_time(sv_of(table[i].text), &seconds) !=
		    table[i].err)
			fail_msg("row %zu: %s", i, table[i].text);
}

static void
offsets_end_where_files_do(void **state)
{
	static const struct {
		const char *text;
		enum ftp_err err;
		uint64_t offset;
	} table[] = {
		{ "0", FTP_OK, 0 },
		{ "1", FTP_OK, 1 },
		{ "4294967296", FTP_OK, 4294967296 },
		{ "9223372036854775807", FTP_OK, INT64_MAX },
		{ "9223372036854775808", FTP_RANGE, 0 },
		{ "99999999999999999999999", FTP_RANGE, 0 },
		{ "", FTP_SYNTAX, 0 },
		{ "-1", FTP_SYNTAX, 0 },
		{ "1 ", FTP_SYNTAX, 0 },
		{ "0x10", FTP_SYNTAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t offset = 0;

		assert_int_equal(value_parse_offset(sv_of(table[i].text),
		    &offset), table[i].err);
		assert_true(offset == table[i].offset);
	}
}

/* What a client does with a 257 reply (RFC 959 appendix II). */
static size_t
unquote(struct sv quoted, char *out)
{
	size_t n = 0;

	assert_true(sv_take(&quoted, '"'));
	while (quoted.len > 0) {
		char c = quoted.ptr[0];

		quoted = sv_drop(quoted, 1);
		if (c == '"' && !sv_take(&quoted, '"'))
			break;
		out[n++] = c;
	}
	assert_int_equal(quoted.len, 0);
	return n;
}

static void
b06_quoted_paths_are_unquoted_to_themselves(void **state)
{
	static const struct {
		struct sv path;
		struct sv quoted;
	} table[] = {
		{ SV("/"), SV("\"/\"") },
		{ SV(""), SV("\"\"") },
		{ SV("/a b"), SV("\"/a b\"") },
		{ SV("/a\"b"), SV("\"/a\"\"b\"") },
		{ SV("\"\""), SV("\"\"\"\"\"\"") },
		{ SV("/\\"), SV("\"/\\\"") },
		{ SV("/\xc3\xa9"), SV("\"/\xc3\xa9\"") },
		{ SV("/a\r\nb\0\t\x7f"), SV("\"/a??b???\"") },
	};
	char buf[64], back[64];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct sv path = table[i].path;
		size_t len = value_quote(path, buf, sizeof(buf));

		assert_true(sv_eq((struct sv) { buf, len }, table[i].quoted));
		if (memchr(table[i].quoted.ptr, '?', len) == NULL)
			assert_true(sv_eq((struct sv) { back,
			    unquote((struct sv) { buf, len }, back) }, path));
		assert_int_equal(value_quote(path, buf,
		    VALUE_QUOTED_MAX(path.len)), len);
		for (size_t size = 0; size < len; size++)
			assert_int_equal(value_quote(path, buf, size), 0);
	}
}

static void
a_time_stands_before_a_path(void **state)
{
	static const struct {
		const char *text;
		enum ftp_err err;
		int64_t seconds;
		const char *path;
	} table[] = {
		{ "19700101000001 a", FTP_OK, 1, "a" },
		{ "19700101000001.5 a b ", FTP_OK, 1, "a b " },
		{ "19700101000001  a", FTP_OK, 1, " a" },
		{ "19691231235959 19700101000001", FTP_OK, -1,
		    "19700101000001" },
		{ "19700101000001", FTP_SYNTAX, 0, NULL },
		{ "19700101000001 ", FTP_SYNTAX, 0, NULL },
		{ "197001010000 a", FTP_SYNTAX, 0, NULL },
		{ "a 19700101000001", FTP_SYNTAX, 0, NULL },
		{ "+9700101000001 a", FTP_SYNTAX, 0, NULL },
		{ "19701301000001 a", FTP_RANGE, 0, NULL },
		{ "", FTP_SYNTAX, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		int64_t seconds = 0;
		struct sv path = SV("");

		assert_int_equal(value_parse_time_path(sv_of(table[i].text),
		    &seconds, &path), table[i].err);
		if (table[i].err != FTP_OK)
			continue;
		assert_true(seconds == table[i].seconds);
		assert_true(sv_eq(path, sv_of(table[i].path)));
	}
}

static void
both_forms_of_utime_are_read(void **state)
{
	static const struct {
		const char *text;
		enum ftp_err err;
		int64_t seconds;
		const char *path;
	} table[] = {
		{ "197001010001 a", FTP_OK, 60, "a" },
		{ "19700101000102 a b", FTP_OK, 62, "a b" },
		{ "a b 19700101000001 19700101000002 19700101000003 UTC",
		    FTP_OK, 2, "a b" },
		{ "a 19700101000001 19700101000002 19700101000003 utc",
		    FTP_OK, 2, "a" },
		{ "197001010001 19700101000001 19700101000002 19700101000003"
		    " UTC", FTP_OK, 2, "197001010001" },
		{ "197001010001 a UTC", FTP_OK, 60, "a UTC" },
		{ "197001010001 19700101000002 19700101000003 UTC", FTP_OK, 60,
		    "19700101000002 19700101000003 UTC" },
		{ "a 19700101000001 19701301000002 19700101000003 UTC",
		    FTP_RANGE, 0, NULL },
		{ "a 19700101000002", FTP_SYNTAX, 0, NULL },
		{ "1970010100011 a", FTP_SYNTAX, 0, NULL },
		{ "19700101000001.5 a", FTP_SYNTAX, 0, NULL },
		{ "197001010001", FTP_SYNTAX, 0, NULL },
		{ " UTC", FTP_SYNTAX, 0, NULL },
		{ "UTC", FTP_SYNTAX, 0, NULL },
		{ "", FTP_SYNTAX, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		int64_t seconds = 0;
		struct sv path = SV("");

		assert_int_equal(value_parse_utime(sv_of(table[i].text),
		    &seconds, &path), table[i].err);
		if (table[i].err != FTP_OK)
			continue;
		assert_true(seconds == table[i].seconds);
		assert_true(sv_eq(path, sv_of(table[i].path)));
	}
}

static void
permissions_are_octal(void **state)
{
	static const struct {
		const char *text;
		enum ftp_err err;
		unsigned mode;
		const char *path;
	} table[] = {
		{ "644 a", FTP_OK, 0644, "a" },
		{ "0755 a b", FTP_OK, 0755, "a b" },
		{ "7777 644", FTP_OK, 07777, "644" },
		{ "000 a", FTP_OK, 0, "a" },
		{ "648 a", FTP_RANGE, 0, NULL },
		{ "64 a", FTP_SYNTAX, 0, NULL },
		{ "00644 a", FTP_SYNTAX, 0, NULL },
		{ "u+x a", FTP_SYNTAX, 0, NULL },
		{ "-644 a", FTP_SYNTAX, 0, NULL },
		{ "644", FTP_SYNTAX, 0, NULL },
		{ "644 ", FTP_SYNTAX, 0, NULL },
		{ "", FTP_SYNTAX, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		unsigned mode = 0;
		struct sv path = SV("");

		assert_int_equal(value_parse_chmod(sv_of(table[i].text), &mode,
		    &path), table[i].err);
		if (table[i].err != FTP_OK)
			continue;
		assert_int_equal(mode, table[i].mode);
		assert_true(sv_eq(path, sv_of(table[i].path)));
	}
}

static void
unique_names_fit_and_differ(void **state)
{
	char a[VALUE_UNIQUE_SIZE], b[VALUE_UNIQUE_SIZE], wish[300];

	(void)state;
	assert_int_equal(value_unique_name(SV("x"), 0, a), 15);
	assert_string_equal(a, "x.aaaaaaaaaaaaa");
	assert_int_equal(value_unique_name((struct sv) { NULL, 0 },
	    UINT64_MAX, a), 20);
	assert_string_equal(a, "upload.999999999999s");
	for (unsigned bit = 0; bit < 64; bit++) {
		value_unique_name(SV("x"), (uint64_t)1 << bit, a);
		value_unique_name(SV("x"), 0, b);
		assert_string_not_equal(a, b);
	}
	memset(wish, 'w', sizeof(wish));
	assert_int_equal(value_unique_name((struct sv) { wish, 241 }, 0, a),
	    255);
	assert_int_equal(value_unique_name((struct sv) { wish, 300 }, 0, a),
	    255);
	/* The character that does not fit is left out whole. */
	memcpy(wish + 239, "\xe2\x82\xac", 3);
	assert_int_equal(value_unique_name((struct sv) { wish, 300 }, 0, a),
	    253);
	assert_int_equal(a[238], 'w');
	assert_int_equal(a[239], '.');
	/* What is no UTF-8 is cut anywhere. */
	memset(wish, 0x80, sizeof(wish));
	assert_true(value_unique_name((struct sv) { wish, 300 }, 0, a) > 240);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_and_read),
		cmocka_unit_test(times_beyond_four_digits_are_the_nearest),
		cmocka_unit_test(every_day_survives_the_way_round),
		cmocka_unit_test(the_c_library_agrees),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(offsets_end_where_files_do),
		cmocka_unit_test(b06_quoted_paths_are_unquoted_to_themselves),
		cmocka_unit_test(a_time_stands_before_a_path),
		cmocka_unit_test(both_forms_of_utime_are_read),
		cmocka_unit_test(permissions_are_octal),
		cmocka_unit_test(unique_names_fit_and_differ),
	};

	return RUN(tests);
}
