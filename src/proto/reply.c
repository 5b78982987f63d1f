/*
 * proto/reply.c: one line of a server's replies; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/reply.h"

enum ftp_err
reply_parse(struct sv line, struct reply_line *out)
{
	struct sv rest = sv_drop(line, 3);
	struct reply_line reply = { .code = 0 };

	if (line.len < 3 || sv_digits((struct sv) { line.ptr, 3 }) != 3)
		return FTP_SYNTAX;
	if (sv_take(&rest, '-'))
		reply.continues = true;
	else if (rest.len > 0 && !sv_take(&rest, ' '))
		return FTP_SYNTAX;
	if (line.ptr[0] < '1' || line.ptr[0] > '6')
		return FTP_RANGE;

	for (int i = 0; i < 3; i++)
		reply.code = reply.code * 10 + (line.ptr[i] - '0');
	reply.text = rest;
	*out = reply;
	return FTP_OK;
}

bool
reply_ends(struct sv line, int code)
{
	struct reply_line reply;

	return reply_parse(line, &reply) == FTP_OK && reply.code == code &&
	    !reply.continues;
}
