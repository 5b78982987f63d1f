/*
 * tests/unit/report/test_networks.c: who belongs where.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/networks.h"

#include "unit.h"

static bool
read_text(struct report_networks *n, const char *text)
{
	char copy[1024];
	FILE *in;
	bool fine;

	snprintf(copy, sizeof(copy), "%s", text);
	*n = (struct report_networks) { 0 };
	in = fmemopen(copy, strlen(copy), "r");
	assert_non_null(in);
	fine = report_networks_read(n, in, "networks");
	fclose(in);
	return fine;
}

static void
assert_network(const struct report_networks *n, const char *client,
    const char *expected)
{
	char key[REPORT_NETWORK_KEY], text[ADDR_TEXT_MAX];
	struct addr a;
	size_t len;

	assert_true(addr_parse_ip(sv_of(client), &a));
	len = report_networks_key(n, &a, key);
	assert_true(len <= sizeof(key));
	assert_string_equal(report_networks_text((struct sv) { key, len },
	    text), expected);
}

static void
test_the_longest_named_network_wins(void **state)
{
	struct report_networks n;

	(void)state;
	assert_true(read_text(&n, "# ours\n\n"
	    "campus 192.0.2.0/24 2001:db8::/32\r\n"
	    "  cluster\t192.0.2.128/25\n"
	    "abcdefghijabcdefghijabcdefghij12 10.0.0.1"));
	assert_int_equal(n.count, 4);
	assert_network(&n, "192.0.2.1", "campus");
	assert_network(&n, "192.0.2.200", "cluster");
	assert_network(&n, "2001:db8:ff::1", "campus");
	assert_network(&n, "10.0.0.1", "abcdefghijabcdefghijabcdefghij12");
	assert_network(&n, "10.0.0.2", "10.0.0.0/24");
	assert_network(&n, "198.51.100.77", "198.51.100.0/24");
	assert_network(&n, "2001:db9:1:2:3::4", "2001:db9:1::/48");
	assert_network(&n, "ffff:ffff:ffff:ffff::", "ffff:ffff:ffff::/48");
	report_networks_free(&n);
}

static void
test_a_file_that_is_wrong_is_refused(void **state)
{
	static const char *const texts[] = {
		"name\n", "name 192.0.2.0/33\n", "name 192.0.2\n",
		"n\x01 192.0.2.0/24\n", "a 10.0.0.0/8 # b\n",
		"abcdefghijabcdefghijabcdefghij123 10.0.0.1\n",
		"n\xc3\xa9 10.0.0.0/8\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct report_networks n;

		assert_false(read_text(&n, texts[i]));
		report_networks_free(&n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_longest_named_network_wins),
		cmocka_unit_test(test_a_file_that_is_wrong_is_refused),
	};

	return RUN(tests);
}
