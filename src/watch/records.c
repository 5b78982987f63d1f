/*
 * watch/records.c: TLS records on a control connection (RFC 8446 §5.1).
 *
 * Where TLS begins and ends decides what is read, so neither is taken from
 * the looks of one side's bytes alone.  It begins where the server agreed: by
 * its reply to AUTH, or by a record of its own after the client's first bytes
 * were one (implicit FTPS); until then everything is read.  It ends behind a
 * whole record, wherever that is in a segment, where no other one begins
 * (CCC, RFC 4217 §12.3).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/watch.h"

#define HEADER_BYTES 5
#define RECORD_MOST (16384 + 2048)	/* RFC 5246 §6.2.3 */
#define TYPE_FIRST 20
#define TYPE_LAST 24
#define TYPE_HANDSHAKE 22
#define VERSION_MAJOR 3

/* One byte more of a header; false: no record begins so. */
static bool
header_takes(struct half *h, unsigned char byte)
{
	switch (h->header_have++) {
	case 0:
		return byte >= TYPE_FIRST && byte <= TYPE_LAST;
	case 1:
		return byte == VERSION_MAJOR;
	case 2:
		return true;
	case 3:
		h->record_left = (uint16_t)(byte << 8);
		return h->record_left <= RECORD_MOST;
	default:
		h->record_left |= byte;
		h->header_have = 0;
		return h->record_left <= RECORD_MOST;
	}
}

static void
at_boundary(struct half *h, bool tls)
{
	h->tls = tls;
	h->header_have = 0;
	h->record_left = 0;
}

void
records_begin(struct control *c)
{
	at_boundary(&c->half[CLIENT], true);
	at_boundary(&c->half[SERVER], true);
}

static bool
is_record(struct sv in)
{
	struct half h = { .header_have = 0 };

	if (in.len < HEADER_BYTES)
		return false;
	for (int i = 0; i < HEADER_BYTES; i++)
		if (!header_takes(&h, (unsigned char)in.ptr[i]))
			return false;
	return true;
}

static bool
is_hello(struct sv in)
{
	return in.len > 2 && in.ptr[0] == TYPE_HANDSHAKE &&
	    in.ptr[1] == VERSION_MAJOR;
}

void
records_notice(struct watch *w, struct control *c, enum end from,
    struct sv in)
{
	const struct half *h = &c->half[from];
	bool at_line = h->telnet.len == 0 || h->telnet.ended;

	if (from == CLIENT && !c->client_spoke && is_hello(in)) {
		c->tls_offered = true;
		control_tls(w, c, in);
	}
	if (from == SERVER && c->tls_offered && at_line && is_record(in)) {
		control_agrees_to_tls(w, c);
		/* How far the client's hello goes was not followed. */
		c->half[CLIENT].resync = true;
	}
}

static bool
is_text(struct sv in)
{
	for (size_t i = 0; i < in.len; i++)
		if ((in.ptr[i] < ' ' || in.ptr[i] > '~') &&
		    in.ptr[i] != '\r' && in.ptr[i] != '\n')
			return false;
	return true;
}

/*
 * Behind a gap, or the unfollowed hello: is it a record, the rest of one that
 * was cut, or in the clear?
 */
static struct sv
find_place(struct control *c, enum end from, struct sv in)
{
	struct half *h = &c->half[from];

	if (is_record(in)) {
		h->resync = false;
		at_boundary(h, true);
		return in;
	}
	if (stream_begins_line(from, in) || is_text(in)) {
		at_boundary(h, false);
		return in;
	}
	return SV("");
}

static void
note_record(struct watch *w, struct control *c, enum end from, struct sv in)
{
	if (c->server != NULL)
		c->server->tls_ns = w->now_ns;
	if (from == CLIENT && is_hello(in))
		control_tls(w, c, in);
}

/* Whole records, the beginning of one, and where it is in the clear. */
static struct sv
go_over(struct watch *w, struct control *c, enum end from, struct sv in)
{
	struct half *h = &c->half[from];
	struct sv record = in;

	while (in.len > 0) {
		if (h->header_have == 0 && h->record_left > 0) {
			size_t n = in.len < h->record_left ? in.len :
			    h->record_left;

			h->record_left -= (uint16_t)n;
			in = sv_drop(in, n);
			continue;
		}
		if (h->header_have == 0)
			record = in;
		if (!header_takes(h, (unsigned char)in.ptr[0])) {
			at_boundary(h, false);
			return record;
		}
		if (h->header_have == 1)
			note_record(w, c, from, record);
		in = sv_drop(in, 1);
	}
	return in;
}

struct sv
records_skip(struct watch *w, struct control *c, enum end from, struct sv in)
{
	struct half *h = &c->half[from];

	if (h->resync)
		in = find_place(c, from, in);
	if (h->tls)
		in = go_over(w, c, from, in);
	if (!h->tls)
		c->logged_in = true; /* it was, under cover, or was not */
	return in;
}
