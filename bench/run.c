/*
 * bench/run.c: the phases of a run: log in, transfer, say good-bye.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load.h"

#include <sys/epoll.h>

#include <errno.h>
#include <stdio.h>

enum { EVENTS = 256 };

void
load_error(struct load *l, const char *what, const char *detail)
{
	if (l->errors++ == 0)
		snprintf(l->first_error, sizeof(l->first_error), "%s%s%s", what,
		    *detail == '\0' ? "" : " ", detail);
}

bool
load_may_begin(const struct load *l)
{
	if (!l->running || l->closed || l->errors > ERRORS_MAX)
		return false;
	return l->set.count == 0 || l->started < l->set.count;
}

/* Freezes the rates: what is still running is finished and checked. */
static void
close_window(struct load *l, uint64_t now)
{
	l->closed = true;
	l->window_ns = now - l->start_ns;
	l->window_transfers = l->transfers;
	l->window_bytes = l->bytes;
}

static void
fail_busy(struct load *l)
{
	l->closed = true;
	for (unsigned i = 0; i < l->set.sessions; i++) {
		struct session *s = &l->sess[i];

		if (s->phase != PH_GONE && s->phase != PH_READY)
			session_fail(s, "timed out", "");
	}
}

/* One round of events; false when a signal says stop. */
static bool
turn(struct load *l)
{
	struct epoll_event ev[EVENTS];
	uint64_t stall_ms = l->set.scenario == SC_LIST ? STALL_LIST_MS :
	    STALL_MS;
	int n = epoll_wait(l->epoll, ev, EVENTS, 50);
	uint64_t now = clock_ns();

	if (n < 0)
		return false;
	if (l->running && !l->closed && l->end_ns != 0 && now >= l->end_ns)
		close_window(l, now);
	for (int i = 0; i < n; i++)
		session_event(ev[i].data.ptr);
	if (n > 0)
		l->progress_ns = now;
	else if (now - l->progress_ns > stall_ms * UINT64_C(1000000))
		fail_busy(l);
	return true;
}

static bool
settle(struct load *l)
{
	l->progress_ns = clock_ns();
	while (l->busy > 0)
		if (!turn(l))
			return false;
	return true;
}

/* A few at a time: a full accept queue costs a second per lost SYN. */
bool
load_login(struct load *l)
{
	l->progress_ns = clock_ns();
	if (l->set.scenario == SC_SESSION)
		return true;
	while (l->next_login < l->set.sessions || l->busy > 0) {
		while (l->next_login < l->set.sessions &&
		    l->busy < LOGINS_AT_ONCE && l->errors <= ERRORS_MAX)
			session_start(&l->sess[l->next_login++]);
		if (l->errors > ERRORS_MAX)
			l->next_login = l->set.sessions;
		if (l->busy > 0 && !turn(l))
			return false;
	}
	return l->ready > 0;
}

void
load_run(struct load *l)
{
	l->running = true;
	l->start_ns = clock_ns();
	if (l->set.count == 0)
		l->end_ns = l->start_ns + (uint64_t)(l->set.seconds * 1e9);
	for (unsigned i = 0; i < l->set.sessions; i++) {
		struct session *s = &l->sess[i];

		if (!load_may_begin(l))
			break;
		if (l->set.scenario == SC_SESSION) {
			l->started++;
			session_start(s);
		} else if (s->phase == PH_READY) {
			l->started++;
			session_transfer(s);
		}
	}
	if (!settle(l))
		load_error(l, "interrupted", "");
	if (l->window_ns == 0)
		close_window(l, clock_ns());
	l->running = false;
}

/* Which of the idle sessions still answer? */
void
load_noop(struct load *l)
{
	for (unsigned i = 0; i < l->set.sessions; i++)
		if (l->sess[i].phase == PH_READY)
			session_noop(&l->sess[i]);
	(void)settle(l);
}

void
load_quit(struct load *l)
{
	for (unsigned i = 0; i < l->set.sessions; i++)
		if (l->sess[i].phase == PH_READY)
			session_quit(&l->sess[i]);
	(void)settle(l);
}
