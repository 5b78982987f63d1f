/*
 * ipc/pass.h: one packet of a SOCK_SEQPACKET pair and the descriptors that
 * come along with it: the one place where SCM_RIGHTS is spelt out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/sv.h"

#define PASS_MAX 32	/* descriptors of one packet */

/*
 * Sends a packet and n descriptors, which stay the caller's.  flags: as
 * sendmsg(2) has them, or 0; there is no SIGPIPE.  False with errno set.
 */
MUST_USE bool pass_send(int fd, const void *packet, size_t len,
    const int *fds, size_t n, int flags);

/*
 * Receives a packet; its length, 0 at the end, or -1 with errno set.
 *
 * fds    room for *n descriptors, at most PASS_MAX, close-on-exec and the
 *        caller's: *n of them came.  More than there is room for the kernel
 *        drops
 * flags  as recvmsg(2) has them, and what it found: MSG_TRUNC, MSG_CTRUNC
 */
MUST_USE ssize_t pass_receive(int fd, void *packet, size_t room, int *fds,
    size_t *n, int *flags);
