/*
 * audit/target.h: the server that the user named.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define TARGET_TEXT_MAX 256	/* each part of it, NUL included */
#define TARGET_PORT 21
#define TARGET_TLS_PORT 990

struct target {
	char host[TARGET_TEXT_MAX];
	char user[TARGET_TEXT_MAX];	/* empty: anonymous */
	char password[TARGET_TEXT_MAX];
	uint16_t port;
	bool tls;			/* implicit: ftps:// */
};

/*
 * Reads "[ftp[s]://][user[:password]@]HOST[:PORT][/]"; an IPv6 address stands
 * in brackets, or alone where no port follows.  "%40" and the like are decoded
 * in user and password (RFC 3986 §2.1).
 *
 * Returns NULL, or what is wrong, in words; *out is then undefined.
 */
MUST_USE const char *target_parse(struct sv text, struct target *out);

/* "ftp://host:port", without user and password.  Returns buf. */
#define TARGET_URL_MAX (TARGET_TEXT_MAX + 32)
const char *target_url(const struct target *t, char buf[TARGET_URL_MAX]);
