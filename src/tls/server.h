/*
 * tls/server.h: the server's side of TLS: what a site offers (a context), and
 * its connections.
 *
 * Nothing here reads a file, makes a socket or waits for a clock.  Texts are
 * given as bytes, since who speaks TLS has no files; the private key is asked
 * for elsewhere (remote_key.h); how long a step may take is the caller's.
 *
 * SIGPIPE must be ignored in the process: the library writes with write(2).
 *
 * TLS 1.2 and 1.3; ephemeral keys and authenticated ciphers only; neither
 * compression nor renegotiation, nor data before the handshake is done.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/sv.h"
#include "tls/remote_key.h"

/* ---- what a site offers */

#define TLS_SERVER_CERTS_MAX 32		/* chains */
#define TLS_CHAIN_MAX 8			/* certificates in one of them */
#define TLS_CLIENT_CHAIN_MAX 32768	/* bytes that a client may send */
#define TLS_SESSIONS_MAX 64		/* kept for who knows no tickets */
#define TLS_RESUME_S 604800		/* RFC 8446 §4.6.1: at most 7 days */

enum tls_client_cert {
	TLS_CLIENT_CERT_OFF,		/* not asked for */
	TLS_CLIENT_CERT_OPTIONAL,	/* none is fine, a bad one is not */
	TLS_CLIENT_CERT_REQUIRED,
};

struct tls_server_cert {
	struct sv chain;	/* PEM, the server's own first */
	struct sv ocsp;		/* DER, to be stapled; empty: none */
	uint32_t key;		/* its private key's number at the signer */
	uint32_t site;		/* the caller's; told by tls_conn_site */
};

struct tls_server_want {
	/*
	 * The first one's site is for who names none.  Chains of one site
	 * stand side by side, with keys of different kinds.  All is read
	 * during the call.
	 */
	const struct tls_server_cert *certs;
	size_t certs_count;
	const struct tls_signer *signer;	/* borrowed */
	bool strict_sni;	/* a name that is no site's is refused */
	enum tls_client_cert client_cert;
	struct sv client_ca;	/* PEM */
	/*
	 * PEM; empty: not asked.  Where there is one, every client needs one
	 * of his issuer's that is still in force: without it he is refused.
	 */
	struct sv client_crl;
};

/* What is wrong, in which of the texts, and where. */
enum tls_text {
	TLS_TEXT_NONE,
	TLS_TEXT_CHAIN,
	TLS_TEXT_OCSP,
	TLS_TEXT_CA,
	TLS_TEXT_CRL,
	TLS_TEXT_KEY,	/* the signer's is another one, or there is none */
};

#define TLS_FAULT_MAX 256

struct tls_server_fault {
	enum tls_text in;
	size_t cert;	/* of CHAIN, OCSP, KEY: which of want->certs */
	unsigned line;	/* counted from 1; 0: of no line in particular */
	char text[TLS_FAULT_MAX];	/* one line of printable ASCII */
};

struct tls_server;

/*
 * A context, with ticket keys of its own that never leave it.  now: seconds
 * of the wall clock, to which certificates and staples are held.
 *
 * A new configuration is a new context: connections keep theirs, and their
 * data connections are made with it (tls_conn_new).
 *
 * NULL with *fault: nothing has changed.
 */
MUST_USE struct tls_server *tls_server_new(const struct tls_server_want *want,
    int64_t now, struct tls_server_fault *fault);

/*
 * Other keys for tickets, in a process that was forked from the one that made
 * it and before its first connection.  False without random numbers.
 */
MUST_USE bool tls_server_renew(struct tls_server *s);

/* The caller's reference; connections hold one each. */
void tls_server_free(struct tls_server *s);

/*
 * Has each key sign something and looks whether that is its certificate's.
 * Needs the signer.  False with *fault.
 */
MUST_USE bool tls_server_check_keys(const struct tls_server *s,
    struct tls_server_fault *fault);

/*
 * The first second after the end of a text: of its certificate, or list,
 * that ends first.  INT64_MAX: there is none.  cert: of CHAIN and OCSP.
 */
int64_t tls_server_until(const struct tls_server *s, enum tls_text in,
    size_t cert);

/* ---- a connection */

enum tls_role {
	TLS_CONTROL,	/* ALPN: "ftp" */
	TLS_DATA,	/* ALPN: "ftp-data", or "ftp" */
};

enum tls_result {
	TLS_DONE,
	/*
	 * The same call again once the descriptor is readable or writable.  A
	 * blocking one has then waited for as long as its SO_RCVTIMEO or
	 * SO_SNDTIMEO says.
	 */
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED,	/* the peer has ended TLS: what came is whole */
	TLS_TRUNCATED,	/* cut off without that: anybody may have done so */
	TLS_FAILED,	/* see tls_conn_fault; only tls_conn_free is left */
};

