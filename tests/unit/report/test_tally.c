/*
 * tests/unit/report/test_tally.c: what is counted where.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/order.h"

#include <stdlib.h>

#include "unit.h"

static struct report_event
transfer(const char *client, const char *path, uint64_t bytes, bool active)
{
	struct report_event e = { .type = REPORT_TRANSFER, .day = 20261124,
		.filename = sv_of(path), .result = SV("complete"),
		.bytes = bytes, .duration_ms = 1000, .active = active };

	assert_true(addr_parse_ip(sv_of(client), &e.client));
	return e;
}

static void
take(struct report *r, struct report_event e)
{
	report_take(r, &e);
}

static uint64_t
dataset_bytes(struct report *r, const char *key)
{
	uint32_t before = r->tables[REPORT_datasets].count;
	uint64_t bytes = report_table_at(&r->tables[REPORT_datasets],
	    sv_of(key))->bytes;

	assert_int_equal(r->tables[REPORT_datasets].count, before);
	return bytes;
}

static void
test_a_dataset_is_the_front_of_a_directory(void **state)
{
	struct report r;
	struct report_event e;

	(void)state;
	report_init(&r);
	take(&r, transfer("192.0.2.1", "/pub/t2m/1998/x", 1, false));
	take(&r, transfer("192.0.2.1", "/pub/t2m/y", 2, false));
	take(&r, transfer("192.0.2.1", "/pub/z", 4, false));
	take(&r, transfer("192.0.2.1", "/README", 8, false));
	take(&r, transfer("192.0.2.1", "", 16, false));
	e = transfer("192.0.2.1", "/pub/t2m", 32, false);
	e.listing = true;
	take(&r, e);
	assert_int_equal(dataset_bytes(&r, "\1/pub"), 39);
	assert_int_equal(dataset_bytes(&r, "\1/"), 24);
	assert_int_equal(dataset_bytes(&r, "\2/pub/t2m"), 35);
	assert_int_equal(dataset_bytes(&r, "\2/pub"), 4);
	assert_int_equal(dataset_bytes(&r, "\2/"), 24);
	assert_int_equal(r.total.bytes, 63);
	assert_int_equal(r.total.files, 5);
	assert_int_equal(r.total.listings, 1);
	report_free(&r);
}

static void
test_clients_of_a_network_are_told_apart_by_mode(void **state)
{
	struct report_modes modes[8];
	struct report_event e;
	struct report r;

	(void)state;
	report_init(&r);
	take(&r, transfer("192.0.2.1", "/a", 1, true));
	take(&r, transfer("192.0.2.2", "/a", 1, true));
	take(&r, transfer("192.0.2.2", "/a", 1, false));
	take(&r, transfer("192.0.2.3", "/a", 1, false));
	take(&r, transfer("198.51.100.1", "/a", 1, false));
	/* It fell back to passive mode: it needs no active one. */
	e = transfer("198.51.100.1", "/a", 0, true);
	e.result = SV("not_connected");
	e.day = 20261125;
	take(&r, e);
	assert_int_equal(r.tables[REPORT_networks].count, 2);
	report_modes(&r, modes);
	assert_int_equal(modes[0].active_only, 1);
	assert_int_equal(modes[0].both, 1);
	assert_int_equal(modes[0].passive_only, 1);
	assert_int_equal(modes[1].active_only + modes[1].both, 0);
	assert_int_equal(modes[1].passive_only, 1);
	assert_int_equal(r.total.active, 3);
	assert_int_equal(r.total.active_failed, 1);
	assert_int_equal(r.total.last_active_day, 20261124);
	report_free(&r);
}

static void
test_days_outside_are_left_out(void **state)
{
	struct report r;

	(void)state;
	report_init(&r);
	r.from = 20261123;
	r.to = 20261124;
	for (uint32_t day = 20261121; day <= 20261126; day++) {
		struct report_event e = transfer("192.0.2.1", "/a", 1, false);

		e.day = day;
		take(&r, e);
	}
	assert_int_equal(r.total.files, 2);
	assert_int_equal(r.outside, 4);
	assert_int_equal(r.tables[REPORT_days].count, 2);
	report_free(&r);
}

static void
test_rates_are_of_large_transfers_and_sums_never_wrap(void **state)
{
	struct report r;
	struct report_event e;
	const struct report_row **rows;
	size_t count;

	(void)state;
	report_init(&r);
	take(&r, transfer("192.0.2.1", "/a", REPORT_BIG_BYTES - 1, false));
	take(&r, transfer("192.0.2.2", "/a", REPORT_BIG_BYTES, false));
	take(&r, transfer("192.0.2.3", "/a", 3u << 20, false));
	e = transfer("192.0.2.4", "/a", INT64_MAX, false);
	e.duration_ms = 0;
	for (int i = 0; i < 3; i++)
		take(&r, e);
	assert_true(r.total.bytes == UINT64_MAX);
	rows = report_sort(&r.tables[REPORT_clients], REPORT_BY_SLOWNESS, 0,
	    &count);
	assert_non_null(rows);
	assert_int_equal(count, 3);
	assert_int_equal(report_rate_Bps(&rows[0]->tally), REPORT_BIG_BYTES);
	assert_int_equal(report_rate_Bps(&rows[1]->tally), 3u << 20);
	free(rows);
	report_free(&r);
}

static void
test_an_update_of_a_finding_is_no_new_alert(void **state)
{
	struct report_event e = { .type = REPORT_ALERT, .day = 20261124,
		.variant = SV("third_party"), .severity = 2 };
	struct report r;

	(void)state;
	report_init(&r);
	assert_true(addr_parse_ip(SV("192.0.2.1"), &e.client));
	assert_true(addr_parse_ip(SV("203.0.113.9"), &e.asked));
	take(&r, e);
	e.update = true;
	take(&r, e);
	e.update = false;
	e.blocked = true;
	take(&r, e);
	/* The stranger of a theft was not named by anybody. */
	e.variant = SV("pasv_theft");
	take(&r, e);
	assert_int_equal(r.total.alerts, 3);
	assert_int_equal(r.updates, 1);
	assert_int_equal(r.tables[REPORT_alerts].count, 3);
	assert_int_equal(r.tables[REPORT_asked].rows[0].tally.alerts, 2);
	report_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_dataset_is_the_front_of_a_directory),
		cmocka_unit_test(
		    test_clients_of_a_network_are_told_apart_by_mode),
		cmocka_unit_test(test_days_outside_are_left_out),
		cmocka_unit_test(
		    test_rates_are_of_large_transfers_and_sums_never_wrap),
		cmocka_unit_test(test_an_update_of_a_finding_is_no_new_alert),
	};

	return RUN(tests);
}
