/*
 * audit/link.h: a control connection of the auditor's: commands out, whole
 * replies in, all of it written down.
 *
 * What the server sends is bounded: 64 KiB of a reply are kept, 1 MiB is read,
 * and a reply that does not come whole within --timeout is none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/ask.h"
#include "audit/sock.h"
#include "tls/client.h"

#define LINK_REPLY_KEPT 65536	/* bytes of a reply */
#define LINK_REPLY_READ 1048576
#define LINK_COMMAND_MAX 1024	/* of link_command, CRLF and NUL included */

struct link {
	struct ask *ask;
	int fd;
	struct tls *tls;	/* NULL: in the clear */
	struct tls_session *session;	/* to be resumed on data connections */
	struct tls_error tls_refusal;	/* when link_handshake failed */
	bool prot_p;		/* data connections are TLS, too */
	bool no_resume;		/* and do not resume the session */
	unsigned number;	/* in the transcript */
	struct addr here;	/* our end; ADDR_NONE until it is known */
	bool logged_in;
	bool epsv_all;		/* was promised: data addresses are void */
	struct addr reply_only;	/* not ours, and may be named all the same */
	bool over;		/* closed, lost, or told 421 */
	bool told_421;
	int telnet;		/* bytes of a Telnet sequence still to come */
	size_t len;		/* bytes in buf that no reply has taken yet */
	char *buf;		/* LINK_REPLY_KEPT */
};

#define REPLY_TEXT_MAX 1024
#define REPLY_RAW_MAX 4096

struct reply {
	int code;		/* 0: none came, and text says why */
	char text[REPLY_TEXT_MAX];	/* all lines in one, printable, cut */
	char raw[REPLY_RAW_MAX];	/* as it came, NUL-terminated, cut */
	unsigned took_ms;	/* from when it was waited for */
	bool ignored;		/* none came, and the next command had one */
};

/* 2yz and 3yz, 1yz; 4yz and 5yz */
static inline bool
reply_agrees(const struct reply *r)
{
	return r->code >= 200 && r->code < 400;
}
static inline bool
reply_begins(const struct reply *r)
{
	return r->code >= 100 && r->code < 200;
}
static inline bool
reply_refuses(const struct reply *r)
{
	return r->code >= 400;
}

/*
 * Connects from `from` (NULL: A) and reads the greeting; with ftps:// TLS is
 * begun first.  NULL: the question is answered inconclusive, and why.
 */
MUST_USE struct link *link_open(struct ask *q, const struct addr *from);

/* A connection of which nothing is read and TLS not begun; NULL likewise. */
MUST_USE struct link *link_connect(struct ask *q);

/*
 * Makes a link of a connection that is made already; nothing is read.  The
 * descriptor is the link's, on failure (NULL) it is closed.
 */
MUST_USE struct link *link_attach(struct ask *q, int fd);

/*
 * link_open, and a login as the user who was named, or anonymous; within TLS
 * where facts.login_tls says so.
 */
MUST_USE struct link *link_login(struct ask *q);

/*
 * USER and PASS on a connection that is open, or logged in by now.  False:
 * there is no login, and *r is the reply that says so.
 */
MUST_USE bool link_say_user(struct link *l, struct reply *r);

/* The same; where there is no login, the question is answered, and why. */
MUST_USE bool link_user(struct link *l);

/* Says QUIT, reads no more, and frees.  NULL is fine. */
void link_close(struct link *l);

/*
 * Sends one command and reads its reply.  Returns r->code: 0 when no reply
 * came.  A 421 ends the link.
 */
int link_command(struct link *l, struct reply *r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Sends bytes as they are, as one write and one command of the 64.
 *
 * The ground rule is kept here: a line of which any reading (proto/lenient.h)
 * names an address that is not ours is not sent, and false returned; the link
 * goes on.  l->reply_only is the exception.
 */
MUST_USE bool link_send(struct link *l, struct sv raw);

/* Reads one reply, for at most so long.  Returns r->code. */
int link_read(struct link *l, struct reply *r, unsigned ms);

/*
 * Reads the reply to a line that the server may not take for one, and say
 * nothing to: after 2 s SYST is sent.  When that is answered with its 215,
 * r->ignored is set, r->code is 0, and the link goes on; another reply is the
 * line's own.
 */
int link_read_odd(struct link *l, struct reply *r);

/* Makes the TLS handshake; false: l->tls_refusal says why, l is over. */
MUST_USE bool link_handshake(struct link *l,
    const struct tls_client_want *want);

/* Bytes of a reply are there, or can be read at once; or the end is. */
bool link_has_news(struct link *l);

/*
 * Reads what was said before it was asked for, so that a reply is of the
 * command before it and of no other.  False: the link is over, by *r.
 */
MUST_USE bool link_set_aside(struct link *l, struct reply *r);

/* What --timeout says, in ms; less, when --max-time leaves less. */
unsigned link_patience(const struct link *l);
