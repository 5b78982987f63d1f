/*
 * What the auditor's TLS client says of its peers, held to what the peers
 * did: each is the library's own server end, or bytes as they stand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/peer.h"

#define LONG_MS  20000	/* never reached, unless something hangs */
#define SHORT_MS 150
#define PATIENCE_MS 5000	/* a slow machine; far from LONG_MS */
#define BIG (1 << 20)

static SSL_CTX *server, *other_server;

static uint64_t
in_ms(uint64_t delay)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 +
	    delay;
}

static void
assert_one_printable_line(const char *text)
{
	assert_true(text[0] != '\0');
	for (; *text != '\0'; text++)
		assert_true(*text >= 0x20 && *text < 0x7f);
}

static struct tls *
connected(int fd, struct tls_client_want want)
{
	struct tls_error error;
	struct tls *t = tls_connect(fd, &want, in_ms(LONG_MS), &error);

	if (t == NULL)
		print_error("tls_connect: %s\n", error.text);
	assert_non_null(t);
	return t;
}

/* The handshake fails for this reason, with these words. */
static void
assert_refused(int fd, struct tls_client_want want, uint64_t ms,
    enum tls_why why, int alert, const char *words)
{
	struct tls_error error;

	assert_null(tls_connect(fd, &want, in_ms(ms), &error));
	assert_one_printable_line(error.text);
	if (strstr(error.text, words) == NULL)
		fail_msg("other words: %s", error.text);
	assert_int_equal(error.why, why);
	assert_int_equal(error.alert, alert);
}

static struct tls_facts
facts(const struct tls *t, const char *host)
{
	struct tls_facts f;

	tls_facts(t, host, 1750000000, &f);	/* in 2025 */
	return f;
}

/* ---- versions */

static void
test_version_is_what_both_can(void **state)
{
	static const struct {
		enum tls_version min, max;
		int peer_min, peer_max;
		enum tls_version spoken;	/* TLS_ANY: refused */
	} rows[] = {
		{ TLS_ANY, TLS_ANY, 0, 0, TLS_1_3 },
		{ TLS_ANY, TLS_ANY, 0, TLS1_VERSION, TLS_1_0 },
		{ TLS_1_0, TLS_1_0, 0, 0, TLS_1_0 },
		{ TLS_1_1, TLS_1_1, 0, 0, TLS_1_1 },
		{ TLS_ANY, TLS_1_1, 0, 0, TLS_1_1 },
		{ TLS_1_2, TLS_1_2, 0, 0, TLS_1_2 },
		{ TLS_1_3, TLS_1_3, 0, 0, TLS_1_3 },
		{ TLS_1_2, TLS_1_3, 0, TLS1_2_VERSION, TLS_1_2 },
		{ TLS_1_0, TLS_1_0, TLS1_2_VERSION, 0, TLS_ANY },
		{ TLS_1_1, TLS_1_1, TLS1_2_VERSION, 0, TLS_ANY },
		{ TLS_1_3, TLS_1_3, 0, TLS1_2_VERSION, TLS_ANY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_client_want want = { .min_version = rows[i].min,
		    .max_version = rows[i].max };
		struct peer p = { .ctx = server, .min = rows[i].peer_min,
		    .max = rows[i].peer_max };
		int fd = peer_start(&p);

		if (rows[i].spoken == TLS_ANY) {
			assert_refused(fd, want, LONG_MS, TLS_WHY_ALERT, 70,
			    "TLS alert protocol_version (70)");
		} else {
			struct tls *t = connected(fd, want);
			struct tls_facts f = facts(t, NULL);

			assert_int_equal(f.version, rows[i].spoken);
			assert_true(strlen(f.cipher) > 5);
			assert_int_equal(f.warning, -1);
			tls_free(t);
		}
		peer_end(&p, fd);
		assert_int_equal(p.shaken, rows[i].spoken != TLS_ANY);
	}
}

static void
send_raw(struct peer *p)
{
	assert(write(p->fd, p->raw, p->raw_len) == (ssize_t)p->raw_len);
	peer_wait(p);
}

static void
test_version_not_offered_is_the_peers_fault(void **state)
{
	/* A ServerHello of TLS 1.0: random of zeros, AES128-SHA. */
	static const unsigned char hello[5 + 42] = {
		0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1, [44] = 0x2f,
	};
	struct peer p = { .talk = send_raw, .raw = hello,
	    .raw_len = sizeof(hello) };
	int fd = peer_start(&p);

	(void)state;
	assert_refused(fd, (struct tls_client_want) { .min_version = TLS_1_2 },
	    LONG_MS, TLS_WHY_VERSION, -1, "version that was not offered");
	peer_end(&p, fd);
}

static void
test_what_this_host_cannot_offer_is_no_answer(void **state)
{
	struct tls_client_want want = { .min_version = TLS_1_3,
	    .max_version = TLS_1_0 };
	int pair[2];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_refused(pair[0], want, LONG_MS, TLS_WHY_LOCAL, -1,
	    "this host's TLS library cannot offer TLS 1.0");
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);	/* nothing was sent */
	close(pair[0]);
	close(pair[1]);
}

