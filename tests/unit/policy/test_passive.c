/*
 * Which address PASV tells, by a table and against a naive model; and which
 * ports a listener has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/passive.h"

#include <stdlib.h>

#include "unit.h"

static struct addr
ip(const char *text)
{
	struct addr a;

	assert_true(addr_parse_ip(sv_of(text), &a));
	return a;
}

static struct addr
ip_port(const char *text)
{
	struct addr a;

	assert_true(addr_parse_ip_port(sv_of(text), &a));
	return a;
}

static struct passive_entry
entry(const char *net, const char *at)
{
	struct passive_entry e = { .means = PASSIVE_FIXED, .at = ip(at) };

	assert_true(addr_parse_net(sv_of(net), &e.clients));
	return e;
}

static void
the_smallest_network_wins(void **state)
{
	const struct passive_entry list[] = {
		entry("10.0.0.0/8", "10.0.0.8"),
		entry("0.0.0.0/0", "203.0.113.5"),
		entry("10.1.2.3/32", "10.0.0.32"),
		entry("10.1.0.0/16", "10.0.0.16"),
	};
	static const struct {
		const char *client;
		int chosen;
	} rows[] = {
		{ "198.51.100.7", 1 },
		{ "10.9.9.9", 0 },
		{ "10.1.2.4", 3 },
		{ "10.1.2.3", 2 },
		{ "11.0.0.0", 1 },
		{ "::ffff:10.1.2.3", 2 },
		{ "::10.1.2.3", -1 },
		{ "2001:db8::7", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr client = ip(rows[i].client);
		const struct passive_entry *e = passive_choose(list,
		    COUNT(list), &client);

		if (e != (rows[i].chosen < 0 ? NULL : &list[rows[i].chosen]))
			fail_msg("%s: entry %td", rows[i].client,
			    e == NULL ? -1 : e - list);
	}
	assert_null(passive_choose(list, 0, &list[0].at));
}

/* The model: of all lengths, from the longest, the network that fits. */
static int
model(const struct passive_entry *list, size_t count, uint32_t client)
{
	for (int bits = 32; bits >= 0; bits--) {
		uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);

		for (size_t i = 0; i < count; i++) {
			uint32_t base;

			memcpy(&base, list[i].clients.base.ip, 4);
			if ((int)list[i].clients.bits == bits &&
			    ((ntohl(base) ^ client) & mask) == 0)
				return (int)i;
		}
	}
	return -1;
}

static struct addr
v4(uint32_t number)
{
	struct addr a = { .family = ADDR_V4 };

	number = htonl(number);
	memcpy(a.ip, &number, 4);
	return a;
}

static void
it_chooses_as_the_model_does(void **state)
{
	struct passive_entry list[16];

	(void)state;
	srandom(6);
	for (int round = 0; round < 20000; round++) {
		size_t count = (size_t)random() % (COUNT(list) + 1);
		/* Few different bits, so that networks lie in each other. */
		uint32_t client = (uint32_t)random() & 0x80c00003;
		struct addr from = v4(client);
		const struct passive_entry *e;
		int want;

		memset(list, 0, sizeof(list));
		for (size_t i = 0; i < count; i++) {
			uint32_t bits = (uint32_t)random() % 33;
			uint32_t mask = bits == 0 ? 0 :
			    UINT32_MAX << (32 - bits);

			list[i].clients.base = v4((uint32_t)random() &
			    0x80c00003 & mask);
			list[i].clients.bits = bits;
		}
		e = passive_choose(list, count, &from);
		want = model(list, count, client);
		assert_int_equal(e == NULL ? -1 : (int)(e - list), want);
	}
}

static void
what_is_no_host_is_not_told(void **state)
{
	(void)state;
	for (uint32_t first = 0; first < 256; first++) {
		struct addr a = v4(first << 24 | 5);

		assert_int_equal(passive_can_be_told(&a),
		    first > 0 && first < 224);
	}
	assert_false(passive_can_be_told(&(struct addr) { 0 }));
	assert_false(passive_can_be_told(&(struct addr) {
	    .family = ADDR_V6, .ip = { 0x20, 1 } }));
}

static void
a_listener_has_its_ports(void **state)
{
	const struct passive_ports list[] = {
		{ ip_port("0.0.0.0:21"), 1, 2 },
		{ ip_port("192.0.2.1:21"), 3, 4 },
		{ ip_port("[::]:2121"), 5, 6 },
	};
	static const struct {
		const char *local;
		int row;
	} rows[] = {
		{ "192.0.2.1:21", 1 },
		{ "192.0.2.2:21", 0 },
		{ "192.0.2.1:2121", -1 },
		{ "[2001:db8::1]:2121", 2 },
		{ "[2001:db8::1]:21", -1 },
		{ "[::ffff:192.0.2.1]:21", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr local = ip_port(rows[i].local);
		const struct passive_ports *p = passive_ports_of(list,
		    COUNT(list), &local);

		if (p != (rows[i].row < 0 ? NULL : &list[rows[i].row]))
			fail_msg("%s: row %td", rows[i].local,
			    p == NULL ? -1 : p - list);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_network_wins),
		cmocka_unit_test(it_chooses_as_the_model_does),
		cmocka_unit_test(what_is_no_host_is_not_told),
		cmocka_unit_test(a_listener_has_its_ports),
	};

	return RUN(tests);
}
