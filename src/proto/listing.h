/*
 * proto/listing.h: one directory entry as a line of LIST, NLST or MLSD.
 *
 * Also the options that clients put before a path, as if they spoke to ls.
 *
 * Pure formatting into the caller's buffer: no I/O, no clock, no allocation.
 * LIST has no standard form (RFC 959 leaves it to people); it is written as
 * `ls -l` does, in the columns that every client's parser was made for.  MLSD
 * is RFC 3659 §7.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sys/stat.h>

#include "base/sv.h"

/* Facts of MLSD and MLST (RFC 3659 §7.5), in the order they are written. */
#define LISTING_FACTS(X) \
	X(TYPE, 0, "type") \
	X(SIZE, 1, "size") \
	X(MODIFY, 2, "modify") \
	X(PERM, 3, "perm") \
	X(UNIX_MODE, 4, "UNIX.mode") \
	X(UNIQUE, 5, "unique")

enum listing_fact {
#define X(NAME, bit, name) LISTING_##NAME = 1 << (bit),
	LISTING_FACTS(X)
#undef X
	LISTING_ALL_FACTS = (1 << 6) - 1,
};

/* What an entry is to the directory that is listed. */
enum listing_place {
	LISTING_IN,   /* inside it, or alone */
	LISTING_CDIR, /* the directory itself */
	LISTING_PDIR, /* a directory above it */
};

struct listing_entry {
	struct sv name;
	struct sv prefix; /* of the name in NLST; ends with a slash, or empty */
	char mark;	  /* behind the name in LIST and NLST; or 0 */
	struct sv target; /* a symbolic link's; else empty */
	struct sv owner;  /* empty is shown as "ftp" */
	struct sv group;  /* likewise */
	struct sv perm;	  /* letters of RFC 3659 §7.5.5 */
	mode_t mode;	  /* as stat(2) gives it: type and permissions */
	enum listing_place place;
	uint64_t links;
	uint64_t size;
	int64_t mtime;	  /* seconds since 1970, before it negative */
	uint64_t dev;	  /* with ino: the unique fact */
	uint64_t ino;
};

/*
 * Room for all of a line but the entry's name, prefix, target, owner, group
 * and perm.
 * The functions below write no NUL and return the length, or 0, and nothing
 * usable written, when size is less than LISTING_SLACK and those together.
 *
 * CR, LF and NUL in a name are written as "?" everywhere, since a line cannot
 * hold them; LIST, made for people, shows all control bytes so.
 */
#define LISTING_SLACK 192

/*
 * "-rw-r--r--    1 ftp      ftp          1234 Jan 02  2020 name\r\n".
 *
 * now  seconds since 1970: the time of day is shown, in place of the year,
 *      for what was changed in the 180 days before it.  All times are UTC
 */
size_t listing_list(const struct listing_entry *e, int64_t now, char *buf,
    size_t size);

/* "prefix/name\r\n". */
size_t listing_nlst(const struct listing_entry *e, char *buf, size_t size);

/*
 * "type=file;size=1234;modify=20200102030405; name\r\n".  MLST's line is the
 * same behind a blank.
 *
 * facts  set of enum listing_fact.  The size is given for files alone
 */
size_t listing_mlsd(const struct listing_entry *e, unsigned facts, char *buf,
    size_t size);

/* "\r\n./dir:\r\n", the head of a directory in the middle of LIST -R. */
size_t listing_head(struct sv prefix, struct sv dir, char *buf, size_t size);

/* Of ls -F: '/' a directory, '@' a link, '*' a program, ...; or 0. */
char listing_mark(mode_t mode);

/* Options of ls; letters that are not here mean nothing to us. */
#define LISTING_OPTIONS(X) \
	X(ALL, 'a')	  /* names that begin with a dot, too */ \
	X(ALMOST_ALL, 'A') /* likewise: "." and ".." are never listed */ \
	X(LONG, 'l')	  /* NLST as LIST */ \
	X(BY_TIME, 't')	  /* the latest first */ \
	X(BY_SIZE, 'S')	  /* the largest first; of the two the last counts */ \
	X(REVERSED, 'r') \
	X(RECURSIVE, 'R') \
	X(MARKED, 'F')	  /* see listing_mark */ \
	X(ITSELF, 'd')	  /* the directory, and not what is in it */

enum listing_option_bit {
#define X(NAME, letter) LS_BIT_##NAME,
	LISTING_OPTIONS(X)
#undef X
};

enum listing_option {
#define X(NAME, letter) LS_##NAME = 1 << LS_BIT_##NAME,
	LISTING_OPTIONS(X)
#undef X
};

/*
 * Takes "-la -t " off the front of what follows LIST or NLST, and says what
 * it holds (enum listing_option).  "--" ends it; "-" alone is a name.  A name
 * that begins with "-" is written as "./-name", or behind "--".
 */
unsigned listing_take_options(struct sv *arg);

/*
 * The facts named in the argument of "OPTS MLST type;size;": unknown names
 * are left out, as RFC 3659 §7.9 wants.
 */
unsigned listing_facts_parse(struct sv text);

/*
 * The way back, NUL-terminated: with a star behind each that is on
 * ("type*;size*;modify;") for FEAT (§7.8), or only those that are on
 * ("type;size;") for the answer to OPTS.
 */
#define LISTING_FACTS_TEXT_MAX 64
void listing_facts_feat(unsigned on, char buf[LISTING_FACTS_TEXT_MAX]);
void listing_facts_opts(unsigned on, char buf[LISTING_FACTS_TEXT_MAX]);
