/*
 * tls/client.h: a TLS client that looks and does not trust.  It speaks with
 * whoever answers, as weakly as it is told to, and says what it met: version,
 * session, certificate, and for each failure whose it was.
 *
 * It works on a connected socket of the caller's, blocking or not, and never
 * blocks longer than a deadline; it raises no SIGPIPE.  No byte is read from
 * the socket beyond the TLS record that is being read, so that what follows
 * the last record can be read from the socket itself (tls_stop).
 *
 * Deadlines are points in time in ms of CLOCK_BOOTTIME, as struct loop's
 * now_ms.  From a deadline on nothing is read, even if it is there: a peer
 * that never pauses cannot keep us.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/sv.h"	/* MUST_USE */

#define TLS_ERROR_MAX 256
#define TLS_NAME_MAX  256

enum tls_version {
	TLS_ANY,	/* whatever this host's library can speak */
	TLS_1_0,
	TLS_1_1,
	TLS_1_2,
	TLS_1_3,
};

enum tls_why {
	TLS_WHY_NONE,
	TLS_WHY_LOCAL,	/* this host's library cannot; nothing was sent */
	TLS_WHY_TIME,	/* the deadline came */
	TLS_WHY_CUT,	/* the connection ended without close_notify */
	TLS_WHY_CLOSED,	/* the peer had ended TLS with close_notify */
	TLS_WHY_ALERT,	/* the peer said no; .alert says how */
	TLS_WHY_VERSION,	/* the peer chose one that was not offered */
	TLS_WHY_CLEAR,	/* the peer's first bytes are no TLS */
	TLS_WHY_FAULT,	/* TLS that is wrong */
};

struct tls_error {
	enum tls_why why;
	int alert;	/* RFC 8446 §6; -1 unless why is TLS_WHY_ALERT */
	char text[TLS_ERROR_MAX];	/* one line of printable ASCII */
};

struct tls;
struct tls_session;

struct tls_client_want {
	/* NULL: none.  An address is not sent: RFC 6066 §3 forbids it. */
	const char *sni;
	const char *alpn;	/* one protocol's name, "ftp"; NULL: none */
	enum tls_version min_version, max_version;
	/* NULL: none.  A session resumes at its own version only: where both
	 * versions are TLS_ANY, no other is offered. */
	const struct tls_session *resume;
};

struct tls_facts {
	enum tls_version version;
	const char *cipher;	/* the library's name; lives as long as tls */
	bool resumed;
	int warning;	/* an alert that ended no handshake, or -1 */
	char alpn[TLS_NAME_MAX];	/* what the peer chose; "" if nothing */
	/* Of the peer's certificate, if there is one.  A resumed session has
	 * that of the session it resumes. */
	bool certificate;
	bool self_signed;
	bool expired;		/* at the time given */
	bool not_yet_valid;
	bool host_matches;
	time_t not_before, not_after;
	char subject[TLS_NAME_MAX], issuer[TLS_NAME_MAX]; /* printable ASCII */
	char key[32];		/* "RSA 2048" */
};

/*
 * Makes the handshake on fd, which stays the caller's.  The certificate is
 * not verified: see tls_facts.
 *
 * NULL  with the cause in error.  The socket is in no state to go on with.
 *
 * All versions are offered at the library's lowest security level, so that
 * the answer is the peer's own and not this host's policy.
 */
MUST_USE struct tls *tls_connect(int fd, const struct tls_client_want *want,
    uint64_t deadline_ms, struct tls_error *error);

/* Neither sends anything nor closes the socket. */
void tls_free(struct tls *t);

/*
 * Reads at most n > 0 bytes, at least one.  0: the peer ended TLS with
 * close_notify.  -1: tls_error; TLS_WHY_CUT is the end without one, which
 * anybody between can cause; after TLS_WHY_TIME one may read again.
 */
MUST_USE ssize_t tls_read(struct tls *t, void *bytes, size_t n,
    uint64_t deadline_ms);

/* Whether tls_read has bytes that poll on the socket knows nothing of. */
bool tls_pending(const struct tls *t);

/*
 * Writes all n bytes and returns n, or -1: tls_error.  Then a part may have
 * gone, and nothing more can be written.
 */
MUST_USE ssize_t tls_write(struct tls *t, const void *bytes, size_t n,
    uint64_t deadline_ms);

/* Sends close_notify; what the peer sends can still be read. */
bool tls_shutdown(struct tls *t, uint64_t deadline_ms);

enum tls_stop {
	TLS_STOP_CLEAN,		/* both have said close_notify */
	TLS_STOP_ABRUPT,	/* the peer goes on in clear without it */
	TLS_STOP_FAILED,	/* tls_error */
};

/*
 * Ends TLS but not the connection (CCC, RFC 4217 §6): sends close_notify and
 * waits for the peer's.  What the peer had still sent within TLS is dropped.
 * Afterwards only tls_free may be called, and the next byte from the socket is
 * the first in clear.
 */
MUST_USE enum tls_stop tls_stop(struct tls *t, uint64_t deadline_ms);

/* Why the last call failed. */
const struct tls_error *tls_error(const struct tls *t);

/*
 * The newest session that the peer gave, the caller's from now on; NULL if
 * none.  With TLS 1.3 it comes after the handshake, with what is read.  It
 * outlives t and may be offered many times.
 */
MUST_USE struct tls_session *tls_session_take(struct tls *t);
void tls_session_free(struct tls_session *s);

/* host, a name or an address, may be NULL; now is a time of day. */
void tls_facts(const struct tls *t, const char *host, time_t now,
    struct tls_facts *out);

/* "TLS 1.2"; "any". */
const char *tls_version_name(enum tls_version v);

/* RFC 8446's name for an alert, "no_application_protocol"; never NULL. */
const char *tls_alert_name(int alert);
