/*
 * bench/limit.c: not a server, but the physical limit of one: answers the
 * commands ftpload sends without looking at names, rights or states.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It keeps one listening socket per session, has its small file and its
 * listing at hand, and sends the big one with sendfile.  What a real server
 * costs above this is what it does for its users.  With more than one thread,
 * sessions are dealt out in turn and stay where they are.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	THREADS_MAX = 64, EVENTS = 128, COMMAND_MAX = 512,
	TURN = 1 << 20,		/* one sendfile call */
	TURNS = 4,		/* calls before the next session's turn */
	SMALL_MAX = 65536	/* sent from memory, both replies at once */
};

#define OPENING	"150 Here it comes.\r\n"
#define DONE	"226 Done.\r\n"

enum role { ROLE_ACCEPT, ROLE_CONTROL, ROLE_LISTENER, ROLE_DATA };

struct client;

struct endpoint {
	int fd;
	enum role role;
	struct client *client;
};

struct file {
	int fd;
	off_t size;
	char *bytes;		/* NULL when too large to keep */
};

struct client {
	struct endpoint control, listener, data;
	int epoll;
	const struct file *sending;
	off_t at;
	uint16_t port, active_port;
};

static struct file big, small, listing;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
watch(int epoll, int op, struct endpoint *ep, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = ep };

	if (epoll_ctl(epoll, op, ep->fd, &ev) != 0)
		die("epoll_ctl");
}

static void
say(struct client *c, const char *text)
{
	/* a client that went away is noticed by the next read */
	(void)!send(c->control.fd, text, strlen(text), MSG_NOSIGNAL);
}

static int
listen_on(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	socklen_t len = sizeof(*at);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)at, len) != 0 ||
	    listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)at, &len) != 0)
		die("listen");
	return fd;
}

static void
client_free(struct client *c)
{
	close(c->control.fd);
	if (c->listener.fd >= 0)
		close(c->listener.fd);
	if (c->data.fd >= 0)
		close(c->data.fd);
	free(c);
}

static void
passive(struct client *c)
{
	char line[64];
	struct sockaddr_in at = { .sin_family = AF_INET };

	if (c->listener.fd < 0) {
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		c->listener.fd = listen_on(&at);
		c->port = ntohs(at.sin_port);
		watch(c->epoll, EPOLL_CTL_ADD, &c->listener, 0);
	}
	c->active_port = 0;
	snprintf(line, sizeof(line), "229 Go on (|||%u|)\r\n", c->port);
	say(c, line);
}

static void
transfer_end(struct client *c, const char *reply)
{
	close(c->data.fd);
	c->data.fd = -1;
	say(c, reply);
}

/* Sends what fits; true at the end of the file. */
static bool
send_turns(struct client *c)
{
	off_t size = c->sending->size;
	ssize_t n = 1;

	for (int i = 0; i < TURNS && n > 0 && c->at < size; i++)
		n = sendfile(c->data.fd, c->sending->fd, &c->at, TURN);
	return c->at >= size || (n < 0 && errno != EAGAIN);
}

static void
transfer_begin(struct client *c)
{
	const struct file *f = c->sending;

	if (f->bytes != NULL) {
		(void)!send(c->data.fd, f->bytes, (size_t)f->size,
		    MSG_NOSIGNAL);
		transfer_end(c, OPENING DONE);
		return;
	}
	say(c, OPENING);
	c->at = 0;
	if (send_turns(c))
		transfer_end(c, DONE);
	else
		watch(c->epoll, EPOLL_CTL_ADD, &c->data, EPOLLOUT);
}

/* The client usually has connected before it asks for the file. */
static void
take_data(struct client *c)
{
	c->data.fd = accept4(c->listener.fd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->data.fd < 0) {
		watch(c->epoll, EPOLL_CTL_MOD, &c->listener,
		    EPOLLIN | EPOLLONESHOT);
		return;
	}
	transfer_begin(c);
}

static void
connect_data(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(c->active_port);
	c->data.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->data.fd < 0 ||
	    connect(c->data.fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    fcntl(c->data.fd, F_SETFL, O_NONBLOCK) != 0) {
		transfer_end(c, "425 No.\r\n");
		return;
	}
	transfer_begin(c);
}

static void
transfer(struct client *c, const struct file *f)
{
	c->sending = f;
	if (c->active_port != 0)
		connect_data(c);
	else if (c->listener.fd >= 0)
		take_data(c);
	else
		say(c, "425 No.\r\n");
}

/* "EPRT |1|127.0.0.1|port|": the last field is all that matters here. */
static void
active(struct client *c, const char *line)
{
	unsigned port = 0;
	const char *p = strchr(line, '|');

	for (int i = 0; i < 2 && p != NULL; i++)
		p = strchr(p + 1, '|');
	if (p == NULL || sscanf(p, "|%5u|", &port) != 1 || port > UINT16_MAX) {
		say(c, "501 No.\r\n");
		return;
	}
	c->active_port = (uint16_t)port;
	say(c, "200 OK\r\n");
}

