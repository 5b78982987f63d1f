/*
 * ipc/channel.h: one end of a SOCK_SEQPACKET pair that carries messages.
 *
 * A packet holds 1 to IPC_BATCH messages.  Sending gathers; ipc_flush sends.
 * Who must have two receivers see things in order flushes the one before it
 * writes to the other.
 *
 * Descriptors travel downwards only: the sender of one owns it until
 * ipc_flush has passed it on and closed it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "ipc/msg.h"

#define IPC_BATCH 32		/* messages in one packet */
#define IPC_QUEUE 1024		/* messages waiting, at most */

struct ipc_queued {
	struct ipc_msg msg;
	int fd;			/* passed along and closed; -1 for none */
};

struct ipc_channel {
	int fd;
	uint32_t seq_out, seq_in;
	struct ipc_queued *queue;	/* NULL when nothing waits */
	size_t head, count, cap;
};

enum ipc_status {
	IPC_GOOD,
	IPC_AGAIN,		/* nothing (more) now */
	IPC_GONE,		/* the other end has closed */
	IPC_BAD,		/* malformed: size, version, sequence, type */
};

/* Takes over fd. */
void ipc_init(struct ipc_channel *c, int fd);

/* Closes the channel and every descriptor that still waits in it. */
void ipc_free(struct ipc_channel *c);

/*
 * Puts a message into the queue; its version and seq are filled in.
 * fd is taken over in any case (closed when there is no room).
 * False when IPC_QUEUE messages wait already: the receiver has stopped.
 */
bool ipc_send(struct ipc_channel *c, const struct ipc_msg *m, int fd);

/* How many more messages ipc_send will take. */
size_t ipc_room(const struct ipc_channel *c);

/*
 * Sends what waits.  IPC_GOOD: all gone.  IPC_AGAIN: the rest waits for the
 * descriptor to become writable.  IPC_GONE: nobody is there any more.
 */
enum ipc_status ipc_flush(struct ipc_channel *c);

/*
 * As ipc_flush, by send(2) alone, which can carry no descriptor: what a
 * worker's sandbox has left.
 */
enum ipc_status ipc_flush_plain(struct ipc_channel *c);

/*
 * Receives one packet: at most IPC_BATCH messages into out, *n of them.
 * fds: room for IPC_BATCH descriptors (*nfds set; they are the caller's), in
 * the order of the messages that carry one; NULL to receive with no room for
 * any, so that what a captured sender attaches is dropped by the kernel.
 */
enum ipc_status ipc_receive(struct ipc_channel *c,
    struct ipc_msg out[IPC_BATCH], size_t *n, int fds[IPC_BATCH],
    size_t *nfds);
