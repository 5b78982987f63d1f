/*
 * proto/telnet.c: the control connection's bytes become lines; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/telnet.h"

enum state {
	AT_DATA,
	AT_IAC,	   /* IAC came */
	AT_OPTION, /* IAC WILL (or WONT, DO, DONT) came */
	AT_SB,	   /* IAC SB came, and not yet IAC SE */
	AT_SB_IAC, /* IAC came within */
};

void
telnet_init(struct telnet *t, char *buf, uint32_t max)
{
	*t = (struct telnet) { .buf = buf, .max = max, .state = AT_DATA };
}

static void
start_line(struct telnet *t)
{
	t->len = t->removed = 0;
	t->lost = 0;
	t->cr = t->overlong = t->ended = false;
	t->state = AT_DATA;
}

/* A byte of the line; the first that finds no room makes it overlong. */
static void
keep(struct telnet *t, char c)
{
	if (t->overlong || t->len == t->max) {
		t->overlong = true;
		t->lost++;
		return;
	}
	t->buf[t->len++] = c;
}

/* A byte of Telnet's.  They are counted, or a line of them had no end. */
static void
omit(struct telnet *t)
{
	if (t->overlong || t->removed == t->max) {
		t->overlong = true;
		t->lost++;
		return;
	}
	t->removed++;
}

/* A CR is held back until it is known that no LF follows. */
static void
release_cr(struct telnet *t)
{
	if (t->cr)
		keep(t, '\r');
	t->cr = false;
}

static enum telnet_event
end_line(struct telnet *t)
{
	t->ended = true;
	return t->overlong ? TELNET_OVERLONG : TELNET_LINE;
}

static void
take_data(struct telnet *t, uint8_t c)
{
	if (c == TELNET_IAC) {
		omit(t);
		t->state = AT_IAC;
		return;
	}
	release_cr(t);
	if (c == '\r')
		t->cr = true;
	else
		keep(t, (char)c);
}

/*
 * IAC IAC is the data byte 255.  Below SE nothing is defined: there the IAC
 * was a stray one, and the byte is data.  The rest are two-byte commands (IP
 * and DM come before ABOR: RFC 959 §4.1.3), and mean nothing here.
 */
static void
take_command(struct telnet *t, uint8_t c)
{
	t->state = AT_DATA;
	if (c == TELNET_IAC) {
		release_cr(t);
		keep(t, (char)c);
		return;
	}
	if (c < TELNET_SE) {
		take_data(t, c);
		return;
	}
	omit(t);
	if (c == TELNET_SB)
		t->state = AT_SB;
	else if (c >= TELNET_WILL) {
		t->verb = c;
		t->state = AT_OPTION;
	}
}

static enum telnet_event
take(struct telnet *t, uint8_t c)
{
	if (c == '\n')
		return end_line(t);

	switch ((enum state)t->state) {
	case AT_DATA:
		take_data(t, c);
		break;
	case AT_IAC:
		take_command(t, c);
		break;
	case AT_OPTION:
		omit(t);
		t->option = c;
		t->state = AT_DATA;
		return TELNET_OPTION;
	case AT_SB:
		omit(t);
		if (c == TELNET_IAC)
			t->state = AT_SB_IAC;
		break;
	case AT_SB_IAC:
		omit(t);
		t->state = c == TELNET_SE ? AT_DATA : AT_SB;
		break;
	}
	return TELNET_MORE;
}

/*
 * Nearly all bytes are plain ones in the middle of a line, and are copied
 * without a look at the state for each.
 * Returns how many, up to the first that means something or has no room.
 */
static size_t
take_plain(struct telnet *t, struct sv in)
{
	size_t n = 0, most = t->max - t->len;

	if (t->state != AT_DATA || t->cr || t->overlong)
		return 0;
	if (most > in.len)
		most = in.len;
	for (; n < most; n++) {
		char c = in.ptr[n];

		if (c == '\n' || c == '\r' || (uint8_t)c == TELNET_IAC)
			break;
		t->buf[t->len + n] = c;
	}
	t->len += (uint32_t)n;
	return n;
}

enum telnet_event
telnet_feed(struct telnet *t, struct sv *in)
{
	enum telnet_event event = TELNET_MORE;
	size_t n;

	if (in->len > 0 && t->ended)
		start_line(t);
	n = take_plain(t, *in);
	while (n < in->len && event == TELNET_MORE)
		event = take(t, (uint8_t)in->ptr[n++]);
	if (n > 0)
		*in = sv_drop(*in, n);
	return event;
}

struct sv
telnet_line(const struct telnet *t)
{
	return (struct sv) { t->buf, t->len };
}

size_t
telnet_refuse(const struct telnet *t, char answer[3])
{
	int no = t->verb == TELNET_WILL ? TELNET_DONT : TELNET_WONT;

	if (t->verb != TELNET_WILL && t->verb != TELNET_DO)
		return 0;
	answer[0] = (char)TELNET_IAC;
	answer[1] = (char)no;
	answer[2] = (char)t->option;
	return 3;
}