/* ---- ALPN and SNI */

static void
test_alpn(void **state)
{
	static const struct {
		const char *wanted, *spoken, *chosen;	/* NULL: refused */
	} rows[] = {
		{ "ftp", "ftp", "ftp" },
		{ "http/1.1", "ftp", NULL },
		{ "ftp", "http/1.1", NULL },
		{ "http/1.1", NULL, "" },
		{ NULL, "ftp", "" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		size_t row = i / 2;
		struct tls_client_want want = { .alpn = rows[row].wanted,
		    .max_version = i % 2 ? TLS_1_2 : TLS_1_3 };
		struct peer p = { .ctx = server, .alpn = rows[row].spoken };
		int fd = peer_start(&p);

		if (rows[row].chosen == NULL) {
			assert_refused(fd, want, LONG_MS, TLS_WHY_ALERT, 120,
			    "TLS alert no_application_protocol (120)");
		} else {
			struct tls *t = connected(fd, want);
			struct tls_facts f = facts(t, NULL);

			assert_string_equal(f.alpn, rows[row].chosen);
			tls_free(t);
		}
		peer_end(&p, fd);
	}
}

static void
test_sni_is_sent_unless_an_address(void **state)
{
	static const struct {
		const char *sni;
		bool sent;
	} rows[] = {
		{ "ftp.example.org", true },
		{ "192.0.2.21", false },
		{ "2001:db8::21", false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct peer p = { .ctx = server };
		int fd = peer_start(&p);

		tls_free(connected(fd,
		    (struct tls_client_want) { .sni = rows[i].sni }));
		peer_end(&p, fd);
		assert_int_equal(p.sni_seen, rows[i].sent);
		if (rows[i].sent)
			assert_string_equal(p.sni_got, rows[i].sni);
	}
}

static void
test_sni_refused_or_warned_of(void **state)
{
	struct tls_client_want want = { .sni = "www.example.net",
	    .max_version = TLS_1_2 };
	struct peer refuses = { .ctx = server,
	    .sni = SSL_TLSEXT_ERR_ALERT_FATAL };
	struct peer warns = { .ctx = server,
	    .sni = SSL_TLSEXT_ERR_ALERT_WARNING };
	struct tls *t;
	int fd = peer_start(&refuses);

	(void)state;
	assert_refused(fd, want, LONG_MS, TLS_WHY_ALERT, 112,
	    "TLS alert unrecognized_name (112)");
	peer_end(&refuses, fd);

	fd = peer_start(&warns);
	t = connected(fd, want);
	assert_int_equal(facts(t, NULL).warning, 112);
	tls_free(t);
	peer_end(&warns, fd);
}

/* ---- sessions */

static void
say_hello(struct peer *p)
{
	SSL_write(p->ssl, "hello", 5);
	peer_wait(p);
}

static void
assert_reads(struct tls *t, const char *expected)
{
	char got[64];
	size_t n = strlen(expected);

	assert_int_equal(tls_read(t, got, sizeof(got), in_ms(LONG_MS)), n);
	assert_memory_equal(got, expected, n);
}

/* One connection; whether it was resumed, in the words of both ends. */
static bool
resumed(SSL_CTX *ctx, int version, const struct tls_session *offered,
    struct tls_session **taken)
{
	struct peer p = { .ctx = ctx, .max = version, .talk = say_hello };
	int fd = peer_start(&p);
	struct tls *t = connected(fd,
	    (struct tls_client_want) { .resume = offered });
	bool said = facts(t, NULL).resumed;

	assert_true(facts(t, NULL).certificate);
	assert_reads(t, "hello");
	if (taken != NULL)
		*taken = tls_session_take(t);
	tls_free(t);	/* as rude as an audit: no close_notify */
	peer_end(&p, fd);
	assert_int_equal(p.resumed, said);
	return said;
}

static void
test_session_is_resumed_where_the_peer_knows_it(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_2_VERSION,
	    TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		int version = versions[i];
		struct tls_session *first, *second;

		assert_false(resumed(server, version, NULL, &first));
		assert_non_null(first);
		assert_true(resumed(server, version, first, &second));
		assert_non_null(second);
		assert_true(resumed(server, version, first, NULL));
		assert_true(resumed(server, version, second, NULL));
		assert_false(resumed(other_server, version, first, NULL));
		assert_false(resumed(server, version, NULL, NULL));
		tls_session_free(first);
		tls_session_free(second);
	}
}

static void
test_session_is_offered_at_its_own_version(void **state)
{
	struct tls_session *old;
	struct peer p = { .ctx = server };
	int fd;
	struct tls *t;

	(void)state;
	assert_false(resumed(server, TLS1_2_VERSION, NULL, &old));
	assert_true(resumed(server, 0, old, NULL));
	/* unless other versions are asked for */
	fd = peer_start(&p);
	t = connected(fd, (struct tls_client_want) { .resume = old,
	    .min_version = TLS_1_3 });
	assert_false(facts(t, NULL).resumed);
	assert_int_equal(facts(t, NULL).version, TLS_1_3);
	tls_session_free(old);
	tls_free(t);
	peer_end(&p, fd);
}

static void
test_session_of_tls13_comes_with_what_is_read(void **state)
{
	struct peer p = { .ctx = server, .talk = say_hello };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	struct tls_session *s;

	(void)state;
	assert_null(tls_session_take(t));
	assert_reads(t, "hello");
	s = tls_session_take(t);
	assert_non_null(s);
	assert_null(tls_session_take(t));
	tls_session_free(s);
	tls_free(t);
	peer_end(&p, fd);
}

/* ---- the end */

static void
end_clean(struct peer *p)
{
	SSL_write(p->ssl, "abc", 3);
	SSL_shutdown(p->ssl);
}

static void
end_cut(struct peer *p)
{
	SSL_write(p->ssl, "abc", 3);
}

/* With unread bytes the pair says ECONNRESET, as TCP does. */
static void
end_reset(struct peer *p)
{
	struct pollfd unread = { .fd = p->fd, .events = POLLIN };

	SSL_write(p->ssl, "abc", 3);
	poll(&unread, 1, LONG_MS);
}

static void
test_close_notify_and_truncation_differ(void **state)
{
	static const struct {
		void (*end)(struct peer *p);
		bool clean;
		const char *words;
	} rows[] = {
		{ end_clean, true, "" },
		{ end_cut, false, "closed the connection within TLS, "
		    "without close_notify" },
		{ end_reset, false, "was lost within TLS: Connection reset" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct peer p = { .ctx = server, .talk = rows[i / 2].end,
		    .max = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION };
		int fd = peer_start(&p);
		struct tls *t = connected(fd, (struct tls_client_want) { 0 });
		char byte[8];

		assert_reads(t, "abc");
		if (rows[i / 2].end == end_reset)
			assert_int_equal(tls_write(t, "x", 1, in_ms(LONG_MS)),
			    1);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(tls_read(t, byte, sizeof(byte),
			    in_ms(LONG_MS)), rows[i / 2].clean ? 0 : -1);
			if (rows[i / 2].clean)
				continue;
			assert_int_equal(tls_error(t)->why, TLS_WHY_CUT);
			assert_one_printable_line(tls_error(t)->text);
			if (again == 0)
				assert_non_null(strstr(tls_error(t)->text,
				    rows[i / 2].words));
		}
		tls_free(t);
		peer_end(&p, fd);
	}
}

static void
close_at_once(struct peer *p)
{
	(void)p;
}

static void
test_write_to_who_has_gone_is_an_error_and_no_signal(void **state)
{
	struct peer p = { .ctx = server, .talk = close_at_once,
	    .max = TLS1_2_VERSION };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	struct pollfd gone = { .fd = fd };

	(void)state;
	poll(&gone, 1, LONG_MS);
	assert_int_equal(tls_write(t, "x", 1, in_ms(LONG_MS)), -1);
	assert_int_equal(tls_error(t)->why, TLS_WHY_CUT);
	assert_false(tls_shutdown(t, in_ms(LONG_MS)));
	tls_free(t);
	peer_end(&p, fd);
}

static void
note_shutdown(struct peer *p)
{
	char byte;
	int ret = SSL_read(p->ssl, &byte, 1);

	p->result = SSL_get_error(p->ssl, ret);
	SSL_write(p->ssl, "late", 4);
	peer_wait(p);
}

static void
test_shutdown_says_close_notify_and_goes_on_reading(void **state)
{
	struct peer p = { .ctx = server, .talk = note_shutdown };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });

	(void)state;
	assert_true(tls_shutdown(t, in_ms(LONG_MS)));
	assert_true(tls_shutdown(t, in_ms(LONG_MS)));
	assert_reads(t, "late");
	assert_int_equal(tls_write(t, "x", 1, in_ms(LONG_MS)), -1);
	tls_free(t);
	peer_end(&p, fd);
	assert_int_equal(p.result, SSL_ERROR_ZERO_RETURN);
}

