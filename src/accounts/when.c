/*
 * accounts/when.c: hours of the week; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "accounts/when.h"

#define DAY 1440
#define WEEK 7
#define EVERY_DAY 0x7f

static bool
take_day(struct sv *v, unsigned *out)
{
	static const char names[WEEK][4] = { "sun", "mon", "tue", "wed",
		"thu", "fri", "sat" };

	for (unsigned i = 0; i < WEEK; i++)
		if (v->len >= 3 && memcmp(v->ptr, names[i], 3) == 0) {
			*v = sv_drop(*v, 3);
			*out = i;
			return true;
		}
	return false;
}

/* "fri-mon" goes past the end of the week. */
static bool
take_days(struct sv *v, uint8_t *out)
{
	unsigned first, last;

	if (!take_day(v, &first))
		return false;
	last = first;
	if (sv_take(v, '-') && !take_day(v, &last))
		return false;
	*out = 0;
	for (unsigned day = first;; day = (day + 1) % WEEK) {
		*out = (uint8_t)(*out | 1u << day);
		if (day == last)
			return sv_take(v, '/');
	}
}

static bool
take_number(struct sv *v, size_t least, uint64_t most, uint64_t *out)
{
	size_t n = sv_digits(*v);

	if (n < least || n > 2 ||
	    !sv_number((struct sv) { v->ptr, n }, most, out))
		return false;
	*v = sv_drop(*v, n);
	return true;
}

static bool
take_time(struct sv *v, uint16_t *out)
{
	uint64_t hour, minute;

	if (!take_number(v, 1, 24, &hour) || !sv_take(v, ':') ||
	    !take_number(v, 2, 59, &minute) || hour * 60 + minute > DAY)
		return false;
	*out = (uint16_t)(hour * 60 + minute);
	return true;
}

bool
when_parse(struct sv text, struct when_span *out)
{
	struct when_span s = { .days = EVERY_DAY };

	if (text.len > 0 && !sv_digit(text.ptr[0]) &&
	    !take_days(&text, &s.days))
		return false;
	if (!take_time(&text, &s.from) || !sv_take(&text, '-') ||
	    !take_time(&text, &s.until) || text.len > 0)
		return false;
	/* It would be a whole day to one reader, and no time to another. */
	if (s.from == s.until || s.from == DAY)
		return false;
	*out = s;
	return true;
}

bool
when_holds(const struct when_span *s, unsigned weekday, unsigned minute)
{
	unsigned before = (weekday + WEEK - 1) % WEEK;

	if (s->from < s->until)
		return (s->days & 1u << weekday) != 0 && minute >= s->from &&
		    minute < s->until;
	return ((s->days & 1u << weekday) != 0 && minute >= s->from) ||
	    ((s->days & 1u << before) != 0 && minute < s->until);
}
