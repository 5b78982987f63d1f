/*
 * tls/ktls.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/ktls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/opensslconf.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

/* One end of an established connection of the kernel's with itself. */
static int
connected(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || fd < 0 ||
	    bind(listener, (struct sockaddr *)&at, len) != 0 ||
	    listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) != 0 ||
	    connect(fd, (struct sockaddr *)&at, len) != 0) {
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	if (listener >= 0)
		close(listener);
	return fd;
}

enum tls_ktls
tls_has_ktls(void)
{
#ifdef OPENSSL_NO_KTLS
	return TLS_KTLS_NO_LIBRARY;
#else
	int fd = connected(), error;

	if (fd < 0)
		return TLS_KTLS_UNKNOWN;
	error = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4) == 0 ? 0 :
	    errno;
	close(fd);
	/*
	 * The listener is closed, and so may its half be by now: that it is
	 * not connected is said by a kernel that knows the name.
	 */
	return error == 0 || error == ENOTCONN ? TLS_KTLS_HERE :
	    TLS_KTLS_NO_KERNEL;
#endif
}

const char *
tls_ktls_text(enum tls_ktls ktls)
{
	switch (ktls) {
	case TLS_KTLS_HERE:
		return "the kernel encrypts (kTLS)";
	case TLS_KTLS_NO_KERNEL:
		return "this kernel has no kTLS";
	case TLS_KTLS_NO_LIBRARY:
		return "the TLS library is built without kTLS";
	case TLS_KTLS_UNKNOWN:
	default:
		return "not known: there is no loopback to try kTLS on";
	}
}
