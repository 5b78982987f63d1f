/*
 * The published vectors of Community ID, seed 0, from both ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/community.h"

#include "unit.h"

static const struct {
	const char *a, *b, *id;
} vectors[] = {
	{ "1.2.3.4:1122", "5.6.7.8:3344", "1:wCb3OG7yAFWelaUydu0D+125CLM=" },
	{ "128.232.110.120:34855", "66.35.250.204:80",
	    "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
	{ "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
	    "[2607:f8b0:400c:c03::1a]:25",
	    "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=" },
};

static struct addr
endpoint(const char *text)
{
	struct addr a;

	assert_true(addr_parse_ip_port(sv_of(text), &a));
	return a;
}

static void
published_vectors_come_out_from_both_ends(void **state)
{
	char text[COMMUNITY_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct addr a = endpoint(vectors[i].a);
		struct addr b = endpoint(vectors[i].b);

		assert_string_equal(community_id(&a, &b, text),
		    vectors[i].id);
		assert_string_equal(community_id(&b, &a, text),
		    vectors[i].id);
	}
}

/* Of one host with itself, the smaller port stands first. */
static void
one_host_is_ordered_by_ports(void **state)
{
	struct addr a = endpoint("127.0.0.1:21"), b = endpoint("127.0.0.1:9");
	char one[COMMUNITY_MAX], other[COMMUNITY_MAX];

	(void)state;
	assert_string_equal(community_id(&a, &b, one), "1:rpfBtJU21Pt0/QkmTD7q0Jc2n/8=");
	assert_string_equal(community_id(&b, &a, other), one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_come_out_from_both_ends),
		cmocka_unit_test(one_host_is_ordered_by_ports),
	};

	return RUN(tests);
}
