/*
 * watch/hello.h: what a TLS ClientHello says in the clear (RFC 8446 §4.1.2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

enum hello_alpn {
	HELLO_ALPN_NONE,	/* no list, or none that could be read */
	HELLO_ALPN_FTP,		/* "ftp" is in it (RFC 7301; IANA's name) */
	HELLO_ALPN_OTHER,	/* it is for another protocol */
};

/* record: from its first byte on; may be cut anywhere. */
enum hello_alpn hello_alpn(struct sv record);
