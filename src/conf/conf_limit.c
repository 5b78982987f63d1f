/*
 * conf/conf_limit.c: which limits hold for a client now.
 *
 * Of the steps about one limit, the one that began last holds.  Before the
 * first of the day that is the last of the day before: there is no moment at
 * which none holds, and no date to think of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_limit.h"

#define DAY 1440	/* minutes */

static uint64_t
site_value(const struct conf *c, enum conf_limit limit)
{
	switch (limit) {
#define X(field, each) \
	case LIMIT_##field: \
		return c->field;
	CONF_LIMITS(X)
#undef X
	case CONF_LIMIT_COUNT:
		break;
	}
	return 0;
}

/* The step that holds for this name; NULL when there is none. */
static const struct conf_step *
latest(const struct conf_steps *steps, const char *name,
    enum conf_limit limit, unsigned minute)
{
	const struct conf_step *best = NULL;
	unsigned best_age = DAY;

	for (uint32_t i = 0; i < steps->count; i++) {
		const struct conf_step *s = &steps->at[i];
		unsigned age = (minute + DAY - s->minute) % DAY;

		if (s->limit != (uint32_t)limit || age >= best_age ||
		    strcmp(s->class_name, name) != 0)
			continue;
		best = s;
		best_age = age;
	}
	return best;
}

/* What is set for this name alone; "" is everyone's. */
static bool
own_value(const struct conf *c, const char *name, enum conf_limit limit,
    unsigned minute, uint64_t *out)
{
	const struct conf_step *s = latest(&c->steps, name, limit, minute);

	if (s == NULL)
		s = latest(&c->class_limits, name, limit, 0);
	if (s != NULL)
		*out = s->value;
	return s != NULL;
}

struct conf_limits
conf_limits(const struct conf *c, int class, unsigned minute)
{
	static const bool each_of[] = {
#define X(field, each) [LIMIT_##field] = each,
		CONF_LIMITS(X)
#undef X
	};
	struct conf_limits l = { 0 };

	for (unsigned i = 0; i < CONF_LIMIT_COUNT; i++) {
		enum conf_limit limit = (enum conf_limit)i;

		if (class >= 0 && own_value(c, c->classes.at[class].name,
		    limit, minute, &l.of[i]))
			continue;
		if (class >= 0 && !each_of[i])
			continue;
		if (!own_value(c, "", limit, minute, &l.of[i]))
			l.of[i] = site_value(c, limit);
	}
	return l;
}

int
conf_class_of(const struct conf *c, const struct addr *a)
{
	for (uint32_t i = 0; i < c->classes.count; i++) {
		const struct conf_class *class = &c->classes.at[i];

		for (uint32_t j = 0; j < class->count; j++)
			if (addr_in_net(a, &class->net[j]))
				return (int)i;
	}
	return CONF_NO_CLASS;
}

unsigned
conf_minute(time_t at)
{
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL)
		return 0;
	return (unsigned)(tm.tm_hour * 60 + tm.tm_min) % DAY;
}

static bool
any_step(const struct conf_steps *steps, enum conf_limit limit)
{
	for (uint32_t i = 0; i < steps->count; i++)
		if (steps->at[i].limit == (uint32_t)limit &&
		    steps->at[i].value > 0)
			return true;
	return false;
}

bool
conf_uses(const struct conf *c, enum conf_limit limit)
{
	return site_value(c, limit) > 0 || any_step(&c->steps, limit) ||
	    any_step(&c->class_limits, limit);
}

bool
conf_shares_rates(const struct conf *c)
{
	return conf_uses(c, LIMIT_rate_address) ||
	    conf_uses(c, LIMIT_rate_all) ||
	    any_step(&c->steps, LIMIT_rate_session);
}

bool
conf_needs_done(const struct conf *c)
{
	return conf_shares_rates(c) || conf_uses(c, LIMIT_transfers_max) ||
	    conf_uses(c, LIMIT_transfers_per_address);
}
