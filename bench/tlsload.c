/*
 * bench/tlsload.c: measures FTPS, HTTPS and uploads, with a thread for each
 * session.
 * SPDX-License-Identifier: Apache-2.0
 *
 * ftpload drives thousands of sessions from one thread; within TLS the client
 * works as much as the server does, so here each session has a thread of its
 * own and calls that block.  With -d it keeps ftpload's rhythm: it says
 * "ready" when all have logged in, begins on a line of standard input, prints
 * its result, and hangs up on the next line.
 *
 * Nothing is believed but an end of data (close_notify, within TLS), the
 * right length and a 2xx reply.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, CHUNK = 1 << 18, SESSIONS_MAX = 256,
	SAMPLES_MAX = 1 << 20, PATIENCE_S = 20 };

enum mode { MODE_GET, MODE_PUT, MODE_SESSION, MODE_HTTPS };

static const char usage_text[] =
"usage: tlsload [options] get|put|session|https\n"
"  -h ADDRESS   the server (127.0.0.1)    -p PORT    its port (21)\n"
"  -n SESSIONS  in parallel (1)           -u USER    (anonymous)\n"
"  -t SECONDS   how long (2), or          -c COUNT   how many transfers\n"
"  -f PATH      what is fetched; of put: a number is put behind it\n"
"  -s BYTES     its size                  -w WORD    password (bench@)\n"
"  -T           with TLS                  -2         TLS 1.2, not 1.3\n"
"  -r           data connections resume the control connection's session\n"
"  -d           wait for a line of input before and after the measurement\n";

static struct {
	enum mode mode;
	struct sockaddr_in server;
	const char *label, *path, *user, *password;
	unsigned sessions;
	double seconds;
	uint64_t count, size;
	bool tls, resume, driven;
	SSL_CTX *context;
} set = { .label = "", .path = "/big", .user = "anonymous",
	.password = "bench@", .sessions = 1, .seconds = 2 };

static struct {
	pthread_barrier_t ready, go, done, leave;
	_Atomic uint64_t started, transfers, bytes, errors, samples;
	_Atomic uint64_t resumed;
	_Atomic bool closed;
	_Atomic uint64_t window_bytes, window_transfers;
	uint64_t end_ns;
	double *ms;
	pthread_mutex_t lock;
	char first_error[200];
} run = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A connection, in clear or not. */
struct link {
	int fd;
	SSL *ssl;
};

struct session {
	struct link control;
	char in[LINE_MAX_BYTES];
	size_t in_len;
	char *buffer;		/* CHUNK bytes */
};

static uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool
fail(const char *what, const char *detail)
{
	pthread_mutex_lock(&run.lock);
	if (run.first_error[0] == '\0')
		snprintf(run.first_error, sizeof(run.first_error), "%s %.*s",
		    what, 120, detail);
	pthread_mutex_unlock(&run.lock);
	atomic_fetch_add(&run.errors, 1);
	return false;
}

static bool
fail_tls(const char *what)
{
	char text[120];

	ERR_error_string_n(ERR_peek_last_error(), text, sizeof(text));
	ERR_clear_error();
	return fail(what, text);
}

/* ---- connections */