/* The library ends with an alert when a client will not renegotiate. */
static void
renegotiate(struct peer *p)
{
	SSL_write(p->ssl, "abc", 3);
	SSL_renegotiate(p->ssl);
	SSL_do_handshake(p->ssl);
	SSL_do_handshake(p->ssl);
	SSL_read(p->ssl, p->got, 1);
	peer_wait(p);
}

static void
test_alert_after_the_handshake_is_told(void **state)
{
	struct peer p = { .ctx = server, .talk = renegotiate,
	    .max = TLS1_2_VERSION };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	char byte;

	(void)state;
	assert_reads(t, "abc");
	assert_int_equal(tls_read(t, &byte, 1, in_ms(LONG_MS)), -1);
	assert_int_equal(tls_error(t)->why, TLS_WHY_ALERT);
	assert_int_equal(tls_error(t)->alert, 40);
	assert_non_null(strstr(tls_error(t)->text, "handshake_failure (40)"));
	tls_free(t);
	peer_end(&p, fd);
}

/* ---- time */

static void
test_silent_peer_ends_at_the_deadline(void **state)
{
	(void)state;
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		struct peer p = { .talk = peer_wait };
		int fd = peer_start(&p);
		uint64_t begun = in_ms(0);

		if (nonblocking)
			assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
		assert_refused(fd, (struct tls_client_want) { 0 }, SHORT_MS,
		    TLS_WHY_TIME, -1, "no answer to the TLS handshake");
		assert_in_range(in_ms(0) - begun, SHORT_MS, PATIENCE_MS);
		peer_end(&p, fd);
	}
}