/* Whose doing a failure is. */
enum tls_side {
	TLS_SIDE_NONE,
	TLS_SIDE_PEER,	/* it said no, by an alert */
	TLS_SIDE_OURS,	/* we said no to what it sent */
	TLS_SIDE_WIRE,	/* the connection is gone */
	TLS_SIDE_LOCAL,	/* memory, the signer */
};

struct tls_conn_fault {
	enum tls_side side;
	int alert;	/* sent or received (RFC 8446 §6); -1: none */
	char text[TLS_FAULT_MAX];	/* one line of printable ASCII */
};

struct tls_conn;

/*
 * A connection on fd, which stays the caller's.
 *
 * control  NULL for a control connection; for a data connection the one that
 *	    it belongs to, which may be freed before it.  Its sessions alone
 *	    can be resumed here; whoever comes with another makes a handshake
 *	    in full and is told apart by tls_conn_resumed.
 * server   of a control connection; a data connection has its control's.
 *
 * NULL when there is no memory.
 */
MUST_USE struct tls_conn *tls_conn_new(struct tls_server *server, int fd,
    const struct tls_conn *control);

/* Sends nothing. */
void tls_conn_free(struct tls_conn *c);

/* TLS_DONE once it is made; then what follows may be asked. */
enum tls_result tls_conn_handshake(struct tls_conn *c);

/* TLS_DONE with *got of 1 to n bytes. */
enum tls_result tls_conn_read(struct tls_conn *c, void *bytes, size_t n,
    size_t *got);

/*
 * TLS_DONE with *put of 1 to n bytes.  After TLS_WANT_* the same bytes must
 * come first again, from whatever address.
 */
enum tls_result tls_conn_write(struct tls_conn *c, const void *bytes, size_t n,
    size_t *put);

/*
 * Ends our direction (close_notify); what the peer still sends can be read.
 * TLS_DONE when it is sent.
 */
enum tls_result tls_conn_shutdown(struct tls_conn *c);

/*
 * Of a control connection whose session was resumed for data: with the next
 * bytes that are written comes another ticket.  Many clients use one once in
 * TLS 1.3 (RFC 8446 C.4), and those that upload never read the one that a data
 * connection ends with.
 */
void tls_conn_renew(struct tls_conn *control);

/* Of TLS_TRUNCATED and TLS_FAILED. */
const struct tls_conn_fault *tls_conn_fault(const struct tls_conn *c);

/* ---- what the handshake came to */

bool tls_conn_resumed(const struct tls_conn *c);
/*
 * The client came with a session to be resumed, be it ours or another's: a
 * connection that is not resumed and has none never could.
 */
bool tls_conn_offered(const struct tls_conn *c);
/* data resumed a session of control's. */
bool tls_conn_resumed_from(const struct tls_conn *data,
    const struct tls_conn *control);

const char *tls_conn_version(const struct tls_conn *c);	/* "TLSv1.3" */
const char *tls_conn_cipher(const struct tls_conn *c);
/* What the client asked for, a name as the library accepts it; or NULL. */
const char *tls_conn_sni(const struct tls_conn *c);
uint32_t tls_conn_site(const struct tls_conn *c);
bool tls_conn_has_alpn(const struct tls_conn *c);

struct tls_client_id {
	char subject[256];	/* RFC 2253's form, printable ASCII */
	/* "" where there is not one alone, or it is not printable ASCII. */
	char common_name[65];
	uint8_t sha256[32];	/* of the certificate */
};

/*
 * The client's certificate, which was verified; false when it has none.  Of a
 * control connection: on data connections none is asked for.
 */
bool tls_conn_client(const struct tls_conn *c, struct tls_client_id *out);

/* ---- the kernel's encryption (kTLS) */

/*
 * Before the handshake, of a connection that only sends: what it sends is to
 * be encrypted by the kernel, where that has the cipher.  Nothing is said if
 * it has not.  The process must be allowed three calls on fd: setsockopt with
 * TCP_ULP and with TLS_TX, and sendmsg without flags.
 *
 * What is received is not the kernel's, and new keys cannot be given to it:
 * tls_conn_read may not be called.
 */
void tls_conn_want_ktls(struct tls_conn *c);

/*
 * Sends what is left to be said before the first byte.  TLS_DONE: whatever
 * is written to the descriptor from now on (write, sendfile) is encrypted.
 * Only after the handshake, and where tls_conn_has_ktls.
 */
enum tls_result tls_conn_enter_ktls(struct tls_conn *c);

/* After the handshake: the kernel encrypts what this connection sends. */
bool tls_conn_has_ktls(const struct tls_conn *c);
