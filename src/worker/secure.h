/*
 * worker/secure.h: TLS, in a process that has it.
 *
 * A worker that many sessions share has none: it links no TLS library, which
 * would cost each of them memory, and stand beside the input of all who speak
 * in clear.  A solo worker where there are certificates is the same program
 * with secure.c in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "worker/worker.h"

struct tls_client_id;

struct secure_ops {
	/*
	 * Before the walls: reads the certificates; exits with what is wrong.
	 * check: also whether the signer has their keys.
	 */
	void (*start)(const struct conf *c, bool check);

	/* Behind a fork: what two processes must not both have. */
	void (*renew)(void);
	/* Behind start: a line about each text that has ended, or will soon. */
	void (*warn)(const struct conf *c);

	/* ---- the control connection: s->tls */

	/* From now on its bytes are TLS's; false without memory. */
	bool (*begin)(struct sess *s);
	/*
	 * A step of the handshake.  SECURE_FAILED: it was said in an event,
	 * and the session is to be closed.
	 */
	enum secure_step {
		SECURE_DONE,
		SECURE_AGAIN,	/* s->tls_writes says what it waits for */
		SECURE_FAILED,
	} (*step)(struct sess *s);
	/* As recv(2) and send(2) on a descriptor that does not block. */
	ssize_t (*read)(struct sess *s, void *bytes, size_t n);
	ssize_t (*write)(struct sess *s, const void *bytes, size_t n);
	/* The certificate that its client has shown; false: none. */
	bool (*client)(const struct sess *s, struct tls_client_id *out);
	/* A data connection has resumed: the next reply brings a ticket. */
	void (*give_ticket)(struct sess *s);
	/* Says close_notify, if it can be said, and forgets s->tls. */
	void (*end)(struct sess *s);

	/* ---- a data connection: x->tls; on a disk thread but for the first */

	bool (*data_begin)(struct xfer *x);
	/* STEP_DONE: the handshake is made, now or before. */
	enum xfer_step (*data_greet)(struct xfer *x);
	/* After that, of x->by_kernel: what is sent is sent as in clear. */
	enum xfer_step (*data_enter_kernel)(struct xfer *x);
	/* As send(2). */
	ssize_t (*data_write)(struct xfer *x, const void *bytes, size_t n);
	/*
	 * As recv(2), on a descriptor that does not block.  0 is the client's
	 * close_notify; any other end is EPIPE, and what failed is EPROTO.
	 */
	ssize_t (*data_read)(struct xfer *x, void *bytes, size_t n);
	/* close_notify: all was sent, or is there. */
	enum xfer_step (*data_finish)(struct xfer *x);
	void (*data_free)(struct xfer *x);
	/* On the loop, of a failed one: its event, and why in a few words. */
	const char *(*data_failed)(struct xfer *x);
};

/* NULL: there is no TLS in this program. */
extern const struct secure_ops *const secure;
