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

enum tls_ktls
tls_has_ktls(void)
{
#ifdef OPENSSL_NO_KTLS
	return TLS_KTLS_NO_LIBRARY;
#else
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return TLS_KTLS_UNKNOWN;
	/*
	 * A kernel that knows the name (and root's call loads its module)
	 * wants a connection first; one that does not has no such entry.
	 */
	error = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4) == 0 ? ENOTCONN :
	    errno;
	close(fd);
	return error == ENOTCONN ? TLS_KTLS_HERE : TLS_KTLS_NO_KERNEL;
#endif
}

const char *
tls_ktls_text(enum tls_ktls ktls)
{
	switch (ktls) {
	case TLS_KTLS_HERE:
		return "by the kernel (kTLS)";
	case TLS_KTLS_NO_KERNEL:
		return "this kernel has no kTLS, or has not loaded it";
	case TLS_KTLS_NO_LIBRARY:
		return "the TLS library is built without kTLS";
	case TLS_KTLS_UNKNOWN:
	default:
		return "no socket to try kTLS on";
	}
}