static void
test_half_a_handshake_ends_at_the_deadline(void **state)
{
	struct peer p = { .talk = send_raw, .raw = "\x16\x03\x03\x00\x40\x02",
	    .raw_len = 6 };
	int fd = peer_start(&p);

	(void)state;
	assert_refused(fd, (struct tls_client_want) { 0 }, SHORT_MS,
	    TLS_WHY_TIME, -1, "handshake was not finished in time");
	peer_end(&p, fd);
}

static void
answer(struct peer *p)
{
	int n = SSL_read(p->ssl, p->got, sizeof(p->got) - 1);

	if (n > 0)
		SSL_write(p->ssl, p->got, n);
	peer_wait(p);
}

static void
test_reading_may_go_on_after_a_deadline(void **state)
{
	struct peer p = { .ctx = server, .talk = answer };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	uint64_t begun = in_ms(0);
	char got[8];

	(void)state;
	assert_int_equal(tls_read(t, got, sizeof(got), in_ms(SHORT_MS)), -1);
	assert_int_equal(tls_error(t)->why, TLS_WHY_TIME);
	assert_non_null(strstr(tls_error(t)->text, "silent for too long"));
	assert_in_range(in_ms(0) - begun, SHORT_MS, PATIENCE_MS);
	assert_int_equal(tls_write(t, "echo", 4, in_ms(LONG_MS)), 4);
	assert_reads(t, "echo");
	tls_free(t);
	peer_end(&p, fd);
}

