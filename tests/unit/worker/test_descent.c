/*
 * tests/unit/worker/test_descent.c: the way of LIST -R through a tree, and
 * what it keeps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/descent.h"

#include <limits.h>
#include <stdio.h>

#include "unit.h"

static void
adds(struct descent *d, const char *name)
{
	assert_int_equal(descent_add(d, sv_of(name)), DESCENT_OK);
}

static void
goes_to(struct descent *d, const char *path)
{
	assert_true(descent_next(d));
	assert_true(sv_eq(descent_path(d), sv_of(path)));
	assert_string_equal(descent_path(d).ptr, path);
}

static void
depth_first_and_in_order(void **state)
{
	struct descent *d = descent_new(3);

	(void)state;
	assert_int_equal(descent_path(d).len, 0);
	adds(d, "a");
	adds(d, "b");
	goes_to(d, "a");
	adds(d, "x");
	adds(d, "y");
	goes_to(d, "a/x");
	adds(d, "deep");
	goes_to(d, "a/x/deep");
	goes_to(d, "a/y");
	goes_to(d, "b");
	adds(d, "z");
	goes_to(d, "b/z");
	assert_false(descent_next(d));
	assert_false(descent_next(d));
	descent_free(d);
	descent_free(NULL);
}

static void
no_deeper_than_allowed(void **state)
{
	struct descent *d = descent_new(2);

	(void)state;
	adds(d, "1");
	goes_to(d, "1");
	adds(d, "2");
	goes_to(d, "1/2");
	assert_int_equal(descent_add(d, SV("3")), DESCENT_TOO_DEEP);
	assert_false(descent_next(d));
	descent_free(d);
}

/* A path that no client could name. */
static void
no_longer_than_a_path(void **state)
{
	struct descent *d = descent_new(64);
	char name[NAME_MAX + 1];
	size_t len = 0;
	enum descent_err err;

	(void)state;
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	while ((err = descent_add(d, sv_of(name))) == DESCENT_OK) {
		assert_true(descent_next(d));
		len = descent_path(d).len;
	}
	assert_int_equal(err, DESCENT_TOO_DEEP);
	assert_int_equal(len, PATH_MAX / 256 * 256 - 1);
	descent_free(d);
}

static void
no_more_names_than_allowed(void **state)
{
	struct descent *d = descent_new(2);
	char name[64];
	size_t n = 0;

	(void)state;
	memset(name, 'n', sizeof(name));
	while (descent_add(d, (struct sv) { name, 63 }) == DESCENT_OK)
		n++;
	assert_int_equal(n, DESCENT_NAMES_MAX / 64);
	assert_int_equal(descent_add(d, SV("")), DESCENT_TOO_MANY);
	/* What was kept is still good. */
	for (size_t i = 0; i < n; i++)
		assert_true(descent_next(d));
	assert_false(descent_next(d));
	descent_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_first_and_in_order),
		cmocka_unit_test(no_deeper_than_allowed),
		cmocka_unit_test(no_longer_than_a_path),
		cmocka_unit_test(no_more_names_than_allowed),
	};

	return RUN(tests);
}
