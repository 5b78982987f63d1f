/*
 * watch/progress.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 65536		/* between two looks at the clock */
#define FIRST_MS 1000		/* what is quick needs none */
#define EACH_MS 100
#define CELLS 32

static int64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
progress_begin(struct progress *p, bool lines)
{
	bool in_the_way = lines && isatty(STDOUT_FILENO) == 1;

	*p = (struct progress) {
		.wanted = isatty(STDERR_FILENO) == 1 && !in_the_way,
		.next_ms = clock_ms() + FIRST_MS };
}

static void
draw(const struct source_progress *at, uint64_t packets)
{
	char bar[CELLS + 1];
	unsigned done = (unsigned)(at->bytes * CELLS / at->all);

	for (unsigned i = 0; i < CELLS; i++)
		bar[i] = i < done ? '#' : '.';
	bar[CELLS] = '\0';
	fprintf(stderr, "\r[%s] %3u%%  %" PRIu64 " packets", bar,
	    (unsigned)(at->bytes * 100 / at->all), packets);
}

void
progress_show(struct progress *p, const struct source *s, uint64_t packets)
{
	struct source_progress at;

	if (!p->wanted || packets % PACKETS != 0 || clock_ms() < p->next_ms)
		return;
	p->next_ms = clock_ms() + EACH_MS;
	at = source_progress(s);
	if (at.all == 0 || at.bytes > at.all)
		fprintf(stderr, "\r%" PRIu64 " packets", packets);
	else
		draw(&at, packets);
	p->shown = true;
}

void
progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
