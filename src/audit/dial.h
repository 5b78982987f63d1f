/*
 * audit/dial.h: the heart of the auditor: name an address, ask for a transfer,
 * and see who is connected to.
 *
 * Two listeners stand on the same port, one at the address that is named and
 * one at A: a server that ignores the address connects to A, and one that
 * does not connects to B.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/link.h"

enum dial_end {
	DIAL_UNSENT,	/* the command could not be sent, or had no reply */
	DIAL_REFUSED,	/* at the data address */
	DIAL_FAILED,	/* taken, and refused at the transfer: nobody came */
	DIAL_NOBODY,	/* the transfer was said to begin, and nobody came */
	DIAL_MADE,	/* a connection came */
};

struct dial {
	struct ask *ask;	/* NULL: nobody is waited for afterwards */
	/* what is watched: the address that is named, and A */
	struct listener at[2];
	bool odd;		/* the line may be taken for none */
	bool brief;		/* who dials does it at once, or not at all */

	/* what was learned */
	enum dial_end end;
	struct reply named;	/* to the data address */
	struct reply begun;	/* to the transfer */
	struct reply done;	/* 226, 425, ...; code 0: none came */
	bool early;		/* before the transfer was asked for */
	bool ignored;		/* it came to A and not to the named address */
	struct addr from;
	bool foreign;		/* that is not the audited server's address */
	int stranger;		/* who came from there, and waits; -1: nobody */
	uint64_t bytes;
	uint64_t asked_ms;	/* when the transfer's command was sent */
	unsigned took_ms;	/* from then to its end */
};

/* Nothing is open and nothing was learned: what each begins as. */
#define DIAL_NONE (struct dial) { .at = { { .fd = -1 }, { .fd = -1 } }, \
	.stranger = -1 }

/*
 * Who connects.  The port is open to everybody on this host and around it, so
 * a connection proves something when it comes from the audited address; or
 * when it comes from another, and the server says that its transfer is
 * complete.  A question that met another one is answered: inconclusive.
 *
 * When the server refused to connect, the listener of a third party stays open
 * until the audit's end: dial_look_back sees who came late.
 */

/*
 * Opens the listeners: at `named`, and (where that is another address) at A.
 * False: the question is answered inconclusive, and why.  dial_close frees.
 */
MUST_USE bool dial_open(struct dial *d, struct ask *q,
    const struct addr *named);
void dial_close(struct dial *d);

/*
 * What most questions begin with, dial_needs, link_login and dial_open, and
 * what they end with.  NULL: the question is answered, and nothing is open.
 */
MUST_USE struct link *dial_begin(struct dial *d, struct ask *q,
    const struct addr *named);
void dial_end(struct dial *d, struct link *l);
/* At the end: connections that came after their question was answered. */
void dial_look_back(struct audit *a);

/* A port below 1024 of an own address, if we may and one is free. */
MUST_USE bool dial_open_low(struct dial *d, const struct addr *named);

/*
 * Sends raw, which names d->at[0], then `transfer` ("LIST"), and watches.
 * The bytes that come are read to their end, 64 KiB at most.
 *
 * transfer  NULL: raw holds it already
 */
void dial_try(struct dial *d, struct link *l, struct sv raw,
    const char *transfer);

/*
 * The first half: only the data address.  True when it was agreed to, so that
 * a transfer can be asked for; else d->end says why not.
 */
bool dial_name(struct dial *d, struct link *l, struct sv raw);

/* And the second, after it. */
void dial_transfer(struct dial *d, struct link *l, const char *transfer);

/*
 * The commands: each with its CRLF, NUL-terminated; returned as a view of
 * buf.  The address is that of d->at[0], or another one.
 */
#define DIAL_LINE_MAX 256
struct sv dial_port(const struct addr *a, char buf[DIAL_LINE_MAX]);
struct sv dial_eprt(const struct addr *a, char buf[DIAL_LINE_MAX]);
struct sv dial_line(char buf[DIAL_LINE_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* PORT, or EPRT where the address or the connection is IPv6. */
struct sv dial_any(const struct link *l, const struct addr *a,
    char buf[DIAL_LINE_MAX]);

/*
 * Answers a question whose defect is a connection to the named address.
 * Says what was sent (in words), what was replied, and what came.
 */
void dial_answer(const struct dial *d, struct ask *q, const char *sent);

/*
 * There is an own address to be named (here is always one); else the question
 * is answered inconclusive.
 */
MUST_USE bool dial_needs(struct ask *q, const struct addr *named);

/*
 * A whole question: one session that names one address in one spelling.
 *
 * spell  writes the line that names its argument
 */
void dial_once(struct ask *q, const struct addr *named,
    struct sv (*spell)(const struct addr *a, char buf[DIAL_LINE_MAX]),
    const char *sent, const char *transfer);

/* For a port that could not be had: the reply alone, and no transfer. */
void dial_reply_only(struct dial *d, struct ask *q, struct link *l,
    struct sv raw, const char *sent);