/* Or a peer that never pauses could keep us, with what yields nothing. */
static void
test_nothing_is_read_after_the_deadline(void **state)
{
	struct peer p = { .ctx = server, .talk = say_hello };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	struct pollfd there = { .fd = fd, .events = POLLIN };
	char got[8];

	(void)state;
	assert_int_equal(poll(&there, 1, LONG_MS), 1);
	usleep(SHORT_MS * 1000);	/* tickets come before what is said */
	assert_int_equal(tls_read(t, got, sizeof(got), in_ms(0)), -1);
	assert_int_equal(tls_error(t)->why, TLS_WHY_TIME);
	assert_reads(t, "hello");
	tls_free(t);
	peer_end(&p, fd);
}

static void
test_write_that_nobody_reads_ends_at_the_deadline(void **state)
{
	struct peer p = { .ctx = server, .talk = peer_wait };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	char *much = calloc(1, BIG);
	uint64_t begun = in_ms(0);

	(void)state;
	assert_non_null(much);
	assert_int_equal(tls_write(t, much, BIG, in_ms(SHORT_MS)), -1);
	assert_int_equal(tls_error(t)->why, TLS_WHY_TIME);
	assert_in_range(in_ms(0) - begun, SHORT_MS, PATIENCE_MS);
	assert_int_equal(tls_write(t, "x", 1, in_ms(LONG_MS)), -1);
	assert_int_equal(tls_error(t)->why, TLS_WHY_TIME);
	assert_false(tls_shutdown(t, in_ms(LONG_MS)));
	free(much);
	tls_free(t);
	peer_end(&p, fd);
}

/* ---- what is no TLS */

static void
test_garbage_is_named(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		enum tls_why why;
		const char *words;
	} rows[] = {
#define RAW(literal) (literal), sizeof(literal) - 1
		{ RAW("220 ready\r\n"), TLS_WHY_CLEAR,
		    "does not speak TLS; it sent \"220 ready\\x0d\\x0a\"" },
		{ RAW("\x1b[2J\x80\"\\ "), TLS_WHY_CLEAR,
		    "it sent \"\\x1b[2J\\x80\\x22\\x5c \"" },
		{ RAW("500 a line that is longer than what is kept of it"),
		    TLS_WHY_CLEAR, "it sent \"500 a line that is longe\"" },
		{ RAW("\x16\x03\x03\x00\x04" "junk"), TLS_WHY_FAULT,
		    "the peer's TLS is wrong: unexpected message" },
		{ RAW("\x16\x03\x03\xff\xff" "junk"), TLS_WHY_FAULT,
		    "the peer's TLS is wrong: " },
		{ RAW("\x16\x03\x03\x00\x04\x0b\0\0\0"), TLS_WHY_FAULT,
		    "the peer's TLS is wrong: unexpected message" },
		{ RAW("\x15\x03\x03\x00\x02\x02\xfa"), TLS_WHY_ALERT,
		    "TLS alert unknown_alert (250)" },
		{ RAW("\x15\x03\x01\x00\x02\x01\x00"), TLS_WHY_CLOSED,
		    "ended TLS with close_notify" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct peer p = { .talk = send_raw, .raw = rows[i].raw,
		    .raw_len = rows[i].len };
		int fd = peer_start(&p);

		assert_refused(fd, (struct tls_client_want) { 0 }, LONG_MS,
		    rows[i].why, rows[i].why == TLS_WHY_ALERT ? 250 : -1,
		    rows[i].words);
		peer_end(&p, fd);
	}
}

static void
test_close_instead_of_a_handshake_is_told(void **state)
{
	struct peer p = { .talk = close_at_once };
	int fd = peer_start(&p);

	(void)state;
	assert_refused(fd, (struct tls_client_want) { 0 }, LONG_MS,
	    TLS_WHY_CUT, -1, "instead of a TLS handshake");
	peer_end(&p, fd);
}

/* ---- much */

static void
echo_much(struct peer *p)
{
	char *much = malloc(BIG);
	size_t len = 0, n;

	while (len < BIG && SSL_read_ex(p->ssl, much + len, BIG - len, &n))
		len += n;
	SSL_write(p->ssl, much, (int)len);
	SSL_shutdown(p->ssl);
	free(much);
}

