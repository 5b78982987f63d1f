/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/ports.h"

#include <math.h>

#include "unit.h"

static void
ports_that_can_be_guessed_are_known(void **state)
{
	static const struct {
		struct ports all;
		uint16_t least, most;
		unsigned distinct, steps;
		int step;
		double correlation;
		bool guessable;
	} rows[] = {
		/* One after the other, up and down, by two; one alone. */
		{ { 8, { 40000, 40001, 40002, 40003, 40004, 40005, 40006,
		    40007 } }, 40000, 40007, 8, 7, 1, 0.62, true },
		{ { 8, { 50070, 50060, 50050, 50040, 50030, 50020, 50010,
		    50000 } }, 50000, 50070, 8, 7, -10, 0.62, true },
		{ { 8, { 40000, 40002, 40004, 40006, 51000, 51002, 51004,
		    51006 } }, 40000, 51006, 8, 6, 2, 0.63, true },
		{ { 8, { 40000, 40000, 40000, 40000, 40000, 40000, 40000,
		    40000 } }, 40000, 40000, 1, 7, 0, 1, true },
		{ { 1, { 40000 } }, 40000, 40000, 1, 0, 0, 1, true },
		/* Half of the steps are not yet most of them. */
		{ { 9, { 40000, 40001, 40002, 40003, 40004, 60000, 41000,
		    52000, 43000 } }, 40000, 60000, 9, 4, 1, -0.20, false },
		/* So near that any of them is soon hit. */
		{ { 8, { 40000, 40005, 40002, 40007, 40001, 40006, 40003,
		    40004 } }, 40000, 40007, 8, 3, 5, -0.70, true },
		/* Random, of the whole range and of one of 100. */
		{ { 8, { 51234, 40021, 65011, 33890, 58764, 47003, 36111,
		    60999 } }, 33890, 65011, 8, 0, 0, -0.71, false },
		{ { 8, { 50010, 50097, 50040, 50003, 50071, 50022, 50088,
		    50055 } }, 50003, 50097, 8, 0, 0, -0.49, false },
		/* Steps beyond what one guesses. */
		{ { 4, { 40000, 40017, 40034, 40051 } }, 40000, 40051, 4, 0,
		  0, 0.25, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ports_look look = ports_look(&rows[i].all);

		if (look.guessable != rows[i].guessable ||
		    look.steps != rows[i].steps || look.step != rows[i].step)
			fail_msg("row %zu: %u steps of %d", i, look.steps,
			    look.step);
		assert_int_equal(look.least, rows[i].least);
		assert_int_equal(look.most, rows[i].most);
		assert_int_equal(look.distinct, rows[i].distinct);
		if (fabs(look.correlation - rows[i].correlation) > 0.01)
			fail_msg("row %zu: %f", i, look.correlation);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_that_can_be_guessed_are_known),
	};

	return RUN(tests);
}
