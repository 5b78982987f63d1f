/*
 * tests/unit/report/test_lines.c: lines of every length, plain and in gzip.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "unit.h"

static char name[] = "/tmp/portcullis-lines-XXXXXX";

static void
write_file(const char *bytes, size_t n, bool packed)
{
	gzFile out = gzopen(name, packed ? "w" : "wT");

	assert_non_null(out);
	if (n > 0)
		assert_int_equal(gzwrite(out, bytes, (unsigned)n), n);
	assert_int_equal(gzclose(out), Z_OK);
}

static void
assert_next(struct report_lines *l, enum report_lines_result expected,
    size_t len)
{
	struct sv line = { NULL, 0 };

	assert_int_equal(report_lines_next(l, &line), expected);
	if (expected == REPORT_LINE || expected == REPORT_LINE_UNFINISHED)
		assert_int_equal(line.len, len);
}

static void
test_a_line_may_be_as_long_as_is_said(void **state)
{
	static const size_t lens[] = { 1, 4096, REPORT_LINE_MAX - 1,
		REPORT_LINE_MAX, REPORT_LINE_MAX + 1, 2 * REPORT_LINE_MAX - 1,
		2 * REPORT_LINE_MAX, 2 * REPORT_LINE_MAX + 1,
		5 * REPORT_LINE_MAX };
	char *text = malloc(6 * REPORT_LINE_MAX);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 2 * COUNT(lens); i++) {
		size_t len = lens[i / 2];
		struct report_lines *l;

		/* "\n", "ab\n", the line, "cde\n", "f" */
		memset(text, 'x', 6 * REPORT_LINE_MAX);
		text[0] = text[3] = text[4 + len] = text[8 + len] = '\n';
		write_file(text, 10 + len, i % 2 == 1);
		l = report_lines_open(name);
		assert_non_null(l);
		assert_next(l, REPORT_LINE, 0);
		assert_next(l, REPORT_LINE, 2);
		assert_next(l, len <= REPORT_LINE_MAX ? REPORT_LINE :
		    REPORT_LINE_TOO_LONG, len);
		assert_next(l, REPORT_LINE, 3);
		assert_next(l, REPORT_LINE_UNFINISHED, 1);
		assert_next(l, REPORT_LINES_END, 0);
		assert_next(l, REPORT_LINES_END, 0);
		report_lines_free(l);
	}
	free(text);
}

static void
test_a_file_may_end_in_a_long_line_or_be_empty(void **state)
{
	char *text = calloc(2, REPORT_LINE_MAX);
	struct report_lines *l;

	(void)state;
	assert_non_null(text);
	write_file(text, 2 * REPORT_LINE_MAX, false);
	assert_non_null(l = report_lines_open(name));
	assert_next(l, REPORT_LINE_TOO_LONG, 0);
	assert_next(l, REPORT_LINES_END, 0);
	report_lines_free(l);
	write_file(text, 0, false);
	assert_non_null(l = report_lines_open(name));
	assert_next(l, REPORT_LINES_END, 0);
	report_lines_free(l);
	free(text);
}

static void
test_gzip_that_is_cut_off_gives_its_lines_and_fails(void **state)
{
	struct report_lines *l;

	(void)state;
	write_file("one\ntwo\n", 8, true);
	/* The check sum and the length stand in the last eight bytes. */
	assert_int_equal(truncate(name, 20), 0);
	assert_non_null(l = report_lines_open(name));
	for (int i = 0; i < 3; i++) {
		struct sv line;
		enum report_lines_result result = report_lines_next(l, &line);

		if (result == REPORT_LINES_FAILED)
			break;
		assert_true(i < 2 && result != REPORT_LINES_END);
	}
	assert_string_equal(report_lines_error(l),
	    "the compressed data is cut off");
	assert_next(l, REPORT_LINES_END, 0);
	report_lines_free(l);
	report_lines_free(NULL);
	assert_null(report_lines_open("/nowhere"));
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_may_be_as_long_as_is_said),
		cmocka_unit_test(
		    test_a_file_may_end_in_a_long_line_or_be_empty),
		cmocka_unit_test(
		    test_gzip_that_is_cut_off_gives_its_lines_and_fails),
	};
	int fd = mkstemp(name), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = RUN(tests);
	unlink(name);
	return failed;
}
