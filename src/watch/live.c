/*
 * watch/live.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define TURN_PACKETS 4096	/* between two looks at the signals */
#define TURN_MS 250
#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)

enum turn { GO_ON, STOP, FAILED };

int
live_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

static enum turn
take_packets(const struct live *l)
{
	struct packet p;

	for (int i = 0; i < TURN_PACKETS; i++)
		switch (source_next(l->source, &p)) {
		case SOURCE_PACKET:
			l->packet(l->arg, &p);
			break;
		case SOURCE_IDLE:
			return GO_ON;
		case SOURCE_FAILED:
			return FAILED;
		case SOURCE_END:
			return STOP;
		}
	return GO_ON;
}

static enum turn
take_signals(const struct live *l, int signal_fd)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGUSR1)
			return STOP;
		l->asked(l->arg);
	}
	return GO_ON;
}

static enum turn
turn(const struct live *l, int signal_fd)
{
	struct pollfd wait[2] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = source_fd(l->source), .events = POLLIN },
	};
	enum turn next;

	if (poll(wait, 2, TURN_MS) < 0 && errno != EINTR)
		return FAILED;
	if ((next = take_signals(l, signal_fd)) != GO_ON)
		return next;
	return take_packets(l);
}

bool
live_run(const struct live *l, int signal_fd)
{
	int64_t minute = clock_ns(CLOCK_MONOTONIC) + MINUTE_NS;
	enum turn next;

	while ((next = turn(l, signal_fd)) == GO_ON) {
		l->tick(l->arg, clock_ns(CLOCK_REALTIME));
		if (clock_ns(CLOCK_MONOTONIC) < minute)
			continue;
		minute += MINUTE_NS;
		l->minute(l->arg);
	}
	return next == STOP;
}
