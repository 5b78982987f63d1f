/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/ports.h"

#include "unit.h"

/* Against counting one by one, at the ends of words and of all ports. */
static void
ranges_are_counted_exactly(void **state)
{
	static const uint16_t ends[] = { 0, 1, 62, 63, 64, 65, 127, 128,
		1024, 65471, 65472, 65534, 65535 };
	static struct ports p;

	(void)state;
	for (uint32_t port = 0; port < 65536; port++)
		ports_mark(&p, (uint16_t)port, port % 3 == 0 || port % 64 > 60);
	for (size_t i = 0; i < COUNT(ends); i++)
		for (size_t j = i; j < COUNT(ends); j++) {
			uint32_t n = 0;

			for (uint32_t port = ends[i]; port <= ends[j]; port++)
				n += ports_is_taken(&p, (uint16_t)port);
			assert_int_equal(ports_count(&p, ends[i], ends[j]), n);
		}
}

static void
a_port_is_marked_alone(void **state)
{
	static struct ports p;

	(void)state;
	ports_mark(&p, 65535, true);
	ports_mark(&p, 2121, true);
	assert_true(ports_is_taken(&p, 2121));
	assert_false(ports_is_taken(&p, 2120));
	assert_int_equal(ports_count(&p, 0, 65535), 2);
	ports_mark(&p, 2121, false);
	assert_false(ports_is_taken(&p, 2121));
	assert_true(ports_is_taken(&p, 65535));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_counted_exactly),
		cmocka_unit_test(a_port_is_marked_alone),
	};

	return RUN(tests);
}
