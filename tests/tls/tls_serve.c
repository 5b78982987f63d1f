/*
 * tests/tls/tls_serve.c: the server's side of TLS by itself, with a real
 * signer, for clients that are others' work.  It is warden, gate and worker
 * in one, and as simple as a test can do with.
 *
 *	tls_serve SIGNER [--key FILE]... [--cert CHAIN:KEY:SITE[:OCSP]]...
 *		[--strict-sni] [--client-ca FILE] [--client-crl FILE]
 *		[--require-client] [--ktls] [--deadline MS] [--channel]
 *
 * Two ports of 127.0.0.1: a control connection comes to one, data connections
 * of the control connection that is held come to the other.  After the
 * handshake the client says what it wants, in a line:
 *
 *	SOURCE N	N bytes, then close_notify
 *	SINK		reads until the end
 *	ECHO		what comes goes back
 *	HOLD		"held", and the connection stays open: data connections
 *			belong to it from now on
 *
 * Each connection ends in a line of JSON; so does what goes wrong at the start
 * (exit status 2).  --channel: standard input is a second channel to the
 * signer, for who wants to ask it wrongly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/inherit.h"
#include "ipc/sign.h"
#include "tls/ktls.h"
#include "tls/server.h"
#include "tls/sign_key.h"

#define HELD_MAX 64
#define KEYS_MAX 16
#define BIG 262144

struct held {
	struct tls_conn *conn;
	int fd;
};

static struct {
	const char *keys[KEYS_MAX];
	size_t keys_count;
	struct tls_server_cert certs[TLS_SERVER_CERTS_MAX];
	struct tls_server_want want;
	long deadline_ms;
	bool channel, ktls;
	pid_t signer;
	struct ipc_channel warden;
	struct sign_channel ask;
	struct tls_signer tls_signer;
	struct tls_server *server;
	struct held held[HELD_MAX];
	size_t held_count;
} our = { .deadline_ms = 10000 };

static char big[BIG];

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "tls_serve: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct sv
slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) != 0 ||
	    (text = malloc((size_t)st.st_size + 1)) == NULL ||
	    read(fd, text, (size_t)st.st_size) != st.st_size)
		die(path);
	close(fd);
	return (struct sv) { text, (size_t)st.st_size };
}

/* ---- words */

