/*
 * audit/ask_spelling.c: T6 and T19: does another spelling of a data address,
 * or another way to cut lines, pass the server's check?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "audit/dial.h"

#define SECOND_MS 500		/* for the reply to a line behind a bare CR */

/* ---- T6: numbers */

/* The six numbers of an IPv4 address and its port. */
static void
numbers_of(const struct addr *a, unsigned n[6])
{
	for (int i = 0; i < 4; i++)
		n[i] = a->ip[i];
	n[4] = a->port >> 8;
	n[5] = a->port & 0xff;
}

/* "<front>n<between>n...<back>", each number as sign, width and base say. */
struct spelling {
	const char *front, *sign, *between, *back, *words;
	int width;
	bool hex;
};

/*
 * No octal: its other reading would be an address that is not ours.  Numbers
 * from 8 on get no zeros in front for the same reason.
 */
static const struct spelling spellings[] = {
	{ "PORT  ", "", ",", "", "two blanks before", 1, false },
	{ "PORT\t", "", ",", "", "a tab before", 1, false },
	{ "PORT ", "", ", ", "", "blanks between", 1, false },
	{ "PORT ", "0x", ",", "", "hexadecimal", 1, true },
	{ "PORT ", "+", ",", "", "signs", 1, false },
	{ "PORT ", "", ",", "", "four digits", 4, false },
	{ "PORT ", "", ",", ",1", "a seventh number", 1, false },
	{ "PORT ", "", ",", " junk", "text behind", 1, false },
	{ " PORT ", "", ",", "", "a blank before the verb", 1, false },
};

#define SPELLINGS (sizeof(spellings) / sizeof(spellings[0]))

static void
put(char *buf, const char *text)
{
	size_t n = strlen(buf);

	snprintf(buf + n, DIAL_LINE_MAX - n, "%s", text);
}

static struct sv
spell_numbers(const struct spelling *s, const unsigned n[6], char *buf)
{
	char number[32];

	buf[0] = '\0';
	put(buf, s->front);
	for (int i = 0; i < 6; i++) {
		if (i > 0)
			put(buf, s->between);
		snprintf(number, sizeof(number), s->hex ? "%s%0*x" :
		    "%s%0*u", s->sign, n[i] < 8 ? s->width : 1, n[i]);
		put(buf, number);
	}
	put(buf, s->back);
	put(buf, "\r\n");
	return sv_of(buf);
}

/*
 * One spelling on the open session.  False when that session is of no more
 * use: a connection was made, or it has ended.
 */
static bool
try_spelling(struct ask *q, struct link *l, const struct spelling *s,
    char *agreed, size_t room)
{
	char line[DIAL_LINE_MAX], sent[64];
	unsigned n[6];
	struct dial d;
	size_t have;

	if (!dial_open(&d, q, &q->audit->place.other4))
		return false;
	d.odd = true;
	numbers_of(&d.at[0].at, n);
	dial_try(&d, l, spell_numbers(s, n, line), "LIST");
	snprintf(sent, sizeof(sent), "PORT of a third party, %s", s->words);
	if (d.end == DIAL_MADE && !d.ignored)
		dial_answer(&d, q, sent);
	else if (d.end != DIAL_REFUSED && d.end != DIAL_UNSENT) {
		have = strlen(agreed);
		snprintf(agreed + have, room - have, "%s%s",
		    have > 0 ? ", " : "", s->words);
	}
	dial_close(&d);
	return !q->answered && !l->over;
}

void
ask_spelling(struct ask *q)
{
	char agreed[200] = "";
	struct link *l;
	size_t i = 0;
	bool cut;

	if (!dial_needs(q, &q->audit->place.other4) ||
	    (l = link_login(q)) == NULL)
		return;
	while (i < SPELLINGS && try_spelling(q, l, &spellings[i], agreed,
	    sizeof(agreed)))
		i++;
	cut = l->over && !q->answered && i < SPELLINGS;
	link_close(l);
	if (agreed[0] != '\0')
		ask_answer(q, q->audit->place.behind_nat ?
		    VERDICT_inconclusive : VERDICT_accepts, "agreed to, and "
		    "connected to nobody else: %s", agreed);
	if (cut)
		ask_answer(q, VERDICT_inconclusive, "the session ended at "
		    "the spelling with %s", spellings[i].words);
	ask_answer(q, VERDICT_safe, "%zu spellings of a third party, none "
	    "taken", SPELLINGS);
}

/*
 * Own address: its last number is 10, which an octal reader takes for 8; we
 * listen on both.
 */
