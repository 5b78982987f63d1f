/*
 * watch/source.h: packets, one after the other, of capture files or of an
 * interface.
 *
 * A file is pcap (micro- or nanoseconds, either byte order) or pcapng, as it
 * is or in gzip.  Several files are one stream, in order of time; a file is
 * opened when its time has come, so that a thousand which follow one another
 * cost no more than one.  (A pipe among several is opened at once.)
 *
 * A file that fails ends there, and the others go on: what was read of it
 * counts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"
#include "watch/packet.h"

struct source;

enum source_result {
	SOURCE_PACKET,
	SOURCE_IDLE,	/* an interface has none now: wait for source_fd */
	SOURCE_FAILED,	/* source_error says what; ask again for the rest */
	SOURCE_END,
};

#define SOURCE_ERROR_MAX 512

/*
 * names  borrowed until source_free; "-" is standard input
 *
 * Opens nothing yet.  NULL: no memory.
 */
MUST_USE struct source *source_open_files(const char *const *names, size_t n);

/*
 * filter      pcap-filter(7), or NULL
 * buffer_mib  of the kernel's ring; 0: as libpcap has it
 * error       a line, written on failure
 */
MUST_USE struct source *source_open_live(const char *interface,
    const char *filter, unsigned buffer_mib, char error[SOURCE_ERROR_MAX]);
void source_free(struct source *s);

/*
 * Never waits for an interface; waits for a pipe.  A signal whose handler is
 * installed without SA_RESTART ends that wait, and with it that input.
 */
enum source_result source_next(struct source *s, struct packet *out);

/*
 * The latest failure: which file, after which packet, why, and how many of
 * its packets were good.  One line; empty when there was none.
 */
const char *source_error(const struct source *s);
/* Files (or the interface) that failed. */
size_t source_failures(const struct source *s);

/* As it was given: of packet.file. */
const char *source_name(const struct source *s, uint32_t file);

/* To be polled for reading; -1 when there is no such thing, as with files. */
int source_fd(const struct source *s);

struct source_drops {
	uint64_t received;	/* by the kernel, for us */
	uint64_t no_room;	/* not read by us in time */
	uint64_t interface;	/* dropped before that */
};

/* All 0 for files. */
struct source_drops source_dropped(struct source *s);

struct source_progress {
	uint64_t bytes;		/* read of the files, as they lie there */
	uint64_t all;		/* 0: unknown, one is not a plain file */
};

struct source_progress source_progress(const struct source *s);
