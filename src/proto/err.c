/*
 * proto/err.c: the names, reply codes and words of the one table in err.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/err.h"

int
ftp_err_reply(enum ftp_err err)
{
	switch (err) {
#define X(NAME, reply, text)  \
	case FTP_##NAME:      \
		return reply;
		FTP_ERRORS(X)
#undef X
	}
	return 500;
}

const char *
ftp_err_text(enum ftp_err err)
{
	switch (err) {
#define X(NAME, reply, text) \
	case FTP_##NAME:     \
		return text;
		FTP_ERRORS(X)
#undef X
	}
	return "no such error";
}