static bool
open_octal_pair(struct dial *d, const struct addr *here)
{
	struct addr at = *here;

	*d = DIAL_NONE;
	for (unsigned high = 160; high < 250; high++) {
		at.port = (uint16_t)(high << 8 | 10);
		if (!listener_open(&d->at[0], &at, at.port))
			continue;
		if (listener_open(&d->at[1], &at, (uint16_t)(at.port - 2)))
			return true;
		listener_close(&d->at[0]);
	}
	return false;
}

static void
answer_zeros(struct ask *q, const struct dial *d)
{
	if (d->end == DIAL_MADE && d->ignored)
		ask_answer(q, VERDICT_vulnerable, "own address, port byte "
		    "010: it connected to the octal reading, port %u",
		    (unsigned)d->at[1].at.port);
	else if (d->end == DIAL_MADE)
		ask_answer(q, VERDICT_safe, "own address with leading zeros: "
		    "%d, and read as decimal", d->named.code);
	else if (d->end == DIAL_REFUSED)
		ask_answer(q, VERDICT_safe, "own address with leading zeros: "
		    "%s", d->named.text);
	else
		ask_answer(q, VERDICT_inconclusive, "own address with "
		    "leading zeros: %s", d->done.code != 0 ? d->done.text :
		    d->named.text);
}

void
ask_leading_zeros(struct ask *q)
{
	static const struct spelling zeros = { "PORT ", "", ",", "", "", 3,
		false };
	char line[DIAL_LINE_MAX];
	struct link *l;
	unsigned n[6];
	struct dial d;

	if (q->audit->place.here.family != ADDR_V4) {
		ask_answer(q, VERDICT_not_asked, "only over IPv4");
		return;
	}
	if ((l = link_login(q)) == NULL)
		return;
	if (open_octal_pair(&d, &q->audit->place.here)) {
		numbers_of(&d.at[0].at, n);
		spell_numbers(&zeros, n, line);
		/* "...,10" becomes "...,010": both ports are ours. */
		memcpy(strrchr(line, ','), ",010\r\n", 7);
		dial_try(&d, l, sv_of(line), "LIST");
		answer_zeros(q, &d);
		dial_close(&d);
	}
	ask_answer(q, VERDICT_inconclusive, "no two ports of our own");
	link_close(l);
}

/*
 * Only the first number of each: whether a reader cuts numbers to bytes or
 * adds them up and cuts the sum, it reads the same address, which is ours.
 */
static struct sv
spell_wrapped(const struct addr *a, char *buf)
{
	static const struct spelling plain = { "PORT ", "", ",", "", "", 1,
		false };
	unsigned n[6];

	numbers_of(a, n);
	n[0] += 256;
	n[4] += 256;
	return spell_numbers(&plain, n, buf);
}

/* Some take the numbers so, and check what they have become. */
static void
wrap_own(struct ask *q)
{
	const struct addr *here = &q->audit->place.here;
	char line[DIAL_LINE_MAX];
	struct link *l;
	struct dial d;

	if (here->family != ADDR_V4 ||
	    (l = dial_begin(&d, q, here)) == NULL)
		return;
	dial_try(&d, l, spell_wrapped(&d.at[0].at, line), "LIST");
	if (d.end == DIAL_MADE)
		ask_answer(q, VERDICT_accepts, "PORT, 256 added to two "
		    "numbers: a third party is refused; the client's own "
		    "address was connected to");
	dial_end(&d, l);
}

/* True when that was refused, and only then; else the question is answered. */
static bool
wrap_other(struct ask *q, struct reply *refusal)
{
	char line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other4);

	if (l == NULL)
		return false;
	dial_try(&d, l, spell_wrapped(&d.at[0].at, line), "LIST");
	*refusal = d.named;
	if (d.end != DIAL_REFUSED)
		dial_answer(&d, q, "PORT of a third party, 256 added to two "
		    "numbers");
	dial_end(&d, l);
	return !q->answered;
}

void
ask_wrap_octet(struct ask *q)
{
	struct reply refusal;

	if (!wrap_other(q, &refusal))
		return;
	wrap_own(q);
	ask_answer(q, VERDICT_safe, "PORT, 256 added to two numbers: %s",
	    refusal.text);
}

/* EPRT of our own address with 65536 added to its port. */
static struct sv
spell_wrapped_port(const struct addr *a, char *buf)
{
	char ip[ADDR_TEXT_MAX];

	return dial_line(buf, "EPRT |%d|%s|%u|\r\n",
	    a->family == ADDR_V6 ? 2 : 1, addr_format_ip(a, ip),
	    65536u + a->port);
}

