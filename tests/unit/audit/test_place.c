/*
 * On the loopback alone: no packet leaves this host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/place.h"

#include <string.h>

#include "audit/sock.h"
#include "unit.h"

static struct addr
address(const char *ip)
{
	struct addr a;

	assert_true(addr_parse_ip(sv_of(ip), &a));
	return a;
}

/* A server at that address, until it is closed. */
static struct listener
server_at(const char *ip)
{
	struct addr a = address(ip);
	struct listener l;

	assert_true(listener_open(&l, &a, 0));
	return l;
}

static void
b_is_neither_a_nor_the_server(void **state)
{
	static const struct {
		const char *here, *server, *given;	/* NULL: none */
		const char *other;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1", NULL, "127.0.0.2" },
		{ "127.0.0.1", "127.0.0.2", NULL, "127.0.0.3" },
		{ "127.0.0.2", "127.0.0.1", NULL, "127.0.0.3" },
		{ "127.0.0.1", "127.0.0.1", "127.0.0.9", "127.0.0.9" },
		{ "::ffff:127.0.0.1", "127.0.0.1", NULL, "127.0.0.2" },
		{ "127.0.0.1", "127.0.0.1", "::ffff:127.0.0.9",
		  "127.0.0.9" },
		/* What is given and is A's or the server's is no other. */
		{ "127.0.0.1", "127.0.0.4", "127.0.0.1", "127.0.0.2" },
		{ "127.0.0.1", "127.0.0.4", "127.0.0.4", "127.0.0.2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct listener server = server_at(rows[i].server);
		struct addr here = address(rows[i].here), given = { 0 },
		    other = address(rows[i].other);
		struct place p;

		if (rows[i].given != NULL)
			given = address(rows[i].given);
		here.port = 50000;
		assert_null(place_find(&p, &here, &server.at, &given,
		    rows[i].given != NULL));
		assert_int_equal(p.here.port, 0);
		assert_int_equal(p.here.family, ADDR_V4);
		assert_int_equal(p.server.port, server.at.port);
		assert_int_equal(p.other.family, ADDR_V4);
		if (!addr_same_ip(&p.other, &other))
			fail_msg("row %zu", i);
		assert_true(addr_same_ip(&p.other4, &other));
		assert_true(p.reachable);
		assert_false(p.behind_nat);
		assert_int_equal(p.private4.family, ADDR_NONE);
		listener_close(&server);
	}
}

static void
what_is_not_ours_is_never_named(void **state)
{
	struct listener server = server_at("127.0.0.1");
	struct addr here = address("127.0.0.1");
	struct addr given[] = { address("127.0.0.9"),
		address("192.0.2.1") };
	const char *wrong;
	struct place p;

	(void)state;
	wrong = place_find(&p, &here, &server.at, given, COUNT(given));
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, "--listen-address"));
	listener_close(&server);
}

static void
a_server_that_b_does_not_reach_is_known_for_it(void **state)
{
	struct listener server = server_at("127.0.0.1");
	struct addr here = address("127.0.0.1"), at = server.at;
	struct place p;

	(void)state;
	listener_close(&server);
	assert_null(place_find(&p, &here, &at, NULL, 0));
	assert_int_equal(p.other.family, ADDR_V4);
	assert_false(p.reachable);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b_is_neither_a_nor_the_server),
		cmocka_unit_test(what_is_not_ours_is_never_named),
		cmocka_unit_test(
		    a_server_that_b_does_not_reach_is_known_for_it),
	};

	return RUN(tests);
}
