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

/* The table of docs/design/sensor.md, without its low ports. */
static const struct row {
	enum bounce_kind kind;
	enum bounce_level attempt, refused, executed, completed;
} rows[] = {
#define ROW(kind, attempt, refused, executed, completed) \
	{ KIND_##kind, LEVEL_##attempt, LEVEL_##refused, LEVEL_##executed, \
		LEVEL_##completed }
	ROW(none, INFO, INFO, INFO, INFO),
	ROW(third_party, MEDIUM, LOW, HIGH, HIGH),
	ROW(privileged_port, MEDIUM, LOW, HIGH, HIGH),
	ROW(loopback, HIGH, MEDIUM, CRITICAL, CRITICAL),
	ROW(self, HIGH, MEDIUM, CRITICAL, CRITICAL),
	ROW(internal, HIGH, MEDIUM, CRITICAL, CRITICAL),
	ROW(invalid_target, MEDIUM, LOW, HIGH, HIGH),
	ROW(malformed, LOW, LOW, MEDIUM, MEDIUM),
	ROW(preauth, LOW, LOW, HIGH, HIGH),
	ROW(epsv_all, LOW, LOW, HIGH, HIGH),
	ROW(scan_vertical, HIGH, MEDIUM, CRITICAL, CRITICAL),
	ROW(scan_horizontal, HIGH, MEDIUM, CRITICAL, CRITICAL),
	ROW(scan_slow, HIGH, MEDIUM, CRITICAL, CRITICAL),
	ROW(payload_relay, CRITICAL, HIGH, CRITICAL, CRITICAL),
	ROW(chained_control, CRITICAL, HIGH, CRITICAL, CRITICAL),
	ROW(fxp, INFO, INFO, INFO, INFO),
	ROW(pasv_theft, HIGH, MEDIUM, HIGH, CRITICAL),
	ROW(pasv_race, MEDIUM, LOW, MEDIUM, MEDIUM),
	ROW(pasv_redirect, HIGH, MEDIUM, HIGH, HIGH),
	ROW(pasv_predictable, INFO, INFO, INFO, INFO),
	ROW(pasv_exhaustion, MEDIUM, LOW, MEDIUM, MEDIUM),
	ROW(active_hijack, HIGH, MEDIUM, HIGH, HIGH),
	ROW(alg_holepunch, HIGH, MEDIUM, HIGH, HIGH),
	ROW(alg_reply_injection, HIGH, MEDIUM, HIGH, HIGH),
	ROW(cross_protocol, HIGH, MEDIUM, HIGH, HIGH),
	ROW(evasion, MEDIUM, LOW, HIGH, HIGH),
	ROW(unexplained_data_syn, MEDIUM, LOW, MEDIUM, MEDIUM),
	ROW(stale_address, LOW, LOW, LOW, LOW),
	ROW(port_flood, MEDIUM, LOW, MEDIUM, MEDIUM),
	ROW(pasv_private, INFO, INFO, INFO, INFO),
#undef ROW
};

static void
check_stage(const struct row *r, enum bounce_stage stage,
    enum bounce_level wanted, enum bounce_level refused)
{
	assert_int_equal(bounce_level_of(r->kind, stage, false, false),
	    wanted);
	assert_int_equal(bounce_level_of(r->kind, stage, true, false),
	    refused);
}

static void
each_kind_weighs_what_the_design_says(void **state)
{
	bool seen[KIND_COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];

		seen[r->kind] = true;
		check_stage(r, STAGE_attempt, r->attempt, r->refused);
		check_stage(r, STAGE_accepted, r->attempt, r->refused);
		/* Who was refused and connected was not refused. */
		check_stage(r, STAGE_executed, r->executed, r->executed);
		check_stage(r, STAGE_completed, r->completed, r->completed);
	}
	for (unsigned k = 0; k < KIND_COUNT; k++)
		assert_true(seen[k]);
}

static void
only_a_third_party_is_graver_on_a_low_port(void **state)
{
	(void)state;
	for (unsigned k = 0; k < KIND_COUNT; k++)
		for (unsigned s = 0; s < STAGE_COUNT; s++)
			for (int refused = 0; refused <= 1; refused++) {
				enum bounce_kind kind = (enum bounce_kind)k;
				enum bounce_stage at = (enum bounce_stage)s;
				int more = (int)bounce_level_of(kind, at,
				    refused != 0, true) -
				    (int)bounce_level_of(kind, at,
				    refused != 0, false);

				assert_int_equal(more,
				    kind == KIND_third_party);
			}
}

/* No stage takes anything back, refused or not. */
static void
levels_rise_with_stages(void **state)
{
	(void)state;
	for (unsigned k = 0; k < KIND_COUNT; k++)
		for (unsigned s = 1; s < STAGE_COUNT; s++)
			for (int how = 0; how < 4; how++)
				assert_true(bounce_level_of(
				    (enum bounce_kind)k,
				    (enum bounce_stage)s, (how & 1) != 0,
				    (how & 2) != 0) >= bounce_level_of(
				    (enum bounce_kind)k,
				    (enum bounce_stage)(s - 1),
				    (how & 1) != 0, (how & 2) != 0));
}

static void
levels_have_the_severities_of_eve(void **state)
{
	static const struct {
		enum bounce_level level;
		const char *name;
		int severity;
	} levels[] = {
		{ LEVEL_INFO, "info", 4 },
		{ LEVEL_LOW, "low", 3 },
		{ LEVEL_MEDIUM, "medium", 2 },
		{ LEVEL_HIGH, "high", 1 },
		{ LEVEL_CRITICAL, "critical", 1 },
	};

	(void)state;
	assert_int_equal(COUNT(levels), LEVEL_COUNT);
	for (size_t i = 0; i < COUNT(levels); i++) {
		assert_string_equal(bounce_level_name(levels[i].level),
		    levels[i].name);
		assert_int_equal(bounce_level_severity(levels[i].level),
		    levels[i].severity);
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(bounce_kind_severity(rows[i].kind),
		    levels[rows[i].attempt].severity);
}

static void
stages_have_their_names(void **state)
{
	static const char *const names[] = { "attempt", "accepted",
		"executed", "completed" };

	(void)state;
	assert_int_equal(COUNT(names), STAGE_COUNT);
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(bounce_stage_name((enum bounce_stage)i),
		    names[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_a_name_and_a_weight),
		cmocka_unit_test(each_kind_weighs_what_the_design_says),
		cmocka_unit_test(only_a_third_party_is_graver_on_a_low_port),
		cmocka_unit_test(levels_rise_with_stages),
		cmocka_unit_test(levels_have_the_severities_of_eve),
		cmocka_unit_test(stages_have_their_names),
	};

	return RUN(tests);
}
