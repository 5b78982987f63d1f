/*
 * watch/input.h: the bytes of a capture file as a FILE, which is what libpcap
 * reads from: a file, a pipe or standard input, as it is or in gzip.
 *
 * Two bytes tell gzip from the rest.  A pipe cannot be rewound behind them,
 * and gzdopen cannot be given them, so zlib is fed here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/sv.h"

struct gunzip;

struct input {
	uint64_t bytes_read;	/* of the file, not of what gzip made of it */
	const char *why;	/* a read failed for this; or NULL */
	char *buffer;
	struct gunzip *gunzip;	/* NULL: no gzip, or not known yet */
	int fd;
	uint8_t magic[2];
	uint8_t magic_len, magic_given;
};

/*
 * in      whatever it held before; must outlive the FILE
 * name    "-" is standard input
 * buffer  its size.  On a capture of small packets 1 MiB was no faster than
 *         64 KiB, which stay in a core's cache
 *
 * NULL: errno says why; nothing is to be closed.
 */
MUST_USE FILE *input_open(struct input *in, const char *name, size_t buffer);

/* After fclose. */
void input_release(struct input *in);
