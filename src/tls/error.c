/*
 * tls/error.c: whose failure it was, in words.
 *
 * The library's own texts name its functions' troubles ("wrong version
 * number" for a greeting in clear); what decides is what was seen on the wire.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/conn.h"

/* RFC 8446 §6; those of TLS 1.2 and before (RFC 5246 §7.2) among them. */
#define ALERTS(X) \
	X(0, close_notify) \
	X(10, unexpected_message) \
	X(20, bad_record_mac) \
	X(21, decryption_failed) \
	X(22, record_overflow) \
	X(30, decompression_failure) \
	X(40, handshake_failure) \
	X(41, no_certificate) \
	X(42, bad_certificate) \
	X(43, unsupported_certificate) \
	X(44, certificate_revoked) \
	X(45, certificate_expired) \
	X(46, certificate_unknown) \
	X(47, illegal_parameter) \
	X(48, unknown_ca) \
	X(49, access_denied) \
	X(50, decode_error) \
	X(51, decrypt_error) \
	X(60, export_restriction) \
	X(70, protocol_version) \
	X(71, insufficient_security) \
	X(80, internal_error) \
	X(86, inappropriate_fallback) \
	X(90, user_canceled) \
	X(100, no_renegotiation) \
	X(109, missing_extension) \
	X(110, unsupported_extension) \
	X(111, certificate_unobtainable) \
	X(112, unrecognized_name) \
	X(113, bad_certificate_status_response) \
	X(114, bad_certificate_hash_value) \
	X(115, unknown_psk_identity) \
	X(116, certificate_required) \
	X(120, no_application_protocol)

const char *
tls_alert_name(int alert)
{
	switch (alert) {
#define X(number, name) case number: return #name;
	ALERTS(X)
#undef X
	default:
		return "unknown_alert";
	}
}

const char *
tls_version_name(enum tls_version v)
{
	switch (v) {
	case TLS_ANY:
		return "any";
	case TLS_1_0:
		return "TLS 1.0";
	case TLS_1_1:
		return "TLS 1.1";
	case TLS_1_2:
		return "TLS 1.2";
	case TLS_1_3:
		return "TLS 1.3";
	}
	return "any";
}

void
error_escape(char *out, size_t size, const void *bytes, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *in = bytes;
	size_t len = 0;

	for (size_t i = 0; i < n && len + 5 <= size; i++) {
		unsigned char c = in[i];

		if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"') {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '\\';
		out[len++] = 'x';
		out[len++] = hex[c >> 4];
		out[len++] = hex[c & 15];
	}
	if (size > 0)
		out[len] = '\0';
}

/* A record's type (20 to 23) and 3 as the version's first byte. */
static bool
began_as_tls(const struct tls *t)
{
	return t->first_len >= 1 && t->first[0] >= 20 && t->first[0] <= 23 &&
	    (t->first_len < 2 || t->first[1] == 3);
}

static bool
is_about_version(unsigned long code)
{
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return false;
	switch (ERR_GET_REASON(code)) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNKNOWN_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
		return true;
	default:
		return false;
	}
}

static enum tls_why
why(const struct tls *t, unsigned long code)
{
	if (t->alert >= 0)
		return TLS_WHY_ALERT;
	if (t->bytes_out == 0 && !t->cut)
		return TLS_WHY_LOCAL;
	if (!t->connected && t->first_len > 0 && !began_as_tls(t))
		return TLS_WHY_CLEAR;
	if (t->cut)
		return TLS_WHY_CUT;
	if (is_about_version(code))
		return TLS_WHY_VERSION;
	if (t->ssl != NULL && SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN)
		return TLS_WHY_CLOSED;
	return TLS_WHY_FAULT;
}

static void
say_cut(struct tls_error *e, const struct tls *t)
{
	const char *when = t->connected ? "within TLS" :
	    t->bytes_in == 0 ? "instead of a TLS handshake" :
	    "in the middle of the TLS handshake";

	if (t->cut_errno == 0)
		snprintf(e->text, sizeof(e->text),
		    "the peer closed the connection %s, without close_notify",
		    when);
	else
		snprintf(e->text, sizeof(e->text),
		    "the connection was lost %s: %s", when,
		    strerror(t->cut_errno));
}

/* Of what came in clear only a record's header was read; more may be there. */
static void
say_clear(struct tls_error *e, const struct tls *t)
{
	unsigned char first[CONN_FIRST];
	char text[sizeof(first) * 4 + 1];
	size_t len = t->first_len;
	ssize_t more;

	memcpy(first, t->first, len);
	more = recv(t->fd, first + len, sizeof(first) - len,
	    MSG_PEEK | MSG_DONTWAIT);
	if (more > 0)
		len += (size_t)more;
	error_escape(text, sizeof(text), first, len);
	snprintf(e->text, sizeof(e->text),
	    "the peer does not speak TLS; it sent \"%s\"", text);
}

void
error_set(struct tls *t)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);
	struct tls_error *e = &t->error;

	if (reason == NULL)
		reason = "no reason given";
	*e = (struct tls_error) { .why = why(t, code), .alert = -1 };
	switch (e->why) {
	case TLS_WHY_ALERT:
		e->alert = t->alert;
		snprintf(e->text, sizeof(e->text),
		    "the peer refused with the TLS alert %s (%d)",
		    tls_alert_name(t->alert), t->alert);
		break;
	case TLS_WHY_LOCAL:
		snprintf(e->text, sizeof(e->text),
		    "this host's TLS library cannot: %s", reason);
		break;
	case TLS_WHY_CLEAR:
		say_clear(e, t);
		break;
	case TLS_WHY_CUT:
		say_cut(e, t);
		break;
	case TLS_WHY_VERSION:
		snprintf(e->text, sizeof(e->text), "the peer answered with "
		    "a TLS version that was not offered");
		break;
	case TLS_WHY_CLOSED:
		snprintf(e->text, sizeof(e->text),
		    "the peer has ended TLS with close_notify");
		break;
	case TLS_WHY_NONE:
	case TLS_WHY_TIME:
	case TLS_WHY_FAULT:
		snprintf(e->text, sizeof(e->text),
		    "the peer's TLS is wrong: %s", reason);
		break;
	}
}
