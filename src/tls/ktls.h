/*
 * tls/ktls.h: whether kernel and library can encrypt in the kernel.  Links
 * no library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

enum tls_ktls {
	TLS_KTLS_HERE,
	TLS_KTLS_NO_KERNEL,	/* CONFIG_TLS, or its module, is not there */
	TLS_KTLS_NO_LIBRARY,	/* built without it */
	TLS_KTLS_UNKNOWN,	/* no socket to try it on */
};

/*
 * Tries it on a socket of its own: what the kernel lists (tcp_available_ulp)
 * leaves out modules that it would load, for root.  For a process that may
 * make sockets.
 */
enum tls_ktls tls_has_ktls(void);

/* A few words, a constant. */
const char *tls_ktls_text(enum tls_ktls ktls);
