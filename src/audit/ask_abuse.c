/*
 * audit/ask_abuse.c: T18 and T20: what the server does with who goes on, and
 * what its administrator can read of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/dial.h"

#define TRIES 16
#define SLOWED_MS 1000		/* waited in all: it is slowed down */
#define FAREWELL_MS 500		/* for a 421 behind the last refusal */
#define LOG_TAIL (4u << 20)	/* bytes of the log's end that are read */
#define LOG_WAIT_MS 3000

void
ask_throttling(struct ask *q)
{
	unsigned waited_ms = 0, way_ms = 0, n = 0;
	char line[DIAL_LINE_MAX];
	struct link *l;
	struct dial d;

	if (!dial_needs(q, &q->audit->place.other) ||
	    (l = link_login(q)) == NULL)
		return;
	if (!dial_open(&d, q, &q->audit->place.other)) {
		link_close(l);
		return;
	}
	while (n < TRIES && !l->over && !dial_name(&d, l,
	    dial_any(l, &d.at[0].at, line)) && d.end == DIAL_REFUSED) {
		/* What every reply takes is the way, and not a brake. */
		way_ms = n == 0 || d.named.took_ms < way_ms ?
		    d.named.took_ms : way_ms;
		waited_ms += d.named.took_ms;
		n++;
	}
	if (n > 0 && !l->over && (link_has_news(l) || place_readable(l->fd,
	    place_now_ms() + FAREWELL_MS)))
		link_read(l, &d.named, link_patience(l));
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
	dial_close(&d);
	link_close(l);
}

/* ---- T20 */

/* Where the log ends now; -1 with errno set. */
static long
end_of(FILE *f)
{
	return fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
}

/* As the log may write it: with dots, or as PORT's argument. */
static bool
holds_address(const char *text, const struct addr *a)
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	if (strstr(text, ip) != NULL)
		return true;
	for (char *p = ip; *p != '\0'; p++)
		if (*p == '.')
			*p = ',';
	return a->family == ADDR_V4 && strstr(text, ip) != NULL;
}

/* What was written since `from`; NULs become blanks. */
static bool
since(FILE *f, long from, char *buf, size_t size)
{
	size_t n;

	if (fseek(f, from, SEEK_SET) != 0)
		return false;
	n = fread(buf, 1, size - 1, f);
	for (size_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	buf[n] = '\0';
	clearerr(f);
	return n > 0;
}

/* Names B once more, and looks for it in what is written then. */
static void
look_for(struct ask *q, FILE *f, char *text)
{
	const struct place *p = &q->audit->place;
	uint64_t deadline;
	char line[DIAL_LINE_MAX];
	bool client = false, asked = false;
	long from = end_of(f);
	struct link *l = link_login(q);
	struct dial d;

	if (l == NULL)
		return;
	if (dial_open(&d, q, &p->other)) {
		dial_name(&d, l, dial_any(l, &d.at[0].at, line));
		dial_close(&d);
	}
	link_close(l);
	deadline = place_now_ms() + LOG_WAIT_MS;
	do {
		if (since(f, from, text, LOG_TAIL)) {
			client = holds_address(text, &p->here);
			asked = holds_address(text, &p->other);
		}
		if (!client || !asked)
			place_sleep_until(place_now_ms() + 100);
	} while ((!client || !asked) && place_now_ms() < deadline);
	ask_answer(q, client && asked ? VERDICT_safe : VERDICT_vulnerable,
	    "the log tells %s", client && asked ? "the client and the address "
	    "that was asked for" : client ? "the client, and not the address "
	    "that was asked for" : "nothing of it");
}

void
ask_log_trace(struct ask *q)
{
	const char *name = q->audit->options->log;
	char *text;
	FILE *f;

	if (name == NULL) {
		ask_answer(q, VERDICT_not_asked, "--log was not given");
		return;
	}
	if (!dial_needs(q, &q->audit->place.other))
		return;
	f = fopen(name, "re");
	text = malloc(LOG_TAIL);
	if (f == NULL || text == NULL)
		ask_answer(q, VERDICT_inconclusive, "--log %s: %s", name,
		    strerror(errno));
	else
		look_for(q, f, text);
	free(text);
	if (f != NULL)
		fclose(f);
}
