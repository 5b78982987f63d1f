/*
 * warden/solo.c: workers for one session each.
 *
 * A session with a secret has a process of its own.  solo.spare of them wait,
 * so that nobody waits for a start; when one has got its session the next is
 * started.  Never more than solo.spare are on their way at once: a crowd is
 * served one after the other, and not by a hundred starts at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include "warden/warden.h"

static void
count(const struct warden *w, uint32_t *all, uint32_t *waiting)
{
	*all = *waiting = 0;
	for (const struct child *c = w->workers; c != NULL; c = c->next) {
		if (!c->solo)
			continue;
		(*all)++;
		if (c->set == w->set && !c->taken)
			(*waiting)++;
	}
}

static void
again(struct loop_timer *t)
{
	solo_fill(LOOP_OWNER(t, struct warden, solo_again));
}

/* What cannot start, or dies while it waits, is not tried in a circle. */
static void
try_later(struct warden *w)
{
	if (w->solo_again.slot != 0)
		return;
	w->solo_again.fire = again;
	loop_timer_set(&w->loop, &w->solo_again,
	    run_next_pause(&w->solo_pause_ms));
}

void
solo_fill(struct warden *w)
{
	uint32_t all, waiting;

	/* During a reload the set is the new one, which may come to nothing. */
	if (!w->was_ready || w->stopping || w->reloading || w->gate == NULL ||
	    !w->gate->ready || w->solo_again.slot != 0 ||
	    !conf_moves(&w->conf))
		return;
	count(w, &all, &waiting);
	while (waiting < w->conf.solo_spare && all < w->conf.solo_max) {
		if (run_worker_start(w, &w->conf, true) != 0) {
			try_later(w);
			return;
		}
		all++;
		waiting++;
	}
}

void
solo_fill_soon(struct warden *w)
{
	if (w->solo_again.slot != 0)
		return;
	w->solo_again.fire = again;
	/* With 0 it would be in this one: timers come before the flush. */
	loop_timer_set(&w->loop, &w->solo_again, 1);
}

void
solo_ready(struct warden *w)
{
	if (!w->reloading && w->gate != NULL)
		run_attach(w);
}

void
solo_forget(struct warden *w)
{
	for (struct child *c = w->workers; c != NULL; c = c->next) {
		if (!c->solo || c->set == w->set || c->gate_end < 0)
			continue;
		close(c->gate_end);	/* nobody will come */
		c->gate_end = -1;
	}
}

void
solo_taken(struct warden *w, uint32_t number)
{
	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->solo && c->number == number)
			c->taken = true;
	w->solo_pause_ms = 0;	/* they work */
	solo_fill(w);
}

void
solo_ended(struct warden *w, const struct child *c, bool finished)
{
	if (c->taken || (finished && c->ready))
		solo_fill(w);	/* solo.max may have room now */
	else if (c->set == w->set)
		try_later(w);
}
