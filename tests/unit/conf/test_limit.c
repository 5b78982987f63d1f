/*
 * Limits: for each minute of a day against a model that walks backwards from
 * it, minute by minute; classes; and the clock where it is put forward and
 * back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_limit.h"

#include <stdlib.h>

#include "unit.h"

static void
set(struct conf *c, const char *key, const char *value, bool again)
{
	if (conf_set(c, key, value, "--option", again, stderr) != 0)
		fail_msg("%s = %s", key, value);
}

static void
add_step(struct conf *c, unsigned minute, const char *class,
    enum conf_limit limit, uint64_t value)
{
	struct conf_step *s = &c->steps.at[c->steps.count++];

	*s = (struct conf_step) { .minute = minute, .limit = (uint32_t)limit,
		.value = value };
	memcpy(s->class_name, class, strlen(class));
}

/* What a reader of the manual does: looks back until something began. */
static bool
model(const struct conf *c, const char *class, enum conf_limit limit,
    unsigned minute, uint64_t *out)
{
	for (unsigned back = 0; back < 1440; back++) {
		unsigned at = (minute + 1440 - back) % 1440;

		for (uint32_t i = 0; i < c->steps.count; i++)
			if (c->steps.at[i].minute == at &&
			    c->steps.at[i].limit == (uint32_t)limit &&
			    strcmp(c->steps.at[i].class_name, class) == 0) {
				*out = c->steps.at[i].value;
				return true;
			}
	}
	return false;
}

static void
each_minute_is_as_the_model_says(void **state)
{
	static struct conf c;

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		srand(round);
		conf_init(&c);
		set(&c, "class", "campus 10.0.0.0/8", false);
		for (unsigned n = 1 + round % 12; n > 0; n--)
			add_step(&c, (unsigned)rand() % 1440,
			    n % 3 == 0 ? "campus" : "", LIMIT_rate_all,
			    5000 + n);
		for (unsigned minute = 0; minute < 1440; minute++) {
			uint64_t site = 0, class = 0;

			(void)model(&c, "", LIMIT_rate_all, minute, &site);
			(void)model(&c, "campus", LIMIT_rate_all, minute,
			    &class);
			assert_int_equal(conf_limits(&c, CONF_NO_CLASS,
			    minute).of[LIMIT_rate_all], site);
			assert_int_equal(conf_limits(&c, 0,
			    minute).of[LIMIT_rate_all], class);
		}
	}
}

static void
steps_wrap_over_midnight(void **state)
{
	static const struct {
		unsigned minute;
		uint64_t rate;
	} rows[] = { { 0, 9000 }, { 479, 9000 }, { 480, 3000 }, { 481, 3000 },
		{ 1199, 3000 }, { 1200, 9000 }, { 1439, 9000 } };
	static struct conf c;

	(void)state;
	conf_init(&c);
	set(&c, "rate.all", "5K", false);
	assert_int_equal(conf_limits(&c, CONF_NO_CLASS,
	    0).of[LIMIT_rate_all], 5000);
	set(&c, "at", "08:00 rate.all 3K", false);
	set(&c, "at", "20:00 rate.all 9K", true);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(conf_limits(&c, CONF_NO_CLASS,
		    rows[i].minute).of[LIMIT_rate_all], rows[i].rate);
}

static void
a_class_has_its_own_and_what_is_each_ones(void **state)
{
	static struct conf c;
	struct conf_limits l;

	(void)state;
	conf_init(&c);
	set(&c, "sessions.max", "100", false);
	set(&c, "sessions.per_address", "10", false);
	set(&c, "rate.session", "4K", false);
	set(&c, "rate.all", "1M", false);
	set(&c, "class", "campus 10.0.0.0/8", false);
	set(&c, "class", "b 192.0.2.0/24", true);
	set(&c, "class.limit", "campus sessions.per_address 5 transfers.max 7",
	    false);
	set(&c, "at", "08:00 rate.session 8K", false);
	set(&c, "at", "20:00 b rate.session 9K", true);
	l = conf_limits(&c, 0, 0);
	assert_int_equal(l.of[LIMIT_sessions_max], 0);
	assert_int_equal(l.of[LIMIT_sessions_per_address], 5);
	assert_int_equal(l.of[LIMIT_transfers_max], 7);
	assert_int_equal(l.of[LIMIT_rate_session], 8000);
	assert_int_equal(l.of[LIMIT_rate_all], 0);
	l = conf_limits(&c, 1, 0);
	assert_int_equal(l.of[LIMIT_sessions_per_address], 10);
	assert_int_equal(l.of[LIMIT_rate_session], 9000);
	l = conf_limits(&c, CONF_NO_CLASS, 0);
	assert_int_equal(l.of[LIMIT_sessions_max], 100);
	assert_int_equal(l.of[LIMIT_transfers_max], 0);
	assert_int_equal(l.of[LIMIT_rate_all], 1000000);
}

