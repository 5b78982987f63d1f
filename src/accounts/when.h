/*
 * accounts/when.h: hours of the week, "mon-fri/08:00-18:00".  Pure.
 *
 * Days are optional (every day), and so is the leading zero of an hour.  A
 * span that ends before it begins goes on past midnight, and belongs to the
 * day on which it began; 24:00 is the end of a day.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

struct when_span {
	uint8_t days;		/* set of 1 << weekday; 0 is Sunday */
	uint16_t from, until;	/* minutes; until is not part of it */
};

MUST_USE bool when_parse(struct sv text, struct when_span *out);

/* weekday  0 to 6; minute  0 to 1439 */
bool when_holds(const struct when_span *s, unsigned weekday, unsigned minute);
