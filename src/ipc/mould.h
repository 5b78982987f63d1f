/*
 * ipc/mould.h: the channel between the warden and the mould, the process that
 * workers for one session are forked from: a SOCK_SEQPACKET pair, one order
 * and its answer at a time.
 *
 * An order brings the descriptors that differ from one worker to the next, in
 * the order of mould_places, those that are not in `has` left out.  The answer
 * is the new process's number, or an errno in its negative.  It is a child of
 * the warden's: who forked it has ended by then.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "ipc/inherit.h"

#define MOULD_VERSION 1

/* Where they belong in the worker. */
static const int mould_places[] = { INHERIT_WARDEN, INHERIT_GATE,
	INHERIT_SIGNER, INHERIT_KEEPER, INHERIT_NOTICES };

#define MOULD_PLACES (sizeof(mould_places) / sizeof(mould_places[0]))

struct mould_order {
	uint32_t version;
	uint32_t has;		/* 1 << place in mould_places */
};

struct mould_answer {
	uint32_t version;
	int32_t pid;		/* or -errno */
};
