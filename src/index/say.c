/*
 * index/say.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS 200
#define WIPE "\r\033[K"
#define PATH_SHOWN 40

static struct {
	bool on, shown;
	uint64_t begun_ms, last_ms;
} progress;

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
wipe(void)
{
	if (progress.shown)
		fputs(WIPE, stderr);
	progress.shown = false;
}

void
index_say(const char *format, ...)
{
	va_list args;

	wipe();
	fputs("portcullis index: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void
index_progress_begin(void)
{
	progress.on = isatty(STDERR_FILENO) == 1;
	progress.begun_ms = now_ms();
}

void
index_progress_show(const struct index_progress *p)
{
	uint64_t now, spent_ms;

	if (!progress.on || (now = now_ms()) < progress.last_ms + EVERY_MS)
		return;
	progress.last_ms = now;
	spent_ms = now - progress.begun_ms + 1;
	fprintf(stderr, WIPE "%llu files, %llu MiB read, %llu MiB/s  %.*s",
	    (unsigned long long)p->entries,
	    (unsigned long long)(p->bytes >> 20),
	    (unsigned long long)((p->bytes * 1000 / spent_ms) >> 20),
	    PATH_SHOWN, p->path);
	progress.shown = true;
	fflush(stderr);
}

void
index_progress_end(void)
{
	wipe();
	progress.on = false;
}
