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
#define SLOWER_MS 300		/* than the first: it is slowed down */
#define FAREWELL_MS 500		/* for a 421 behind the last refusal */
#define LOG_TAIL (4u << 20)	/* bytes of the log's end that are read */
#define LOG_WAIT_MS 3000

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
	deadline = sock_now_ms() + LOG_WAIT_MS;
	do {
		if (since(f, from, text, LOG_TAIL)) {
			client = holds_address(text, &p->here);
			asked = holds_address(text, &p->other);
		}
		if (!client || !asked)
			sock_sleep_until(sock_now_ms() + 100);
	} while ((!client || !asked) && sock_now_ms() < deadline);
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
