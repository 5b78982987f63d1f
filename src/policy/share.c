/*
 * policy/share.c: max-min shares, by looking for the level of the water.
 *
 * At a level, each has the smaller of his want and the level; the highest at
 * which the sum fits is found by halving.  That is some forty walks over the
 * list for any wants at all.  Filling step by step is quicker for most, but
 * clients who choose their rates could make it one walk for each of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/share.h"

#include <stddef.h>

#define UNSENT_LEAST 65536	/* a small file, whole */
#define UNSENT_MOST (4u << 20)

uint64_t
share_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
share_most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
at_level(const struct share *s, uint64_t level)
{
	return share_least(share_least(s->want, s->most), level);
}

static uint64_t
sum_at(const struct share *list, uint64_t level)
{
	uint64_t sum = 0;

	for (const struct share *s = list; s != NULL; s = s->next)
		sum += at_level(s, level);
	return sum;
}

void
share_divide(struct share *list, uint64_t whole)
{
	uint64_t low = 0, high = whole, left, n = 0;

	for (struct share *s = list; s != NULL; s = s->next, n++)
		s->rate = s->most;
	if (whole == SHARE_ALL || n == 0)
		return;
	while (low < high) {
		uint64_t level = high - (high - low) / 2;

		if (sum_at(list, level) <= whole)
			low = level;
		else
			high = level - 1;
	}
	left = (whole - sum_at(list, low)) / n;
	for (struct share *s = list; s != NULL; s = s->next)
		s->rate = share_least(s->most, at_level(s, low) + left);
}

uint64_t
share_want(uint64_t used, uint64_t rate, uint64_t least)
{
	return used >= rate - rate / 10 ? SHARE_ALL : used + used / 4 + least;
}

uint64_t
share_of_newcomer(uint64_t whole, uint64_t others)
{
	return whole == SHARE_ALL ? whole : whole / (others + 1);
}

/* What nobody would see is not worth the system calls. */
bool
share_is_other(uint64_t now, uint64_t rate)
{
	uint64_t apart = now < rate ? rate - now : now - rate;

	return now == 0 || apart > rate / 32;
}

uint32_t
share_unsent(uint64_t rate)
{
	if (rate == SHARE_ALL)
		return 0;
	return (uint32_t)share_least(UNSENT_MOST,
	    share_most(rate / 4, UNSENT_LEAST));
}
