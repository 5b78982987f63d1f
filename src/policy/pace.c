/*
 * policy/pace.c: see the header.
 *
 * A number of tries and the start of a minute would do with as much memory,
 * and give twice as many within a second, at the turn of each minute.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/pace.h"

#define MINUTE_MS 60000
#define FREE 1000	/* a minute: what orders those without a limit */

bool
pace_take(uint64_t *earned_ms, uint64_t now_ms, uint32_t per_minute)
{
	uint64_t n = per_minute == 0 ? FREE : per_minute;
	uint64_t from = *earned_ms > now_ms ? *earned_ms : now_ms;
	uint64_t each = (MINUTE_MS + n - 1) / n;	/* at least 1 */

	if (per_minute == 0 && from > now_ms + MINUTE_MS)
		from = now_ms + MINUTE_MS;	/* that is last enough */
	if (per_minute > 0 && from + each > now_ms + n * each)
		return false;
	*earned_ms = from + each;
	return true;
}
