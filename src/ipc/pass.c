/*
 * ipc/pass.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/pass.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

bool
pass_send(int fd, const void *packet, size_t len, const int *fds, size_t n,
    int flags)
{
	_Alignas(struct cmsghdr) char
	    control[CMSG_SPACE(PASS_MAX * sizeof(int))];
	struct iovec iov = { (void *)(uintptr_t)packet, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm = (void *)control;

	assert(n <= PASS_MAX);
	if (n > 0) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		memset(control, 0, mh.msg_controllen);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	}
	return sendmsg(fd, &mh, flags | MSG_NOSIGNAL) == (ssize_t)len;
}

/* How many there are in what came, laid into fds. */
static size_t
take(struct msghdr *mh, int *fds)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(mh);
	size_t bytes;

	if (cm == NULL || cm->cmsg_level != SOL_SOCKET ||
	    cm->cmsg_type != SCM_RIGHTS)
		return 0;
	bytes = cm->cmsg_len - CMSG_LEN(0);
	memcpy(fds, CMSG_DATA(cm), bytes);
	return bytes / sizeof(int);
}

ssize_t
pass_receive(int fd, void *packet, size_t room, int *fds, size_t *n,
    int *flags)
{
	_Alignas(struct cmsghdr) char
	    control[CMSG_SPACE(PASS_MAX * sizeof(int))];
	struct iovec iov = { packet, room };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;

	assert(*n <= PASS_MAX);
	if (*n > 0) {
		mh.msg_control = control;
		/* CMSG_SPACE is rounded up: one more might fit into that. */
		mh.msg_controllen = CMSG_LEN(*n * sizeof(int));
	}
	len = recvmsg(fd, &mh, *flags | MSG_CMSG_CLOEXEC);
	*n = len < 0 ? 0 : take(&mh, fds);
	*flags = mh.msg_flags;
	return len;
}
