/*
 * tls/conn.h: what the files behind tls/client.h share; not for others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tls/client.h"

#define CONN_FIRST 24	/* the peer's first bytes, for the text of an error */

struct tls {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO_METHOD *method;
	int fd;
	uint64_t deadline_ms;	/* of the call that is being made */
	bool connected;
	bool half_written;	/* a record, by a call that failed */
	bool ended;		/* by us, with close_notify */
	bool stopping;		/* clear text may follow any record */
	bool in_clear;		/* it does; not a byte of it was taken */
	unsigned char header[SSL3_RT_HEADER_LENGTH];	/* of the record */
	size_t header_len;	/* 0: the next byte begins a record */
	size_t body_left;	/* when the header is whole */
	bool cut;		/* no more will come, or go */
	int cut_errno;		/* 0: the peer closed */
	int alert;		/* that ended TLS; -1: none */
	int warning;		/* that did not; -1: none */
	uint64_t bytes_in, bytes_out;
	unsigned char first[CONN_FIRST];
	size_t first_len;
	SSL_SESSION *session;	/* the newest */
	struct tls_error error;
};

/* The library's way to t's socket: a BIO, or NULL. */
BIO *wire_new(struct tls *t);

/*
 * Waits until t's socket is ready for events (POLLIN, POLLOUT) or has failed.
 * False from t's deadline on.
 */
bool wire_wait(const struct tls *t, short events);

/* Sets t->error, from what is known of t and from the library's errors. */
void error_set(struct tls *t);

/* n bytes of the network's as printable ASCII, cut to size. */
void error_escape(char *out, size_t size, const void *bytes, size_t n);
