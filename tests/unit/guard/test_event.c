/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "guard/event.h"

#include "unit.h"

#define S INT64_C(1000000000)
#define HEAD "{\"timestamp\":\"2026-11-24T00:00:00.000000+0000\"," \
	"\"event_type\":\"x\""

static const char *
line_of(struct event *e)
{
	static char text[EVENT_MAX + 1];
	struct sv line = event_line(e);

	memcpy(text, line.ptr, line.len);
	text[line.len] = '\0';
	return text;
}

static void
begin(struct event *e)
{
	event_begin_at(e, 1795478400 * S, "x", NULL);
}

static void
an_event_has_the_time_it_is_given(void **state)
{
	static const struct {
		int64_t ns;
		const char *timestamp;
	} times[] = {
		{ 0, "1970-01-01T00:00:00.000000+0000" },
		{ 999, "1970-01-01T00:00:00.000000+0000" },
		{ 1000, "1970-01-01T00:00:00.000001+0000" },
		{ 1795478400 * S, "2026-11-24T00:00:00.000000+0000" },
		{ 1795478400 * S - 1, "2026-11-23T23:59:59.999999+0000" },
		{ 4107542400 * S, "2100-03-01T00:00:00.000000+0000" },
		{ 9000000000 * S, "2255-03-14T16:00:00.000000+0000" },
	};
	struct event e;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		event_begin_at(&e, times[i].ns, "x", NULL);
		assert_memory_equal(line_of(&e) + 14, times[i].timestamp, 31);
	}
}

static void
lists_hold_texts(void **state)
{
	struct event e;

	(void)state;
	begin(&e);
	event_list(&e, "none");
	event_list_end(&e);
	event_list(&e, "one");
	event_item(&e, SV("a"));
	event_list_end(&e);
	event_list(&e, "more");
	event_item(&e, SV("a"));
	event_item(&e, SV("\"\n\xff"));
	event_item(&e, SV(""));
	event_list_end(&e);
	event_number(&e, "last", 7);
	assert_string_equal(line_of(&e), HEAD ",\"none\":[],\"one\":[\"a\"],"
	    "\"more\":[\"a\",\"\\\"\\u000a\\\\xff\",\"\"],\"last\":7}\n");
}

static void
lists_hold_objects_and_stand_in_objects(void **state)
{
	struct event e;

	(void)state;
	begin(&e);
	event_open(&e, "in");
	event_list(&e, "list");
	event_item_open(&e);
	event_number(&e, "n", 1);
	event_close(&e);
	event_item_open(&e);
	event_close(&e);
	event_item(&e, SV("t"));
	event_item_open(&e);
	event_list(&e, "deep");
	event_list_end(&e);
	event_flag(&e, "f", false);
	event_close(&e);
	event_list_end(&e);
	event_close(&e);
	event_flag(&e, "last", true);
	assert_string_equal(line_of(&e), HEAD ",\"in\":{\"list\":[{\"n\":1},"
	    "{},\"t\",{\"deep\":[],\"f\":false}]},\"last\":true}\n");
}

/* All of it, or nothing: half a line is no JSON. */
static void
a_line_that_is_too_long_is_none(void **state)
{
	struct event e;
	size_t fits = 0;

	(void)state;
	for (unsigned items = 0; items < 3000; items++) {
		struct sv line;

		begin(&e);
		event_list(&e, "l");
		for (unsigned i = 0; i < items; i++)
			event_item(&e, SV("12345"));
		event_list_end(&e);
		line = event_line(&e);
		assert_in_range(line.len, 0, EVENT_MAX);
		if (line.len == 0)
			continue;
		assert_memory_equal(line.ptr + line.len - 3, "]}\n", 3);
		assert_int_equal(fits, items);
		fits = items + 1;
	}
	assert_in_range(fits, 400, 600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_the_time_it_is_given),
		cmocka_unit_test(lists_hold_texts),
		cmocka_unit_test(lists_hold_objects_and_stand_in_objects),
		cmocka_unit_test(a_line_that_is_too_long_is_none),
	};

	return RUN(tests);
}