static void
test_a_mebibyte_there_and_back(void **state)
{
	struct peer p = { .ctx = server, .talk = echo_much };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });
	unsigned char *out = malloc(BIG), *back = malloc(BIG);
	size_t len = 0;
	ssize_t n;

	(void)state;
	assert_non_null(out);
	assert_non_null(back);
	for (size_t i = 0; i < BIG; i++)
		out[i] = (unsigned char)(i * 2654435761U >> 13);
	assert_int_equal(tls_write(t, out, BIG, in_ms(LONG_MS)), BIG);
	while (len < BIG && (n = tls_read(t, back + len,
	    BIG - len < 1000 ? BIG - len : 1000, in_ms(LONG_MS))) > 0) {
		len += (size_t)n;
		/* records hold 16384 bytes */
		assert_int_equal(tls_pending(t), len % 16384 != 0);
	}
	assert_int_equal(len, BIG);
	assert_memory_equal(out, back, BIG);
	assert_int_equal(tls_read(t, back, 1, in_ms(LONG_MS)), 0);
	free(out);
	free(back);
	tls_free(t);
	peer_end(&p, fd);
}

/* ---- back to clear text */

/* Reads the client's last words in clear, and notes them. */
static void
read_clear(struct peer *p)
{
	ssize_t n = recv(p->fd, p->got, sizeof(p->got) - 1, 0);

	p->got[n > 0 ? n : 0] = '\0';
}

static void
stop_clean(struct peer *p)
{
	SSL_write(p->ssl, "unread", 6);
	SSL_shutdown(p->ssl);
	assert(write(p->fd, "220 clear\r\n", 11) == 11);
	p->result = SSL_shutdown(p->ssl);	/* waits for the client's */
	read_clear(p);
	peer_wait(p);
}

static void
stop_after_client(struct peer *p)
{
	char byte;

	SSL_read(p->ssl, &byte, 1);
	SSL_shutdown(p->ssl);
	p->result = 1;
	assert(write(p->fd, "220 clear\r\n", 11) == 11);
	read_clear(p);
	peer_wait(p);
}

static void
stop_abrupt(struct peer *p)
{
	char byte;

	SSL_read(p->ssl, &byte, 1);
	p->result = 1;
	assert(write(p->fd, "220 clear\r\n", 11) == 11);
	read_clear(p);
	peer_wait(p);
}

static void
stop_cut(struct peer *p)
{
	char byte;

	SSL_read(p->ssl, &byte, 1);
}

static void
test_stop_leaves_the_connection_in_clear(void **state)
{
	static const struct {
		void (*talk)(struct peer *p);
		enum tls_stop stop;
	} rows[] = {
		{ stop_clean, TLS_STOP_CLEAN },
		{ stop_after_client, TLS_STOP_CLEAN },
		{ stop_abrupt, TLS_STOP_ABRUPT },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct peer p = { .ctx = server, .talk = rows[i / 2].talk,
		    .max = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION };
		int fd = peer_start(&p);
		struct tls *t = connected(fd, (struct tls_client_want) { 0 });
		char got[32];

		assert_int_equal(tls_stop(t, in_ms(LONG_MS)),
		    rows[i / 2].stop);
		tls_free(t);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 11);
		assert_memory_equal(got, "220 clear\r\n", 11);
		assert_int_equal(send(fd, "NOOP\r\n", 6, 0), 6);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		peer_end(&p, fd);
		assert_int_equal(p.result, 1);
		assert_string_equal(p.got, "NOOP\r\n");
	}
}

static void
test_stop_fails_when_the_peer_does_not_answer(void **state)
{
	static const struct {
		void (*talk)(struct peer *p);
		enum tls_why why;
	} rows[] = {
		{ stop_cut, TLS_WHY_CUT },
		{ peer_wait, TLS_WHY_TIME },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct peer p = { .ctx = server, .talk = rows[i].talk };
		int fd = peer_start(&p);
		struct tls *t = connected(fd, (struct tls_client_want) { 0 });

		assert_int_equal(tls_stop(t, in_ms(rows[i].why ==
		    TLS_WHY_TIME ? SHORT_MS : LONG_MS)), TLS_STOP_FAILED);
		assert_int_equal(tls_error(t)->why, rows[i].why);
		tls_free(t);
		peer_end(&p, fd);
	}
}

/* ---- the certificate */

