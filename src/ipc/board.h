/*
 * ipc/board.h: what changes while the server runs, for everybody to see: one
 * page of memory that the warden writes and that all others can only read.
 *
 * Rejected: a message to each process, since a hundred workers would have to
 * be told, and one that starts meanwhile as well; a file, since neither the
 * gate nor a worker can open one.
 *
 * A seal keeps it so: no mapping but the warden's own can be written, nor can
 * the descriptor.  What stands on it is complete, or was not seen (a sequence
 * number before and behind, which is odd while the warden writes).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>

#include "base/addr.h"
#include "conf/conf.h"

/* Bumped when struct board_content changes. */
#define BOARD_VERSION 1

#define BOARD_TEXT_MAX 2048

enum board_downtime {
	BOARD_UP,	 /* text is empty */
	BOARD_ANNOUNCED, /* text is lines for the middle of a 230 */
	BOARD_DOWN,	 /* no new logins: text is the whole 421 reply */
};

/* By its name, not its place: old workers keep an old configuration. */
struct board_passive {
	uint64_t name;		/* board_name; 0: this row is free */
	struct addr at;		/* ADDR_NONE: not known yet */
	uint32_t reserved;
};

/*
 * The texts are ready to be sent, so that the gate has nothing to do but
 * that: no line is longer than the kernel takes at once, control bytes are
 * escaped, each line ends in CRLF.
 */
struct board_content {
	uint32_t downtime;	/* enum board_downtime */
	uint32_t text_len;
	char text[BOARD_TEXT_MAX];
	struct board_passive passive[CONF_PASSIVE_MAX];
};

#define BOARD_WORDS (sizeof(struct board_content) / sizeof(uint64_t))

/* The page; only board.c looks into it. */
struct board {
	uint32_t version;
	_Atomic uint32_t sequence;
	_Atomic uint64_t word[BOARD_WORDS];
};

static_assert(sizeof(struct board_content) % sizeof(uint64_t) == 0,
    "copied in words");
static_assert(sizeof(struct board) <= 4096, "one page");

/* What stands for a name on the board; never 0. */
uint64_t board_name(const char *name);

/* The address of a name of passive.address; ADDR_NONE when none is known. */
struct addr board_address(const struct board_content *c, const char *name);

/*
 * The warden's: an empty board, mapped for writing, and the descriptor that
 * others inherit (close-on-exec).  False with errno set.
 */
MUST_USE bool board_new(struct board **out, int *fd);

/* One thread of one process alone writes. */
void board_write(struct board *b, const struct board_content *content);

/* How another process sees it; last is what it last saw whole. */
struct board_view {
	const struct board *board;
	uint32_t sequence;
	struct board_content last;
};

/*
 * Maps what was inherited as fd, which can then be closed; before the walls,
 * as mmap of a file is not on a worker's list.  False with errno set; EINVAL
 * is a board of another build.
 */
MUST_USE bool board_view_init(struct board_view *v, int fd);

/*
 * What stands on it now; borrowed until the next look.  Costs one load when
 * nothing has changed, and never waits: when the writer is in the middle of
 * it, that is what stood there before.  One thread alone looks.
 */
const struct board_content *board_look(struct board_view *v);