static void
tls_is_a_limit_of_each(void **state)
{
	static struct conf c;
	struct conf_limits l;

	(void)state;
	conf_init(&c);
	l = conf_limits(&c, CONF_NO_CLASS, 0);
	assert_int_equal(l.of[LIMIT_tls_control], CONF_TLS_ALLOWED);
	set(&c, "tls.data", "required", false);
	set(&c, "class", "a 10.0.0.0/8", false);
	set(&c, "class", "b 192.0.2.0/24", true);
	set(&c, "class.limit", "a tls.control off tls.data off", false);
	set(&c, "at", "08:00 b tls.control required", false);
	set(&c, "at", "20:00 b tls.control allowed", true);
	l = conf_limits(&c, 0, 0);
	assert_int_equal(l.of[LIMIT_tls_control], CONF_TLS_OFF);
	assert_int_equal(l.of[LIMIT_tls_data], CONF_TLS_OFF);
	l = conf_limits(&c, 1, 0);
	assert_int_equal(l.of[LIMIT_tls_control], CONF_TLS_ALLOWED);
	assert_int_equal(l.of[LIMIT_tls_data], CONF_TLS_REQUIRED);
	l = conf_limits(&c, 1, 480);
	assert_int_equal(l.of[LIMIT_tls_control], CONF_TLS_REQUIRED);
}

/* AUTH is known where one client at least may have it. */
static void
tls_is_there_for_one_class_alone(void **state)
{
	static struct conf c;

	(void)state;
	conf_init(&c);
	set(&c, "tls.control", "off", false);
	c.tls_certificate.count = 1;
	assert_false(conf_has_tls(&c));
	set(&c, "class", "a 10.0.0.0/8", false);
	set(&c, "class.limit", "a tls.control off", false);
	assert_false(conf_has_tls(&c));
	set(&c, "class.limit", "a tls.control allowed", false);
	assert_true(conf_has_tls(&c));
	c.tls_certificate.count = 0;
	assert_false(conf_has_tls(&c));
}

static int
class_of(const struct conf *c, const char *ip)
{
	struct addr a;

	assert_true(addr_parse_ip(sv_of(ip), &a));
	return conf_class_of(c, &a);
}

static void
the_first_class_that_holds_an_address(void **state)
{
	static struct conf c;

	(void)state;
	conf_init(&c);
	assert_int_equal(class_of(&c, "10.1.1.1"), CONF_NO_CLASS);
	set(&c, "class", "a 10.1.0.0/16 2001:db8::/32", false);
	set(&c, "class", "b 10.0.0.0/8 192.0.2.1", true);
	assert_int_equal(class_of(&c, "10.1.1.1"), 0);
	assert_int_equal(class_of(&c, "::ffff:10.1.1.1"), 0);
	assert_int_equal(class_of(&c, "2001:db8:1::1"), 0);
	assert_int_equal(class_of(&c, "10.2.1.1"), 1);
	assert_int_equal(class_of(&c, "192.0.2.1"), 1);
	assert_int_equal(class_of(&c, "192.0.2.2"), CONF_NO_CLASS);
}

static void
done_is_told_where_a_limit_needs_it(void **state)
{
	static const struct {
		const char *key, *value;
		bool done, shares;
	} rows[] = {
		{ "sessions.max", "5", false, false },
		{ "rate.session", "5K", false, false },
		{ "rate.least", "5K", false, false },
		{ "transfers.max", "5", true, false },
		{ "transfers.per_address", "5", true, false },
		{ "rate.address", "5K", true, true },
		{ "rate.all", "5K", true, true },
		{ "class.limit", "a sessions.max 5", false, false },
		{ "class.limit", "a transfers.max 5", true, false },
		{ "class.limit", "a rate.all 5K", true, true },
		{ "at", "08:00 rate.session 5K", true, true },
		{ "at", "08:00 sessions.max 5", false, false },
	};
	static struct conf c;

	(void)state;
	conf_init(&c);
	assert_false(conf_needs_done(&c));
	for (size_t i = 0; i < COUNT(rows); i++) {
		conf_init(&c);
		set(&c, rows[i].key, rows[i].value, false);
		assert_int_equal(conf_needs_done(&c), rows[i].done);
		assert_int_equal(conf_shares_rates(&c), rows[i].shares);
	}
}

/* Central Europe, 2026: forward on 29 March, back on 25 October. */
static void
the_minute_is_the_clocks_on_the_wall(void **state)
{
	static const struct {
		time_t at;
		unsigned minute;
	} rows[] = {
		{ 1774745999, 119 },	/* 01:59:59, and then */
		{ 1774746000, 180 },	/* 03:00:00 */
		{ 1792889999, 179 },	/* 02:59:59, and then */
		{ 1792890000, 120 },	/* 02:00:00 once more */
		{ 1792893599, 179 },
		{ 1792893600, 180 },
		{ 1798757999, 1439 },	/* the year's last minute */
		{ 1798758000, 0 },
	};

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(conf_minute(rows[i].at), rows[i].minute);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_minute_is_as_the_model_says),
		cmocka_unit_test(steps_wrap_over_midnight),
		cmocka_unit_test(a_class_has_its_own_and_what_is_each_ones),
		cmocka_unit_test(tls_is_a_limit_of_each),
		cmocka_unit_test(tls_is_there_for_one_class_alone),
		cmocka_unit_test(the_first_class_that_holds_an_address),
		cmocka_unit_test(done_is_told_where_a_limit_needs_it),
		cmocka_unit_test(the_minute_is_the_clocks_on_the_wall),
	};

	return RUN(tests);
}
