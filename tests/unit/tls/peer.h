/*
 * tests/unit/tls/peer.h: the server's end of a TLS connection, in a thread:
 * the library's real one, or bytes as they stand.
 *
 * The thread's end of the socket pair is its own to close; asserts are for
 * the test's thread only, after peer_end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "unit.h"

struct peer {
	/* what it does */
	SSL_CTX *ctx;		/* NULL: no TLS, only talk */
	int min, max;		/* 0: any */
	const char *alpn;	/* refuses any other; NULL: looks at none */
	int sni;		/* SSL_TLSEXT_ERR_*, for any name */
	void (*talk)(struct peer *p);
	const void *raw;
	size_t raw_len;
	/* what it met; to be read after peer_end */
	bool shaken, resumed, sni_seen;
	char sni_got[64];
	char got[64];
	int result;
	/* its own */
	int fd, done;
	SSL *ssl;
	pthread_t thread;
};

/* A context with a certificate for ftp.example.org, *.wild.example.org and
 * 192.0.2.21, of 2020 to 2030, signed by itself, or by somebody else. */
SSL_CTX *peer_context(bool self_signed);

/* Starts it and returns the client's end. */
int peer_start(struct peer *p);

/* Closes the client's end and waits for the thread. */
void peer_end(struct peer *p, int fd);

/* A talk: silence until the client has closed its end. */
void peer_wait(struct peer *p);
