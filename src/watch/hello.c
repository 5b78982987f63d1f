/*
 * watch/hello.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/hello.h"

#include <stdbool.h>
#include <stdint.h>

#define EXTENSION_ALPN 16
#define HEAD 5			/* of a record */
#define BEFORE_SESSION 38	/* type, length, version, random */

/* Takes a big-endian number of n bytes; false: cut. */
static bool
take_number(struct sv *in, size_t n, size_t *out)
{
	if (in->len < n)
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out = *out << 8 | (unsigned char)in->ptr[i];
	*in = sv_drop(*in, n);
	return true;
}

/* A vector whose length stands before it, in n bytes. */
static bool
take_vector(struct sv *in, size_t n, struct sv *out)
{
	size_t len;

	if (!take_number(in, n, &len) || in->len < len)
		return false;
	*out = (struct sv) { in->ptr, len };
	*in = sv_drop(*in, len);
	return true;
}

static enum hello_alpn
read_names(struct sv extension)
{
	struct sv list, name;
	bool any = false;

	if (!take_vector(&extension, 2, &list))
		return HELLO_ALPN_NONE;
	while (take_vector(&list, 1, &name)) {
		any = true;
		if (sv_eq(name, SV("ftp")))
			return HELLO_ALPN_FTP;
	}
	return any ? HELLO_ALPN_OTHER : HELLO_ALPN_NONE;
}

enum hello_alpn
hello_alpn(struct sv record)
{
	struct sv in = sv_drop(record, HEAD), ignored, extension;
	size_t length, type;

	if (in.len == 0 || in.ptr[0] != 1)
		return HELLO_ALPN_NONE;
	in = sv_drop(in, BEFORE_SESSION);
	if (!take_vector(&in, 1, &ignored) ||	/* session */
	    !take_vector(&in, 2, &ignored) ||	/* cipher suites */
	    !take_vector(&in, 1, &ignored) ||	/* compression */
	    !take_number(&in, 2, &length))
		return HELLO_ALPN_NONE;
	while (take_number(&in, 2, &type) && take_vector(&in, 2, &extension))
		if (type == EXTENSION_ALPN)
			return read_names(extension);
	return HELLO_ALPN_NONE;
}
