/*
 * proto/reply.h: one line of a server's replies (RFC 959 §4.2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "proto/err.h"

struct reply_line {
	int code;	 /* 100 to 699 */
	bool continues;	 /* "220-": further lines follow, up to "220 " */
	struct sv text;	 /* behind the separator */
};

/*
 * Reads "xyz SP text" or "xyz-text"; three digits alone are a reply without
 * text.  6yz are the protected replies of RFC 2228 §5.
 *
 * line  without its CRLF; borrowed, as out->text is
 *
 * FTP_SYNTAX  no reply: so are most lines in the middle of a long one
 * FTP_RANGE   three digits, but no reply begins with the first of them
 */
MUST_USE enum ftp_err reply_parse(struct sv line, struct reply_line *out);

/*
 * Whether line is the last of a reply that began with "code-": the same code
 * and a blank.  A line inside may begin with digits too, another code's or
 * the same with a hyphen.
 */
bool reply_ends(struct sv line, int code);