static void
test_certificate_facts(void **state)
{
	(void)state;
	for (int self_signed = 0; self_signed < 2; self_signed++) {
		SSL_CTX *ctx = peer_context(self_signed);
		struct peer p = { .ctx = ctx };
		int fd = peer_start(&p);
		struct tls *t = connected(fd, (struct tls_client_want) { 0 });
		struct tls_facts f = facts(t, NULL);

		assert_true(f.certificate);
		assert_int_equal(f.self_signed, self_signed);
		assert_false(f.host_matches);
		assert_string_equal(f.subject,
		    "CN=ftp.example.org,O=Caf\\C3\\A9\\0A");
		assert_string_equal(f.issuer,
		    self_signed ? f.subject : "CN=Somebody Else");
		assert_string_equal(f.key, "EC 256");
		assert_int_equal(f.not_before, 1577836800);
		assert_int_equal(f.not_after, 1893456000);
		tls_free(t);
		peer_end(&p, fd);
		SSL_CTX_free(ctx);
	}
}

static void
test_certificate_expiry_is_of_the_time_given(void **state)
{
	static const struct {
		time_t now;
		bool early, late;
	} rows[] = {
		{ 1577836799, true, false },
		{ 1577836800, false, false },
		{ 1893456000, false, false },
		{ 1893456001, false, true },
	};
	struct peer p = { .ctx = server };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_facts f;

		tls_facts(t, NULL, rows[i].now, &f);
		assert_int_equal(f.not_yet_valid, rows[i].early);
		assert_int_equal(f.expired, rows[i].late);
	}
	tls_free(t);
	peer_end(&p, fd);
}

static void
test_certificate_is_for_its_hosts(void **state)
{
	static const struct {
		const char *host;
		bool matches;
	} rows[] = {
		{ "ftp.example.org", true },
		{ "FTP.Example.ORG", true },
		{ "a.wild.example.org", true },
		{ "192.0.2.21", true },
		{ "a.b.wild.example.org", false },
		{ "example.org", false },
		{ "192.0.2.22", false },
		{ "2001:db8::21", false },
		{ "", false },
	};
	struct peer p = { .ctx = server };
	int fd = peer_start(&p);
	struct tls *t = connected(fd, (struct tls_client_want) { 0 });

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(facts(t, rows[i].host).host_matches,
		    rows[i].matches);
	tls_free(t);
	peer_end(&p, fd);
}

static void
test_nothing_to_free_is_fine(void **state)
{
	(void)state;
	tls_free(NULL);
	tls_session_free(NULL);
	assert_string_equal(tls_alert_name(INT_MAX), "unknown_alert");
	assert_string_equal(tls_version_name(TLS_1_1), "TLS 1.1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_is_what_both_can),
		cmocka_unit_test(test_version_not_offered_is_the_peers_fault),
		cmocka_unit_test(test_what_this_host_cannot_offer_is_no_answer),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_sni_is_sent_unless_an_address),
		cmocka_unit_test(test_sni_refused_or_warned_of),
		cmocka_unit_test(
		    test_session_is_resumed_where_the_peer_knows_it),
		cmocka_unit_test(test_session_is_offered_at_its_own_version),
		cmocka_unit_test(test_session_of_tls13_comes_with_what_is_read),
		cmocka_unit_test(test_close_notify_and_truncation_differ),
		cmocka_unit_test(
		    test_write_to_who_has_gone_is_an_error_and_no_signal),
		cmocka_unit_test(
		    test_shutdown_says_close_notify_and_goes_on_reading),
		cmocka_unit_test(test_alert_after_the_handshake_is_told),
		cmocka_unit_test(test_silent_peer_ends_at_the_deadline),
		cmocka_unit_test(test_half_a_handshake_ends_at_the_deadline),
		cmocka_unit_test(test_reading_may_go_on_after_a_deadline),
		cmocka_unit_test(test_nothing_is_read_after_the_deadline),
		cmocka_unit_test(
		    test_write_that_nobody_reads_ends_at_the_deadline),
		cmocka_unit_test(test_garbage_is_named),
		cmocka_unit_test(test_close_instead_of_a_handshake_is_told),
		cmocka_unit_test(test_a_mebibyte_there_and_back),
		cmocka_unit_test(test_stop_leaves_the_connection_in_clear),
		cmocka_unit_test(test_stop_fails_when_the_peer_does_not_answer),
		cmocka_unit_test(test_certificate_facts),
		cmocka_unit_test(test_certificate_expiry_is_of_the_time_given),
		cmocka_unit_test(test_certificate_is_for_its_hosts),
		cmocka_unit_test(test_nothing_to_free_is_fine),
	};
	int failed;

	server = peer_context(true);
	other_server = peer_context(true);
	failed = RUN(tests);
	SSL_CTX_free(server);
	SSL_CTX_free(other_server);
	return failed;
}
