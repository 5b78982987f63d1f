/*
 * watch/live.h: packets of an interface, as they come.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "watch/packet.h"
#include "watch/source.h"

struct live {
	struct source *source;
	void (*packet)(void *arg, const struct packet *p);
	/* Time has moved on, with packets or without. */
	void (*tick)(void *arg, int64_t now_ns);
	void (*minute)(void *arg);	/* every 60 s */
	void (*asked)(void *arg);	/* SIGUSR1 */
	void *arg;
};

/* Blocks the signals that live_run waits for; before the sandbox.  -1: no. */
int live_signals(void);

/*
 * Until SIGINT or SIGTERM: true.  False when the interface fails (gone, say):
 * source_error says how.
 */
bool live_run(const struct live *l, int signal_fd);