static bool
link_open(struct link *l, uint16_t port)
{
	struct sockaddr_in to = set.server;
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int one = 1;

	to.sin_port = htons(port);
	l->ssl = NULL;
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return fail("socket", strerror(errno));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience));
	setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
	    sizeof(patience));
	if (connect(l->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	return fail("connect", strerror(errno));
}

/* from: whose session is to be resumed; or NULL. */
static bool
link_secure(struct link *l, SSL *from)
{
	SSL_SESSION *session = from == NULL ? NULL : SSL_get1_session(from);
	bool made;

	l->ssl = SSL_new(set.context);
	if (l->ssl == NULL)
		return fail_tls("TLS");
	if (session != NULL)
		SSL_set_session(l->ssl, session);
	SSL_SESSION_free(session);
	made = SSL_set_fd(l->ssl, l->fd) == 1 && SSL_connect(l->ssl) == 1;
	if (!made)
		return fail_tls("handshake");
	if (SSL_session_reused(l->ssl))
		atomic_fetch_add(&run.resumed, 1);
	return true;
}

static void
link_close(struct link *l)
{
	SSL_free(l->ssl);
	if (l->fd >= 0)
		close(l->fd);
	*l = (struct link){ .fd = -1 };
}

/* As recv(2): 0 is an end that may be believed. */
static ssize_t
link_read(struct link *l, void *bytes, size_t n)
{
	size_t got = 0;

	if (l->ssl == NULL)
		return recv(l->fd, bytes, n, 0);
	if (SSL_read_ex(l->ssl, bytes, n, &got) == 1)
		return (ssize_t)got;
	return SSL_get_error(l->ssl, 0) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static bool
link_write(struct link *l, const void *bytes, size_t n)
{
	const char *at = bytes;
	size_t put;
	ssize_t sent;

	while (n > 0) {
		if (l->ssl != NULL) {
			if (SSL_write_ex(l->ssl, at, n, &put) != 1)
				return false;
		} else {
			sent = send(l->fd, at, n, MSG_NOSIGNAL);
			if (sent <= 0)
				return false;
			put = (size_t)sent;
		}
		at += put;
		n -= put;
	}
	return true;
}

/* ---- the control connection */

static bool
say(struct session *s, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	return link_write(&s->control, line, (size_t)n) ||
	    fail("cannot send", line);
}

/* One line without its end, or false. */
static bool
read_line(struct session *s, char line[LINE_MAX_BYTES])
{
	char *nl;
	size_t len;
	ssize_t n;

	while ((nl = memchr(s->in, '\n', s->in_len)) == NULL) {
		n = s->in_len == sizeof(s->in) ? -1 : link_read(&s->control,
		    s->in + s->in_len, sizeof(s->in) - s->in_len);
		if (n <= 0)
			return fail("control connection closed", "");
		s->in_len += (size_t)n;
	}
	len = (size_t)(nl - s->in);
	memcpy(line, s->in, len);
	line[len] = '\0';
	s->in_len -= len + 1;
	memmove(s->in, nl + 1, s->in_len);
	return true;
}

/* The last line of a reply has to begin with one of the wanted digits. */
static bool
expect(struct session *s, const char *wanted, char last[LINE_MAX_BYTES])
{
	do {
		if (!read_line(s, last))
			return false;
	} while (strlen(last) < 4 || last[3] != ' ' || last[0] < '1' ||
	    last[0] > '5');
	return strchr(wanted, last[0]) != NULL ||
	    fail("unexpected reply", last);
}

static bool
begin_tls(struct session *s)
{
	char reply[LINE_MAX_BYTES];

	return say(s, "AUTH TLS\r\n") && expect(s, "2", reply) &&
	    link_secure(&s->control, NULL);
}

static bool
log_in(struct session *s)
{
	char reply[LINE_MAX_BYTES];

	s->in_len = 0;
	if (!link_open(&s->control, ntohs(set.server.sin_port)))
		return false;
	if (set.mode == MODE_HTTPS)
		return link_secure(&s->control, NULL);
	if (!expect(s, "2", reply) || (set.tls && !begin_tls(s)) ||
	    !say(s, "USER %s\r\n", set.user) || !expect(s, "23", reply))
		return false;
	if (reply[0] == '3' && (!say(s, "PASS %s\r\n", set.password) ||
	    !expect(s, "2", reply)))
		return false;
	if (set.tls && (!say(s, "PBSZ 0\r\n") || !expect(s, "2", reply) ||
	    !say(s, "PROT P\r\n") || !expect(s, "2", reply)))
		return false;
	return say(s, "TYPE I\r\n") && expect(s, "2", reply);
}

/* ---- transfers */

static bool
open_data(struct session *s, struct link *data)
{
	char reply[LINE_MAX_BYTES], *at;
	unsigned port;

	if (!say(s, "EPSV\r\n") || !expect(s, "2", reply))
		return false;
	at = strstr(reply, "(|||");
	if (at == NULL || sscanf(at + 4, "%5u", &port) != 1 || port > 65535)
		return fail("no port in", reply);
	return link_open(data, (uint16_t)port);
}

static void
count(size_t n)
{
	atomic_fetch_add(&run.bytes, n);
	if (!atomic_load(&run.closed))
		atomic_fetch_add(&run.window_bytes, n);
}

static bool
take(struct session *s, struct link *data)
{
	uint64_t all = 0;
	ssize_t n;

	while ((n = link_read(data, s->buffer, CHUNK)) > 0) {
		all += (uint64_t)n;
		count((size_t)n);
	}
	if (n < 0)
		return fail("data connection", "");
	/* Else the library takes the session for one that is spoilt. */
	if (data->ssl != NULL)
		(void)SSL_shutdown(data->ssl);
	return all == set.size || fail("wrong number of bytes", "");
}

/* The server's close_notify is waited for: many clients do. */
static bool
end_upload(struct link *data)
{
	char byte;

	if (data->ssl == NULL)
		return shutdown(data->fd, SHUT_WR) == 0;
	if (SSL_shutdown(data->ssl) < 0)
		return fail_tls("close_notify");
	(void)link_read(data, &byte, 1);
	return true;
}

static bool
give(struct session *s, struct link *data)
{
	uint64_t left = set.size;

	while (left > 0) {
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		if (!link_write(data, s->buffer, n))
			return fail("data connection", "");
		left -= n;
		count(n);
	}
	return end_upload(data);
}

static bool
ftp_transfer(struct session *s, uint64_t number)
{
	struct link data = { .fd = -1 };
	char reply[LINE_MAX_BYTES];
	bool puts = set.mode == MODE_PUT;
	bool good;

	good = open_data(s, &data) && (puts ?
	    say(s, "STOR %s%" PRIu64 "\r\n", set.path, number) :
	    say(s, "RETR %s\r\n", set.path)) && expect(s, "1", reply) &&
	    (!set.tls || link_secure(&data, set.resume ? s->control.ssl :
	    NULL)) && (puts ? give(s, &data) : take(s, &data));
	link_close(&data);
	return good && expect(s, "2", reply);
}

/* What came behind the head in one read belongs to the body. */
static bool
http_transfer(struct session *s)
{
	char line[LINE_MAX_BYTES];
	uint64_t all;
	ssize_t n;

	if (!say(s, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", set.path))
		return false;
	do {
		if (!read_line(s, line))
			return false;
	} while (line[0] != '\r');
	all = s->in_len;
	count(s->in_len);
	s->in_len = 0;
	while (all < set.size) {
		n = link_read(&s->control, s->buffer, CHUNK);
		if (n <= 0)
			return fail("connection closed", "");
		all += (uint64_t)n;
		count((size_t)n);
	}
	return all == set.size || fail("wrong number of bytes", "");
}

static bool
whole_session(struct session *s, uint64_t number)
{
	char reply[LINE_MAX_BYTES];
	bool good = log_in(s) && ftp_transfer(s, number) &&
	    say(s, "QUIT\r\n") && expect(s, "2", reply);

	link_close(&s->control);
	return good;
}

static bool
transfer(struct session *s, uint64_t number)
{
	if (set.mode == MODE_SESSION)
		return whole_session(s, number);
	if (set.mode == MODE_HTTPS)
		return http_transfer(s);
	return ftp_transfer(s, number);
}

/* ---- a run */

static void
record(uint64_t began_ns)
{
	uint64_t at = atomic_fetch_add(&run.samples, 1);

	if (at < SAMPLES_MAX)
		run.ms[at] = (double)(clock_ns() - began_ns) / 1e6;
	atomic_fetch_add(&run.transfers, 1);
	if (!atomic_load(&run.closed))
		atomic_fetch_add(&run.window_transfers, 1);
}

static bool
may_begin(uint64_t *number)
{
	if (set.count == 0 && clock_ns() >= run.end_ns) {
		atomic_store(&run.closed, true);
		return false;
	}
	*number = atomic_fetch_add(&run.started, 1);
	return set.count == 0 || *number < set.count;
}

static void *
work(void *arg)
{
	struct session s = { .control.fd = -1 };
	uint64_t number, began_ns;
	bool good;

	(void)arg;
	s.buffer = calloc(1, CHUNK);
	good = s.buffer != NULL && (set.mode == MODE_SESSION || log_in(&s));
	pthread_barrier_wait(&run.ready);
	pthread_barrier_wait(&run.go);
	while (good && may_begin(&number)) {
		began_ns = clock_ns();
		good = transfer(&s, number);
		if (good)
			record(began_ns);
	}
	pthread_barrier_wait(&run.done);
	pthread_barrier_wait(&run.leave);
	link_close(&s.control);
	free(s.buffer);
	return NULL;
}

static double
cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_escaped(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
}

static void
print_result(double seconds, double client_cpu_s)
{
	size_t n = run.samples < SAMPLES_MAX ? (size_t)run.samples :
	    SAMPLES_MAX;

	qsort(run.ms, n, sizeof(*run.ms), by_value);
	printf("{\"scenario\":\"%s\",\"sessions\":%u,\"seconds\":%.4f",
	    set.label, set.sessions, seconds);
	printf(",\"transfers\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"resumed\":%" PRIu64, (uint64_t)run.transfers,
	    (uint64_t)run.bytes, (uint64_t)run.resumed);
	printf(",\"per_second\":%.2f,\"MiB_per_second\":%.2f",
	    (double)run.window_transfers / seconds,
	    (double)run.window_bytes / seconds / 1048576);
	if (n > 0)
		printf(",\"total_p50_ms\":%.4f,\"total_p99_ms\":%.4f",
		    run.ms[n / 2], run.ms[(size_t)((double)(n - 1) * 0.99)]);
	printf(",\"client_cpu_s\":%.4f,\"errors\":%" PRIu64
	    ",\"first_error\":\"", client_cpu_s, (uint64_t)run.errors);
	print_escaped(run.first_error);
	puts("\"}");
	fflush(stdout);
}

static void
wait_line(void)
{
	char c;

	while (set.driven && read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		continue;
}

static void
init_barriers(void)
{
	unsigned n = set.sessions + 1;

	pthread_barrier_init(&run.ready, NULL, n);
	pthread_barrier_init(&run.go, NULL, n);
	pthread_barrier_init(&run.done, NULL, n);
	pthread_barrier_init(&run.leave, NULL, n);
}

static void
measure(void)
{
	pthread_t thread[SESSIONS_MAX];
	uint64_t began_ns;
	double cpu;

	init_barriers();
	for (unsigned i = 0; i < set.sessions; i++)
		if (pthread_create(&thread[i], NULL, work, NULL) != 0)
			abort();
	pthread_barrier_wait(&run.ready);
	if (set.driven) {
		puts("ready");
		fflush(stdout);
	}
	wait_line();
	cpu = cpu_s();
	began_ns = clock_ns();
	run.end_ns = began_ns + (uint64_t)(set.seconds * 1e9);
	pthread_barrier_wait(&run.go);
	pthread_barrier_wait(&run.done);
	print_result((double)(clock_ns() - began_ns) / 1e9, cpu_s() - cpu);
	wait_line();
	pthread_barrier_wait(&run.leave);
	for (unsigned i = 0; i < set.sessions; i++)
		pthread_join(thread[i], NULL);
}

/* ---- options */

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static uint64_t
number(const char *text, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
	    value > most)
		usage();
	return value;
}

/* The same cipher for all, or the servers' tastes are compared. */
static SSL_CTX *
make_context(bool tls12)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	int version = tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;

	if (c == NULL || SSL_CTX_set_min_proto_version(c, version) != 1 ||
	    SSL_CTX_set_max_proto_version(c, version) != 1 ||
	    SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES128-GCM-SHA256:"
	    "ECDHE-RSA-AES128-GCM-SHA256") != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	return c;
}

static enum mode
mode_of(const char *name)
{
	static const char *const names[] = { "get", "put", "session",
		"https" };

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mode)i;
	usage();
}

static void
set_option(int option, const char *arg, bool *tls12)
{
	switch (option) {
	case 'h':
		if (inet_pton(AF_INET, arg, &set.server.sin_addr) != 1)
			usage();
		break;
	case 'p':
		set.server.sin_port = htons((uint16_t)number(arg, 65535));
		break;
	case 'n':
		set.sessions = (unsigned)number(arg, SESSIONS_MAX);
		break;
	case 't':
		set.seconds = (double)number(arg, 3600);
		break;
	case 'c':
		set.count = number(arg, SAMPLES_MAX);
		break;
	case 's':
		set.size = number(arg, INT64_MAX);
		break;
	case 'f':
		set.path = arg;
		break;
	case 'u':
		set.user = arg;
		break;
	case 'w':
		set.password = arg;
		break;
	case 'T':
		set.tls = true;
		break;
	case '2':
		*tls12 = true;
		break;
	case 'r':
		set.resume = true;
		break;
	case 'd':
		set.driven = true;
		break;
	default:
		usage();
	}
}

int
main(int argc, char **argv)
{
	bool tls12 = false;
	int option;

	set.server = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(21) };
	while ((option = getopt(argc, argv, "h:p:n:t:c:s:f:u:w:T2rd")) != -1)
		set_option(option, optarg, &tls12);
	if (optind + 1 != argc || set.sessions == 0)
		usage();
	set.label = argv[optind];
	set.mode = mode_of(set.label);
	signal(SIGPIPE, SIG_IGN);
	set.context = make_context(tls12);
	run.ms = calloc(SAMPLES_MAX, sizeof(*run.ms));
	if (run.ms == NULL)
		return 1;
	measure();
	SSL_CTX_free(set.context);
	free(run.ms);
	return run.errors != 0;
}
