/*
 * ipc/notice.h: that a file was put in place, from the worker that did it to
 * the warden, which tells it on (upload.notify).
 *
 * One packet of a SOCK_SEQPACKET pair for each, with a head of fixed size and
 * three texts behind it.  What waits is in the socket's buffer, and nowhere
 * else: a worker that finds it full drops its notice and counts it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>
#include <stddef.h>

#include "base/sv.h"

#define NOTICE_VERSION 1
#define NOTICE_USER_MAX 64
#define NOTICE_VERB_MAX 4
#define NOTICE_SHA256 32

struct notice {
	uint16_t version;
	uint16_t user_len, path_len, file_len;	/* of the texts, in this order */
	uint16_t mode;		/* permissions */
	uint16_t has_sha256;
	char verb[NOTICE_VERB_MAX];
	uint64_t flow, size;
	int64_t at;		/* seconds since 1970 */
	uint8_t sha256[NOTICE_SHA256];
};

#define NOTICE_MAX (sizeof(struct notice) + NOTICE_USER_MAX + PATH_MAX + \
    NAME_MAX)

/* A whole line of JSON: six characters for each byte, at most. */
#define NOTICE_LINE_MAX (512 + 6 * (NOTICE_USER_MAX + PATH_MAX + NAME_MAX))

/*
 * The three texts behind the head, cut to what they may be; the bytes in out,
 * which has room for NOTICE_MAX.
 */
size_t notice_pack(struct notice *n, struct sv user, struct sv path,
    struct sv file, char *out);

/*
 * Whatever came, as a line of JSON with its LF in ASCII: what is not UTF-8 is
 * \udc80 to \udcff, as Python's surrogateescape has it.  0: it is malformed.
 */
MUST_USE size_t notice_line(const char *packet, size_t n,
    char out[NOTICE_LINE_MAX]);