static bool
is(const char *line, const char *verb)
{
	return strncmp(line, verb, 4) == 0;
}

/* False when the session is over. */
static bool
command(struct client *c, const char *line)
{
	if (is(line, "EPSV"))
		passive(c);
	else if (is(line, "EPRT"))
		active(c, line);
	else if (is(line, "RETR"))
		transfer(c, strstr(line, "big") != NULL ? &big : &small);
	else if (is(line, "LIST"))
		transfer(c, &listing);
	else if (is(line, "USER"))
		say(c, "331 Anything\r\n");
	else if (is(line, "PASS"))
		say(c, "230 In\r\n");
	else if (is(line, "QUIT"))
		say(c, "221 Bye\r\n");
	else
		say(c, "200 OK\r\n");
	return !is(line, "QUIT");
}

/* Commands arrive whole: the only client there is sends them so. */
static void
control_read(struct client *c)
{
	char in[COMMAND_MAX + 1], *line = in, *nl;
	ssize_t n = recv(c->control.fd, in, COMMAND_MAX, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	in[n] = '\0';
	while ((nl = strchr(line, '\n')) != NULL) {
		*nl = '\0';
		if (!command(c, line)) {
			client_free(c);
			return;
		}
		line = nl + 1;
	}
}

static void
client_new(int fd, int epoll)
{
	struct client *c = calloc(1, sizeof(*c));
	int one = 1;

	if (c == NULL)
		die("calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->control = (struct endpoint){ fd, ROLE_CONTROL, c };
	c->listener = (struct endpoint){ -1, ROLE_LISTENER, c };
	c->data = (struct endpoint){ -1, ROLE_DATA, c };
	c->epoll = epoll;
	say(c, "220 limit\r\n");
	watch(epoll, EPOLL_CTL_ADD, &c->control, EPOLLIN);
}

/* Runs in the first thread alone; the others only ever see their clients. */
static int epolls[THREADS_MAX];
static unsigned threads = 1, next_thread;

static void
accept_clients(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		client_new(fd, epolls[next_thread++ % threads]);
}

static void
handle(struct endpoint *ep)
{
	switch (ep->role) {
	case ROLE_ACCEPT:
		accept_clients(ep->fd);
		break;
	case ROLE_CONTROL:
		control_read(ep->client);
		break;
	case ROLE_LISTENER:
		if (ep->client->data.fd < 0)
			take_data(ep->client);
		break;
	case ROLE_DATA:
		if (ep->fd >= 0 && send_turns(ep->client))
			transfer_end(ep->client, DONE);
		break;
	}
}

/*
 * Only the event of a control connection frees a session, and each has one
 * at most in a batch.  So those come last: no event is left then that could
 * touch what was freed.
 */
static void
handle_batch(struct epoll_event *ev, int n)
{
	struct endpoint *later[EVENTS];
	int waiting = 0;

	for (int i = 0; i < n; i++) {
		struct endpoint *ep = ev[i].data.ptr;

		if (ep->role == ROLE_CONTROL)
			later[waiting++] = ep;
		else
			handle(ep);
	}
	for (int i = 0; i < waiting; i++)
		handle(later[i]);
}

static void *
loop(void *arg)
{
	struct epoll_event ev[EVENTS];

	for (;;)
		handle_batch(ev, epoll_wait(*(int *)arg, ev, EVENTS, -1));
	return NULL;
}

static void
file_open(struct file *f, const char *path)
{
	struct stat st;

	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		die(path);
	f->size = st.st_size;
	if (f->size > SMALL_MAX)
		return;
	f->bytes = malloc((size_t)f->size + 1);
	if (f->bytes == NULL ||
	    read(f->fd, f->bytes, (size_t)f->size) != f->size)
		die(path);
}

static void
start_threads(void)
{
	pthread_t id;

	for (unsigned i = 0; i < threads; i++)
		if ((epolls[i] = epoll_create1(EPOLL_CLOEXEC)) < 0)
			die("epoll_create1");
	for (unsigned i = 1; i < threads; i++)
		if (pthread_create(&id, NULL, loop, &epolls[i]) != 0)
			die("pthread_create");
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct endpoint door = { -1, ROLE_ACCEPT, NULL };

	if (argc != 6) {
		fputs("usage: limit PORT THREADS BIG SMALL LISTING\n", stderr);
		return 2;
	}
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	threads = (unsigned)strtoul(argv[2], NULL, 10);
	if (threads < 1 || threads > THREADS_MAX)
		threads = 1;
	file_open(&big, argv[3]);
	file_open(&small, argv[4]);
	file_open(&listing, argv[5]);
	start_threads();
	door.fd = listen_on(&at);
	watch(epolls[0], EPOLL_CTL_ADD, &door, EPOLLIN);
	fputs("ready\n", stderr);
	loop(&epolls[0]);
	return 0;
}
