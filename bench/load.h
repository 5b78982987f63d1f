/*
 * bench/load.h: what the parts of ftpload share: the settings of a run, its
 * counters, and one FTP session seen from the client.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread and one epoll set drive every session.  The server is what is
 * measured, so the client does as little as it can per byte: payload is
 * thrown away inside the kernel, and only its length is checked.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REPLY_MAX = 1024,	/* one reply line; longer ones are an error */
	LOGINS_AT_ONCE = 16,	/* half of the smallest usual accept queue */
	STALL_MS = 10000,	/* nothing from any session: give up */
	STALL_LIST_MS = 180000,	/* some read a million names before they send */
	ERRORS_MAX = 100,	/* a run with more is not worth finishing */
	SAMPLES_MAX = 1 << 24
};

enum scenario { SC_RETR, SC_SESSION, SC_IDLE, SC_LIST };

/* Where a session is: which reply it waits for. */
enum phase {
	PH_GONE,		/* not connected (any more) */
	PH_GREETING, PH_USER, PH_PASS, PH_TYPE, PH_CWD,
	PH_READY,		/* logged in, nothing asked */
	PH_OPEN,		/* EPSV, PASV, EPRT or PORT sent */
	PH_TRANSFER,		/* RETR or LIST sent */
	PH_NOOP, PH_QUIT
};

enum role { ROLE_CONTROL, ROLE_DATA, ROLE_LISTENER };

struct session;

/* What an epoll event points at. */
struct endpoint {
	int fd;
	enum role role;
	struct session *sess;
};

struct session {
	struct load *load;
	struct endpoint control, data, listener;
	enum phase phase;
	int multiline;		/* code of the open multi-line reply, or 0 */
	bool old_verbs;		/* EPSV or EPRT was refused: PASV and PORT */
	bool data_done, reply_done;
	bool line_open, line_counts;
	unsigned fact_at;	/* how much of "type=file;" the line has shown */
	unsigned warmup;	/* transfers still to do before "ready" */
	uint64_t bytes, lines;	/* of the running transfer */
	uint64_t began_ns, asked_ns, first_ns;
	size_t in_len;
	char in[REPLY_MAX];
};

/* A growing list of durations, for percentiles. */
struct samples {
	double *ms;
	size_t len, room;
};

struct settings {
	enum scenario scenario;
	const char *label, *path;
	struct sockaddr_in server;
	unsigned sessions, warmup;
	double seconds;
	uint64_t count;		/* transfers to do; 0: until seconds is over */
	int64_t size;		/* bytes of the file; -1: do not check */
	int64_t lines;		/* entries of the directory; -1: any */
	bool active, driven, mlsd;
};

struct load {
	struct settings set;
	struct session *sess;
	int epoll;
	unsigned next_login;	/* first session that was not started yet */
	unsigned busy;		/* sessions that wait for the server */
	unsigned ready;		/* sessions that logged in */
	unsigned alive;		/* idle: sessions that answered at the end */
	bool running;		/* what ends now counts */
	bool closed;		/* the time is over: begin nothing more */
	uint16_t active_port;

	uint64_t progress_ns, start_ns, end_ns;
	uint64_t started, transfers, bytes;
	uint64_t window_ns, window_transfers, window_bytes;
	uint64_t lines_least, lines_most, cut;
	struct samples total, first;
	uint64_t errors;
	char first_error[200];
};

/* ---- net.c ---- */

uint64_t clock_ns(void);

/*
 * False with errno set.  What was opened is in the epoll set; the caller
 * closes the endpoint in any case.  net_listen picks the port of at itself.
 */
bool net_connect(struct load *, struct endpoint *, uint16_t port);
bool net_listen(struct load *, struct endpoint *, struct sockaddr_in *at);
bool net_accept(struct load *, struct endpoint *from, struct endpoint *to);
bool net_local_addr(const struct endpoint *, struct sockaddr_in *out);
void net_close(struct endpoint *);

/* ---- session.c ---- */

void session_init(struct session *, struct load *);
void session_start(struct session *);
void session_transfer(struct session *);
void session_noop(struct session *);
void session_quit(struct session *);
void session_event(struct endpoint *);
void session_fail(struct session *, const char *what, const char *detail);
bool session_send(struct session *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void session_advance(struct session *);

/*
 * ---- transfer.c ----
 * Each may end the session (session_fail), so nothing of it is used after.
 */

void transfer_begin(struct session *);
void transfer_opened(struct session *, int code, const char *text);
void transfer_reply(struct session *, int code, const char *text);
void transfer_accept(struct session *);
void transfer_read(struct session *);

/* ---- run.c ---- */

bool load_login(struct load *);
void load_run(struct load *);
void load_noop(struct load *);
void load_quit(struct load *);
bool load_may_begin(const struct load *);
void load_error(struct load *, const char *what, const char *detail);

/* ---- report.c ---- */

void samples_add(struct samples *, double ms);
void report_print(struct load *, double client_cpu_s, double login_s);
