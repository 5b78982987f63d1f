/*
 * gate/limit.c: how many may come in, and what those are told who may not.
 *
 * A refusal names the number that applies and whose it is: who reads it can
 * tell a full server from too many sessions of his own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "gate/gate.h"

static void
work_out(struct gate *g)
{
	unsigned minute = conf_minute(time(NULL));

	g->group[0].limit = conf_limits(&g->conf, CONF_NO_CLASS, minute);
	for (uint32_t i = 0; i < g->conf.classes.count; i++)
		g->group[1 + i].limit = conf_limits(&g->conf, (int)i, minute);
}

/* Zones are whole minutes off, so that all of them turn a minute at once. */
static void
wait_for_the_minute(struct gate *g)
{
	uint64_t gone_s = (uint64_t)time(NULL) % 60;

	if (g->conf.steps.count > 0)
		loop_timer_set(&g->loop, &g->limit_timer,
		    (60 - gone_s) * 1000 + 20);
	else
		loop_timer_stop(&g->loop, &g->limit_timer);
}

static void
minute_turned(struct loop_timer *t)
{
	struct gate *g = LOOP_OWNER(t, struct gate, limit_timer);

	work_out(g);
	gate_pause_or_resume(g);
	wait_for_the_minute(g);
}

void
gate_limits_start(struct gate *g)
{
	g->shares_rates = conf_shares_rates(&g->conf);
	g->limit_timer.fire = minute_turned;
	work_out(g);
	gate_peers_regroup(g);
	wait_for_the_minute(g);
}

uint32_t
gate_group_of(const struct gate *g, const struct addr *a)
{
	return (uint32_t)(conf_class_of(&g->conf, a) + 1);
}

uint64_t
gate_limit(const struct gate *g, uint32_t group, enum conf_limit limit)
{
	return g->group[group].limit.of[limit];
}

bool
gate_is_full(const struct gate *g, uint32_t group)
{
	uint64_t most = gate_limit(g, group, LIMIT_sessions_max);

	return most > 0 && g->group[group].sessions >= most;
}

void
gate_refuse_number(struct gate *g, int fd, uint32_t group,
    enum conf_limit limit)
{
	unsigned long long n = gate_limit(g, group, limit);
	bool address = limit == LIMIT_sessions_per_address, class = group > 0;
	const char *whose = address ? "your address" : class ?
	    g->conf.classes.at[group - 1].name : "";
	char text[CONF_CLASS_NAME_MAX + 128];

	snprintf(text, sizeof(text), "%llu session%s%s%s %s open, which is the "
	    "limit; try again in a few minutes.", n, n == 1 ? "" : "s",
	    *whose == '\0' ? "" : " from ", whose, n == 1 ? "is" : "are");
	gate_refuse(g, fd, text);
}
