/*
 * audit/ask_abuse.c: T18: what the server does with who goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/dial.h"

#define TRIES 16
#define SLOWED_MS 1000		/* waited in all: it is slowed down */
#define FAREWELL_MS 500		/* for a 421 behind the last refusal */

/*
 * Names B until that is not refused, TRIES times at most; a farewell that
 * comes by itself behind the last refusal is read, too.
 *
 * waited_ms  for all of those replies together
 * way_ms     for the fastest: what every reply takes is the way, and no brake
 *
 * Returns how often it was refused.
 */
static unsigned
name_often(struct dial *d, struct link *l, unsigned *waited_ms,
    unsigned *way_ms)
{
	char line[DIAL_LINE_MAX];
	unsigned n = 0;

	while (n < TRIES && !l->over && !dial_name(d, l,
	    dial_any(l, &d->at[0].at, line)) && d->end == DIAL_REFUSED) {
		if (n++ == 0 || d->named.took_ms < *way_ms)
			*way_ms = d->named.took_ms;
		*waited_ms += d->named.took_ms;
	}
	if (n > 0 && !l->over && (link_has_news(l) || sock_readable(l->fd,
	    sock_now_ms() + FAREWELL_MS)))
		link_read(l, &d->named, link_patience(l));
	return n;
}

void
ask_throttling(struct ask *q)
{
	unsigned waited_ms = 0, way_ms = 0, n;
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other);

	if (l == NULL)
		return;
	n = name_often(&d, l, &waited_ms, &way_ms);
	if (l->told_421 || (l->over && n > 0))
		ask_answer(q, VERDICT_safe, "the session was ended after %u "
		    "refused addresses: %s", n, d.named.text);
	else if (n > 0 && waited_ms - n * way_ms > SLOWED_MS)
		ask_answer(q, VERDICT_safe, "it slows down: %u refusals took "
		    "%u ms, the fastest %u", n, waited_ms, way_ms);
	else if (n == TRIES)
		ask_answer(q, VERDICT_vulnerable, "%d refused addresses in a "
		    "session, each answered at once: %u ms in all", TRIES,
		    waited_ms);
	else if (n == 0 && reply_agrees(&d.named))
		ask_answer(q, VERDICT_not_asked, "nothing is refused: see "
		    "bounce");
	ask_answer(q, VERDICT_inconclusive, "%s", d.named.text);
	dial_end(&d, l);
}
