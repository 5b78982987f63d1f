/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/addr.h"

#include "unit.h"

static struct addr
ip(const char *text)
{
	struct addr a;

	if (!addr_parse_ip(sv_of(text), &a))
		fail_msg("not an address: %s", text);
	return a;
}

static void
parse_takes_only_plain_forms(void **state)
{
	static const char *const refused[] = {
		"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
		"0x1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "+1.2.3.4", "1.2.3.4/8",
		"fe80::1%eth0", "[::1]", ":::1", "1::2::3", "12345::",
		"1:2:3:4:5:6:7:8:9", "localhost",
		"1111:2222:3333:4444:5555:6666:7777:88888",
		"0000:0000:0000:0000:0000:0000:255.255.255.2555",
	};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		if (addr_parse_ip(sv_of(refused[i]), &a))
			fail_msg("taken: %s", refused[i]);
	assert_false(addr_parse_ip((struct sv) { "1.2.3.4\0", 8 }, &a));
	assert_false(addr_parse_ip((struct sv) { NULL, 0 }, &a));
	assert_true(addr_parse_ip(SV("1.2.3.4"), &a));
	assert_int_equal(a.family, ADDR_V4);
	assert_int_equal(a.port, 0);
	assert_true(addr_parse_ip(SV("::ffff:1.2.3.4"), &a));
	assert_int_equal(a.family, ADDR_V6);
}

static void
endpoints_survive_the_way_round(void **state)
{
	static const char *const table[] = {
		"0.0.0.0:0", "192.0.2.1:21", "255.255.255.255:65535",
		"[::]:0", "[::1]:21", "[2001:db8::1]:21",
		"[::ffff:192.0.2.1]:21",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_true(addr_parse_ip_port(sv_of(table[i]), &a));
		assert_string_equal(addr_format(&a, text), table[i]);
	}
}

static void
malformed_endpoints_are_refused(void **state)
{
	static const char *const refused[] = {
		"", ":", ":21", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536",
		"1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1", "1.2.3.4:1 ",
		"[1.2.3.4]:21", "::1:21", "[::1]", "[::1]:", "[::1:21", "[]:21",
		"[::1]]:21", "[[::1]]:21",
	};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		if (addr_parse_ip_port(sv_of(refused[i]), &a))
			fail_msg("taken: %s", refused[i]);
	assert_false(addr_parse_ip_port((struct sv) { NULL, 0 }, &a));
}

static void
mapped_addresses_compare_as_what_they_map(void **state)
{
	struct addr v4 = ip("192.0.2.1"), mapped = ip("::ffff:192.0.2.1");
	struct addr compatible = ip("::192.0.2.1"), none = { .port = 1 };

	(void)state;
	v4.port = 1;
	assert_true(addr_same_ip(&v4, &mapped));
	assert_true(addr_same_ip(&mapped, &v4));
	assert_false(addr_same_ip(&v4, &compatible));
	assert_false(addr_same_ip(&none, &none));
	assert_false(addr_same(&v4, &mapped));
	mapped.port = 1;
	assert_true(addr_same(&v4, &mapped));
	assert_true(addr_is_in((struct addr[]) { compatible, mapped }, 2,
	    &v4));
	assert_false(addr_is_in((struct addr[]) { compatible, mapped }, 1,
	    &v4));
	mapped.port = 7;
	assert_int_equal(addr_unmap(mapped).port, 7);
	assert_int_equal(addr_unmap(mapped).family, ADDR_V4);
	assert_int_equal(addr_unmap(compatible).family, ADDR_V6);
}

static void
networks_hold_what_they_should(void **state)
{
	static const struct {
		const char *net;
		const char *in;
		const char *out;
	} table[] = {
		{ "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
		{ "172.16.0.0/12", "172.31.255.255", "172.32.0.0" },
		{ "192.0.2.1", "192.0.2.1", "192.0.2.0" },
		{ "192.0.2.128/25", "192.0.2.255", "192.0.2.127" },
		{ "0.0.0.0/0", "255.255.255.255", "::1" },
		{ "::/0", "ffff::", "1.2.3.4" },
		{ "fe80::/10", "febf:ffff::1", "fec0::" },
		{ "2001:db8::/127", "2001:db8::1", "2001:db8::2" },
		{ "2001:db8::1/128", "2001:db8::1", "2001:db8::" },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3" },
		{ "::ffff:10.0.0.0/8", "10.1.2.3", "11.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct addr in = ip(table[i].in), out = ip(table[i].out);
		struct addr_net net;

		assert_true(addr_parse_net(sv_of(table[i].net), &net));
		if (!addr_in_net(&in, &net) || addr_in_net(&out, &net))
			fail_msg("row %zu: %s", i, table[i].net);
	}
}

static void
malformed_networks_are_refused(void **state)
{
	static const char *const refused[] = {
		"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10/8",
		"::/129", "10.0.0.0/8/8", "10.0.0.0 /8",
	};
	struct addr_net net;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		if (addr_parse_net(sv_of(refused[i]), &net))
			fail_msg("taken: %s", refused[i]);
	assert_false(addr_parse_net((struct sv) { NULL, 0 }, &net));
}

static void
kernel_forms_survive_the_way_round(void **state)
{
	static const char *const table[] = { "192.0.2.1:21",
		"[2001:db8::1]:65535", "[::ffff:192.0.2.1]:1" };
	struct sockaddr_storage ss;
	struct addr a, b, none = { .family = ADDR_NONE };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_true(addr_parse_ip_port(sv_of(table[i]), &a));
		assert_true(addr_to_sockaddr(&a, &ss) > 0);
		b = addr_of_sockaddr(&ss);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	assert_int_equal(addr_to_sockaddr(&none, &ss), 0);
	assert_int_equal(addr_of_sockaddr(&ss).family, ADDR_NONE);
}

static void
a_client_is_an_address_or_a_64(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "2001:db8::1", "2001:db8::2:3:4:5", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "0.0.0.0", "::", false },
	};
	struct addr one, other, back;
	uint64_t a[2], b[2];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(addr_parse_ip(sv_of(rows[i].one), &one));
		assert_true(addr_parse_ip(sv_of(rows[i].other), &other));
		addr_client_key(&one, a);
		addr_client_key(&other, b);
		assert_int_equal(memcmp(a, b, sizeof(a)) == 0, rows[i].same);
		back = addr_of_client_key(a);
		addr_client_key(&back, b);
		assert_memory_equal(a, b, sizeof(a));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_takes_only_plain_forms),
		cmocka_unit_test(endpoints_survive_the_way_round),
		cmocka_unit_test(malformed_endpoints_are_refused),
		cmocka_unit_test(mapped_addresses_compare_as_what_they_map),
		cmocka_unit_test(a_client_is_an_address_or_a_64),
		cmocka_unit_test(networks_hold_what_they_should),
		cmocka_unit_test(malformed_networks_are_refused),
		cmocka_unit_test(kernel_forms_survive_the_way_round),
	};

	return RUN(tests);
}
