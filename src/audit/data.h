/*
 * audit/data.h: data connections of the auditor's own.
 *
 * Passive ones go to the audited address whatever a 227 names: a reply is no
 * reason to connect to somebody.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/link.h"

#define DATA_FETCH_MOST (256u << 20)	/* bytes of one transfer to us */
#define DATA_FETCH_MS 120000		/* and how long it may take */

struct data {
	int fd;
	struct tls *tls;
	struct tls_error refusal;	/* when TLS failed on it */
};

/*
 * Takes a connection that is made, the descriptor with it; after PROT P with
 * a TLS handshake (we are TLS's client in either mode), which resumes the
 * control connection's session.  False: no TLS.  data_close in either case.
 */
MUST_USE bool data_begin(struct data *d, struct link *l, int fd);

/* As sock_read. */
MUST_USE ssize_t data_read(struct data *d, void *buf, size_t n,
    uint64_t deadline_ms);
void data_close(struct data *d);

/*
 * Asks for a passive port with EPSV, or PASV where that is refused; or with
 * the verb that is given.  On true *at is the audited address with the port
 * that was told; never one below 1024, where other services of that host are.
 */
MUST_USE bool data_ask_passive(struct link *l, struct reply *r,
    const char *verb, struct addr *at);

/* What the last reply named, as it stands; ADDR_NONE for no address. */
MUST_USE bool data_named(const struct reply *r, struct addr *out);

/* Connects from an own address (NULL: A); -1 with errno set. */
MUST_USE int data_connect(const struct link *l, const struct addr *from,
    const struct addr *at);

/*
 * A whole transfer to us.  Calls piece (NULL: no one) for what comes, up to
 * DATA_FETCH_MOST bytes, DATA_FETCH_MS, or --timeout without a byte.
 *
 * Returns the number of bytes; -1 when there was no transfer: *r says why.
 * *r is the transfer's last reply; code 0 when there was none.
 */
typedef void data_piece(void *arg, struct sv bytes);
MUST_USE int64_t data_fetch(struct link *l, struct reply *r,
    const char *command, data_piece *piece, void *arg);

/*
 * A whole transfer from us; true when the server said that it is done.
 *
 * begun  the server did not refuse: whatever the end was, there may be a file
 */
MUST_USE bool data_store(struct link *l, struct reply *r,
    const char *command, struct sv bytes, bool *begun);
