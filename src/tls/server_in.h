/*
 * tls/server_in.h: a context and a connection, between the files that make
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "tls/remote.h"
#include "tls/server.h"

struct server_cert {
	X509 *leaf;
	unsigned char *ocsp;
	size_t ocsp_len;
	int64_t ocsp_until;	/* not stapled from then on */
	int64_t chain_until;	/* the first of its certificates to end */
	uint32_t key;
	size_t place;		/* of its site */
};

struct server_place {
	SSL_CTX *ctx;		/* the first place's holds the ticket keys */
	uint32_t site;
};

struct tls_server {
	atomic_uint references;
	struct remote library;
	struct server_place places[TLS_SERVER_CERTS_MAX];
	size_t places_count;
	struct server_cert certs[TLS_SERVER_CERTS_MAX];
	size_t certs_count;
	const struct tls_signer *signer;
	bool strict_sni;
	int64_t ca_until, crl_until;	/* likewise */
};

/* Names a control connection's sessions: random, and no secret. */
#define TLS_ID_BYTES 16

struct tls_conn {
	struct tls_server *server;
	SSL *ssl;
	enum tls_role role;
	uint8_t id[TLS_ID_BYTES];
	size_t place;
	bool shaken, failed, told_ticket;
	bool offered;
	bool abused;
	uint64_t bytes_in;
	unsigned key_updates;
	int alert_in, alert_out;	/* -1: none */
	int wire_errno;
	bool wire_end;
	struct tls_conn_fault fault;
};

/* server.c */
void server_ref(struct tls_server *s);
/* The place of the first certificate for that name; -1: none. */
ssize_t server_find(const struct tls_server *s, const char *name);

/* server_text.c: reading what is given. */

/* As fault_set, with the line at which the n-th block (from 0) begins. */
unsigned text_line(struct sv pem, const char *kind, size_t n);
void fault_set(struct tls_server_fault *f, enum tls_text in, unsigned line,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The reason that the library gives for its first error; clears them. */
const char *library_reason(void);

/* Into ctx, with cert->leaf set: a chain, its leaf's times held to now. */
bool chain_load(struct tls_server *s, SSL_CTX *ctx,
    const struct tls_server_cert *want, struct server_cert *cert, int64_t now,
    struct tls_server_fault *f);
bool ocsp_load(SSL_CTX *ctx, struct sv der,
    struct server_cert *cert, int64_t now, struct tls_server_fault *f);
bool clients_load(struct tls_server *s, SSL_CTX *ctx,
    const struct tls_server_want *want, struct tls_server_fault *f);

/* server_conn.c: what the handshake calls; each finds its conn in the SSL. */
int conn_on_sni(SSL *ssl, int *alert, void *server);
int conn_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg);
int conn_on_hello(SSL *ssl, int *alert, void *arg);
int conn_on_status(SSL *ssl, void *server);
int conn_on_new_ticket(SSL *ssl, void *arg);
SSL_TICKET_RETURN conn_on_ticket(SSL *ssl, SSL_SESSION *session,
    const unsigned char *name, size_t name_len, SSL_TICKET_STATUS status,
    void *arg);
void conn_on_info(const SSL *ssl, int where, int value);
void conn_on_message(int written, int version, int type, const void *bytes,
    size_t n, SSL *ssl, void *arg);
