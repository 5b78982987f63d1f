/*
 * proto/telnet.h: the control connection's bytes become lines.
 *
 * RFC 959 §4 puts FTP's commands on a Telnet connection.  What is left of
 * that in practice is little, and is done here: IAC sequences are taken out
 * (RFC 854), lines end with CRLF or a bare LF.  Server and sensor share it,
 * so that both see the same lines in the same bytes.
 *
 * One rule stands above Telnet's own: an LF always ends a line, even inside
 * a sequence that Telnet would read on through ("IAC WILL LF", "IAC SB ...
 * LF").  No FTP client sends such a thing, and every firewall and sensor cuts
 * at LF; so no LF can be hidden, and each brings exactly one event.
 *
 * Pure: no I/O, no allocation.  Work is constant per byte, memory is the
 * caller's line buffer and these few words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

enum telnet_event {
	TELNET_MORE,	 /* all input was taken; the line is not complete */
	TELNET_LINE,	 /* telnet_line() is complete */
	TELNET_OVERLONG, /* a line ended that was too long; it is gone */
	TELNET_OPTION,	 /* the peer negotiates: verb and option are set */
};

/* The bytes that mean something (RFC 854). */
enum {
	TELNET_SE = 240,
	TELNET_DM = 242,
	TELNET_IP = 244,
	TELNET_SB = 250,
	TELNET_WILL = 251,
	TELNET_WONT = 252,
	TELNET_DO = 253,
	TELNET_DONT = 254,
	TELNET_IAC = 255,
};

struct telnet {
	char *buf;	  /* the caller's; may be another one (with the same
			     first len bytes) in the next call */
	uint32_t max;	  /* the longest line, without its CRLF */
	uint32_t len;	  /* bytes of the line in buf */
	uint32_t removed; /* Telnet bytes taken out of this line */
	uint64_t lost;	  /* bytes dropped from this line, because it is too
			     long: who sends no LF can be cut off by it */
	uint8_t state;
	bool cr;	  /* a CR came, and may belong to a CRLF */
	bool overlong;
	bool ended;	  /* the last call brought a line; the next starts */
	uint8_t verb;	  /* TELNET_WILL, _WONT, _DO or _DONT */
	uint8_t option;
};

/* buf holds max bytes: lines of up to max bytes pass, CRLF not counted. */
void telnet_init(struct telnet *t, char *buf, uint32_t max);

/*
 * Takes bytes off the front of *in until something happened, or none is left.
 * What follows an event stays in *in: pipelined commands wait there.
 *
 * As many Telnet bytes as max may be taken out of one line; with more of them
 * it is overlong too.  A bare CR and a NUL stay in the line, and
 * command_parse refuses them there.
 */
MUST_USE enum telnet_event telnet_feed(struct telnet *t, struct sv *in);

/* After TELNET_LINE: without its CRLF.  Valid until the next call. */
struct sv telnet_line(const struct telnet *t);

/*
 * After TELNET_OPTION: the answer that leaves the option off, DONT to WILL
 * and WONT to DO.  Returns its length: 3, or 0 where none is due (RFC 854: an
 * answer to an answer would never end).  To ignore the request is fine too.
 */
size_t telnet_refuse(const struct telnet *t, char answer[3]);
