/*
 * audit/sock.h: the auditor's sockets: listeners and connections of addresses
 * that it owns, waiting, and bytes.  What may be named in a command is the
 * address of a listener of this file.
 *
 * Deadlines are moments of CLOCK_BOOTTIME in ms, as sock_now_ms has them.
 * Every descriptor is non-blocking and closed on exec.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "tls/client.h"

uint64_t sock_now_ms(void);
void sock_sleep_until(uint64_t when_ms);

/* Waits until fd is readable, or at its end; false at the deadline. */
bool sock_readable(int fd, uint64_t deadline_ms);

/* Closes and forgets it; -1 is fine. */
void sock_close(int *fd);

/*
 * Connects from that address (NULL: the kernel's choice) to that one.
 *
 * Returns the descriptor, or -1 with errno set: ETIMEDOUT at the deadline.
 */
MUST_USE int sock_connect(const struct addr *from, const struct addr *to,
    uint64_t deadline_ms);

/*
 * Reads at most n > 0 bytes, within TLS where tls is not NULL.  0: the end,
 * and a reset or broken TLS are an end, too.  -1: nothing by the deadline.
 */
MUST_USE ssize_t sock_read(int fd, struct tls *tls, void *buf, size_t n,
    uint64_t deadline_ms);

/* Writes all of it, likewise; false when it could not by the deadline. */
MUST_USE bool sock_write(int fd, struct tls *tls, struct sv bytes,
    uint64_t deadline_ms);

/* ---- listeners */

struct listener {
	int fd;			/* -1: none */
	struct addr at;
};

/*
 * Listens on the address and the port (0: the kernel's choice).  False with
 * errno set when the address is not ours, or the port not to be had; l->fd is
 * -1 then.
 */
MUST_USE bool listener_open(struct listener *l, const struct addr *ip,
    uint16_t port);

/* The same port of two addresses; errno likewise, and neither is open. */
MUST_USE bool listener_open_pair(struct listener *a, struct listener *b,
    const struct addr *ip_a, const struct addr *ip_b);
void listener_close(struct listener *l);

/* A connection that waits there, or -1.  from is written on success only. */
MUST_USE int listener_accept(const struct listener *l, struct addr *from);

/*
 * A port of ours that answers no SYN, as one behind a filter: a listener whose
 * queue is full.
 */
#define SILENCE_FILLERS 4

struct silence {
	int fd;				/* the listener's */
	int filler[SILENCE_FILLERS];	/* connections to it; -1: none */
};

/*
 * Takes the descriptor of a listener, which is none from then on: whoever
 * accepts from it would make room in it.  False: the port is not silent.
 * silence_close in either case.
 */
MUST_USE bool silence_open(struct silence *s, struct listener *l);
void silence_close(struct silence *s);
