/*
 * policy/pace.h: so many in a minute, for one client.  Pure arithmetic: the
 * caller has the clock, and keeps one number for each client.
 *
 * That number is the moment at which all that was taken is earned back.  It
 * also puts those in order who wait for one thing: who has taken least of
 * late has the earliest, and comes first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sv.h"

/*
 * Takes one.  At most per_minute can be had at once by who had none of late,
 * and per_minute more in each minute after it.
 *
 * earned_ms   in: 0, or as it was left; out: later, when one was taken
 * per_minute  0: there is no limit, and the number goes on all the same, as
 *             if it were a thousand, but not for more than a minute
 *
 * False, and *earned_ms as it was: it is too soon.  Not for limits above
 * 60000, which are more than one in a millisecond.
 */
MUST_USE bool pace_take(uint64_t *earned_ms, uint64_t now_ms,
    uint32_t per_minute);
