/*
 * conf/conf_limit.h: which limits hold for a client now: the site's, those
 * of his class, and the steps of the day.  Pure but for the clock that
 * conf_minute is given; the gate and the workers link it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <time.h>

#include "conf/conf.h"

/*
 * Limits of one client (each true) are looked up for his class first, and
 * then for everyone.  The others are about a sum: a class has one of its own
 * where it is given one, and everyone's holds beside it.
 */
#define CONF_LIMITS(X) \
/*	field                  each */ \
	X(sessions_max,          false) \
	X(sessions_per_address,  true) \
	X(transfers_max,         false) \
	X(transfers_per_address, true) \
	X(rate_session,          true) \
	X(rate_address,          true) \
	X(rate_all,              false) \
	X(tls_control,           true) \
	X(tls_data,              true)

enum conf_limit {
#define X(field, each) LIMIT_##field,
	CONF_LIMITS(X)
#undef X
	CONF_LIMIT_COUNT
};

#define CONF_NO_CLASS (-1)

struct conf_limits {
	uint64_t of[CONF_LIMIT_COUNT];	/* 0: none; enum conf_tls for two */
};

/*
 * class  its place in c->classes, or CONF_NO_CLASS for the site's own
 * minute of the day, local time; from 0
 */
struct conf_limits conf_limits(const struct conf *c, int class,
    unsigned minute);

/* The first class with a network that holds the address. */
int conf_class_of(const struct conf *c, const struct addr *a);

/* The local minute of the day; 1440 a day also where the clock is changed. */
unsigned conf_minute(time_t at);

/* It is more than 0 for somebody, at some time of the day. */
bool conf_uses(const struct conf *c, enum conf_limit limit);

/* A worker must say when a transfer is over. */
bool conf_needs_done(const struct conf *c);

/* Rates change while a transfer runs. */
bool conf_shares_rates(const struct conf *c);
