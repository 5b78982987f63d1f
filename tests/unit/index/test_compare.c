/*
 * tests/unit/index/test_compare.c: what is said of a difference.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <string.h>

#include "index/compare.h"

#define T1 "2026-11-25T10:58:06.000000001Z"
#define T2 "2026-11-25T10:58:06.000000002Z"
#define WHOLE "2026-11-25T10:58:06.000000000Z"
#define LATER "2026-11-25T10:58:07.000000000Z"
#define A_HASH "aa"
#define OTHER "bb"

#define FILE_ROW(hash, size, time) { INDEX_FILE, hash, size, time, "p", NULL }
#define LINK_ROW(target) { INDEX_LINK, "", 1, T1, "p", target }
#define LEFT_ROW { INDEX_LEFT, "", 0, "", "p", NULL }
#define BOTH true, true, INDEX_READ

static const struct {
	struct index_row now, old;
	bool has_now, has_old;
	enum index_outcome outcome;
	const char *what, *reasons;
} rows[] = {
	{ FILE_ROW(A_HASH, 1, T1), FILE_ROW(A_HASH, 1, T1), BOTH, NULL, "" },
	{ FILE_ROW(A_HASH, 1, T1), FILE_ROW(A_HASH, 1, T2), BOTH, "changed",
	    "mtime" },
	{ FILE_ROW(A_HASH, 1, T1), FILE_ROW(A_HASH, 1, WHOLE), BOTH, NULL,
	    "" },
	{ FILE_ROW(A_HASH, 1, WHOLE), FILE_ROW(A_HASH, 1, T2), BOTH, NULL,
	    "" },
	{ FILE_ROW(A_HASH, 1, T1), FILE_ROW(A_HASH, 1, LATER), BOTH, "changed",
	    "mtime" },
	{ FILE_ROW(A_HASH, 1, T1), FILE_ROW(OTHER, 1, T1), BOTH, "changed",
	    "hash" },
	{ FILE_ROW("-", 2, T1), FILE_ROW(OTHER, 1, T2), BOTH, "changed",
	    "size,mtime" },
	{ FILE_ROW("-", 1, T1), FILE_ROW(OTHER, 1, T1), BOTH, NULL, "" },
	{ FILE_ROW(A_HASH, 1, T1), FILE_ROW("-", 1, T1), BOTH, NULL, "" },
	{ LINK_ROW("x"), LINK_ROW("x"), BOTH, NULL, "" },
	{ LINK_ROW("x"), LINK_ROW("y"), BOTH, "changed", "target" },
	{ LINK_ROW("x"), FILE_ROW(A_HASH, 1, T1), BOTH, "changed", "kind" },
	{ FILE_ROW(A_HASH, 1, T1), LEFT_ROW, BOTH, "unknown", "" },
	{ LEFT_ROW, FILE_ROW(A_HASH, 1, T1), BOTH, "unread", "" },
	{ LEFT_ROW, LEFT_ROW, BOTH, "unread", "" },
	{ FILE_ROW("", 1, T1), FILE_ROW(A_HASH, 1, T1), true, true,
	    INDEX_CHANGES, "unread", "" },
	{ FILE_ROW("", 1, T1), FILE_ROW(A_HASH, 1, T1), true, true,
	    INDEX_FAILED, "unread", "" },
	{ FILE_ROW("", 1, T1), FILE_ROW(A_HASH, 1, T1), true, true,
	    INDEX_GONE, "missing", "" },
	{ FILE_ROW("", 1, T1), LEFT_ROW, true, false, INDEX_GONE, NULL, "" },
	{ FILE_ROW(A_HASH, 1, T1), LEFT_ROW, true, false, INDEX_READ, "new",
	    "" },
	{ LEFT_ROW, FILE_ROW(A_HASH, 1, T1), false, true, INDEX_READ,
	    "missing", "" },
	{ LEFT_ROW, LEFT_ROW, false, true, INDEX_READ, "unknown", "" },
};

static void
test_rows(void **state)
{
	char reasons[INDEX_REASONS_ROOM];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct index_item item = { .now = rows[i].now,
			.old = rows[i].old, .has_now = rows[i].has_now,
			.has_old = rows[i].has_old,
			.outcome = rows[i].outcome };
		const char *what = index_compare(&item, reasons);

		if ((what == NULL) != (rows[i].what == NULL) ||
		    (what != NULL && strcmp(what, rows[i].what) != 0) ||
		    strcmp(reasons, rows[i].reasons) != 0)
			fail_msg("row %zu: %s %s", i, what == NULL ? "same" :
			    what, reasons);
	}
}

/* A hash is taken over for nothing but the same size and nanosecond. */
static void
test_hash_is_taken_over(void **state)
{
	static const struct {
		struct index_row old, now;
		bool known, read;
	} cases[] = {
		{ FILE_ROW(A_HASH, 1, T1), FILE_ROW("-", 1, T1), true, true },
		{ FILE_ROW(A_HASH, 1, T1), FILE_ROW("-", 1, T2), false, true },
		{ FILE_ROW(A_HASH, 1, WHOLE), FILE_ROW("-", 1, T1), false,
		    true },
		{ FILE_ROW(A_HASH, 2, T1), FILE_ROW("-", 1, T1), false, false },
		{ FILE_ROW("-", 1, T1), FILE_ROW("-", 1, T1), false, false },
		{ LINK_ROW("x"), FILE_ROW("-", 1, T1), false, false },
		{ FILE_ROW(A_HASH, 1, T1), LINK_ROW("x"), false, false },
		{ LEFT_ROW, FILE_ROW("-", 0, ""), false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(index_knows(&cases[i].old, &cases[i].now),
		    cases[i].known);
		assert_int_equal(index_must_read(&cases[i].old, &cases[i].now),
		    cases[i].read);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_hash_is_taken_over),
	};

	return RUN(tests);
}