static void
say_string(const char *key, const char *text)
{
	printf(", \"%s\": ", key);
	if (text == NULL) {
		printf("null");
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\' || c < 0x20 || c > 0x7e)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void
say_bool(const char *key, bool value)
{
	printf(", \"%s\": %s", key, value ? "true" : "false");
}

static void
say_client(const struct tls_conn *c)
{
	struct tls_client_id id;

	if (!tls_conn_client(c, &id))
		return;
	say_string("subject", id.subject);
	say_string("common_name", id.common_name);
}

static void
say_conn(const struct tls_conn *c, bool shaken, enum tls_result end,
    uint64_t bytes)
{
	static const char *const ends[] = { "done", "read", "write", "closed",
		"truncated", "failed" };
	static const char *const sides[] = { "none", "peer", "ours", "wire",
		"local" };
	const struct tls_conn_fault *f = tls_conn_fault(c);

	printf("{\"bytes\": %llu, \"alert\": %d", (unsigned long long)bytes,
	    f->alert);
	say_bool("handshake", shaken);
	say_bool("offered", tls_conn_offered(c));
	say_string("end", ends[end]);
	say_string("side", sides[f->side]);
	say_string("text", f->text);
	if (shaken) {
		say_bool("resumed", tls_conn_resumed(c));
		say_bool("bound", our.held_count > 0 &&
		    tls_conn_resumed_from(c,
		    our.held[our.held_count - 1].conn));
		say_string("version", tls_conn_version(c));
		say_string("cipher", tls_conn_cipher(c));
		say_string("sni", tls_conn_sni(c));
		say_bool("alpn", tls_conn_has_alpn(c));
		say_bool("ktls", tls_conn_has_ktls(c));
		printf(", \"site\": %u", tls_conn_site(c));
		say_client(c);
	}
	printf("}\n");
	fflush(stdout);
}

/* ---- one connection */

/* False when time is up. */
static bool
wait_for(int fd, enum tls_result what, int64_t until)
{
	struct pollfd p = { .fd = fd,
		.events = what == TLS_WANT_READ ? POLLIN : POLLOUT };
	int64_t left = until - now_ms();

	return left > 0 && poll(&p, 1, (int)left) > 0;
}

static bool
is_wish(enum tls_result r)
{
	return r == TLS_WANT_READ || r == TLS_WANT_WRITE;
}

static enum tls_result
shake(struct tls_conn *c, int fd)
{
	int64_t until = now_ms() + our.deadline_ms;
	enum tls_result r;

	while (is_wish(r = tls_conn_handshake(c)) && wait_for(fd, r, until))
		;
	return r;
}

static enum tls_result
get(struct tls_conn *c, int fd, void *bytes, size_t size, size_t *n)
{
	int64_t until = now_ms() + our.deadline_ms;
	enum tls_result r;

	while (is_wish(r = tls_conn_read(c, bytes, size, n)) &&
	    wait_for(fd, r, until))
		;
	return r;
}

static enum tls_result
put(struct tls_conn *c, int fd, const char *bytes, size_t n)
{
	int64_t until = now_ms() + our.deadline_ms;
	enum tls_result r = TLS_DONE;
	size_t done;

	while (n > 0) {
		r = tls_conn_write(c, bytes, n, &done);
		if (r == TLS_DONE) {
			bytes += done;
			n -= done;
			until = now_ms() + our.deadline_ms;
		} else if (!is_wish(r) || !wait_for(fd, r, until)) {
			break;
		}
	}
	return r;
}

static enum tls_result
finish(struct tls_conn *c, int fd)
{
	int64_t until = now_ms() + our.deadline_ms;
	enum tls_result r;

	while (is_wish(r = tls_conn_shutdown(c)) && wait_for(fd, r, until))
		;
	return r;
}

static enum tls_result
source(struct tls_conn *c, int fd, uint64_t want, uint64_t *bytes)
{
	enum tls_result r = TLS_DONE;

	while (*bytes < want && r == TLS_DONE) {
		size_t n = want - *bytes < BIG ? (size_t)(want - *bytes) : BIG;

		r = put(c, fd, big, n);
		if (r == TLS_DONE)
			*bytes += n;
	}
	return r == TLS_DONE ? finish(c, fd) : r;
}

/* What came, came: the end is what counts. */
static enum tls_result
sink(struct tls_conn *c, int fd, bool echo, uint64_t *bytes)
{
	char buf[16384];
	enum tls_result r, end;
	size_t n;

	while ((r = get(c, fd, buf, sizeof(buf), &n)) == TLS_DONE) {
		*bytes += n;
		if (echo && (end = put(c, fd, buf, n)) != TLS_DONE)
			return end;
	}
	if (r != TLS_CLOSED)
		return r;
	end = finish(c, fd);
	return end == TLS_DONE ? r : end;
}

/* Only one's end is said: that of the connection which is held no more. */
static void
hold(struct tls_conn *c, int fd)
{
	put(c, fd, "held\n", 5);
	if (our.held_count == HELD_MAX) {
		tls_conn_free(our.held[0].conn);
		close(our.held[0].fd);
		memmove(our.held, our.held + 1,
		    (HELD_MAX - 1) * sizeof(our.held[0]));
		our.held_count--;
	}
	our.held[our.held_count++] = (struct held) { c, fd };
}

/* True when it is held. */
static bool
serve_wish(struct tls_conn *c, int fd)
{
	char line[64] = "";
	uint64_t bytes = 0;
	enum tls_result r = TLS_DONE;
	size_t at = 0, n;

	while (at < sizeof(line) - 1 && memchr(line, '\n', at) == NULL &&
	    (r = get(c, fd, line + at, 1, &n)) == TLS_DONE)
		at += n;
	if (r == TLS_DONE && strncmp(line, "SOURCE ", 7) == 0)
		r = source(c, fd, strtoull(line + 7, NULL, 10), &bytes);
	else if (r == TLS_DONE && strcmp(line, "HOLD\n") == 0)
		hold(c, fd);
	else if (r == TLS_DONE)
		r = sink(c, fd, strcmp(line, "ECHO\n") == 0, &bytes);
	say_conn(c, true, r, bytes);
	return strcmp(line, "HOLD\n") == 0;
}

static void
serve(int listener, bool is_data)
{
	struct tls_conn *c, *control = NULL;
	int on = 1, fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	enum tls_result r;
	bool is_held = false;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (is_data && our.held_count > 0)
		control = our.held[our.held_count - 1].conn;
	if ((c = tls_conn_new(our.server, fd, control)) == NULL)
		die("tls_conn_new");
	if (our.ktls)
		tls_conn_want_ktls(c);
	r = shake(c, fd);
	if (r == TLS_DONE)
		is_held = serve_wish(c, fd);
	else
		say_conn(c, false, r, 0);
	if (is_held)
		return;
	tls_conn_free(c);
	close(fd);
}

/* ---- start */

static _Noreturn void
fault(const char *in, size_t cert, unsigned line, const char *text)
{
	printf("{\"cert\": %zu, \"line\": %u", cert, line);
	say_string("fault", text);
	say_string("in", in);
	printf("}\n");
	exit(2);
}

static void
start_signer(const char *program)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die("socketpair");
	our.signer = fork();
	if (our.signer == 0) {
		dup2(pair[1], 100);
		for (int fd = 3; fd < 100; fd++)
			close(fd);
		dup2(100, INHERIT_WARDEN);
		close(100);
		if (our.channel)
			close(STDIN_FILENO);
		execl(program, "portcullis-signer", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	ipc_init(&our.warden, pair[0]);
}

static struct ipc_msg
hear(void)
{
	struct ipc_msg in[IPC_BATCH];
	struct pollfd p = { .fd = our.warden.fd, .events = POLLIN };
	size_t n;

	poll(&p, 1, 20000);
	if (ipc_receive(&our.warden, in, &n, NULL, NULL) != IPC_GOOD || n != 1)
		die("the signer is silent");
	return in[0];
}

static void
give_keys(void)
{
	for (size_t i = 0; i < our.keys_count; i++) {
		struct ipc_msg m = { .type = IPC_KEY, .slot = 1 };
		int fd = open(our.keys[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			die(our.keys[i]);
		m.key.number = (uint32_t)i;
		ipc_send(&our.warden, &m, fd);
		if (ipc_flush(&our.warden) != IPC_GOOD)
			die("the signer is gone");
		m = hear();
		if (m.key.fault != SIGN_KEY_OK)
			fault("key file", i, m.key.line, sign_key_fault_text(
			    (enum sign_key_fault)m.key.fault));
	}
}

static int
give_channel(void)
{
	struct ipc_msg m = { .type = IPC_SIGNS, .slot = 1 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die("socketpair");
	ipc_send(&our.warden, &m, pair[1]);
	if (ipc_flush(&our.warden) != IPC_GOOD)
		die("the signer is gone");
	return pair[0];
}

static void
give_stdin(void)
{
	struct ipc_msg m = { .type = IPC_SIGNS, .slot = 1 };

	ipc_send(&our.warden, &m, dup(STDIN_FILENO));
	if (ipc_flush(&our.warden) != IPC_GOOD)
		die("the signer is gone");
	close(STDIN_FILENO);	/* so that its end is seen */
	if (open("/dev/null", O_RDONLY) != STDIN_FILENO)
		die("/dev/null");
}

static void
open_server(void)
{
	static const char *const texts[] = { "nothing", "chain", "ocsp", "ca",
		"crl", "key" };
	struct tls_server_fault f;

	our.ask.fd = give_channel();
	our.tls_signer = (struct tls_signer) { sign_ask, &our.ask };
	our.want.certs = our.certs;
	our.want.signer = &our.tls_signer;
	our.server = tls_server_new(&our.want, time(NULL), &f);
	if (our.server == NULL || !tls_server_check_keys(our.server, &f))
		fault(texts[f.in], f.cert, f.line, f.text);
}

/* CHAIN:KEY:SITE[:OCSP] */
static void
add_cert(char *arg)
{
	struct tls_server_cert *c = &our.certs[our.want.certs_count++];
	char *part[4] = { arg };

	for (size_t i = 1; i < 4 && part[i - 1] != NULL; i++)
		if ((part[i] = strchr(part[i - 1], ':')) != NULL)
			*part[i]++ = '\0';
	if (part[2] == NULL)
		die("--cert CHAIN:KEY:SITE");
	c->chain = slurp(part[0]);
	c->key = (uint32_t)strtoul(part[1], NULL, 10);
	c->site = (uint32_t)strtoul(part[2], NULL, 10);
	if (part[3] != NULL)
		c->ocsp = slurp(part[3]);
}

static void
read_switch(const char *name)
{
	if (strcmp(name, "--strict-sni") == 0)
		our.want.strict_sni = true;
	else if (strcmp(name, "--ktls") == 0)
		our.ktls = true;
	else if (strcmp(name, "--channel") == 0)
		our.channel = true;
	else if (strcmp(name, "--require-client") == 0)
		our.want.client_cert = TLS_CLIENT_CERT_REQUIRED;
	else
		die(name);
}

static void
read_args(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--key") == 0)
			our.keys[our.keys_count++] = value;
		else if (strcmp(argv[i], "--cert") == 0)
			add_cert(value);
		else if (strcmp(argv[i], "--client-ca") == 0)
			our.want.client_ca = slurp(value);
		else if (strcmp(argv[i], "--client-crl") == 0)
			our.want.client_crl = slurp(value);
		else if (strcmp(argv[i], "--deadline") == 0)
			our.deadline_ms = strtol(value, NULL, 10);
		else {
			read_switch(argv[i]);
			continue;
		}
		i++;
	}
	if (our.want.client_ca.len > 0 &&
	    our.want.client_cert == TLS_CLIENT_CERT_OFF)
		our.want.client_cert = TLS_CLIENT_CERT_OPTIONAL;
}

static int
listen_on(unsigned *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
	    listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		die("listen");
	*port = ntohs(at.sin_port);
	return fd;
}

int
main(int argc, char **argv)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	unsigned control, data;
	struct ipc_msg ready;

	if (argc < 2)
		die("usage");
	signal(SIGPIPE, SIG_IGN);
	read_args(argc, argv);
	start_signer(argv[1]);
	ready = hear();
	give_keys();
	if (our.channel)
		give_stdin();
	open_server();
	p[0].fd = listen_on(&control);
	p[1].fd = listen_on(&data);
	printf("{\"control\": %u, \"data\": %u, \"signer\": %d, \"walls\": %u",
	    control, data, (int)our.signer, ready.walls);
	say_string("ktls", tls_ktls_text(tls_has_ktls()));
	printf("}\n");
	fflush(stdout);
	while (poll(p, 2, -1) > 0)
		for (size_t i = 0; i < 2; i++)
			if ((p[i].revents & POLLIN) != 0)
				serve(p[i].fd, i == 1);
	return 0;
}
