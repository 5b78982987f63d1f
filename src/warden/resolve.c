/*
 * warden/resolve.c: the names of passive.address, onto the board.
 *
 * A resolver is started, says what it has found, and ends; after a while
 * comes the next.  What it says is checked as if it had been taken over: a
 * place must be a name's, an address one that could be told.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "warden/warden.h"

#define PAUSE_LEAST_MS 1000	/* while a name has no address at all */

static uint64_t
period_ms(const struct warden *w)
{
	return (uint64_t)w->conf.passive_resolve_s * 1000;
}

static bool
is_named(const struct warden *w, uint32_t place)
{
	const struct conf_passive *list = &w->conf.passive_address;

	return place < list->count && list->at[place].means == PASSIVE_NAMED;
}

static bool
has_names(const struct warden *w)
{
	for (uint32_t i = 0; i < w->conf.passive_address.count; i++)
		if (is_named(w, i))
			return true;
	return false;
}

static const char *
name_at(const struct warden *w, uint32_t place)
{
	return w->conf.passive_address.at[place].name;
}

/* Every name has an address, be it an old one. */
static bool
all_known(const struct warden *w)
{
	for (uint32_t i = 0; i < w->conf.passive_address.count; i++)
		if (is_named(w, i) && board_address(&w->told, name_at(w, i))
		    .family == ADDR_NONE)
			return false;
	return true;
}

static void
say_why(struct warden *w, uint32_t place, uint32_t reason)
{
	static const char *const why[] = {
		[IPC_REFUSED] = "has no IPv4 address",
		[IPC_TIMEOUT] = "gets no answer",
		[IPC_FORBIDDEN] = "has no address that a client could "
		    "connect to; look into /etc/hosts",
		[IPC_BROKEN] = "cannot be resolved here",
	};
	const char *text = why[IPC_BROKEN];
	bool known = board_address(&w->told, name_at(w, place)).family !=
	    ADDR_NONE;

	if (reason < sizeof(why) / sizeof(why[0]) && why[reason] != NULL)
		text = why[reason];
	if ((w->unresolved & 1u << place) == 0)
		log_line("passive.address: %s %s; %s", name_at(w, place),
		    text, known ? "its last address stays" :
		    "PASV is refused where it is needed");
	w->unresolved |= 1u << place;
}

static void
take_address(struct warden *w, uint32_t place, const struct addr *at)
{
	uint64_t name = board_name(name_at(w, place));
	char text[ADDR_TEXT_MAX];

	w->unresolved &= ~(1u << place);
	for (size_t i = 0; i < CONF_PASSIVE_MAX; i++) {
		struct board_passive *row = &w->told.passive[i];

		if (row->name != name || addr_same_ip(&row->at, at))
			continue;
		row->at = *at;
		board_write(w->board, &w->told);
		log_line("passive.address: %s is %s", name_at(w, place),
		    addr_format_ip(at, text));
		return;
	}
}

static void
take_answer(struct warden *w, const struct ipc_msg *m)
{
	struct ipc_resolved r = m->resolved;

	if (m->type != IPC_RESOLVED || !is_named(w, r.place))
		return;
	if (r.reason == IPC_OK && passive_can_be_told(&r.at))
		take_address(w, r.place, &r.at);
	else
		say_why(w, r.place, r.reason);
}

/* One that has been taken over could talk for ever, and fill the log. */
static void
expel(struct child *c)
{
	struct warden *w = c->warden;

	loop_unwatch(&w->loop, &c->watch);
	if (w->resolver != c)
		return;	/* it has ended, and its number may be another's */
	log_line("resolver %d ended: it says more than it was asked",
	    (int)c->pid);
	kill(c->pid, SIGKILL);
}

/* All that it has said so far; no more than there are places. */
static void
resolver_says(struct loop_watch *watch, uint32_t events)
{
	struct child *c = LOOP_OWNER(watch, struct child, watch);
	struct ipc_msg m[IPC_BATCH];
	enum ipc_status status;
	size_t n;

	(void)events;
	while ((status = ipc_receive(&c->channel, m, &n, NULL, NULL)) ==
	    IPC_GOOD)
		for (size_t i = 0; i < n; i++) {
			if (c->warden->answers++ >= CONF_PASSIVE_MAX) {
				expel(c);
				return;
			}
			take_answer(c->warden, &m[i]);
		}
	if (status != IPC_AGAIN)
		loop_unwatch(&c->warden->loop, watch);
}

static void
resolver_start(struct warden *w)
{
	struct child_spec spec = { .program = "portcullis-resolver",
		.account = &w->gate_account, .fds = INHERIT_WARDEN + 1 };

	w->answers = 0;
	w->resolver = run_child_new(w, &spec, &w->conf, resolver_says);
	if (w->resolver == NULL)
		loop_timer_set(&w->loop, &w->resolve, period_ms(w));
}

static void
resolve_due(struct loop_timer *t)
{
	resolver_start(LOOP_OWNER(t, struct warden, resolve));
}

/*
 * Rows for the names of now, with what is known of them; behind these, as far
 * as there is room, those of before, which sessions may still need.
 */
static void
lay_out_rows(struct warden *w)
{
	struct board_passive old[CONF_PASSIVE_MAX];
	size_t n = 0;

	memcpy(old, w->told.passive, sizeof(old));
	memset(w->told.passive, 0, sizeof(old));
	for (uint32_t i = 0; i < w->conf.passive_address.count; i++) {
		struct board_passive *row = &w->told.passive[n];

		if (!is_named(w, i))
			continue;
		row->name = board_name(name_at(w, i));
		for (size_t j = 0; j < CONF_PASSIVE_MAX; j++)
			if (old[j].name == row->name) {
				*row = old[j];
				old[j].name = 0;
			}
		n++;
	}
	for (size_t j = 0; j < CONF_PASSIVE_MAX && n < CONF_PASSIVE_MAX; j++)
		if (old[j].name != 0)
			w->told.passive[n++] = old[j];
	board_write(w->board, &w->told);
}

void
resolve_begin(struct warden *w)
{
	w->resolve.fire = resolve_due;
	w->resolve_pause_ms = PAUSE_LEAST_MS;
	w->unresolved = 0;
	lay_out_rows(w);
	loop_timer_stop(&w->loop, &w->resolve);
	if (w->resolver != NULL)
		resolve_stop(w); /* the next one when it has ended */
	else if (has_names(w))
		resolver_start(w);
}

void
resolve_stop(struct warden *w)
{
	loop_timer_stop(&w->loop, &w->resolve);
	if (w->resolver == NULL)
		return;
	/* What it says may be about names that are others by now. */
	loop_unwatch(&w->loop, &w->resolver->watch);
	w->resolver->ready = true; /* to be gone */
	kill(w->resolver->pid, SIGKILL);
}

void
resolve_ended(struct warden *w, int status)
{
	struct child *c = w->resolver;
	bool stopped = c->ready;

	w->resolver = NULL;
	if (!stopped) {
		resolver_says(&c->watch, EPOLLIN);	/* its last words */
		say_how_it_ended("resolver", c->pid, status);
	}
	run_child_free(c);
	if (w->stopping || !has_names(w))
		return;
	if (stopped) {
		resolver_start(w);
		return;
	}
	if (all_known(w) || w->resolve_pause_ms >= period_ms(w)) {
		loop_timer_set(&w->loop, &w->resolve, period_ms(w));
		return;
	}
	loop_timer_set(&w->loop, &w->resolve, w->resolve_pause_ms);
	w->resolve_pause_ms *= 2;
}
