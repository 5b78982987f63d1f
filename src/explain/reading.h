/*
 * explain/reading.h: what a pasted text is, and what it says.
 *
 * The grammar is proto/'s and nobody else's; here is only decided which form
 * a text means to be, with the tolerance that pasting asks for: the marks of
 * captures and of clients in front ("C: ", "> ", "---> "), a CR at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"
#include "proto/err.h"
#include "proto/hostport.h"

enum reading_kind {
	READING_UNKNOWN,  /* names no data address that we know */
	READING_COMMAND,  /* PORT, EPRT, LPRT: the server is to connect */
	READING_REPLY,	  /* 227, 229, 228: the client is to connect */
	READING_ENDPOINT, /* ADDRESS:PORT, to be written as commands */
};

struct reading {
	struct sv text;	      /* what was read, marks cut off; borrowed */
	enum reading_kind kind;
	const char *form;     /* "PORT", "227", ...; NULL for the others */
	enum hostport_form grammar; /* where there is a form */
	enum ftp_err err;
	struct addr addr;     /* when err is FTP_OK */
	size_t at;	      /* otherwise: where in text the fault is, */
	const char *expected; /* and what should have stood there */
};

/* line is without its LF. */
struct reading reading_of(struct sv line);
