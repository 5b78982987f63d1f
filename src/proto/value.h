/*
 * proto/value.h: the small values inside arguments and replies: a time-val,
 * an offset, a quoted path, what is to be set of a file.  Pure: no I/O, no
 * clock, no time zone of the C library, whose state is global and whose first
 * use opens a file that no longer exists in the worker's sandbox.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "proto/err.h"

/* A moment as the calendar says it, UTC. */
struct value_date {
	unsigned year;	 /* 0 to 9999 */
	unsigned month;	 /* 1 to 12 */
	unsigned day;	 /* 1 to 31 */
	unsigned hour;	 /* 0 to 23 */
	unsigned minute; /* 0 to 59 */
	unsigned second; /* 0 to 59 */
};

/* The years that four digits can write; other times become the nearest. */
#define VALUE_TIME_LEAST (-62167219200)
#define VALUE_TIME_MOST	 253402300799

/* Seconds since 1970-01-01, UTC, before and after it. */
struct value_date value_date_of(int64_t seconds);

/* "YYYYMMDDHHMMSS" and its NUL: the time-val of MDTM (RFC 3659 §2.3). */
#define VALUE_TIME_SIZE 15
void value_format_time(int64_t seconds, char buf[VALUE_TIME_SIZE]);

/*
 * Reads the whole of text as a time-val; a fraction ("....56.789") is read
 * and left out.  Second 60 is well-formed and the next minute.
 *
 * FTP_SYNTAX  not fourteen digits
 * FTP_RANGE   no such day or hour
 */
MUST_USE enum ftp_err value_parse_time(struct sv text, int64_t *seconds);

/*
 * The offset of REST, the size of ALLO: decimal digits, nothing else.
 *
 * FTP_SYNTAX  not a number
 * FTP_RANGE   above 2^63-1, where no file reaches
 */
MUST_USE enum ftp_err value_parse_offset(struct sv text, uint64_t *offset);

/*
 * The argument of MFMT and MFCT (draft-somers-ftp-mfxx-04 §3, §4): a time-val,
 * one SP, a path, which is all that follows, blanks included.  Errors as of
 * value_parse_time; FTP_SYNTAX also without a path.
 */
MUST_USE enum ftp_err value_parse_time_path(struct sv text, int64_t *seconds,
    struct sv *path);

/*
 * What follows "SITE UTIME": no document describes it, and clients send
 *
 *	YYYYMMDDhhmm[ss] <path>			one time
 *	<path> <time-val> <time-val> <time-val> UTC	of access, change and
 *							making: the second counts
 *
 * A text of the second form is read as that, whatever its path begins with.
 */
MUST_USE enum ftp_err value_parse_utime(struct sv text, int64_t *seconds,
    struct sv *path);

/*
 * What follows "SITE CHMOD": three or four octal digits, one SP, a path.
 * All 12 bits are read; which of them are granted is not for a grammar.
 */
MUST_USE enum ftp_err value_parse_chmod(struct sv text, unsigned *mode,
    struct sv *path);

/*
 * A name for STOU (RFC 959 §4.1.3): what the client wished for, or "upload",
 * a dot and 13 letters and digits that say `random`.  wish is cut where it is
 * too long for a file name, and not within a character of UTF-8; it has no
 * slash.  Returns the length; there is a NUL behind it.
 */
#define VALUE_UNIQUE_SIZE 256
size_t value_unique_name(struct sv wish, uint64_t random,
    char buf[VALUE_UNIQUE_SIZE]);

/*
 * Writes path in double quotes for a 257 reply: quotes inside are doubled
 * (RFC 959 appendix II), control bytes become "?", so that no name can break
 * a reply into two.  No NUL.  Returns the length, or 0 when size is too small;
 * VALUE_QUOTED_MAX(path.len) always suffices.
 */
#define VALUE_QUOTED_MAX(len) (2 * (size_t)(len) + 2)
size_t value_quote(struct sv path, char *buf, size_t size);
