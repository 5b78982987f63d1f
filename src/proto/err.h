/*
 * proto/err.h: why a piece of FTP grammar was not understood.
 *
 * Each failure has one name and one reply code, so that the server, the
 * sensor and the auditor say the same of the same bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#define FTP_ERRORS(X) \
/*	name          reply  text */ \
	X(OK,         200, "well-formed") \
	X(SYNTAX,     501, "not of the form that the command takes") \
	X(RANGE,      501, "a number is outside its range") \
	X(FAMILY,     522, "a network protocol that is not supported") \
	X(UNKNOWN,    500, "not a command")

enum ftp_err {
#define X(NAME, reply, text) FTP_##NAME,
	FTP_ERRORS(X)
#undef X
};

/* The reply code that RFC 959 or RFC 2428 gives to this failure. */
int ftp_err_reply(enum ftp_err err);

/* A few words for people; a constant. */
const char *ftp_err_text(enum ftp_err err);
