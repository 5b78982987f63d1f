/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define ARGS_MAX 12
#define GOES_ON (-1)

/* Words with blanks between; the last may be much, instead. */
static int
take(struct options *o, const char *words, char *much)
{
	static char copy[512];
	char *argv[ARGS_MAX + 2] = { copy }, *rest = copy;
	int argc = 0;

	snprintf(copy, sizeof(copy), "audit %s", words);
	while (rest != NULL && argc < ARGS_MAX)
		argv[argc++] = strsep(&rest, " ");
	if (much != NULL)
		argv[argc++] = much;
	argv[argc] = NULL;
	optind = 0;	/* getopt_long begins anew */
	return audit_options_take(o, argc, argv);
}

static void
what_is_wrong_is_found_before_the_first_packet(void **state)
{
	static const struct {
		const char *words;
		int status;
	} rows[] = {
		{ "h", GOES_ON }, { "h ftps://g -v", GOES_ON },
		{ "-4 h", GOES_ON }, { "-6 h", GOES_ON },
		{ "--help", 0 },
		{ "", 2 }, { "--json", 2 }, { "--no-such h", 2 },
		{ "h:0", 2 }, { "h g/x", 2 },
		{ "--rate 1 h", GOES_ON }, { "--rate 1000 h", GOES_ON },
		{ "--rate 0 h", 2 }, { "--rate 1001 h", 2 },
		{ "--rate 2x h", 2 }, { "--rate -1 h", 2 },
		{ "--timeout 300 h", GOES_ON }, { "--timeout 301 h", 2 },
		{ "--timeout 0 h", 2 },
		{ "--patience 3600 h", GOES_ON }, { "--patience 3601 h", 2 },
		{ "--jobs 64 h", GOES_ON }, { "--jobs 65 h", 2 },
		{ "--jobs 0 h", 2 },
		{ "--fail-on critical h", GOES_ON },
		{ "--fail-on severe h", 2 },
		{ "--color never h", GOES_ON }, { "--color red h", 2 },
		{ "--listen-address 127.0.0.2 h", GOES_ON },
		{ "--listen-address ::1 h", GOES_ON },
		{ "--listen-address localhost h", 2 },
		{ "--balancer 192.0.2.1 h", GOES_ON },
		{ "--balancer lb h", 2 },
		{ "--only T9,bounce h", GOES_ON }, { "--only BOUNCE h",
		  GOES_ON }, { "--only T99 h", 2 }, { "--only , h", 2 },
		/* Two blanks: an empty list asks nothing, and is no list. */
		{ "--only  h", 2 },
		{ "--json --sarif h", 2 }, { "--json --json h", GOES_ON },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options o;
		int status = take(&o, rows[i].words, NULL);

		audit_options_free(&o);
		if (status != rows[i].status)
			fail_msg("%s: %d", rows[i].words, status);
		assert_null(o.targets);
		assert_int_equal(o.target_count, 0);
	}
}

static void
options_have_their_defaults(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(take(&o, "u:p@h g:2121", NULL), GOES_ON);
	assert_int_equal(o.target_count, 2);
	assert_string_equal(o.targets[0].user, "u");
	assert_int_equal(o.targets[1].port, 2121);
	assert_int_equal(o.rate, 20);
	assert_int_equal(o.timeout_ms, 10000);
	assert_int_equal(o.jobs, 1);
	assert_int_equal(o.patience_s, 0);
	assert_int_equal(o.fail_on, LEVEL_LOW);
	assert_int_equal(o.form, FORM_TABLE);
	assert_false(o.write);
	assert_null(o.contact);
	for (size_t i = 0; i < ASK_COUNT; i++)
		assert_true(o.asked[i]);
	audit_options_free(&o);
	audit_options_free(&o);
}

static void
only_what_was_named_is_asked(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(take(&o, "--only t9,listeners h", NULL), GOES_ON);
	for (size_t i = 0; i < ASK_COUNT; i++)
		assert_int_equal(o.asked[i], i == ASK_theft ||
		    i == ASK_theft_kills || i == ASK_listeners);
	audit_options_free(&o);
}

/* One byte more than what goes into a command is refused, and never cut. */
static void
no_text_is_longer_than_its_room(void **state)
{
	static const struct {
		const char *words;
		size_t most;
	} rows[] = {
		{ "h --directory", OPTIONS_DIRECTORY_MAX - 1 },
		{ "h --contact", 128 },
	};
	char much[512];
	struct options o;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(much, 'a', sizeof(much));
		much[rows[i].most] = '\0';
		assert_int_equal(take(&o, rows[i].words, much), GOES_ON);
		audit_options_free(&o);
		much[rows[i].most] = 'a';
		much[rows[i].most + 1] = '\0';
		assert_int_equal(take(&o, rows[i].words, much), 2);
		audit_options_free(&o);
		snprintf(much, sizeof(much), "a\r\nDELE b");
		assert_int_equal(take(&o, rows[i].words, much), 2);
		audit_options_free(&o);
		much[0] = '\0';
		assert_int_equal(take(&o, rows[i].words, much), 2);
		audit_options_free(&o);
	}
}

static void
eight_addresses_are_listened_on(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(OPTIONS_LISTEN, 8);
	assert_int_equal(take(&o, "--listen-address=::1 "
	    "--listen-address=::2 --listen-address=::3 --listen-address=::4 "
	    "--listen-address=::5 --listen-address=::6 --listen-address=::7 "
	    "--listen-address=::8 h", NULL), GOES_ON);
	assert_int_equal(o.listens, OPTIONS_LISTEN);
	audit_options_free(&o);
	assert_int_equal(take(&o, "--listen-address=::1 "
	    "--listen-address=::2 --listen-address=::3 --listen-address=::4 "
	    "--listen-address=::5 --listen-address=::6 --listen-address=::7 "
	    "--listen-address=::8 --listen-address=::9 h", NULL), 2);
	audit_options_free(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_wrong_is_found_before_the_first_packet),
		cmocka_unit_test(options_have_their_defaults),
		cmocka_unit_test(only_what_was_named_is_asked),
		cmocka_unit_test(no_text_is_longer_than_its_room),
		cmocka_unit_test(eight_addresses_are_listened_on),
	};

	return RUN(tests);
}
