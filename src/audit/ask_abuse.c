/*
 * audit/ask_abuse.c: T18: what the server does with who goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/dial.h"

#define TRIES 16
#define SLOWER_MS 300		/* than the first: it is slowed down */
#define FAREWELL_MS 500		/* for a 421 behind the last refusal */

/*
 * Names B until that is not refused, TRIES times at most; a farewell that
 * comes by itself behind the last refusal is read, too.
 *
 * first_ms, last_ms  how long those replies took; left alone without one
 *
 * Returns how often it was refused.
 */
static unsigned
name_often(struct dial *d, struct link *l, unsigned *first_ms,
    unsigned *last_ms)
{
	char line[DIAL_LINE_MAX];
	unsigned n = 0;

	while (n < TRIES && !l->over && !dial_name(d, l,
	    dial_any(l, &d->at[0].at, line)) && d->end == DIAL_REFUSED) {
		*last_ms = d->named.took_ms;
		if (n++ == 0)
			*first_ms = *last_ms;
	}
	if (n > 0 && !l->over && (link_has_news(l) || sock_readable(l->fd,
	    sock_now_ms() + FAREWELL_MS)))
		link_read(l, &d->named, link_patience(l));
	return n;
}

void
ask_throttling(struct ask *q)
{
	unsigned first_ms = 0, last_ms = 0, n;
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other);

	if (l == NULL)
		return;
	n = name_often(&d, l, &first_ms, &last_ms);
	if (l->told_421 || (l->over && n > 0))
		ask_answer(q, VERDICT_safe, "the session was ended after %u "
		    "refused addresses: %s", n, d.named.text);
	else if (n > 0 && last_ms > first_ms + SLOWER_MS)
		ask_answer(q, VERDICT_safe, "after %u refused addresses the "
		    "reply came after %u ms, at first after %u", n, last_ms,
		    first_ms);
	else if (n == TRIES)
		ask_answer(q, VERDICT_vulnerable, "%d refused addresses in a "
		    "session, and the last was answered as fast as the first",
		    TRIES);
	else if (n == 0 && reply_agrees(&d.named))
		ask_answer(q, VERDICT_not_asked, "nothing is refused: see "
		    "bounce");
	ask_answer(q, VERDICT_inconclusive, "%s", d.named.text);
	dial_end(&d, l);
}
