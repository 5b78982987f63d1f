/*
 * audit/ports.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/ports.h"

#define STEP_MOST 16		/* a step that can be guessed */
#define NEAR 8			/* within so many of each other: too near */

static unsigned
count_distinct(const struct ports *all)
{
	unsigned distinct = 0;

	for (unsigned i = 0; i < all->n; i++) {
		unsigned k = 0;

		while (k < i && all->port[k] != all->port[i])
			k++;
		distinct += k == i;
	}
	return distinct;
}

/* How often the most frequent small step was made from port to port. */
static unsigned
count_steps(const struct ports *all, int *step)
{
	unsigned best = 0;

	for (int s = -STEP_MOST; s <= STEP_MOST; s++) {
		unsigned n = 0;

		for (unsigned i = 1; i < all->n; i++)
			n += all->port[i] - all->port[i - 1] == s;
		if (n > best) {
			best = n;
			*step = s;
		}
	}
	return best;
}

/* Of each port with the next one. */
static double
correlation(const struct ports *all)
{
	double sum = 0, top = 0, bottom = 0, mean;

	for (unsigned i = 0; i < all->n; i++)
		sum += all->port[i];
	mean = sum / all->n;
	for (unsigned i = 0; i < all->n; i++) {
		bottom += (all->port[i] - mean) * (all->port[i] - mean);
		if (i > 0)
			top += (all->port[i] - mean) *
			    (all->port[i - 1] - mean);
	}
	return bottom > 0 ? top / bottom : 1;
}

struct ports_look
ports_look(const struct ports *all)
{
	struct ports_look look = { .least = UINT16_MAX };

	for (unsigned i = 0; i < all->n; i++) {
		if (all->port[i] < look.least)
			look.least = all->port[i];
		if (all->port[i] > look.most)
			look.most = all->port[i];
	}
	look.distinct = count_distinct(all);
	look.steps = count_steps(all, &look.step);
	look.correlation = correlation(all);
	look.guessable = look.steps > all->n / 2 ||
	    look.most - look.least < NEAR;
	return look;
}
