/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/kinds.h"

#include <string.h>

#include "unit.h"

static void
each_kind_has_a_name_and_a_weight(void **state)
{
	(void)state;
	for (unsigned k = 0; k < KIND_COUNT; k++) {
		enum bounce_kind kind = (enum bounce_kind)k;

		assert_true(strlen(bounce_kind_signature(kind)) > 0);
		assert_in_range(bounce_kind_severity(kind), 1, 4);
		for (unsigned other = 0; other < k; other++)
			assert_string_not_equal(bounce_kind_name(kind),
			    bounce_kind_name((enum bounce_kind)other));
	}
	assert_string_equal(bounce_kind_name(KIND_none), "none");
	assert_string_equal(bounce_kind_name(KIND_third_party),
	    "third_party");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_a_name_and_a_weight),
	};

	return RUN(tests);
}