static void
answer_wrapped(struct ask *q, const struct dial *d)
{
	unsigned port = d->at[0].at.port;

	if (d->end == DIAL_MADE)
		ask_answer(q, VERDICT_vulnerable, "EPRT, own address, port "
		    "%u: %d, and a connection came to port %u",
		    65536 + port, d->named.code, port);
	dial_answer(d, q, "EPRT, own address, a port above 65535");
}

void
ask_wrap_port(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.here);

	if (l == NULL)
		return;
	dial_try(&d, l, spell_wrapped_port(&d.at[0].at, line), "LIST");
	answer_wrapped(q, &d);
	dial_end(&d, l);
}

void
ask_wrap_low_port(struct ask *q)
{
	struct addr named = q->audit->place.here;
	char line[DIAL_LINE_MAX];
	struct link *l = link_login(q);
	struct dial d;

	if (l == NULL)
		return;
	if (dial_open_low(&d, &named)) {
		dial_try(&d, l, spell_wrapped_port(&d.at[0].at, line),
		    "LIST");
		answer_wrapped(q, &d);
		dial_close(&d);
	} else {
		named.port = 25;
		dial_reply_only(&d, q, l, spell_wrapped_port(&named, line),
		    "EPRT, own address, port 65561 (25 modulo 65536)");
	}
	link_close(l);
}

/* ---- T19: how lines are cut */

void
ask_pipelining(struct ask *q)
{
	char port[DIAL_LINE_MAX], line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other);

	if (l == NULL)
		return;
	dial_try(&d, l, dial_line(line, "%sLIST\r\n",
	    dial_any(l, &d.at[0].at, port).ptr), NULL);
	dial_answer(&d, q, "PORT of a third party and LIST at once");
	dial_end(&d, l);
}

#define LACES 3

/* Where Telnet bytes stand in a line (EV13). */
static struct sv
lace(int how, struct sv port, char buf[DIAL_LINE_MAX])
{
	static const struct {
		size_t at;
		const char *bytes;
	} laces[LACES] = {
		{ 2, "\xff\xf1" },		/* IAC NOP */
		{ 0, "\xff\xf4\xff\xf2" },	/* IAC IP, IAC DM */
		{ 8, "\xff\xfb\x01" },		/* IAC WILL ECHO */
	};
	size_t at = laces[how].at, n = strlen(laces[how].bytes);

	memcpy(buf, port.ptr, at);
	memcpy(buf + at, laces[how].bytes, n);
	memcpy(buf + at + n, port.ptr + at, port.len - at);
	return (struct sv) { buf, port.len + n };
}

void
ask_telnet(struct ask *q)
{
	char port[DIAL_LINE_MAX], line[DIAL_LINE_MAX];

	for (int how = 0; how < LACES && !q->answered; how++) {
		struct dial d;
		struct link *l = dial_begin(&d, q, &q->audit->place.other);

		if (l == NULL)
			return;
		d.odd = true;
		dial_try(&d, l, lace(how, dial_any(l, &d.at[0].at, port),
		    line), "LIST");
		if (d.end != DIAL_REFUSED || how == LACES - 1)
			dial_answer(&d, q, "PORT of a third party, laced "
			    "with Telnet bytes");
		dial_end(&d, l);
	}
}

/* Without a CR; the replies are what they would be with it. */
void
ask_bare_lf(struct ask *q)
{
	char port[DIAL_LINE_MAX], line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other);
	struct sv whole;

	if (l == NULL)
		return;
	whole = dial_any(l, &d.at[0].at, port);
	d.odd = true;
	dial_try(&d, l, dial_line(line, "%.*s\n", (int)whole.len - 2,
	    whole.ptr), "LIST");
	dial_answer(&d, q, "PORT of a third party, with LF alone");
	dial_end(&d, l);
}

/* "NOOP CR PORT ..." is one line: who sees two answers twice. */
void
ask_bare_cr(struct ask *q)
{
	char port[DIAL_LINE_MAX], line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other);
	struct reply second;
	bool agreed;

	if (l == NULL)
		return;
	d.odd = true;
	agreed = dial_name(&d, l, dial_line(line, "NOOP\r%s",
	    dial_any(l, &d.at[0].at, port).ptr));
	if (agreed && (link_has_news(l) || sock_readable(l->fd,
	    sock_now_ms() + SECOND_MS)) &&
	    link_read(l, &second, link_patience(l)) != 0)
		d.named = second;
	if (agreed && !reply_refuses(&d.named))
		dial_transfer(&d, l, "LIST");
	if (agreed && d.end != DIAL_MADE)
		ask_answer(q, VERDICT_safe, "NOOP, CR, PORT of a third "
		    "party: one command, or refused: %s", d.named.text);
	dial_answer(&d, q, "NOOP, CR, PORT of a third party");
	dial_end(&d, l);
}
